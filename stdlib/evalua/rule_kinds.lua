-- The kinds of rules that come with evalua: thresholds, comparisons with a baseline, every item.
-- A rule's status is pass, fail, inconclusive or no_data; what cannot be judged is never a pass.

local compare = require "evalua.compare"
local detectable = require "evalua.detectable"
local duration = require "evalua.duration"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"
local summary = require "evalua.summary"

local rule_kinds = {}

---@class evalua.rule
---@field name string shown with its status
---@field kind string "at_least", "custom", ...
---@field scorer string|nil the scorer or metric that it speaks of
---@field compares boolean it needs a baseline
---@field gates boolean it judges a scorer's comparison, so several of them share the error rate
---@field options table
---@field where string|nil file:line
---@field check fun(now: table, baseline?: table, comparison?: table, context?: table): string, string status, message

---The metatable that marks rules.
rule_kinds.metatable = { __name = "evalua.rule" }

local NAMES_SHOWN = 5

local COMMON = {
  { "inconclusive", "string", enum = { "pass", "fail" }, help = "what inconclusive means for this rule" },
  { "min_n", "integer", min = 1, help = "fewer scored results than this are no data" },
}

-- Not of rules by a function, which knows the run only as a whole.
local SLICED = {
  { "slice", "text", help = 'only results of this slice: "metadata.lang=de"' },
  { "each", "text", help = 'every slice of this field by itself: "metadata.lang"' },
}

local PAIRED = {
  { "margin", "number", min = 0, help = "how much worse is no worse" },
  { "alpha", "number", min = 1e-12, max = 0.5, help = "significance level, 0.05" },
  { "cluster", "text", help = 'field whose equal values belong together; default that of the experiment' },
}

