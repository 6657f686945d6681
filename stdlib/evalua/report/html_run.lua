-- A run in the HTML report: its facts, scorers, rules, distributions, slices, and the place of its table of items.

local chart = require "evalua.report.html_chart"
local html = require "evalua.report.html_parts"
local parts = require "evalua.report.parts"
local phrases = require "evalua.report.phrases"
local text = require "evalua.report.text"

local run = {}

local escape = html.escape
local LATENCY_BINS = 24
local LOG_FROM = 50 -- times that the longest is longer than the shortest, from which on the scale is logarithmic

-- The latencies as a histogram, on a logarithmic scale where they differ much, with the percentiles in it.
local function latency_histogram(store, summary)
  local values = store:latencies(summary.experiment_id)
  if not values or #values < 2 then return nil end
  local low, high = math.huge, -math.huge
  for position = 1, #values do
    local value = values:get(position)
    low, high = math.min(low, value), math.max(high, value)
  end
  if high <= low then return nil end
  local is_log = low > 0 and high / low >= LOG_FROM
  local function place(value)
    if is_log then return math.log(math.max(value, low) / low) / math.log(high / low) end
    return (value - low) / (high - low)
  end
  local counts, marks = {}, {}
  for position = 1, LATENCY_BINS do counts[position] = 0 end
  for position = 1, #values do
    local bin = math.min(LATENCY_BINS, math.floor(place(values:get(position)) * LATENCY_BINS) + 1)
    counts[bin] = counts[bin] + 1
  end
  local latency = parts.present(summary.latency_ms) or {}
  for _, name in ipairs { "p50", "p95" } do
    if parts.present(latency[name]) then marks[#marks + 1] = { value = latency[name], name = name } end
  end
  return { low = low, high = high, counts = counts, place = place, marks = marks, show = text.duration }, is_log
end

---Writes the table of a run's scorers.
---@param write fun(text: string)
---@param summary table
function run.put_scorers(write, summary)
  local rows = {}
  for _, key in ipairs(parts.sorted_keys(summary.scorers)) do
    local scorer = summary.scorers[key]
    rows[#rows + 1] = { escape(key), escape(phrases.mean_text(scorer)), parts.interval_text(scorer.ci),
      text.percent(parts.present(scorer.pass_rate)) }
  end
  for _, metric in ipairs(phrases.metrics(summary)) do
    rows[#rows + 1] = { escape(metric.name), escape(metric.text), escape(metric.interval or "-"), "-" }
  end
  if #rows == 0 then return end
  html.table(write, "scorers", { { "scorer", "name" }, { "mean", "mean" }, { "95% interval", "plain" },
    { "pass rate", "number" } }, rows)
end

local function put_charts(write, document, summary)
  local pieces = {}
  for _, key in ipairs(parts.sorted_keys(summary.scorers)) do
    local scorer = summary.scorers[key]
    local histogram = parts.present(scorer.histogram)
    if histogram and #(parts.present(histogram.counts) or {}) > 0 then
      pieces[#pieces + 1] = chart.histogram(key, histogram, "items")
    elseif parts.present(scorer.labels) then
      pieces[#pieces + 1] = chart.labels(key, scorer.labels)
    end
  end
  local latency, is_log = latency_histogram(document.store, summary)
  if latency then
    pieces[#pieces + 1] = chart.histogram(is_log and "latency (logarithmic)" or "latency", latency, "results")
  end
  if #pieces > 0 then write('<h3>Distributions</h3>\n<div class="charts">' .. table.concat(pieces) .. "</div>\n") end
end

---Writes what a run's rules say.
---@param write fun(text: string)
---@param summary table
function run.put_rules(write, summary)
  local rules, reason = parts.present(summary.rules) or {}, parts.present(summary.reason)
  if summary.verdict == "error" and reason then
    write(('<p class="bad">not judged: %s</p>\n'):format(escape(reason)))
  end
  if #rules == 0 then
    local said = phrases.without_rules(summary):gsub("^%l", string.upper)
    write(('<p class="soft">%s.</p>\n'):format(escape(said)))
    return
  end
  write('<h3>Rules</h3>\n<ul class="rules">\n')
  for _, rule in ipairs(rules) do
    local message = parts.present(rule.message)
    write(("<li>%s %s%s</li>\n"):format(html.badge(rule.status), escape(rule.name or ""), message and message ~= ""
      and (' <span class="soft">%s</span>'):format(escape(message)) or ""))
  end
  write("</ul>\n")
end

local function put_slices(write, summary)
  local keys = parts.sorted_keys(summary.scorers)
  for _, name in ipairs(parts.sorted_keys(summary.slices)) do
    local columns, rows = { { name, "name" }, { "items", "number" } }, {}
    for _, key in ipairs(keys) do columns[#columns + 1] = { key, "number" } end
    for _, value in ipairs(parts.sorted_keys(summary.slices[name])) do
      local slice = summary.slices[name][value]
      local row = { escape(value), tostring(slice.n or "") }
      for _, key in ipairs(keys) do
        local scorer = parts.present(slice.scorers) and slice.scorers[key]
        local mean = scorer and parts.present(scorer.mean)
        row[#row + 1] = mean and ("%s (n %d)"):format(text.number(mean + 0.0), scorer.n or 0) or "-"
      end
      rows[#rows + 1] = row
    end
    write(("<h3>By %s</h3>\n"):format(escape(name)))
    html.table(write, "means by " .. name, columns, rows)
  end
end

local function facts_line(summary)
  local list = {}
  local function add(form, ...) list[#list + 1] = form:format(...) end
  local dataset, target = parts.present(summary.dataset) or {}, parts.present(summary.target) or {}
  if parts.present(dataset.name) then
    add("%s version %s", text.clean(dataset.name), tostring(parts.present(dataset.version) or 0))
  end
  add("%s", phrases.count_text(summary))
  if parts.present(target.id) then add("target %s", text.clean(target.id)) end
  if parts.present(summary.started_at) then add("%s", (summary.started_at:gsub("T", " "):gsub("%.%d+Z", " UTC"))) end
  local git = parts.present(summary.git)
  if type(git) == "table" and parts.present(git.commit) then
    local is_dirty = parts.present(git.dirty) == true
    add("commit %s%s", text.clean(tostring(git.commit)):sub(1, 12), is_dirty and " (dirty)" or "")
  end
  return escape(table.concat(list, ", "))
end

---Writes the head of a run and what its rules say.
---@param write fun(text: string)
---@param summary table
function run.put_head(write, summary)
  write(('<h2>%s <span class="soft">#%s</span> '):format(escape(parts.title(summary)), escape(summary.number or "?")))
  if summary.status and summary.status ~= "completed" then write(html.badge(summary.status) .. " ") end
  local verdict = parts.present(summary.verdict)
  write((verdict and verdict ~= "none" and html.badge(verdict) or "") .. "</h2>\n")
  write(('<p class="soft">%s</p>\n'):format(facts_line(summary)))
  run.put_scorers(write, summary)
  run.put_rules(write, summary)
end

---Writes what is below a run's comparison: charts, slices, and the place of the table of items.
---@param write fun(text: string)
---@param document evalua.report.document
---@param summary table
---@param index integer of its rows in the page's data, from 0
function run.put_rest(write, document, summary, index)
  put_charts(write, document, summary)
  require("evalua.report.html_trend").put_of_run(write, document, summary)
  put_slices(write, summary)
  write(('<h3>Items</h3>\n<div id="run-%d"></div>\n'):format(index))
end

return run
