-- What a person reads of a trend: a line of bars for each scorer, and a table of the runs with their intervals; and the
-- same table as Markdown and CSV.

local history = require "evalua.report.history"
local parts = require "evalua.report.parts"
local pretty = require "evalua.report.pretty"
local text = require "evalua.report.text"

local trend = {}

local BARS = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
local NOTHING = "·" -- a run without a mean

local present = parts.present

local function number(value) return value and text.number(value + 0.0) or "-" end

---Numbers as a line of bars from the least to the greatest; equal ones are in the middle, false is a dot.
---@param values (number|false)[]
---@return string
function trend.sparkline(values)
  local low, high
  for _, value in ipairs(values) do
    if value then low, high = math.min(low or value, value), math.max(high or value, value) end
  end
  local out = {}
  for position, value in ipairs(values) do
    if not value then
      out[position] = NOTHING
    elseif low == high then
      out[position] = BARS[#BARS // 2]
    else
      out[position] = BARS[1 + math.floor((value - low) / (high - low) * (#BARS - 1) + 0.5)]
    end
  end
  return table.concat(out)
end

local function mean_of(run, id)
  local scorer = run.scorers[id]
  return scorer and present(scorer.mean) or nil
end

-- A row for each scorer: id, bars, and the first, last, lowest and highest mean.
local function bar_rows(group, ids)
  local rows = {}
  for _, id in ipairs(ids) do
    local values, first, last, low, high = {}, nil, nil, nil, nil
    for position, run in ipairs(group.runs) do
      local mean = mean_of(run, id)
      values[position] = mean or false
      if mean then
        first, last = first or mean, mean
        low, high = math.min(low or mean, mean), math.max(high or mean, mean)
      end
    end
    rows[#rows + 1] = { text.clean(id), trend.sparkline(values), number(first), number(last), number(low),
      number(high) }
  end
  return rows
end

-- `0.82 [0.75, 0.88] n 50`
local function cell_of(run, id)
  local mean = mean_of(run, id)
  if not mean then return "-" end
  local low, high = parts.interval(run.scorers[id].ci)
  return ("%s%s n %d"):format(number(mean), low and (" [%s, %s]"):format(number(low), number(high)) or "",
    run.scorers[id].n or 0)
end

local BAR_COLUMNS = { { title = "scorer", flexible = true }, { title = "trend" }, { title = "first", right = true },
  { title = "last", right = true }, { title = "lowest", right = true, drop = 2 },
  { title = "highest", right = true, drop = 2 } }

-- The columns of the table of runs, and its rows.
local function run_table(group, ids)
  local columns, rows = { { title = "#", right = true }, { title = "started", drop = 2 } }, {}
  for position, id in ipairs(ids) do
    columns[#columns + 1] = { title = text.clean(id), drop = position > 1 and 1000 - position }
  end
  columns[#columns + 1] = { title = "verdict", drop = 3, colour = text.verdict_colour }
  columns[#columns + 1] = { title = "commit", drop = 1 }
  columns[#columns + 1] = { title = "notes", flexible = true }
  for position, run in ipairs(group.runs) do
    local row = { tostring(run.number), history.started(run) }
    for _, id in ipairs(ids) do row[#row + 1] = cell_of(run, id) end
    row[#row + 1] = present(run.verdict) or "none"
    row[#row + 1] = history.commit(run.git)
    row[#row + 1] = history.notes(run)
    rows[position] = row
  end
  return columns, rows
end

---One variant's runs.
---@param view table of pretty.view
---@param group evalua.history_group
function trend.put(view, group)
  pretty.line(view, view.paint("bold", history.title(group)), ": ", text.count(#group.runs, "run"))
  local ids = history.scorer_ids(group.runs)
  if #ids > 0 then
    pretty.line(view, "")
    pretty.table(view, BAR_COLUMNS, bar_rows(group, ids))
  end
  pretty.line(view, "")
  pretty.table(view, run_table(group, ids))
end

---Writes the trend as Markdown.
---@param write fun(text: string)
---@param groups evalua.history_group[]
function trend.markdown(write, groups)
  local markdown = require "evalua.report.markdown"
  write(markdown.MARKER .. "\n")
  for _, group in ipairs(groups) do
    local ids = history.scorer_ids(group.runs)
    write(("\n### Trend of %s: %s\n"):format(markdown.plain(history.title(group)), text.count(#group.runs, "run")))
    if #ids > 0 then markdown.table(write, BAR_COLUMNS, bar_rows(group, ids)) end
    local columns, rows = run_table(group, ids)
    markdown.table(write, columns, rows)
  end
end

---Writes the trend as CSV: one line a run and scorer.
---@param write fun(text: string)
---@param groups evalua.history_group[]
function trend.csv(write, groups)
  local line = require("evalua.report.csv").line
  local titles = { "experiment", "variant", "number", "started_at", "status", "verdict", "partial", "commit", "scorer",
    "mean", "low", "high", "n" }
  line(write, titles, #titles)
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do
      for _, id in ipairs(history.scorer_ids { run }) do
        local scorer = run.scorers[id]
        local low, high = parts.interval(scorer.ci)
        line(write, { group.name, present(group.variant), run.number, present(run.started_at), run.status,
          run.verdict, run.partial, history.commit(run.git), id, present(scorer.mean), low, high, scorer.n }, #titles)
      end
    end
  end
end

return trend
