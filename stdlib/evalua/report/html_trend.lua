-- Trends in the HTML report: a chart for each scorer with the mean and interval of every run, one of the latency, and
-- a table of the runs.

local chart = require "evalua.report.html_chart"
local history = require "evalua.report.history"
local html = require "evalua.report.html_parts"
local parts = require "evalua.report.parts"
local text = require "evalua.report.text"

local trend = {}

local RUNS_BESIDE_RUN = 20 -- earlier runs in the report of one

local function run_title(run)
  local list = { "#" .. tostring(run.number), history.started(run) }
  local commit, notes = history.commit(run.git), history.notes(run)
  if commit ~= "" then list[#list + 1] = commit end
  if notes ~= "" then list[#list + 1] = notes end
  return table.concat(list, ", ")
end

local function scorer_points(runs, id)
  local points = {}
  for position, run in ipairs(runs) do
    local scorer = run.scorers[id] or {}
    local low, high = parts.interval(scorer.ci)
    local value = parts.present(scorer.mean)
    points[position] = { value = value, low = low, high = high, name = "#" .. tostring(run.number),
      tone = html.tone(run.verdict), hollow = run.partial, title = value and ("%s: %s%s, n %d"):format(run_title(run),
        text.number(value + 0.0), low and (" [%s]"):format(parts.interval_text(scorer.ci)) or "", scorer.n or 0) }
  end
  return points
end

local function latency_points(runs)
  local points = {}
  for position, run in ipairs(runs) do
    local value = (run.latency_ms or {}).p50
    points[position] = { value = parts.present(value), name = "#" .. tostring(run.number),
      title = value and ("%s: median latency %s"):format(run_title(run), text.duration(value)) }
  end
  return points
end

local function put_charts(write, runs)
  local pieces = {}
  for _, id in ipairs(history.scorer_ids(runs)) do
    pieces[#pieces + 1] = chart.trend(id, scorer_points(runs, id))
  end
  pieces[#pieces + 1] = chart.trend("latency, median", latency_points(runs), text.duration)
  write('<div class="charts">' .. table.concat(pieces) .. "</div>\n")
end

local function put_table(write, runs)
  local ids = history.scorer_ids(runs)
  local columns, rows = { { "run", "name" }, { "started", "plain" } }, {}
  for _, id in ipairs(ids) do columns[#columns + 1] = { id, "plain" } end
  for _, name in ipairs { "failed", "latency p50", "verdict", "commit", "notes" } do
    columns[#columns + 1] = { name, (name == "failed" or name == "latency p50") and "number" or "plain" }
  end
  for position = #runs, 1, -1 do
    local run = runs[position]
    local row = { html.escape("#" .. tostring(run.number)), html.escape(history.started(run)) }
    for _, id in ipairs(ids) do
      local scorer = run.scorers[id] or {}
      local mean = parts.present(scorer.mean)
      row[#row + 1] = mean and ('%s <span class="soft">%s, n %d</span>'):format(text.number(mean + 0.0),
        parts.interval_text(scorer.ci), scorer.n or 0) or "-"
    end
    row[#row + 1] = tostring(parts.present(run.failed_count) or 0)
    row[#row + 1] = text.duration((run.latency_ms or {}).p50)
    row[#row + 1] = html.badge(run.verdict)
    row[#row + 1] = html.escape(history.commit(run.git))
    row[#row + 1] = html.escape(history.notes(run))
    rows[#rows + 1] = row
  end
  html.table(write, "runs, newest first", columns, rows)
end

---Writes the trend of one variant.
---@param write fun(text: string)
---@param group evalua.history_group
function trend.put(write, group)
  write(('<h2>%s <span class="soft">%s</span></h2>\n'):format(html.escape(history.title(group)),
    html.escape(text.count(#group.runs, "run"))))
  put_charts(write, group.runs)
  put_table(write, group.runs)
end

---Writes the trend up to a run, where there are runs before it.
---@param write fun(text: string)
---@param document evalua.report.document
---@param summary table
function trend.put_of_run(write, document, summary)
  local number = parts.present(summary.number)
  if not number then return end
  local groups = history.collect(document.store, { name = summary.name, variant = parts.present(summary.variant) or "",
    limit = RUNS_BESIDE_RUN, upto = number })
  local group = groups[1]
  if not group or #group.runs < 2 then return end
  write("<h3>Trend</h3>\n")
  put_charts(write, group.runs)
end

return trend
