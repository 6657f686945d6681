-- Planning: what difference a dataset can detect, and how many items or trials a wanted one needs.
--
-- Miller 2024 (arXiv 2411.00640), section 5: the variance of one item's difference is omega^2 + noise_A / K_A +
-- noise_B / K_B. Where there is a comparison it is measured; else two runs of this spread are assumed to correlate.

local clusters = require "evalua.clusters"
local compare = require "evalua.compare"
local fail = require "evalua.cli.fail"
local gate = require "evalua.gate"
local json = require "evalua.json"
local noise = require "evalua.noise"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"
local trials = require "evalua.trials"

local planning = {}

planning.POWER, planning.ALPHA = 0.8, 0.05

local CORRELATION = 0.5 -- of two runs where nothing is known; published runs of language models lie at 0.3 to 0.7
local PAGE = 500
local WANTED = { 0.1, 0.05, 0.02, 0.01 } -- differences that are planned for where none is asked for

local must = fail.must

-- What is known of the run -------------------------------------------------------------------------------------------

-- The mean over items of the variance between the trials of an item, by scorer; items need two scored trials.
local function variance_of_trials(store, record)
  local by_scorer, after, item, open = {}, 0, nil, {}
  local function close()
    for key, values in next, open do
      if #values > 1 then
        local sum = by_scorer[key] or { total = 0.0, n = 0 }
        by_scorer[key] = sum
        local vector = stats.summary(stats.vector(values))
        sum.total, sum.n = sum.total + vector.stderr ^ 2 * #values, sum.n + 1
      end
    end
    open = {}
  end
  repeat
    local rows = must(store:results(record.id, { after = after, limit = PAGE }))
    for _, row in ipairs(rows) do
      after = row.position
      if row.item_id ~= item then close() end
      item = row.item_id
      for _, score in ipairs(row.scores or {}) do
        if type(score.score) == "number" then
          local key = summary.scorer_key(score.scorer_id, score.step_id)
          open[key] = open[key] or {}
          table.insert(open[key], score.score)
        end
      end
    end
  until #rows < PAGE
  close()
  local means = {}
  for key, sum in next, by_scorer do means[key] = sum.total / sum.n end
  return means
end

-- The run that this one was compared with last: what gated it, or the run before it.
local function last_compared(store, record)
  local stored = summary.decoded(record.summary)
  if type(stored) == "table" then
    for _, name in ipairs { "baseline", "previous" } do
      local side = summary.decoded(stored[name])
      local id = type(side) == "table" and side.experiment_id
      local other = type(id) == "string" and store:experiment(id)
      if other then return other end
    end
  end
  local choice = gate.previous(store, record)
  return choice and choice.record or nil
end

local function comparison_with(store, record)
  local other = last_compared(store, record)
  if not other or other.dataset_id ~= record.dataset_id then return nil end
  local ok, comparison = pcall(compare.pair, store, other, record, { across_datasets = true, limit = 0 })
  if not ok then return nil end
  return { record = other, entries = comparison.scorers }
end

-- Of one scorer ------------------------------------------------------------------------------------------------------

-- How much clusters widen the error of the mean: 1 where there are none.
local function design_effect(values, list)
  if not list then return 1, nil end
  local naive, clustered = stats.summary(values), stats.summary(values, { clusters = list })
  if not naive.stderr or naive.stderr == 0 or not clustered.stderr then return 1, clustered.clusters end
  return (clustered.stderr / naive.stderr) ^ 2, clustered.clusters
end

-- The correlation of two runs' scores that a variance of differences stands for.
local function correlation_of(of_difference, variance)
  if variance <= 0 then return nil end
  return math.max(-1, math.min(1, 1 - of_difference / (2 * variance)))
end

-- The variance of one item's difference, and where it is known from.
local function difference_variance(plan, facts)
  local entry = facts.entry
  if entry and entry.n > 1 and entry.stderr and entry.stderr > 0 then
    plan.source = "comparison"
    plan.compared_with, plan.compared_n = facts.compared.number, entry.n
    plan.difference_variance = entry.stderr ^ 2 * entry.n
    local within, other = plan.within_variance, facts.compared_trials
    if within and other ~= facts.trials then -- as if both had as many trials as this run
      local omega = math.max(0, plan.difference_variance - within / facts.trials - within / other)
      plan.difference_variance = omega + 2 * within / facts.trials
    end
    plan.correlation = correlation_of(plan.difference_variance / plan.design_effect, plan.variance)
    return
  end
  plan.source, plan.correlation = "assumed", CORRELATION
  local within = plan.within_variance or 0
  local between = math.max(0, plan.variance - within / facts.trials)
  plan.difference_variance = (2 * between * (1 - CORRELATION) + 2 * within / facts.trials) * plan.design_effect
