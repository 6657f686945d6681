-- What the report formats share: values of results as bounded, harmless text; what went wrong with a result; walks.

local json = require "evalua.json"
local phrases = require "evalua.report.phrases"
local report = require "evalua.report.json"
local text = require "evalua.report.text"

local parts = {}

parts.score_key = phrases.score_key

---nil for null.
---@type fun(value: any): any
parts.present = phrases.present

---The keys of a table, or none for null, sorted.
---@type fun(map: table?): string[]
parts.sorted_keys = phrases.sorted_keys

local present = parts.present

---What a run is called: `triage` or `triage[prompt=short]`; clean text.
---@param run table a summary or a side of a comparison
---@return string
function parts.title(run)
  local variant = present(run.variant)
  local name = text.clean(tostring(run.name or "?"))
  return variant and variant ~= "" and ("%s[%s]"):format(name, text.clean(variant)) or name
end

---A side of a comparison: its title, and its number or that it is a file. Clean text.
---@param side table
---@return string title
---@return string which `#12`, or `(baseline file)`
function parts.side(side)
  local number, set = parts.present(side.number), parts.present(side.score_set)
  return parts.title(side), number and ("#%d%s"):format(number, set and ("@" .. set) or "") or "(baseline file)"
end

---`value` cut to at most `most` bytes at a character, with an ellipsis where something is cut.
---@param value string UTF-8
---@param most integer
---@return string
function parts.cut(value, most)
  if #value <= most then return value end
  return (value:sub(1, most):gsub("[\192-\255][\128-\191]*$", "")) .. "…"
end

---A JSON value of the store as clean text: a string itself, anything else as its JSON text. Newlines and tabs stay.
---@param raw string?
---@param most integer bytes
---@return string? nil for none
function parts.text_of(raw, most)
  if raw == nil then return nil end
  local value = raw
  if raw:sub(1, 1) == '"' then
    local decoded = json.decode(raw)
    if type(decoded) == "string" then value = decoded end
  end
  -- Cut before cleaning, so that a value of any size costs what is shown of it.
  if #value > most * 4 then value = parts.cut(value, most * 4) end
  return parts.cut(text.clean(value), most)
end

---Text on one line: newlines as `\n`. `##[` is taken apart: the runner of GitHub's workflows takes it for a command
---wherever it stands in a line.
---@param value string
---@return string
function parts.one_line(value)
  return (value:gsub("\r", ""):gsub("\n", "\\n"):gsub("\t", " "):gsub("##%[", "# #["))
end

---A score for people, or what stands in its place.
---@param score table of a result
---@return string
function parts.score_text(score)
  local value, label = present(score.score), present(score.label)
  if score.status ~= "ok" then return score.status end
  return value and text.number(value + 0.0) or (label and text.clean(tostring(label))) or "-"
end

---The name of a result among those of its run: stable from run to run.
---@param row table
---@return string
function parts.result_name(row)
  local id = parts.one_line(text.clean(row.item_id))
  return (row.trial or 1) > 1 and ("%s (trial %d)"):format(id, row.trial) or id
end

---What is wrong with a result.
---@param row table of store:results
---@return string? kind nil: nothing; "error": target or scorer failed; "failure": not passed; "skipped"
---@return string? code "timeout", "scorer_error", "not_passed" ...
---@return string? message clean, on one line
function parts.problem(row)
  if row.status == "skipped" then return "skipped", "skipped", "not run" end
  if row.status ~= "ok" then
    local decoded = row.error and json.decode(row.error)
    local code = type(decoded) == "table" and type(decoded.code) == "string" and decoded.code or row.status
    return "error", text.clean(code), parts.one_line(phrases.error_message(row.error) or row.status)
  end
  local low = {}
  for _, score in ipairs(row.scores or {}) do
    if score.status == "error" then
      return "error", "scorer_error", ("scorer %s: %s"):format(text.clean(parts.score_key(score)),
        parts.one_line(phrases.error_message(score.error) or "failed"))
    elseif present(score.passed) == false then
      local reason = present(score.reason)
      low[#low + 1] = ("%s %s%s"):format(text.clean(parts.score_key(score)), parts.score_text(score),
        reason and (" (" .. parts.cut(parts.one_line(text.clean(reason)), 300) .. ")") or "")
    end
  end
  if row.passed == false then
    if row.consistency then return "failure", "not_passed", "passed in " .. row.consistency .. " trials" end
    return "failure", "not_passed", #low > 0 and table.concat(low, ", ") or "did not pass"
  end
end

---The keys of all scorers of some runs, sorted.
---@param summaries table[]
---@return string[]
function parts.scorer_keys(summaries)
  local seen = {}
  for _, summary in ipairs(summaries) do for key in pairs(summary.scorers or {}) do seen[key] = true end end
  return parts.sorted_keys(seen)
end

---The low and high end of an interval, or nil.
---@param ci table?
---@return number? low
---@return number? high
function parts.interval(ci)
  ci = present(ci)
  if not ci then return nil end
  local low, high = present(ci[1] or ci.low), present(ci[2] or ci.high)
  if low and high then return low + 0.0, high + 0.0 end
end

---`0.75 to 0.91`, or `-`.
---@type fun(ci: table?): string
parts.interval_text = phrases.interval_text

---A difference with its sign.
---@param value number?
---@return string
function parts.signed(value)
  value = present(value)
  return value and ("%s%s"):format(value >= 0 and "+" or "", text.number(value + 0.0)) or "-"
