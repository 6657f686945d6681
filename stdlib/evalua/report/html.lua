-- One self-contained HTML file: summaries, distributions, comparisons, and every item in a table with filter and sort.
--
-- No request leaves the page: its policy allows nothing but the one style and the one script in it, by their digests.
-- What came from outside is escaped, or stands as JSON in a script element that is never run, with every `<` as \u003c.

local json = require "evalua.json"
local parts = require "evalua.report.parts"
local pretty = require "evalua.report.pretty"
local sha256 = require("evalua.native.text").sha256
local text = require "evalua.report.text"

local script = require "evalua.report.html_script"
local style = require "evalua.report.html_style"

local html = {}

local ROWS_BYTES_MAX = 12000000 -- of all values; more items means shorter ones
local VALUE_BYTES_MAX = 4096
local VALUE_BYTES_MIN = 24
local QUIET_PAIRS = 20000       -- in larger comparisons items without a change carry no texts

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local function escape(value) return (text.clean(tostring(value)):gsub("[&<>\"']", entities)) end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Base64 of bytes given as hexadecimal digits: how a policy names a digest.
local function base64_of_hex(hex)
  local bytes = {}
  for pair in hex:gmatch("%x%x") do bytes[#bytes + 1] = tonumber(pair, 16) end
  local out = {}
  for position = 1, #bytes, 3 do
    local first, second, third = bytes[position], bytes[position + 1], bytes[position + 2]
    local all = first << 16 | (second or 0) << 8 | (third or 0)
    for digit = 0, 3 do
      local index = (all >> (18 - 6 * digit)) & 63
      local is_padding = digit == 2 and not second or digit == 3 and not third
      out[#out + 1] = is_padding and "=" or alphabet:sub(index + 1, index + 1)
    end
  end
  return table.concat(out)
end

local function policy_digest(content) return "'sha256-" .. base64_of_hex(sha256(content)) .. "'" end

-- JSON that is safe inside of a script element. `<` is only ever inside of a string.
local function data_text(value)
  return (json.encode(value):gsub("<", "\\u003c"):gsub("\226\128\168", "\\u2028"):gsub("\226\128\169", "\\u2029"))
end

local tones = { pass = "good", improved = "good", no_worse = "good", fail = "bad", regressed = "bad", error = "bad",
  no_data = "bad", inconclusive = "warn", incomparable = "warn", interrupted = "warn", cancelled = "warn" }

local function badge(word)
  return ('<span class="badge %s">%s</span>'):format(tones[word] or "", escape(tostring(word):gsub("_", " ") .. ""))
end

-- A table: each column is {title, class}; cells are HTML already.
local function put_table(write, columns, rows)
  write('<div class="scroll"><table class="facts"><thead><tr>')
  for _, column in ipairs(columns) do
    write(('<th scope="col" class="%s">%s</th>'):format(column[2] or "", escape(column[1])))
  end
  write("</tr></thead><tbody>\n")
  for _, row in ipairs(rows) do
    write("<tr>")
    for position, column in ipairs(columns) do
      write(('<td class="%s">%s</td>'):format(column[2] or "", row[position]))
    end
    write("</tr>\n")
  end
  write("</tbody></table></div>\n")
end

-- A histogram as bars; the middle of the picture is 240 wide and 70 high.
local function put_histogram(write, name, histogram, what)
  histogram = parts.present(histogram)
  local counts = histogram and parts.present(histogram.counts)
  if not counts or #counts == 0 then return end
  local most = 1
  for _, count in ipairs(counts) do most = math.max(most, count) end
  local width = 240 / #counts
  write(('<figure><figcaption>%s</figcaption><svg viewBox="0 0 240 92" role="img" aria-label="distribution of %s">')
    :format(escape(name), escape(name)))
  for position, count in ipairs(counts) do
    local height = count == 0 and 0 or math.max(1, count / most * 66)
    write(('<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f"><title>%d %s</title></rect>'):format(
      (position - 1) * width + 0.5, 74 - height, math.max(0.5, width - 1), height, count, what))
  end
  local show = histogram.show or function(value) return text.number(value + 0.0) end
  write(('<line x1="0" y1="74.5" x2="240" y2="74.5"/><text x="0" y="88">%s</text>' ..
    '<text x="240" y="88" text-anchor="end">%s</text></svg></figure>\n'):format(escape(show(histogram.low)),
    escape(show(histogram.high))))
end

-- The latencies as a histogram over equal parts of their range.
local function latency_histogram(store, summary)
  local values = store:latencies(summary.experiment_id)
  if not values or #values < 2 then return nil end
  local low, high = math.huge, -math.huge
  for position = 1, #values do
    local value = values:get(position)
    low, high = math.min(low, value), math.max(high, value)
  end
  if high <= low then return nil end
  local counts = {}
  for position = 1, 20 do counts[position] = 0 end
  for position = 1, #values do
    local bin = math.min(20, math.floor((values:get(position) - low) / (high - low) * 20) + 1)
    counts[bin] = counts[bin] + 1
  end
  return { low = low, high = high, counts = counts, show = text.duration }
end

local function put_scorers(write, summary)
  local rows = {}
  for _, key in ipairs(parts.sorted_keys(summary.scorers)) do
    local scorer = summary.scorers[key]
    rows[#rows + 1] = { escape(key), escape(pretty.mean_text(scorer)), parts.interval_text(scorer.ci),
      text.percent(parts.present(scorer.pass_rate)) }
  end
  if #rows == 0 then return end
  put_table(write, { { "scorer", "name" }, { "mean" }, { "95% interval", "plain" }, { "pass rate", "number" } }, rows)
end

local function put_charts(write, document, summary)
  local pieces = {}
  local function put(piece) pieces[#pieces + 1] = piece end
  for _, key in ipairs(parts.sorted_keys(summary.scorers)) do
    put_histogram(put, key, summary.scorers[key].histogram, "items")
  end
  put_histogram(put, "latency", latency_histogram(document.store, summary), "items")
  if #pieces > 0 then write('<h3>Distributions</h3>\n<div class="charts">' .. table.concat(pieces) .. "</div>\n") end
end

local function put_rules(write, summary)
  local rules, reason = parts.present(summary.rules) or {}, parts.present(summary.reason)
  if summary.verdict == "error" and reason then
    write(('<p class="bad">not judged: %s</p>\n'):format(escape(reason)))
  end
  if #rules == 0 then
    local said = require("evalua.report.pretty").without_rules(summary):gsub("^%l", string.upper)
    write(('<p class="soft">%s.</p>\n'):format(escape(said)))
    return
  end
  write('<h3>Rules</h3>\n<ul class="rules">\n')
  for _, rule in ipairs(rules) do
    local message = parts.present(rule.message)
    write(("<li>%s %s%s</li>\n"):format(badge(rule.status), escape(rule.name or ""), message and message ~= ""
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
    put_table(write, columns, rows)
  end
end

local function facts_line(summary)
  local list = {}
  local function add(form, ...) list[#list + 1] = form:format(...) end
  local dataset, target = parts.present(summary.dataset) or {}, parts.present(summary.target) or {}
  if parts.present(dataset.name) then
    add("%s version %s", text.clean(dataset.name), tostring(parts.present(dataset.version) or 0))
  end
  add("%s", text.count(summary.total_items or 0, "item"))
  for _, pair in ipairs { { summary.failed_count, "failed" }, { summary.skipped_count, "skipped" },
    { summary.pending_count, "not run" }, { next(summary.scorers or {}) and summary.passed_count, "passed" } } do
    local count = pair[1] and parts.present(pair[1]) or 0
    if count > 0 then add("%d %s", count, pair[2]) end
  end
  local latency = parts.present(summary.latency_ms)
  if latency and parts.present(latency.p50) then
    add("latency p50 %s, p95 %s", text.duration(latency.p50), text.duration(latency.p95))
  end
  if parts.present(target.id) then add("target %s", text.clean(target.id)) end
  if parts.present(summary.started_at) then add("%s", (summary.started_at:gsub("T", " "):gsub("%.%d+Z", " UTC"))) end
  local git = parts.present(summary.git)
  if type(git) == "table" and parts.present(git.commit) then
    local is_dirty = parts.present(git.dirty) == true
    add("commit %s%s", text.clean(tostring(git.commit)):sub(1, 12), is_dirty and " (dirty)" or "")
  end
  return escape(table.concat(list, ", "))
end

local function put_run(write, document, summary, index)
  write(("<h2>%s <span class=\"soft\">#%s</span> "):format(escape(parts.title(summary)),
    escape(summary.number or "?")))
  if summary.status and summary.status ~= "completed" then write(badge(summary.status) .. " ") end
  local verdict = parts.present(summary.verdict)
  write((verdict and verdict ~= "none" and badge(verdict) or "") .. "</h2>\n")
  write(('<p class="soft">%s</p>\n'):format(facts_line(summary)))
  put_scorers(write, summary)
  put_rules(write, summary)
  put_charts(write, document, summary)
  put_slices(write, summary)
  write(('<h3>Items</h3>\n<div id="run-%d"></div>\n'):format(index))
end

local function put_comparison(write, result, index)
  local now, now_number = parts.side(result.candidate)
  local before, before_number = parts.side(result.baseline)
  write(('<h2>%s <span class="soft">%s</span> against %s <span class="soft">%s</span> %s</h2>\n'):format(escape(now),
    escape(now_number), escape(before), escape(before_number), badge(result.verdict)))
  local items = parts.present(result.items) or {}
  write(('<p class="soft">%s paired, %d only in the baseline, %d only in the candidate, %d changed</p>\n'):format(
    text.count(items.paired or 0, "item"), #(items.only_baseline or {}), #(items.only_candidate or {}),
    #(items.changed or {})))
  for _, warning in ipairs(parts.present(result.warnings) or {}) do
    write(('<p class="warn">%s</p>\n'):format(escape(warning)))
  end
  local rows = {}
  for _, key in ipairs(parts.sorted_keys(result.scorers)) do
    local scorer = result.scorers[key]
    local low, high = parts.interval(scorer.ci)
    local test = parts.present(scorer.test)
    rows[#rows + 1] = { escape(key), badge(scorer.verdict), parts.signed(scorer.delta),
      low and ("%s to %s"):format(parts.signed(low), parts.signed(high)) or "-", parts.p_text(scorer.p_value),
      text.number(parts.present(scorer.baseline_mean)), text.number(parts.present(scorer.candidate_mean)),
      tostring(scorer.n or 0), tostring(scorer.improved or 0), tostring(scorer.regressed or 0),
      tostring(scorer.same or 0), test and escape(test:gsub("_", " ") .. "") or "-" }
  end
  put_table(write, { { "scorer", "name" }, { "verdict" }, { "delta", "number" }, { "95% interval", "plain" },
    { "p", "number" }, { "baseline", "number" }, { "now", "number" }, { "n", "number" }, { "improved", "number" },
    { "regressed", "number" }, { "same", "number" }, { "test" } }, rows)
  write(('<h3>Items</h3>\n<div id="pair-%d"></div>\n'):format(index))
end

-- How many bytes a value may take so that all rows stay within bounds.
local function value_bytes(rows, values)
  return math.max(VALUE_BYTES_MIN, math.min(VALUE_BYTES_MAX, (ROWS_BYTES_MAX // math.max(1, rows) - 80) // values))
end

local function or_null(value)
  if value == nil then return json.null end
  return value
end

-- Scores by column: numbers, labels, or the word for what is missing; and the reasons.
local function score_cells(row, keys)
  local by_key, values, notes, has_notes = {}, {}, {}, false
  for _, score in ipairs(row.scores or {}) do by_key[parts.score_key(score)] = score end
  for position, key in ipairs(keys) do
    local score = by_key[key]
    local value = score and (parts.present(score.score) or parts.present(score.label)
      or (score.status ~= "ok" and score.status or nil))
    values[position] = type(value) == "string" and text.clean(value) or or_null(value)
    local note = score and (parts.present(score.reason) or (score.error and pretty.error_message(score.error)))
    notes[position] = note and parts.cut(text.clean(note), 500) or json.null
    has_notes = has_notes or note ~= nil
  end
  return json.array(values), has_notes and json.array(notes) or json.null
end

local passed_codes = { [true] = 1, [false] = 0 }

local function put_run_rows(write, document, summary, total)
  local keys, most = parts.sorted_keys(summary.scorers), value_bytes(total, 3)
  write('{"scorers":' .. data_text(json.array(keys)) .. ',"rows":[')
  local first = true
  document.each(summary, function(row)
    local scores, notes = score_cells(row, keys)
    local _, _, problem = parts.problem(row)
    write((first and "\n" or ",\n") .. data_text(json.array { parts.result_name(row), row.status,
      or_null(passed_codes[row.passed]), or_null(parts.present(row.latency_ms)), scores,
      or_null(parts.text_of(row.input, most)), or_null(parts.text_of(row.ground_truth, most)),
      or_null(parts.text_of(row.output, most)), or_null(problem and parts.cut(problem, 1000)), notes }))
    first = false
  end)
  write("]}")
end

-- Better on some scorer and worse on none, the other way round, both, or neither.
local function change_of(before, after, directions)
  local better, worse = false, false
  for position, higher in ipairs(directions) do
    local from, to = before[position], after[position]
    if type(from) == "number" and type(to) == "number" and from ~= to then
      if (to > from) == higher then better = true else worse = true end
    end
  end
  return better and worse and 2 or better and 1 or worse and -1 or 0
end

local function put_pair_rows(write, document, result, total)
  local keys, directions = parts.sorted_keys(result.scorers), {}
  for position, key in ipairs(keys) do directions[position] = result.scorers[key].higher_is_better ~= false end
  local most, quiet = value_bytes(total, 4), total > QUIET_PAIRS
  write('{"scorers":' .. data_text(json.array(keys)) .. ',"rows":[')
  local first = true
  parts.each_pair(document.store, result.baseline.experiment_id, result.candidate.experiment_id, function(before, after)
    local scores_before, scores_after = score_cells(before, keys), score_cells(after, keys)
    local change = change_of(scores_before, scores_after, directions)
    local silent = quiet and change == 0
    local function value(raw) return or_null(not silent and parts.text_of(raw, most) or nil) end
    write((first and "\n" or ",\n") .. data_text(json.array { parts.result_name(after), before.status, after.status,
      scores_before, scores_after, value(after.input), value(after.ground_truth), value(before.output),
      value(after.output), change }))
    first = false
  end)
  write("]}")
end

local function put_data(write, document)
  local total = 0
  for _, summary in ipairs(document.summaries) do total = total + (summary.total_items or 0) end
  for _, result in ipairs(document.comparisons or {}) do total = total + (result.items.paired or 0) end
  write('<script type="application/json" id="data">{"runs":[')
  for position, summary in ipairs(document.summaries) do
    if position > 1 then write(",\n") end
    put_run_rows(write, document, summary, total)
  end
  write('],"pairs":[')
  for position, result in ipairs(document.comparisons or {}) do
    if position > 1 then write(",\n") end
    put_pair_rows(write, document, result, total)
  end
  write("]}</script>\n")
end

local function title_of(document)
  local names = {}
  for _, summary in ipairs(document.summaries) do names[#names + 1] = parts.title(summary) end
  if #names == 0 then
    for _, result in ipairs(document.comparisons or {}) do names[#names + 1] = parts.title(result.candidate) end
    return "Comparison of " .. table.concat(names, ", ")
  end
  return #names <= 3 and table.concat(names, ", ") or ("%s and %d more"):format(names[1], #names - 1)
end

---Writes the page.
---@param write fun(text: string)
---@param document evalua.report.document
function html.runs(write, document)
  local title = escape(title_of(document))
  write('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
  write(([[<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src %s; script-src %s; ]] ..
    [[base-uri 'none'; form-action 'none'">]]):format(policy_digest(style), policy_digest(script)))
  write('\n<meta name="viewport" content="width=device-width, initial-scale=1">\n')
  write('<meta name="referrer" content="no-referrer">\n')
  write(("<title>%s - evalua</title>\n<style>%s</style>\n</head>\n<body>\n<h1>%s"):format(title, style, title))
  write((document.verdict and document.verdict ~= "none" and #document.summaries > 1 and " " .. badge(document.verdict)
    or "") .. "</h1>\n")
  for position, result in ipairs(document.comparisons or {}) do put_comparison(write, result, position - 1) end
  for position, summary in ipairs(document.summaries) do put_run(write, document, summary, position - 1) end
  write("<footer>Values are shortened where they are long; the store and the JSON report have them whole.</footer>\n")
  put_data(write, document)
  write("<script>" .. script .. "</script>\n</body>\n</html>\n")
end

return html