end

-- Trials of each item with which n items show the difference; nil where no number is enough.
local function trials_for(plan, facts, difference, settings)
  local within = plan.within_variance
  if not within then return nil end
  local noise_now = 2 * within / facts.trials
  local omega = math.max(0, plan.difference_variance - noise_now)
  local allowed = plan.n * (difference / stats.detectable_difference(1, settings.alpha, settings.power)) ^ 2
  if allowed <= omega then return nil end
  return math.max(1, math.ceil(2 * within / (allowed - omega) - 1e-9))
end

local function needed(plan, facts, difference, settings)
  local items = stats.sample_size(difference, plan.difference_variance, settings.alpha, settings.power)
  return { difference = difference, items = items and math.max(2, math.ceil(items - 1e-9)) or nil,
    trials = trials_for(plan, facts, difference, settings) }
end

local function plan_scorer(store, record, definition, facts, settings)
  local given = trials.for_scorer(facts.reduction, definition.applies)
  local values, _, ids = must(store:paired_scores(record.id, record.id, definition.id, definition.step_id or "",
    given and { given, given } or nil))
  local found = stats.summary(values)
  local plan = { scorer_id = definition.id, step_id = definition.step_id, n = found.n, mean = found.mean,
    within_variance = facts.within[definition.key], within_source = facts.within_source }
  if found.n < 2 then
    plan.problem = "fewer than two items have a score"
    return plan
  end
  plan.variance = found.stderr and found.stderr ^ 2 * found.n
  if not plan.variance or plan.variance == math.huge then
    plan.variance, plan.problem = nil, "the scores are too large: their variance is no number"
    return plan
  end
  if not plan.within_variance then plan.within_source = nil end
  local list = facts.by_item and clusters.list(facts.by_item, ids, #values) or nil
  plan.design_effect, plan.clusters = design_effect(values, list)
  difference_variance(plan, facts)
  if plan.difference_variance <= 0 then
    plan.problem = "all scores are equal: nothing tells how much two runs would differ"
    return plan
  end
  plan.mde = stats.detectable_difference(math.sqrt(plan.difference_variance / plan.n), settings.alpha, settings.power)
  plan.needed = json.array {}
  for position, difference in ipairs(settings.detect and { settings.detect } or WANTED) do
    plan.needed[position] = needed(plan, facts, difference, settings)
  end
  return plan
end

-- The noise within an item: between its trials, else between noise runs.
local function within_of(store, record, reduction)
  if reduction then return variance_of_trials(store, record), "trials" end
  local found, within = noise.find(store, record), {}
  for key, scorer in next, found and found.scorers or {} do within[key] = scorer.variance end
  return within, found and "noise" or nil
end

---Plans over the scores of a run.
---@param store table
---@param record table of the store
---@param settings { detect: number|nil, power: number|nil, alpha: number|nil, scorers: string[]|nil }
---@return table plan { experiment_id, number, name, variant, dataset, items, trials, power, alpha, detect, scorers =
---  { [key] = { n, mean, variance, within_variance, within_source, difference_variance, correlation, source,
---  compared_with, mde, needed = {{ difference, items, trials }}, problem } } }; source: "comparison" or "assumed";
---  needed.trials: of each item of this dataset, nil where no number is enough or noise is not known
function planning.of_run(store, record, settings)
  settings = { detect = settings.detect, power = settings.power or planning.POWER,
    alpha = settings.alpha or planning.ALPHA, scorers = settings.scorers }
  local reduction = trials.of_record(record)
  local facts = { reduction = reduction, trials = reduction and reduction.trials or 1 }
  facts.within, facts.within_source = within_of(store, record, reduction)
  local compared = comparison_with(store, record)
  facts.compared = compared and compared.record
  local other = compared and trials.of_record(compared.record)
  facts.compared_trials = other and other.trials or 1
  local field = clusters.field_of(record)
  facts.by_item = field and clusters.by_item(store, record, field) or nil
  local plan = { experiment_id = record.id, number = record.number, name = record.name, variant = record.variant,
    dataset = { name = record.dataset_name, version = record.dataset_version }, items = record.total_items,
    trials = facts.trials, power = settings.power, alpha = settings.alpha, detect = settings.detect, cluster = field,
    scorers = {} }
  local wanted = {}
  for _, id in ipairs(settings.scorers or {}) do wanted[id] = true end
  for _, definition in ipairs(summary.scorers_of(store, record)) do
    if not settings.scorers or wanted[definition.key] or wanted[definition.id] then
      facts.entry = compared and compared.entries[definition.key]
      plan.scorers[definition.key] = plan_scorer(store, record, definition, facts, settings)
    end
  end
  return plan
end

return planning
