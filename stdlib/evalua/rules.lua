-- Rules over a run: judging them all, and what the process says at the end. The kinds are in rule_kinds.lua.

local compare = require "evalua.compare"
local failure = require "evalua.failure"
local json = require "evalua.json"
local metric_values = require "evalua.metric_values"
local options = require "evalua.options"
local place = require "evalua.place"
local rule_kinds = require "evalua.rule_kinds"
local rule_slices = require "evalua.rule_slices"
local strict = require "evalua.strict"
local summary = require "evalua.summary"

local rules = {}

---@class evalua.rule_result
---@field name string
---@field kind string
---@field scorer string|nil
---@field status "pass"|"fail"|"inconclusive"|"no_data"
---@field message string
---@field script_error boolean|nil the rule's function raised
---@field fails_inconclusive boolean|nil the rule itself says that inconclusive is a failure

---What scripts know as eval.rules.
rules.builders = rule_kinds.builders

---True for what eval.rule and eval.rules make.
---@param value any
---@return boolean
function rules.is_rule(value) return type(value) == "table" and getmetatable(value) == rule_kinds.metatable end

---A rule of one's own: eval.rule(name, function(now, baseline, comparison) return ok, message end).
---@param name string
---@param judge fun(now: table, baseline: table|nil, comparison: table|nil): boolean, string|nil
---@return evalua.rule
function rules.custom(name, judge)
  if type(name) ~= "string" or name == "" then
    place.fail("eval.rule: the first argument must be the rule's name, not " .. options.show(name))
  end
  if type(judge) ~= "function" then
    place.fail(("eval.rule %s: the second argument must be a function, not %s"):format(options.show(name),
      options.show(judge)))
  end
  return rule_kinds.make {
    kind = "custom", name = name,
    check = function(now, baseline, comparison)
      local ok, message = judge(now, baseline, comparison)
      local text = message ~= nil and tostring(message) or nil
      if ok == true then return "pass", text or "holds" end
      if ok == false then return "fail", text or "does not hold" end
      if ok == nil then return "no_data", text or "the rule returned nothing; it must return true or false" end
      error(("rule %s returned %s; it must return true or false, and a message"):format(options.show(name),
        options.show(ok)), 0)
    end,
  }
end

-- Rules over slices share the error rate among their slices.
local function is_sliced(rule) return rule.options.slice ~= nil or rule.options.each ~= nil end

-- Before the run -----------------------------------------------------------------------------------------------------

---Finds rules that speak of scorers and metrics that there are not.
---@param list evalua.rule[]
---@param scorer_ids string[]
---@param metric_ids string[]|nil
---@return string[] problems one message each, with the nearest right name; empty when all is well
function rules.check_names(list, scorer_ids, metric_ids)
  local known, names, problems, clusters = {}, {}, {}, {}
  for _, ids in ipairs { scorer_ids, metric_ids or {} } do
    for _, id in ipairs(ids) do
      known[id] = true
      names[#names + 1] = id
    end
  end
  for position, rule in ipairs(list) do
    if not rules.is_rule(rule) then
      problems[#problems + 1] = ("rules[%d] must be made by eval.rule or eval.rules, not %s"):format(position,
        options.show(rule))
    elseif rule.scorer and not known[rule.scorer] then
      problems[#problems + 1] = place.prefix(('rule "%s" speaks of an unknown scorer "%s"%s'):format(rule.name,
        rule.scorer, strict.hint(rule.scorer, names, "scorers")), rule.where)
    elseif rule.gates and rule.options.cluster and not is_sliced(rule) then
      local other = clusters[rule.scorer]
      if other and other ~= rule.options.cluster then
        problems[#problems + 1] = place.prefix(('rules[%d] clusters %s by "%s", another rule by "%s"; one run has one '
          .. 'comparison of it'):format(position, rule.scorer, rule.options.cluster, other), rule.where)
      end
      clusters[rule.scorer] = rule.options.cluster
    end
  end
  return problems
end

---True when a rule of the list cannot be judged without a baseline.
---@param list evalua.rule[]
---@return boolean
function rules.need_baseline(list)
  for _, rule in ipairs(list) do if rule.compares then return true end end
  return false
end

