-- What the report formats share: values of results as bounded, harmless text; what went wrong with a result; walks.

local json = require "evalua.json"
local pretty = require "evalua.report.pretty"
local report = require "evalua.report.json"
local text = require "evalua.report.text"

local parts = {}

parts.score_key = pretty.score_key

---nil for null.
---@param value any
---@return any
function parts.present(value)
  if value == nil or value == json.null then return nil end
  return value
end

local present = parts.present

---@param map table?
---@return string[]
function parts.sorted_keys(map)
  local keys = {}
  for key in pairs(present(map) or {}) do keys[#keys + 1] = key end
  table.sort(keys, function(left, right) return tostring(left) < tostring(right) end)
  return keys
end

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
  local number = parts.present(side.number)
  return parts.title(side), number and "#" .. number or "(baseline file)"
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
    return "error", text.clean(code), parts.one_line(pretty.error_message(row.error) or row.status)
  end
  local low = {}
  for _, score in ipairs(row.scores or {}) do
    if score.status == "error" then
      return "error", "scorer_error", ("scorer %s: %s"):format(text.clean(parts.score_key(score)),
        parts.one_line(pretty.error_message(score.error) or "failed"))
    elseif present(score.passed) == false then
      local reason = present(score.reason)
      low[#low + 1] = ("%s %s%s"):format(text.clean(parts.score_key(score)), parts.score_text(score),
        reason and (" (" .. parts.cut(parts.one_line(text.clean(reason)), 300) .. ")") or "")
    end
  end
  if row.passed == false then
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
---@param ci table?
---@return string
function parts.interval_text(ci)
  local low, high = parts.interval(ci)
  return low and ("%s to %s"):format(text.number(low), text.number(high)) or "-"
end

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

local function cursor(store, experiment_id)
  local rows, index, after, ended = {}, 1, 0, false
  local self = {}
  function self.peek()
    if index > #rows and not ended then
      local problem
      rows, problem = store:results(experiment_id, { after = after, limit = report.PAGE })
      if not rows then require("evalua.cli.fail").incomplete("results cannot be read: %s", tostring(problem)) end
      index, ended = 1, #rows < report.PAGE
      if #rows > 0 then after = rows[#rows].position end
    end
    return rows[index]
  end
  function self.advance() index = index + 1 end
  -- The result of another item than the next one: read by its id, and gone on from there.
  function self.find(row)
    local found
    for _, other in ipairs(store:results(experiment_id, { item_id = row.item_id }) or {}) do
      if other.trial == row.trial then found = other end
    end
    if found then rows, index, after, ended = {}, 1, found.position, false end
    return found
  end
  return self
end

---Calls visit(before, after) for the results of two runs with the same item and trial, in the candidate's order.
---@param store table
---@param baseline_id string
---@param candidate_id string
---@param visit fun(before: table, after: table)
function parts.each_pair(store, baseline_id, candidate_id, visit)
  local before = cursor(store, baseline_id)
  report.each_result(store, candidate_id, {}, function(row)
    local other = before.peek()
    if other and other.item_id == row.item_id and other.trial == row.trial then
      before.advance()
    else
      other = before.find(row)
    end
    if other then visit(other, row) end
  end)
end

return parts
