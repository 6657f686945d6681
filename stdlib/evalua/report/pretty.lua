-- What a person reads: the summary of a run with its worst items and rules, lists, one item, comparisons.

local items = require "evalua.report.items"
local json = require "evalua.json"
local report = require "evalua.report.json"
local table_report = require "evalua.report.table"
local text = require "evalua.report.text"

local pretty = {}

local WORST_SHOWN = 5
local RANKED_ITEMS_MAX = 5000 -- of more results the first that failed are shown, instead of reading all to rank them

---Where and how wide to write: text goes through `write`, colours only to a terminal.
---@param write fun(text: string)
---@param descriptor integer? 1 by default; nil width in a file
---@return table view {write, paint, width, full}
function pretty.view(write, descriptor)
  return { write = function(value) write(text.neutral(value)) end, paint = text.painter(descriptor or 1),
    width = text.terminal_width(descriptor or 1) }
end

local function put(view, ...) view.write(table.concat({ ... }) .. "\n") end

-- A line of words, broken where the terminal is narrower.
local function say(view, ...) view.write(text.wrap(table.concat({ ... }), view.width) .. "\n") end

local function put_table(view, columns, rows, indent)
  local lines = table_report.render(columns, rows,
    { width = view.width, paint = view.paint, indent = indent, full = view.full })
  put(view, table.concat(lines, "\n"))
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map or {}) do keys[#keys + 1] = key end
  table.sort(keys, function(left, right) return tostring(left) < tostring(right) end)
  return keys
end

local function present(value)
  if value == nil or value == json.null then return nil end
  return value
end

---`0.82 over 47 of 50 (2 failed, 1 unscored)`: a mean never stands without what it leaves out.
---@param scorer table of summary.scorers
---@return string
function pretty.mean_text(scorer)
  local counts, total = {}, scorer.n
  local function add(count, what)
    count = present(count) or 0
    if count > 0 then counts[#counts + 1] = ("%d %s"):format(count, what) end
    total = total + count
  end
  add(scorer.n_failed, "failed")
  add(scorer.n_unscored, "unscored")
  add(scorer.n_error, present(scorer.n_error) == 1 and "scorer error" or "scorer errors")
  add(scorer.n_skipped, "skipped")
  add(scorer.n_pending, "pending")
  add(scorer.n_without, "without it")
  local mean, labels = present(scorer.mean), {}
  if not mean then
    for _, label in ipairs(sorted_keys(present(scorer.labels))) do
      labels[#labels + 1] = ("%s %d"):format(text.clean(tostring(label)), scorer.labels[label])
    end
  end
  return ("%s over %d of %d%s"):format(#labels > 0 and table.concat(labels, ", ") or text.number(mean and mean + 0.0),
    scorer.n, total, #counts > 0 and (" (" .. table.concat(counts, ", ") .. ")") or "")
end

local function interval_text(ci)
  ci = present(ci)
  if not ci then return "-" end
  local low, high = present(ci[1] or ci.low), present(ci[2] or ci.high)
  if not low or not high then return "-" end
  return ("%s to %s"):format(text.number(low + 0.0), text.number(high + 0.0))
end

-- A column of scores: its title may be cut. Where there is no room the last are left out; the first stays.
local function score_column(id, position)
  return { title = text.clean(id), right = true, narrow = true, drop = position > 1 and 1000 - position }
end

local function put_scorers(view, summary)
  local rows = {}
  for _, id in ipairs(sorted_keys(summary.scorers)) do
    local scorer = summary.scorers[id]
    rows[#rows + 1] = { text.clean(id), pretty.mean_text(scorer), interval_text(scorer.ci),
      text.percent(present(scorer.pass_rate)) }
  end
  if #rows == 0 then
    say(view, "no scorer: outputs are stored, nothing is scored")
    return
  end
  put_table(view, {
    { title = "scorer", flexible = true }, { title = "mean", flexible = true, minimum = 24, last = true },
    { title = "95% interval", drop = 2 }, { title = "pass rate", right = true, drop = 1 },
  }, rows)
end

local function count_line(summary)
  local parts = { text.count(summary.total_items or 0, "item") }
  parts[#parts + 1] = ("%d ok"):format(summary.succeeded_count or 0)
  if (summary.failed_count or 0) > 0 then parts[#parts + 1] = ("%d failed"):format(summary.failed_count) end
  local repeated = present(summary.trials)
  if repeated then
    table.insert(parts, 2, ("%d trials each (%s)"):format(repeated.count, repeated.reducer))
    if repeated.failed > 0 then
      parts[#parts + 1] = ("%d of %d trials failed"):format(repeated.failed, repeated.total)
    end
  end
  if (summary.skipped_count or 0) > 0 then parts[#parts + 1] = ("%d skipped"):format(summary.skipped_count) end
  if (present(summary.pending_count) or 0) > 0 then
    parts[#parts + 1] = ("%d not run"):format(summary.pending_count)
  end
  if present(summary.passed_count) and next(summary.scorers or {}) then
    parts[#parts + 1] = ("%d passed"):format(summary.passed_count)
  end
  local latency = present(summary.latency_ms)
  if latency and present(latency.p50) then
    parts[#parts + 1] = ("latency p50 %s, p95 %s"):format(text.duration(latency.p50), text.duration(latency.p95))
  end
  return table.concat(parts, ", ")
end

local function title_of(record)
  local variant = present(record.variant)
  return ("%s%s"):format(text.clean(record.name), variant and variant ~= "" and (" [%s]"):format(text.clean(variant))
    or "")
end

local function selection_text(summary)
  local selection, parts = present(summary.selection) or {}, {}
  if present(selection.items) then parts[#parts + 1] = "items" end
  if present(selection.failed_from) then parts[#parts + 1] = ("failed in #%d"):format(selection.failed_from) end
  if present(selection.where) then parts[#parts + 1] = "where " .. text.clean(tostring(selection.where)) end
  if present(selection.limit) then parts[#parts + 1] = "limit " .. selection.limit end
  if present(selection.sample) then parts[#parts + 1] = "sample " .. selection.sample end
  return #parts > 0 and (" (selected: " .. table.concat(parts, ", ") .. ")") or ""
end

local function put_head(view, summary)
  local verdict = present(summary.verdict)
  local states = {}
  if summary.status and summary.status ~= "completed" then
    states[#states + 1] = view.paint(text.verdict_colour(summary.status), summary.status)
  end
  if verdict and verdict ~= "none" then states[#states + 1] = view.paint(text.verdict_colour(verdict), verdict) end
  put(view, view.paint("bold", title_of(summary)), present(summary.number) and (" #%d"):format(summary.number) or "",
    #states > 0 and ("  " .. table.concat(states, ", ")) or "")
  local dataset = present(summary.dataset)
  if dataset then
    say(view, ("%s version %s, "):format(text.clean(dataset.name or "inline items"), tostring(dataset.version or 0)),
      count_line(summary), selection_text(summary))
  else
    put(view, count_line(summary))
  end
end

---A step's scorer is keyed `step/scorer`, as in the summary.
---@param score table
---@return string
function pretty.score_key(score)
  local step = present(score.step_id)
  return step and step ~= "" and (step .. "/" .. score.scorer_id) or score.scorer_id
end

-- What ranks a result among the worst, lowest first: failed, then scorers that failed, then the mean of its scores
-- (of those where lower is better only where there are no others). nil where it has no score.
local function rank_of(row, scorers)
  if row.status ~= "ok" then return -math.huge end
  local sum, count, costs, cost_count = 0, 0, 0, 0
  for _, score in ipairs(row.scores or {}) do
    if score.status == "error" then return -1e300 end
    local value, scorer = present(score.score), scorers[pretty.score_key(score)]
    if value and scorer and scorer.higher_is_better == false then
      costs, cost_count = costs + value, cost_count + 1
    elseif value then
      sum, count = sum + value, count + 1
    end
  end
  if count > 0 then return sum / count end
  return cost_count > 0 and -costs / cost_count or nil
end

local function insert_worst(worst, row, value, most)
  local place = #worst + 1
  while place > 1 and worst[place - 1].value > value do place = place - 1 end
  if place > most then return end
  table.insert(worst, place, { row = row, value = value })
  worst[most + 1] = nil
end

---The worst results of an experiment: failed ones, then the lowest scores that did not pass.
---@param store table
---@param summary table
---@param most integer
---@return table[] rows
---@return boolean ranked false where they are only the first that failed
function pretty.worst(store, summary, most)
  local rows, ranked = {}, (summary.total_items or 0) <= RANKED_ITEMS_MAX
  if not ranked then
    report.each_result(store, summary.experiment_id, { failed = true }, function(row)
      rows[#rows + 1] = row
      return #rows < most
    end)
    return rows, false
  end
  local worst, best = {}, -math.huge
  local reduction = items.reduction_of(summary)
  local function consider(row)
    local value = rank_of(row, summary.scorers or {})
    if value then
      best = math.max(best, value)
      if row.passed ~= true then insert_worst(worst, row, value, most) end
    end
  end
  if reduction then
    items.each(store, summary.experiment_id, reduction, function(row) consider(row) end)
  else
    report.each_result(store, summary.experiment_id, {}, consider)
  end
  for _, entry in ipairs(worst) do
    -- Where all scores are equal and good none is the worst.
    if entry.value == -math.huge or entry.row.passed == false or entry.value < best then
      rows[#rows + 1] = entry.row
    end
  end
  return rows, true
end

-- The scorers that the rows carry, in the order of their first appearance.
local function scorers_of(rows)
  local ids, seen = {}, {}
  for _, row in ipairs(rows) do
    for _, score in ipairs(row.scores or {}) do
      local id = pretty.score_key(score)
      if not seen[id] then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
  end
  return ids
end

local function score_cell(row, id)
  for _, score in ipairs(row.scores or {}) do
    if pretty.score_key(score) == id then
      if score.status == "error" then return "error" end
      if score.status == "unscored" then return "unscored" end
      local value, label = present(score.score), present(score.label)
      return value and text.number(value + 0.0) or (label and text.clean(tostring(label))) or "-"
    end
  end
  return row.status == "ok" and "-" or ""
end

---The message of a result's error, from its JSON text.
---@param raw string?
---@return string?
function pretty.error_message(raw)
  local decoded = raw and json.decode(raw)
  if type(decoded) ~= "table" then return nil end
  return text.clean(tostring(decoded.message or decoded.code or raw))
end

-- An error on one line: its first line, and the last one that the program wrote to stderr.
local function brief(message)
  local first, said = message:match("^([^\n]*)"), message:match("\nstderr: (.*)$")
  local last = said and said:match("([^\n]*%S[^\n]*)%s*$")
  return last and ("%s; stderr: %s"):format(first, (last:gsub("^%s+", ""))) or first
end

---A table of results: id, status, a column per scorer, input, output or error.
---@param view table
---@param rows table[]
function pretty.results(view, rows)
  local ids, repeated = scorers_of(rows), rows[1] and rows[1].trial_count ~= nil
  local columns = { { title = "item", flexible = true }, { title = "status", colour = function(cell)
    return cell ~= "ok" and "red" or nil
  end } }
  if repeated then columns[#columns + 1] = { title = "passed" } end
  for position, id in ipairs(ids) do
    columns[#columns + 1] = score_column(id, position)
  end
  columns[#columns + 1] = { title = "input", flexible = true, drop = 1 }
  columns[#columns + 1] = { title = "ground truth", flexible = true, drop = 2 }
  columns[#columns + 1] = { title = "output", flexible = true }
  local cells = {}
  for position, row in ipairs(rows) do
    local trial = (row.trial or 1) > 1 and (" trial " .. row.trial) or ""
    local line = { text.clean(row.item_id):gsub("\n", "\\n") .. trial, row.status }
    if repeated then line[#line + 1] = row.consistency end
    for _, id in ipairs(ids) do line[#line + 1] = score_cell(row, id) end
    line[#line + 1] = text.preview(row.input)
    line[#line + 1] = text.preview(row.ground_truth)
    local message = row.status ~= "ok" and pretty.error_message(row.error)
    line[#line + 1] = message and brief(message) or text.preview(row.output)
    cells[position] = line
  end
  put_table(view, columns, cells)
end

---What to say of a run without results of rules: that it has none, or that they were not judged.
---@param summary table
---@return string
function pretty.without_rules(summary)
  local declared = present(summary.rules_declared)
  if declared and declared > 0 then
    return ("its %s %s not judged: the run is not complete"):format(text.count(declared, "rule"),
      declared == 1 and "was" or "were")
  end
  if not declared and summary.status ~= "completed" then return "no rule was judged: the run is not complete" end
  return "nothing gates this experiment: it has no rules"
end

local function put_rules(view, summary)
  local rules, reason = present(summary.rules), present(summary.reason)
  if summary.verdict == "error" and reason then
    say(view, view.paint("red", "not judged"), ": ", text.clean(reason))
  end
  if not rules or #rules == 0 then
    say(view, pretty.without_rules(summary))
    return
  end
  for _, rule in ipairs(rules) do
    local message = present(rule.message)
    local status = view.paint(text.verdict_colour(rule.status), rule.status)
    say(view, "  ", status, "  ", text.clean(rule.name or ""), message and message ~= ""
      and (": " .. text.clean(message)) or "")
  end
end

local function put_slices(view, summary)
  for _, name in ipairs(sorted_keys(present(summary.slices))) do
    local rows, ids = {}, sorted_keys(summary.scorers)
    local columns = { { title = text.clean(name), flexible = true }, { title = "items", right = true } }
    for position, id in ipairs(ids) do
      columns[#columns + 1] = score_column(id, position)
    end
    for _, value in ipairs(sorted_keys(summary.slices[name])) do
      local slice = summary.slices[name][value]
      local row = { text.clean(tostring(value)), tostring(slice.n or "") }
      for _, id in ipairs(ids) do
        local scorer = slice.scorers and slice.scorers[id]
        local mean = scorer and present(scorer.mean)
        row[#row + 1] = mean and ("%s (n %d)"):format(text.number(mean + 0.0), scorer.n or 0) or "-"
      end
      rows[#rows + 1] = row
    end
    put(view, "")
    put_table(view, columns, rows)
  end
end

local function put_metrics(view, summary)
  local metrics = present(summary.metrics)
  for _, name in ipairs(sorted_keys(metrics)) do
    local value = metrics[name]
    if type(value) == "table" then value = value.value or value.message end
    put(view, ("%s: %s"):format(text.clean(name), type(value) == "number" and text.number(value + 0.0)
      or text.clean(tostring(value))))
  end
end

local PROBLEMS_SHOWN = 5

-- What failed in these results, a line each: the target's error, or those of scorers.
local function problem_lines(rows, with_targets)
  local lines = {}
  local function add(row, what, raw)
    if #lines < PROBLEMS_SHOWN then
      local message = pretty.error_message(raw) or "failed"
      lines[#lines + 1] = ("item %s: %s%s"):format(text.clean(row.item_id), what, brief(message))
    end
  end
  for _, row in ipairs(rows) do
    if with_targets and row.status ~= "ok" and row.status ~= "skipped" then add(row, "", row.error) end
    for _, score in ipairs(row.scores or {}) do
      if score.status == "error" then
        add(row, ("scorer %s: "):format(text.clean(pretty.score_key(score))), score.error)
      end
    end
  end
  return lines
end

---What a run that is printed as JSON says on stderr: why it was not judged, and the first items that failed.
---@param store table
---@param summary table
---@return string[] lines
function pretty.problems(store, summary)
  local lines, errors = {}, 0
  for _, scorer in pairs(summary.scorers or {}) do errors = errors + (present(scorer.n_error) or 0) end
  if (summary.failed_count or 0) + errors > 0 then
    lines = problem_lines(pretty.worst(store, summary, PROBLEMS_SHOWN), true)
  end
  local reason = present(summary.reason)
  if summary.verdict ~= "pass" and summary.verdict ~= "none" and reason then
    table.insert(lines, 1, ("%s: %s"):format(title_of(summary), text.clean(reason)))
  end
  return lines
end

---The summary of one experiment.
---@param view table
---@param store table
---@param summary table
---@param options {worst: boolean?}?
function pretty.summary(view, store, summary, options)
  put_head(view, summary)
  put(view, "")
  put_scorers(view, summary)
  put_metrics(view, summary)
  put_slices(view, summary)
  local shown = require("evalua.report.gate").put(view, store, summary)
  if not options or options.worst ~= false then
    local worst, ranked = pretty.worst(store, summary, WORST_SHOWN)
    local rows = {}
    for _, row in ipairs(worst) do if not shown[row.item_id] then rows[#rows + 1] = row end end
    if #rows > 0 then
      put(view, "")
      local heading = next(shown) and "other items that did worst" or "worst items"
      put(view, view.paint("bold", ranked and heading or "first items that failed or did not pass"))
      pretty.results(view, rows)
      for _, line in ipairs(problem_lines(rows, false)) do say(view, line) end
    end
  end
  put(view, "")
  put_rules(view, summary)
end

---Several variants of one experiment in one table, each beside the first.
---@param view table
---@param summaries table[]
function pretty.variants(view, summaries)
  local ids, seen = {}, {}
  for _, summary in ipairs(summaries) do
    for _, id in ipairs(sorted_keys(summary.scorers)) do
      if not seen[id] then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
  end
  local columns = {
    { title = "variant", flexible = true }, { title = "#", right = true }, { title = "failed", right = true },
  }
  for position, id in ipairs(ids) do
    columns[#columns + 1] = score_column(id, position)
  end
  local rows = {}
  for position, summary in ipairs(summaries) do
    local row = { text.clean(present(summary.variant) or summary.name), tostring(summary.number),
      tostring(summary.failed_count or 0) }
    for _, id in ipairs(ids) do
      local scorer, first = summary.scorers[id], summaries[1].scorers[id]
      local mean, first_mean = scorer and present(scorer.mean), first and present(first.mean)
      local cell = mean and ("%s (n %d)"):format(text.number(mean + 0.0), scorer.n) or "-"
      if position > 1 and mean and first_mean then cell = ("%s %+.2f"):format(cell, mean - first_mean) end
      row[#row + 1] = cell
    end
    rows[position] = row
  end
  put_table(view, columns, rows)
end

-- A value in full: text as lines, anything else as indented JSON.
local function put_value(view, name, raw)
  if raw == nil then return end
  local value = json.decode(raw)
  local shown
  if type(value) == "string" then
    shown = value
  else
    shown = value ~= nil and json.encode(value, { pretty = true }) or raw
  end
  shown = text.clean(shown)
  if shown:find("\n", 1, true) then
    put(view, view.paint("bold", name), ":")
    put(view, "  ", (shown:gsub("\n$", ""):gsub("\n", "\n  ")))
  else
    put(view, view.paint("bold", name), ": ", type(value) == "string" and shown == "" and '""' or shown)
  end
end

---One result in full, with every score and its reason.
---@param view table
---@param row table of store:results
function pretty.result(view, row)
  put(view, view.paint("bold", text.clean(row.item_id)), (" (version %s, trial %s)  "):format(
    tostring(row.item_version or "-"), tostring(row.trial or 1)), view.paint(row.status ~= "ok" and "red" or "green",
    row.status), ", ", text.duration(row.latency_ms), (row.retry_count or 0) > 0
    and (", " .. text.count(row.retry_count, "retry"):gsub("retrys", "retries")) or "")
  for _, field in ipairs { "input", "ground_truth", "context", "output", "metadata", "tags", "usage", "steps",
    "trajectory" } do
    put_value(view, field:gsub("_", " "), row[field])
  end
  local problem = row.error and json.decode(row.error)
  if type(problem) == "table" then
    put(view, view.paint("red", "error"), ": ", text.clean(tostring(problem.message)), problem.code
      and (" (%s)"):format(text.clean(tostring(problem.code))) or "")
    if present(problem.stack) then put(view, "  ", (text.clean(problem.stack):gsub("\n", "\n  "))) end
  end
  for _, score in ipairs(row.scores or {}) do
    local value, label = present(score.score), present(score.label)
    local shown = score.status ~= "ok" and score.status or (value and text.number(value + 0.0)) or ""
    if label then shown = (shown .. " " .. text.clean(tostring(label))):match("^%s*(.*)") end
    local passed = score.passed == true and "  passed" or score.passed == false and "  not passed" or ""
    local message = pretty.error_message(score.error) or present(score.reason)
    put(view, view.paint("bold", text.clean(pretty.score_key(score))), ": ", shown, passed, message
      and ("  " .. text.clean(tostring(message)):gsub("\n", "\n  ")) or "")
  end
end

-- A time; on a terminal to the minute.
local function time_text(view, time)
  if not time or not view.width or view.full then return time or "" end
  return (time:gsub("^(%d+%-%d+%-%d+)T(%d+:%d+).*$", "%1 %2"))
end

---Experiments, newest first.
---@param view table
---@param records table[] each with the fields of store:experiments and `counts`
function pretty.experiments(view, records)
  local rows = {}
  for position, record in ipairs(records) do
    local counts = record.counts or {}
    rows[position] = { tostring(record.number), title_of(record), record.status, present(record.verdict) or "none",
      ("%d of %d"):format(counts.done or 0, record.total_items or counts.total or 0), tostring(counts.failed or 0),
      text.clean(present(record.dataset_name) or "-") .. (record.dataset_version and record.dataset_version > 0
        and ("@%d"):format(record.dataset_version) or ""), time_text(view, record.started_at or record.created_at) }
  end
  put_table(view, {
    { title = "#", right = true }, { title = "experiment", flexible = true },
    { title = "status", colour = text.verdict_colour }, { title = "verdict", colour = text.verdict_colour },
    { title = "items", right = true, drop = 2 }, { title = "failed", right = true },
    { title = "dataset", flexible = true, drop = 3 }, { title = "started", drop = 1 },
  }, rows)
end

---Datasets by name.
---@param view table
---@param records table[]
function pretty.datasets(view, records)
  local rows = {}
  for position, record in ipairs(records) do
    rows[position] = { text.clean(record.name), tostring(record.version), tostring(record.item_count),
      time_text(view, record.updated_at), text.clean(present(record.description) or ""):gsub("\n.*", "") .. "" }
  end
  put_table(view, {
    { title = "dataset", flexible = true }, { title = "version", right = true }, { title = "items", right = true },
    { title = "changed", drop = 1 }, { title = "description", flexible = true, drop = 2 },
  }, rows)
end

---Any table: for lists that need no form of their own.
---@param view table
---@param columns evalua.report.column[]
---@param rows string[][]
function pretty.table(view, columns, rows) put_table(view, columns, rows) end

---A line of text.
---@param view table
---@param ... string
function pretty.line(view, ...) say(view, ...) end

pretty.put_value = put_value

return pretty