local function schema(name, ...)
  local list = {}
  for _, part in ipairs { COMMON, ... } do table.move(part, 1, #part, #list + 1, list) end
  return options.schema("eval.rules." .. name, list)
end

local SCHEMAS = {
  at_least = schema("at_least", SLICED), at_most = schema("at_most", SLICED),
  pass_rate = schema("pass_rate", SLICED), success_rate = schema("success_rate", SLICED),
  max_latency = schema("max_latency", {
    { "percentile", "number", min = 0, max = 100, help = "50, 95, 99 or 100 (the slowest, the default)" },
  }, SLICED),
  max_cost = schema("max_cost", { { "per", "string", enum = { "run", "item" }, help = "default run" } }, SLICED),
  no_regression = schema("no_regression", PAIRED, SLICED), no_worse = schema("no_worse", PAIRED, SLICED),
  improved = schema("improved", PAIRED, SLICED),
  no_new_failures = schema("no_new_failures", SLICED), all_items = schema("all_items", SLICED),
}

-- Arguments --------------------------------------------------------------------------------------------------------

local function check_options(kind, given)
  local settings = options.check(SCHEMAS[kind], given == nil and {} or given)
  if settings.slice and settings.each then
    place.fail(("eval.rules.%s: options slice and each exclude each other"):format(kind))
  elseif settings.slice and not settings.slice:find("^[^=]+=") then
    place.fail(('eval.rules.%s: option slice must be "FIELD=VALUE", such as "metadata.lang=de", not %s'):format(kind,
      options.show(settings.slice)))
  elseif settings.each and settings.each:find("=", 1, true) then
    place.fail(('eval.rules.%s: option each must be a field, such as "metadata.lang", not %s'):format(kind,
      options.show(settings.each)))
  end
  return settings
end

local function check_number(kind, what, value, low, high)
  local is_right = type(value) == "number" and value == value and (not low or value >= low)
    and (not high or value <= high)
  if is_right then return value end
  local range = high and (" from %s to %s"):format(low, high) or low and (" of at least %s"):format(low) or ""
  place.fail(("eval.rules.%s: %s must be a number%s, not %s"):format(kind, what, range, options.show(value)))
end

-- A scorer or metric: its id, or the handle itself.
local function check_id(kind, value)
  local id = value
  if type(value) == "table" then id = rawget(value, "id") end
  if type(id) == "string" and id ~= "" then return id end
  place.fail(("eval.rules.%s: the first argument must be the id of a scorer or metric, not %s"):format(kind,
    options.show(value)))
end

---Completes a rule: its place in the script and what is false unless said.
---@param rule table
---@return evalua.rule
function rule_kinds.make(rule)
  local caller = place.caller()
  rule.where = caller and caller.text
  rule.options = rule.options or {}
  local part = rule.options.slice or rule.options.each and "each " .. rule.options.each
  if part then rule.name = ("%s (%s)"):format(rule.name, part) end
  rule.compares = rule.compares or false
  rule.gates = rule.gates or false
  return setmetatable(rule, rule_kinds.metatable)
end

-- Reading what a rule speaks of --------------------------------------------------------------------------------------

local number_text = summary.number_text

-- Sums of many numbers differ from what is meant by less than this: 40 times 0.01 is no more than 0.4.
local ROUNDING = 1e-9

-- Whether a value is at least the bound, but for rounding.
local function reaches(value, limit) return value >= limit - ROUNDING * math.max(math.abs(limit), math.abs(value)) end

-- The digits that tell a value from a bound, where `text_of` shows both alike.
local function exactly(value, limit, text_of)
  local shown = text_of(value)
  if shown ~= text_of(limit) or reaches(tonumber(shown), value) and reaches(value, tonumber(shown)) then return "" end
  return (", exactly %.7g"):format(value)
end

local function cost_text(value) return ("%.4g"):format(value) end

local function percent(rate) return ("%.1f %%"):format(rate * 100) end

-- The scorer's record of a summary, or nil and why there is none.
local function scorer_of(now, id, min_n)
  local scorer = rawget(now.scorers, id)
  if not scorer and now.metrics and rawget(now.metrics, id) then
    return nil, ("%s is a metric over all results, no result passes it by itself"):format(id)
  end
  if not scorer then return nil, ("there is no scorer %s in this run"):format(id) end
  if scorer.n == 0 then return nil, ("%s has no score: %s"):format(id, summary.mean_text(scorer)) end
  if min_n and scorer.n < min_n then
    return nil, ("%s has %d scores, the rule asks for %d (min_n)"):format(id, scorer.n, min_n)
  end
  return scorer
end

-- A metric's value, or nil and why there is none; nil alone where there is no such metric.
local function metric_of(now, id, min_n)
  local metric = now.metrics and rawget(now.metrics, id)
  if not metric then return nil end
  local text = require("evalua.metric_values").text(metric)
  if not metric.value then return nil, ("metric %s has %s"):format(id, text) end
  if min_n and metric.n < min_n then
    return nil, ("metric %s is over %d results, the rule asks for %d (min_n)"):format(id, metric.n, min_n)
  end
  return metric.value, text
end

-- The mean that a threshold is held against, a text of it, and the mean in the worst case: what the scorer should have
-- judged and did not (unscored, errors) counted as 0 or 1, where scores lie in [0, 1].
local function value_of(now, id, min_n, worst_score)
  local metric, metric_text = metric_of(now, id, min_n)
  if metric or metric_text then return metric, metric_text, metric end
  local scorer, problem = scorer_of(now, id, min_n)
  if not scorer then return nil, problem end
  local worst = scorer.mean
  local unjudged = scorer.n_unscored + scorer.n_error
  if unjudged > 0 and scorer.min >= 0 and scorer.max <= 1 then
    worst = (scorer.mean * scorer.n + worst_score * unjudged) / (scorer.n + unjudged)
  end
  return scorer.mean, summary.mean_text(scorer), worst
end

-- Thresholds -------------------------------------------------------------------------------------------------------

local function threshold_rule(kind, sign, words, worst_score)
  return function(id, limit, given)
    id = check_id(kind, id)
    check_number(kind, "the threshold", limit)
    local settings = check_options(kind, given)
    return rule_kinds.make {
      kind = kind, scorer = id, options = settings, name = ("%s %s %s"):format(id, words, limit),
      check = function(now)
        local value, text, worst = value_of(now, id, settings.min_n, worst_score)
        if not value then return "no_data", text end
        local holds = reaches(sign * value, sign * limit)
        local message = ("%s is %s%s, %s"):format(id, text, holds and "" or exactly(value, limit, number_text),
          holds and ("%s %s"):format(words, limit) or ("must be %s %s"):format(words, limit))
        if not holds then return "fail", message end
        if not reaches(sign * worst, sign * limit) then
          return "inconclusive", message .. ("; were all without a score judged %d it would be %s"):format(worst_score,
            number_text(worst))
        end
        return "pass", message
      end,
    }
  end
end

local function pass_rate(id, limit, given)
  id = check_id("pass_rate", id)
  check_number("pass_rate", "the rate", limit, 0, 1)
  local settings = check_options("pass_rate", given)
  return rule_kinds.make {
    kind = "pass_rate", scorer = id, options = settings, name = ("%s passes at least %s"):format(id, percent(limit)),
    check = function(now)
      local scorer, problem = scorer_of(now, id, settings.min_n)
      if not scorer then return "no_data", problem end
      if not scorer.pass_rate then return "no_data", ("scorer %s has no `pass` threshold"):format(id) end
      local judged = scorer.n + scorer.n_unscored + scorer.n_error + scorer.n_failed
      return reaches(scorer.pass_rate, limit) and "pass" or "fail",
        ("%s passed %d of %d (%s), at least %s is asked"):format(id, scorer.passed, judged, percent(scorer.pass_rate),
          percent(limit))
    end,
  }
end

local function success_rate(limit, given)
  check_number("success_rate", "the rate", limit, 0, 1)
  local settings = check_options("success_rate", given)
  return rule_kinds.make {
    kind = "success_rate", options = settings, name = ("at least %s succeed"):format(percent(limit)),
    check = function(now)
      if now.total_items == 0 then return "no_data", "no item ran" end
      if settings.min_n and now.total_items < settings.min_n then
        return "no_data", ("%d items, the rule asks for %d (min_n)"):format(now.total_items, settings.min_n)
      end
      local rate = now.succeeded_count / now.total_items
      return reaches(rate, limit) and "pass" or "fail", ("%d of %d items succeeded (%s), at least %s is asked"):format(
        now.succeeded_count, now.total_items, percent(rate), percent(limit))
    end,
  }
end

local LATENCY_KEYS = { [50] = "p50", [95] = "p95", [99] = "p99", [100] = "max" }

local function max_latency(limit, given)
  local ms, problem = duration.parse(limit)
  if not ms then place.fail("eval.rules.max_latency: " .. problem) end
  local settings = check_options("max_latency", given)
  local key = LATENCY_KEYS[settings.percentile or 100]
  if not key then
    place.fail(("eval.rules.max_latency: percentile must be 50, 95, 99 or 100, not %s"):format(settings.percentile))
  end
  return rule_kinds.make {
    kind = "max_latency", options = settings, name = ("latency %s at most %s"):format(key, duration.text(ms)),
    check = function(now)
      local value = now.latency_ms and now.latency_ms[key]
      if not value then
        return "no_data", "no result has a latency" .. (now.cache and ": the answers came from the cache" or "")
      end
      return value <= ms and "pass" or "fail", ("latency %s is %s, at most %s is allowed"):format(key,
        duration.text(value), duration.text(ms))
    end,
  }
end

local function max_cost(limit, given)
  check_number("max_cost", "the cost", limit, 0)
  local settings = check_options("max_cost", given)
  local per = settings.per or "run"
  return rule_kinds.make {
    kind = "max_cost", options = settings, name = ("cost per %s at most %s"):format(per, limit),
    check = function(now)
      local cost = now.usage and now.usage.cost
      if not cost then return "no_data", "no cost is known: no result has usage with a price" end
      if per == "item" then
        if now.total_items == 0 then return "no_data", "no item ran" end
        cost = cost / now.total_items
      end
      local holds = reaches(limit, cost)
      return holds and "pass" or "fail", ("the cost per %s is %s%s, at most %s is allowed"):format(per, cost_text(cost),
        holds and "" or exactly(cost, limit, cost_text), limit)
    end,
  }
end

-- Against a baseline -------------------------------------------------------------------------------------------------

local function no_baseline()
  return "no_data", "there is no baseline to compare with; accept a run with `evalua accept`"
end

local function interval_text(ci)
  return ci and ("[%+.3g, %+.3g]"):format(ci[1], ci[2]) or "unknown"
end

-- `exact changed by -0.060 [-0.12, +0.0019], p 0.11, n 100: inconclusive`; what could have been found stands beside
-- every inconclusive one.
local function comparison_text(id, entry, verdict)
  local p = entry.p_adjusted or entry.p_value
  local text = ("%s changed by %+.3g (interval %s, p %s%s, n %d): %s"):format(id, entry.delta or 0,
    interval_text(entry.ci),
    p and ("%.3g"):format(p) or "unknown", entry.p_adjusted and " Holm-adjusted" or "", entry.n,
    verdict:gsub("_", " "))
  if verdict == "inconclusive" then
    local needed, mde = detectable.least_pairs(entry), detectable.difference(entry)
    text = text .. (entry.n == 1 and "; one pair gives no interval"
      or needed and ("; so few pairs cannot show any difference: that takes %d"):format(needed)
      or mde and ("; differences from %.3g on would be found"):format(mde)
      or entry.ci and ("; too few %s to tell"):format(entry.clusters and "clusters" or "pairs")
      or "; there is no interval")
  end
  return text
end

-- kind, words, and the status that each verdict gives.
local function comparison_rule(kind, words, status_of)
  return function(id, settings)
    return rule_kinds.make {
      kind = kind, scorer = id, options = settings, name = words:format(id), compares = true, gates = true,
      check = function(_, _, comparison)
        if not comparison then return no_baseline() end
        local entry = rawget(comparison.scorers, id)
        local what = entry and "scorer" or "metric"
        entry = entry or comparison.metrics and rawget(comparison.metrics, id)
        if not entry then return "no_data", ("scorer %s is in neither run"):format(id) end
        if entry.problem then return "no_data", ("%s %s: %s"):format(what, id, entry.problem) end
        if entry.n == 0 then
          if entry.labels then
            return "no_data", ("scorer %s gives labels, which are neither better nor worse (%d of %d alike); gate a "
              .. "metric of them, such as accuracy or kappa"):format(id, entry.labels.same, entry.labels.n)
          end
          return "no_data", entry.only_in and ("%s %s is only in the %s"):format(what, id, entry.only_in)
            or ("%s %s has no item with a %s in both runs"):format(what, id, what == "scorer" and "score" or "value")
        end
        if entry.metric and not entry.test then
          return "no_data", ("metric %s: its two values cannot be tested, because %s; hold it against a threshold with "
            .. "at_least or at_most"):format(id, entry.kind == "function" and "it is a function of the suite"
            or "the baseline does not keep what it measures")
        end
        if settings.min_n and entry.n < settings.min_n then
          return "no_data", ("%s has %d pairs, the rule asks for %d (min_n)"):format(id, entry.n, settings.min_n)
        end
        local verdict = compare.verdict(entry, settings)
        return status_of[verdict] or "no_data", comparison_text(id, entry, verdict)
      end,
    }
  end
end

local no_regression_rule = comparison_rule("no_regression", "%s does not regress",
  { regressed = "fail", improved = "pass", no_worse = "pass", inconclusive = "inconclusive" })
local no_worse_rule = comparison_rule("no_worse", "%s is no worse",
  { regressed = "fail", improved = "pass", no_worse = "pass", inconclusive = "inconclusive" })
local improved_rule = comparison_rule("improved", "%s improves",
  { regressed = "fail", improved = "pass", no_worse = "fail", inconclusive = "inconclusive" })

local function no_regression(id, given)
  return no_regression_rule(check_id("no_regression", id), check_options("no_regression", given))
end

local function no_worse(id, margin, given)
  id = check_id("no_worse", id)
  if type(margin) == "table" and given == nil then margin, given = nil, margin end
  local settings = check_options("no_worse", given)
  if margin ~= nil then settings.margin = check_number("no_worse", "the margin", margin, 0) end
  return no_worse_rule(id, settings)
end

local function improved(id, given)
  return improved_rule(check_id("improved", id), check_options("improved", given))
end

local function shown_ids(list, count)
  local ids = {}
  for position = 1, math.min(#list, NAMES_SHOWN) do ids[position] = list[position].item_id end
  return table.concat(ids, ", ") .. (count > #ids and ", ..." or "")
end

local function no_new_failures(given)
  return rule_kinds.make {
    kind = "no_new_failures", options = check_options("no_new_failures", given), name = "no new failures",
    compares = true,
    check = function(_, _, comparison)
      if not comparison then return no_baseline() end
      if comparison.items.paired == 0 then return "no_data", "the runs have no item in common" end
      local list = comparison.new_failures or {}
      local count = comparison.new_failure_count or #list
      if count == 0 then return "pass", ("none of %d common items fails newly"):format(comparison.items.paired) end
      return "fail", ("%d %s newly: %s"):format(count, count == 1 and "item fails" or "items fail",
        shown_ids(list, count))
    end,
  }
end

-- Every item ---------------------------------------------------------------------------------------------------------

local function all_pass(now, id, min_n)
  local scorer, problem = scorer_of(now, id, min_n)
  if not scorer then return "no_data", problem end
  if not scorer.passed then return "no_data", ("scorer %s has no `pass` threshold"):format(id) end
  local judged = scorer.n + scorer.n_unscored + scorer.n_error + scorer.n_failed + scorer.n_skipped + scorer.n_pending
  return scorer.passed == judged and "pass" or "fail", ("%d of %d items pass %s"):format(scorer.passed, judged, id)
end

-- A function sees one result at a time; `each_result` is an iterator, so a run of any size fits.
local function all_satisfy(accepts, context)
  if not (context and context.each_result) then return "no_data", "the results of this run are not at hand" end
  local count, refused, first = 0, 0, nil
  for result in context.each_result() do
    count = count + 1
    if not accepts(result) then
      refused = refused + 1
      first = first or result.item_id
    end
  end
  if count == 0 then return "no_data", "no item ran" end
  if refused == 0 then return "pass", ("all %d results satisfy it"):format(count) end
  return "fail", ("%d of %d results do not satisfy it, first %s"):format(refused, count, tostring(first))
end

local function all_items(what, given)
  local settings = check_options("all_items", given)
  if type(what) == "function" then
    if settings.slice or settings.each then
      place.fail("eval.rules.all_items: a function sees every result; slice and each are for scorers")
    end
    return rule_kinds.make {
      kind = "all_items", options = settings, name = "all items satisfy a function",
      check = function(_, _, _, context) return all_satisfy(what, context) end,
    }
  end
  local id = check_id("all_items", what)
  return rule_kinds.make {
    kind = "all_items", scorer = id, options = settings, name = ("all items pass %s"):format(id),
    check = function(now) return all_pass(now, id, settings.min_n) end,
  }
end

---The builders that scripts know as eval.rules. Their options are margin, alpha, inconclusive, min_n, slice and each.
rule_kinds.builders = strict.namespace({
  at_least = threshold_rule("at_least", 1, "at least", 0),
  at_most = threshold_rule("at_most", -1, "at most", 1),
  pass_rate = pass_rate,
  success_rate = success_rate,
  max_latency = max_latency,
  max_cost = max_cost,
  no_regression = no_regression,
  no_worse = no_worse,
  improved = improved,
  no_new_failures = no_new_failures,
  all_items = all_items,
}, "eval.rules")

return rule_kinds
