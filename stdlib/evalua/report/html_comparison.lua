-- A comparison in the HTML report: verdicts, differences with their intervals, warnings, and the place of its items.

local chart = require "evalua.report.html_chart"
local html = require "evalua.report.html_parts"
local notes = require "evalua.report.comparison_notes"
local parts = require "evalua.report.parts"
local text = require "evalua.report.text"

local comparison = {}

local escape = html.escape
local WARNINGS_OPEN = 3 -- more than these are folded

-- The end of the scale on which differences are drawn: the farthest end of an interval.
local function span_of(entries)
  local span = 0
  for _, pair in ipairs(entries) do
    local low, high = parts.interval(pair[2].ci)
    if low then span = math.max(span, math.abs(low), math.abs(high)) end
  end
  return span > 0 and span or 1
end

local function cells_of(entry, span)
  local low, high = parts.interval(entry.ci)
  local delta, test = parts.present(entry.delta), parts.present(entry.test)
  local before, now = text.two_numbers(parts.present(entry.baseline_mean), parts.present(entry.candidate_mean))
  local function count(value) return parts.present(value) and tostring(value) or "-" end
  return html.badge(entry.verdict), parts.signed(entry.delta),
    low and delta and chart.difference(delta, low, high, span, html.tone(entry.verdict)) or "",
    low and ("%s to %s"):format(parts.signed(low), parts.signed(high)) or "-", parts.p_of(entry), before, now,
    tostring(entry.n or 0), count(entry.improved), count(entry.regressed), count(entry.same),
    test and escape(test:gsub("_", " ") .. "") or "-"
end

local function columns_of(result, first)
  local columns = { { "scorer", "name" }, { "verdict" }, { "delta", "number" }, { "", "picture" },
    { parts.interval_title(result), "plain" }, { "p", "number" }, { "baseline", "number" }, { "now", "number" },
    { "n", "number" }, { "improved", "number" }, { "regressed", "number" }, { "same", "number" }, { "test" } }
  if first then table.insert(columns, 1, { first, "name" }) end
  return columns
end

local function put_scorers(write, result)
  local entries, rows = parts.entries(result), {}
  local span = span_of(entries)
  for position, pair in ipairs(entries) do rows[position] = { escape(pair[1]), cells_of(pair[2], span) } end
  html.table(write, "differences", columns_of(result), rows)
end

local function put_slices(write, result)
  for _, slice in ipairs(parts.comparison_slices(result)) do
    local rows, all = {}, {}
    for _, value in ipairs(slice.values) do
      for _, pair in ipairs(parts.entries(value.part)) do all[#all + 1] = pair end
    end
    local span = span_of(all)
    for _, value in ipairs(slice.values) do
      for _, pair in ipairs(parts.entries(value.part)) do
        rows[#rows + 1] = { escape(value.value), escape(pair[1]), cells_of(pair[2], span) }
      end
    end
    write(("<h3>By %s</h3>\n"):format(escape(slice.field)))
    html.table(write, "differences by " .. slice.field, columns_of(result, slice.field), rows)
  end
end

local function put_inconclusive(write, result)
  for _, pair in ipairs(parts.entries(result)) do
    local key, entry = pair[1], pair[2]
    local limits = notes.limits(entry)
    if limits then write(('<p class="soft">%s: %s.</p>\n'):format(escape(key), limits)) end
    for _, line in ipairs(notes.labels(entry)) do
      write(('<p class="soft">%s: %s</p>\n'):format(escape(key), escape(line)))
    end
  end
end

local function put_warnings(write, result)
  local warnings = parts.present(result.warnings) or {}
  if #warnings == 0 then return end
  local lines = {}
  for position, warning in ipairs(warnings) do
    lines[position] = ('<p class="warn">%s</p>\n'):format(escape(warning))
  end
  if #warnings <= WARNINGS_OPEN then return write(table.concat(lines)) end
  write(("<details><summary>%d warnings</summary>\n%s</details>\n"):format(#warnings, table.concat(lines)))
end

-- Success rate, latency and usage, where they differ.
local function put_rest(write, result)
  local rows = {}
  local function add(name, before, now, show)
    before, now = parts.present(before), parts.present(now)
    if before and now then rows[#rows + 1] = { escape(name), show(before), show(now) } end
  end
  local success = parts.present(result.success_rate) or {}
  add("success rate", success.baseline, success.candidate, text.percent)
  local latency = parts.present(result.latency_ms) or {}
  for _, point in ipairs { "p50", "p95", "p99" } do
    add("latency " .. point, (parts.present(latency.baseline) or {})[point],
      (parts.present(latency.candidate) or {})[point], text.duration)
  end
  local usage = parts.present(result.usage) or {}
  for _, name in ipairs { "input_tokens", "output_tokens", "cost" } do
    add(name:gsub("_", " ") .. "", (parts.present(usage.baseline) or {})[name],
      (parts.present(usage.candidate) or {})[name], text.number)
  end
  if #rows > 0 then
    write(("<h3>Beside the scores%s</h3>\n"):format(notes.of_common(result)))
    local columns = { { "", "name" }, { "baseline", "number" }, { "now", "number" } }
    html.table(write, "beside the scores", columns, rows, true)
  end
end

---Writes a comparison.
---@param write fun(text: string)
---@param result table a comparison as evalua.compare makes it
---@param index integer of its rows in the page's data, from 0
---@param level "h2"|"h3" of its heading
function comparison.put(write, result, index, level)
  local now, now_number = parts.side(result.candidate)
  local before, before_number = parts.side(result.baseline)
  local subject = level == "h2" and ('%s <span class="soft">%s</span> against'):format(escape(now), escape(now_number))
    or "Against"
  write(('<%s>%s %s <span class="soft">%s</span> %s</%s>\n'):format(level, subject, escape(before),
    escape(before_number), html.badge(result.verdict), level))
  local items = parts.present(result.items) or {}
  write(('<p class="soft">%s paired, %d only in the baseline, %d only in the candidate, %d changed%s</p>\n'):format(
    text.count(items.paired or 0, "item"), #(items.only_baseline or {}), #(items.only_candidate or {}),
    #(items.changed or {}), (result.new_failure_count or 0) > 0
    and ('; <span class="bad">fine before, not now: %d</span>'):format(result.new_failure_count) or ""))
  put_scorers(write, result)
  put_inconclusive(write, result)
  put_warnings(write, result)
  put_rest(write, result)
  put_slices(write, result)
  write(('<h3>Items of both runs</h3>\n<div id="pair-%d"></div>\n'):format(index))
end

return comparison