---The scorers whose comparisons the rules judge: `gated` of evalua.compare.
---@param list evalua.rule[]
---@return string[] each once
function rules.gated(list)
  local ids, seen = {}, {}
  for _, rule in ipairs(list) do
    if rule.gates and not is_sliced(rule) and not seen[rule.scorer] then
      seen[rule.scorer] = true
      ids[#ids + 1] = rule.scorer
    end
  end
  return ids
end

---The fields that rules cluster the comparisons of their scorers by: `clusters` of evalua.compare.
---@param list evalua.rule[]
---@return table<string, string>|nil by scorer or metric
function rules.clusters(list)
  local clusters
  for _, rule in ipairs(list) do
    if rule.gates and rule.options.cluster and not is_sliced(rule) then
      clusters = clusters or {}
      clusters[rule.scorer] = rule.options.cluster
    end
  end
  return clusters
end

-- After the run ------------------------------------------------------------------------------------------------------

-- A shallow copy; null, as a stored summary has it, is nil in records.
local function copy_of(record)
  local copy = {}
  for key, value in next, record do if value ~= json.null then copy[key] = value end end
  return copy
end

-- Records of scorers or metrics by their ids.
local function strict_map(map, fields, what)
  local view = {}
  if map == json.null then map = nil end
  for key, record in next, map or {} do
    if type(record) ~= "table" then record = { value = record } end
    view[key] = strict.record(copy_of(record), fields, ("%s[%q]"):format(what, key))
  end
  return strict.record(view, strict.keys(view), what)
end

-- Parts of a summary that have fixed fields.
local PART_FIELDS = {
  dataset = { "name", "version", "digest" }, target = { "type", "id", "version" },
  git = { "commit", "branch", "dirty" }, latency_ms = summary.LATENCY_FIELDS, usage = summary.USAGE_FIELDS,
}

-- The slices of a summary: fields, values and scorers that there are not are errors.
local function strict_slices(fields, what)
  local view = {}
  for field, values in next, fields do
    local name, copies = ("%s[%q]"):format(what, field), {}
    for value, slice in next, values do
      local copy = copy_of(slice)
      copy.scorers = strict_map(slice.scorers, summary.SCORER_FIELDS, ("%s[%q].scorers"):format(name, value))
      copies[value] = copy
    end
    view[field] = strict.record(copies, strict.keys(copies), name)
  end
  return strict.record(view, strict.keys(view), what)
end

-- `results` of a summary: read when they are asked for.
local function with_results(view, results)
  if not results then return view end
  local unknown = getmetatable(view).__index
  return setmetatable(view, {
    __name = getmetatable(view).__name,
    __index = function(self, field)
      if field ~= "results" then return unknown(self, field) end
      local list = results()
      rawset(self, field, list)
      return list
    end,
  })
end

---A summary as rules see it: unknown fields and scorers raise with the nearest right name.
---@param record table a summary; it is not changed
---@param what string "now" or "baseline"
---@param results nil|fun(): table gives its results
---@return table
function rules.summary_view(record, what, results)
  local view = copy_of(record)
  view.scorers = strict_map(record.scorers, summary.SCORER_FIELDS, what .. ".scorers")
  view.metrics = strict_map(record.metrics, metric_values.FIELDS, what .. ".metrics")
  for name, fields in next, PART_FIELDS do
    if type(view[name]) == "table" then
      view[name] = strict.record(copy_of(view[name]), fields, ("%s.%s"):format(what, name))
    end
  end
  if view.params or results then -- a baseline file does not keep them
    local params = copy_of(view.params or {})
    view.params = strict.record(params, strict.keys(params), what .. ".params")
  end
  if view.slices then view.slices = strict_slices(view.slices, what .. ".slices") end
  return with_results(strict.record(view, summary.FIELDS, what), results)
end

local SIDES = { "baseline", "candidate", "delta" }
local SIDE_FIELDS = {
  "experiment_id", "number", "name", "variant", "status", "dataset", "target", "params", "file", "score_set",
  "started_at", "completed_at",
}
-- Parts of a comparison, and what is inside theirs.
local COMPARISON_PARTS = {
  items = { { "paired", "only_baseline", "only_candidate", "changed" } }, success_rate = { SIDES },
  latency_ms = { SIDES, summary.LATENCY_FIELDS }, usage = { SIDES, summary.USAGE_FIELDS },
  baseline = { SIDE_FIELDS }, candidate = { SIDE_FIELDS },
}

-- A part with the fields it has and those it may have.
local function strict_part(part, fields, what)
  local view, names = copy_of(part), strict.keys(part)
  return strict.record(view, table.move(fields, 1, #fields, #names + 1, names), what)
end

---A comparison as rules see it.
---@param record table a comparison; it is not changed
---@return table
function rules.comparison_view(record)
  local view = copy_of(record)
  for name, kinds in next, COMPARISON_PARTS do
    if type(view[name]) == "table" then
      local what = "comparison." .. name
      view[name] = strict_part(view[name], kinds[1], what)
      for key, inner in next, kinds[2] and view[name] or {} do
        if type(inner) == "table" then view[name][key] = strict_part(inner, kinds[2], what .. "." .. key) end
      end
    end
  end
  view.scorers = strict_map(record.scorers, compare.SCORER_FIELDS, "comparison.scorers")
  view.metrics = strict_map(record.metrics, compare.SCORER_FIELDS, "comparison.metrics")
  return strict.record(view, compare.FIELDS, "comparison")
end

---Judges every rule.
---@param list evalua.rule[]
---@param now table the summary of this run
---@param baseline table|nil the summary of the baseline
---@param comparison table|nil
---@param context { each_result: function|nil, slices: evalua.rule_slices|nil, results: nil|(fun(): table),
---  baseline_results: nil|(fun(): table) }|nil
---@return evalua.rule_result[]
function rules.run(list, now, baseline, comparison, context)
  local now_view = rules.summary_view(now, "now", context and context.results)
  local baseline_view = baseline and rules.summary_view(baseline, "baseline", context and context.baseline_results)
  local comparison_view = comparison and rules.comparison_view(comparison)
  local results = {}
  for position, rule in ipairs(list) do
    local function handler(problem) return (failure.text(problem)) end
    local ok, status, message
    if is_sliced(rule) then
      ok, status, message = xpcall(rule_slices.judge, handler, rule, baseline_view, comparison_view,
        context and context.slices)
    else
      ok, status, message = xpcall(rule.check, handler, now_view, baseline_view, comparison_view, context)
    end
    local result = { name = rule.name, kind = rule.kind, scorer = rule.scorer }
    if ok then
      result.status, result.message = status, message
    else
      result.status, result.script_error = "no_data", true
      result.message = place.prefix("the rule's function failed: " .. status, rule.where)
      if not baseline and status:find("index a nil value (local '", 1, true) then
        result.message = result.message .. "; there is no baseline, so baseline and comparison are nil"
      end
    end
    -- What a rule says may quote what a target wrote.
    if result.message then result.message = (json.repair(result.message)) end
    if rule.options.inconclusive == "fail" then result.fails_inconclusive = true end
    results[position] = result
  end
  return results
end

---@class evalua.verdict_options
---@field tolerance number|nil failed items that are accepted: a share below 1, a count from 1 on; default 0
---@field inconclusive "pass"|"fail"|nil default "pass"
---@field interrupted boolean|nil the user stopped the run
---@field script_error string|nil a script failed
---@field failure string|nil the run could not be completed: what failed

local function count_status(results, status)
  local count, first = 0, nil
  for _, result in ipairs(results) do
    if result.status == status then
      count = count + 1
      first = first or result
    end
  end
  return count, first
end

local function quote(result) return ("%s: %s"):format(result.name, result.message) end

local function script_failure(results, settings)
  if settings.script_error then return settings.script_error end
  for _, result in ipairs(results) do if result.script_error then return quote(result) end end
end

-- True where there are scorers and none gave a score or a label to any item.
local function nothing_scored(now)
  local any = false
  for _, scorer in next, now.scorers or {} do
    any = true
    if (scorer.n or 0) > 0 then return false end
    local labels = scorer.labels
    if labels and labels ~= json.null and next(labels) then return false end
  end
  return any
end

-- How many of `total` may fail: a tolerance below 1 is a share of them. 0.29 of 100 are 29, whatever the product says.
local function allowance(tolerance, total)
  if tolerance >= 1 then return tolerance end
  local share, whole = tolerance * total, math.floor(tolerance * total + 0.5)
  return math.abs(share - whole) < 1e-9 * math.max(1, total) and whole or share
end

-- Why the run could not be completed or judged, or nil.
local function not_judged(now, results, settings)
  if settings.failure then return settings.failure end
  if now.status == "interrupted" or (now.pending_count or 0) > 0 then
    return ("the run is not complete: %d of %d items have no result"):format(now.pending_count or 0, now.total_items)
  end
  if now.total_items == 0 then return "no item ran" end
  local speaks = false
  for _, result in ipairs(results) do speaks = speaks or result.kind == "success_rate" end
  local tolerance = settings.tolerance or 0
  local allowed = allowance(tolerance, now.total_items)
  if not speaks and now.failed_count > allowed then
    return ("%d of %d items failed, %s %s tolerated"):format(now.failed_count, now.total_items,
      tolerance == 0 and "none" or ("%g"):format(allowed), tolerance == 1 and "is" or "are")
  end
  -- Where passes are counted a failed trial is one that did not pass; elsewhere it is missing from its item's value.
  local repeated = now.trials
  if repeated and not speaks and not require("evalua.trials").counts_passes(repeated.reducer:match("^[%w_]+")) then
    local most = allowance(tolerance, repeated.total)
    if repeated.failed > most then
      return ("%d of %d trials failed, %s %s tolerated"):format(repeated.failed, repeated.total,
        tolerance == 0 and "none" or ("%g"):format(most), tolerance == 1 and "is" or "are")
    end
  end
  for _, id in ipairs(strict.keys(now.scorers or {})) do
    local broken = now.scorers[id].n_error or 0
    if broken > allowed then
      return ("scorer %s failed on %d of %d items, %s %s tolerated"):format(id, broken, now.total_items,
        tolerance == 0 and "none" or ("%g"):format(allowed), tolerance == 1 and "is" or "are")
    end
  end
  if nothing_scored(now) then
    local ids = strict.keys(now.scorers)
    return ("nothing was scored: %s gave no score on any of %d items; look at one with `evalua show`"):format(
      #ids == 1 and "scorer " .. ids[1] or ("none of the %d scorers"):format(#ids), now.total_items)
  end
  local count, first = count_status(results, "no_data")
  if count > 0 then return "no data for " .. quote(first) end
end

---The verdict of a run and the exit code of the process; the first cause in the order 130, 3, 4, 1, 5 decides.
---@param now table the summary
---@param results evalua.rule_result[]
---@param settings evalua.verdict_options|number|nil a number is the tolerance
---@return "pass"|"fail"|"inconclusive"|"error"|"none" verdict
---@return integer exit_code
---@return string|nil reason one line; nil where everything holds
function rules.verdict(now, results, settings)
  if type(settings) == "number" then settings = { tolerance = settings } end
  settings = settings or {}
  if settings.interrupted or now.status == "cancelled" and not settings.failure then
    return "error", 130, "the run was interrupted"
  end
  local problem = script_failure(results, settings)
  if problem then return "error", 3, problem end
  problem = not_judged(now, results, settings)
  if problem then return "error", 4, problem end
  local failed, first_failed = count_status(results, "fail")
  if failed > 0 then return "fail", 1, quote(first_failed) end
  local open, first_open = count_status(results, "inconclusive")
  if open > 0 then
    local strictly = settings.inconclusive == "fail"
    for _, result in ipairs(results) do
      strictly = strictly or result.status == "inconclusive" and result.fails_inconclusive
    end
    return "inconclusive", strictly and 5 or 0, quote(first_open)
  end
  if #results == 0 then return "none", 0, "no rules: nothing gates this experiment" end
  return "pass", 0, nil
end

local SEVERITY = { [130] = 5, [3] = 4, [4] = 3, [1] = 2, [5] = 1, [0] = 0 }

---The exit code of several experiments: the first cause in the order 130, 3, 4, 1, 5.
---@param codes integer[]
---@return integer
function rules.worst_exit_code(codes)
  local worst = 0
  for _, code in ipairs(codes) do if (SEVERITY[code] or 0) > SEVERITY[worst] then worst = code end end
  return worst
end

return rules