end

---A p-value: small ones keep their size.
---@param value number?
---@return string
function parts.p_text(value)
  value = present(value)
  if not value then return "-" end
  return value >= 0.001 and ("%.3f"):format(value) or value == 0 and "0" or ("%.2g"):format(value)
end

---What a comparison, or a slice of one, compares: its scorers, then its metrics, each by name.
---@param result table with `scorers` and `metrics`
---@return { [1]: string, [2]: table }[] id and entry
function parts.entries(result)
  local list = {}
  for _, kind in ipairs { "scorers", "metrics" } do
    for _, id in ipairs(parts.sorted_keys(result[kind])) do list[#list + 1] = { id, result[kind][id] } end
  end
  return list
end

---The p-value of an entry that holds: the adjusted one where several were judged together.
---@param entry table
---@return string
function parts.p_of(entry)
  local adjusted = present(entry.p_adjusted)
  return adjusted and parts.p_text(adjusted) .. " adj." or parts.p_text(entry.p_value)
end

---The title of a column of intervals: `95% interval`.
---@param result table
---@return string
function parts.interval_title(result)
  for _, pair in ipairs(parts.entries(result)) do
    local confidence = present(pair[2].confidence)
    if confidence then return ("%g%% interval"):format(confidence * 100) end
  end
  return "95% interval"
end

---The slices of a comparison by field: its values, the largest first.
---@param result table
---@return { field: string, values: { value: string, part: table }[] }[]
function parts.comparison_slices(result)
  local list = {}
  for _, field in ipairs(parts.sorted_keys(result.slices)) do
    local values = {}
    for value, part in pairs(result.slices[field]) do values[#values + 1] = { value = value, part = part } end
    table.sort(values, function(a, b)
      local n_a, n_b = a.part.n or 0, b.part.n or 0
      if n_a ~= n_b then return n_a > n_b end
      return a.value < b.value
    end)
    list[#list + 1] = { field = field, values = values }
  end
  return list
end

---A document to report: the summaries of runs and a walk over their results.
---@class evalua.report.document
---@field store table
---@field summaries table[]
---@field verdict string
---@field each fun(summary: table, visit: fun(row: table)) calls visit for each result to report, in item order
---@field comparisons table[]? comparisons with a baseline

---@param store table
---@param summaries table[]
---@param verdict string
---@return evalua.report.document
function parts.document(store, summaries, verdict)
  return {
    store = store, summaries = summaries, verdict = verdict,
    each = function(summary, visit)
      report.each_result(store, summary.experiment_id, {}, function(row) visit(row) end)
    end,
  }
end

---Calls visit(row, of_trials) for each item of a run to report: of several trials one merged row, and all of them.
---@param document evalua.report.document
---@param summary table
---@param visit fun(row: table, of_trials: table[]?)
function parts.each_item(document, summary, visit)
  local items = require "evalua.report.items"
  local reduction = items.reduction_of(summary)
  if not reduction then return document.each(summary, function(row) visit(row) end) end
  local group = items.grouping(reduction, visit)
  document.each(summary, function(row) group.add(row) end)
  group.finish()
end

-- The items of a run one after the other, trials merged.
local function cursor(store, experiment_id)
  local items = require "evalua.report.items"
  local record = store:experiment(experiment_id)
  local reduction = record and not record.baseline_file and require("evalua.trials").of_record(record) or nil
  local ready, index, after, ended = {}, 1, 0, false
  local group
  local function keep(row) ready[#ready + 1] = row end
  local function restart(position)
    ready, index, after, ended = {}, 1, position, false
    group = reduction and items.grouping(reduction, keep)
  end
  restart(0)
  local self = {}
  function self.peek()
    while index > #ready and not ended do
      local rows, problem = store:results(experiment_id, { after = after, limit = report.PAGE })
      if not rows then require("evalua.cli.fail").incomplete("results cannot be read: %s", tostring(problem)) end
      ready, index, ended = {}, 1, #rows < report.PAGE
      for _, row in ipairs(rows) do
        if group then group.add(row) else keep(row) end
        after = row.position
      end
      if ended and group then group.finish() end
    end
    return ready[index]
  end
  function self.advance() index = index + 1 end
  -- Another item than the next one: read by its id, and gone on from there.
  function self.find(item_id)
    local found, last
    local of_item = reduction and items.grouping(reduction, function(row) found = row end)
    for _, other in ipairs(store:results(experiment_id, { item_id = item_id }) or {}) do
      if other.item_id == item_id then
        last = other.position
        if of_item then of_item.add(other) else found = found or other end
      end
    end
    if of_item then of_item.finish() end
    if found then restart(last) end
    return found
  end
  return self
end

---Calls visit(before, after) for the items that two runs share, trials merged, in the candidate's order.
---@param store table
---@param baseline_id string
---@param candidate_id string
---@param visit fun(before: table, after: table)
function parts.each_pair(store, baseline_id, candidate_id, visit)
  local before, after = cursor(store, baseline_id), cursor(store, candidate_id)
  while true do
    local row = after.peek()
    if not row then return end
    after.advance()
    local other = before.peek()
    if other and other.item_id == row.item_id then
      before.advance()
    else
      other = before.find(row.item_id)
    end
    if other then visit(other, row) end
  end
end

return parts
