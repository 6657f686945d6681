-- What a person reads of a plan: the difference that can be found now, and what it takes to find smaller ones.

local text = require "evalua.report.text"
local views = require "evalua.report.view"

local planning_report = {}

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function number(value) return value and text.number(value + 0.0) or "-" end

-- Where the variance of a difference is known from.
local function source_text(plan, scorer)
  local noise = scorer.within_source == "trials" and (", noise from %d trials"):format(plan.trials)
    or scorer.within_source == "noise" and ", noise from `run --noise`" or ""
  if scorer.source == "comparison" then
    return ("paired with #%s (correlation %s)%s"):format(tostring(scorer.compared_with), number(scorer.correlation),
      noise)
  end
  return ("assumed: two runs correlate by %s%s"):format(number(scorer.correlation), noise)
end

-- A count of any size.
local function whole(count) return (count < 1e15 and "%.0f" or "%.4g"):format(count) end

local function items_text(scorer, need)
  if not need.items then return "-" end
  local times = need.items / scorer.n
  if need.items <= scorer.n then return ("%d (there are %d)"):format(need.items, scorer.n) end
  return ("%s (%s times as many)"):format(whole(need.items), times >= 10 and whole(times) or ("%.1f"):format(times))
end

local function trials_text(plan, scorer, need)
  if need.trials then
    return need.trials <= plan.trials and ("%d (it has %d)"):format(need.trials, plan.trials) or whole(need.trials)
  end
  return scorer.within_variance and "no number is enough" or "not known"
end

local function put_scorer(view, plan, id)
  local scorer = plan.scorers[id]
  if scorer.problem then
    views.say(view, ("%s: cannot be planned: %s"):format(text.clean(id), text.clean(scorer.problem)))
    return
  end
  views.say(view, view.paint("bold", text.clean(id)), (": mean %s over %s%s; differences of %s or more are found; %s")
    :format(number(scorer.mean), text.count(scorer.n, "item"), scorer.clusters
    and (" in %s"):format(text.count(scorer.clusters, "cluster")) or "", number(scorer.mde), source_text(plan, scorer)))
  local rows = {}
  for position, need in ipairs(scorer.needed) do
    rows[position] = { number(need.difference), items_text(scorer, need), trials_text(plan, scorer, need) }
  end
  views.table(view, { { title = "to find", right = true }, { title = "items" },
    { title = ("or trials of the %d items"):format(scorer.n) } }, rows, "  ")
end

---A plan.
---@param view evalua.report.view
---@param plan table of evalua.planning
function planning_report.put(view, plan)
  local variant = plan.variant and plan.variant ~= "" and (" [%s]"):format(text.clean(plan.variant)) or ""
  views.say(view, view.paint("bold", text.clean(plan.name) .. variant .. (" #%d"):format(plan.number)),
    (": %s of %s version %s, %s each; power %s at %s"):format(text.count(plan.items or 0, "item"),
    text.clean(tostring(plan.dataset.name)), tostring(plan.dataset.version), text.count(plan.trials, "trial"),
    number(plan.power), number(plan.alpha)))
  local ids, is_assumed, is_noise_unknown = sorted_keys(plan.scorers), false, false
  if #ids == 0 then views.say(view, "the run has no scorer") end
  for _, id in ipairs(ids) do
    views.put(view, "")
    put_scorer(view, plan, id)
    local scorer = plan.scorers[id]
    is_assumed = is_assumed or scorer.source == "assumed" and not scorer.problem
    is_noise_unknown = is_noise_unknown or not scorer.within_variance and not scorer.problem
  end
  if is_assumed or is_noise_unknown then views.put(view, "") end
  if is_assumed then
    views.say(view, "assumed: a second run of this experiment, with the change in it, would measure how runs correlate")
  end
  if is_noise_unknown then
    views.say(view, "trials: not known how much a target differs from itself; `evalua run --noise` or trials tell")
  end
end

return planning_report
