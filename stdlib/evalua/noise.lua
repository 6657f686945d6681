-- Noise: what the same target gives on the same items when nothing has changed, and how much of it is the scorers'.
--
-- A noise run is an experiment of its own name, so that it is nobody's baseline or previous run. Each output is scored
-- twice; the second score stands in the metadata of the first.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"
local task = require "evalua.native.task"
local trials = require "evalua.trials"

local noise = {}

noise.RUNS = 2        -- times that `--noise` runs the items
noise.RUNS_MAX = 100

local SUFFIX = " (noise)"
local AGAIN = "noise_again" -- the second score of the same output, in the metadata of a score
local PAGE = 500
local CONFIDENCE = 0.95

---The name of the noise runs of an experiment.
---@param name string
---@return string
function noise.name_of(name) return name .. SUFFIX end

---True for the name of noise runs.
---@param name string
---@return boolean
function noise.is_name(name) return name:sub(-#SUFFIX) == SUFFIX end

---Makes a resolved experiment one that measures noise: nothing gates it, and scorers score twice.
---@param experiment table of evalua.experiment; changed
function noise.prepare(experiment)
  experiment.name = noise.name_of(experiment.name)
  experiment.rules, experiment.baseline, experiment.gate_choice = {}, nil, false
  experiment.is_noise = true
end

---Scores an output a second time and keeps the second scores beside the first ones.
---@param score fun(entries: table, run: table): table[] outcomes
---@param entries table the scorers of evalua.item_run; built-in ones give the same score again, always
---@param outcomes table[] of the first time, their metadata as JSON text
---@param run table
function noise.again(score, entries, outcomes, run)
  -- In a scope of their own the scorers have other random numbers than the first time.
  local ended = task.map(function() return score(entries, run) end, { { name = "scorers again", timeout_ms = 0 } })[1]
  local second = ended.ok and ended.value or {}
  for position, scorer in ipairs(entries.all) do
    local first, again = outcomes[position], second[position]
    if not scorer.builtin and first and again and first.score and again.score then
      local metadata = first.metadata and json.decode(first.metadata)
      if type(metadata) ~= "table" or json.is_array(metadata) then metadata = {} end
      metadata[AGAIN] = again.score
      first.metadata = json.encode(metadata)
    end
  end
end

-- Reading ------------------------------------------------------------------------------------------------------------

local must = fail.must

-- Half the mean squared difference of two scores of one output is the variance of the scorer: sums by scorer.
local function add_again(store, record, sums)
  local after = 0
  repeat
    local rows = must(store:results(record.id, { after = after, limit = PAGE }))
    for _, row in ipairs(rows) do
      after = row.position
      for _, score in ipairs(row.scores or {}) do
        local metadata = type(score.metadata) == "string" and score.metadata:find(AGAIN, 1, true)
          and json.decode(score.metadata)
        local again = type(metadata) == "table" and metadata[AGAIN]
        if type(again) == "number" and type(score.score) == "number" then
          local key = summary.scorer_key(score.scorer_id, score.step_id)
          local sum = sums[key] or { squares = 0, n = 0, changed = 0 }
          sums[key] = sum
          sum.squares, sum.n = sum.squares + (score.score - again) ^ 2, sum.n + 1
          if again ~= score.score then sum.changed = sum.changed + 1 end
        end
      end
    end
  until #rows < PAGE
end

-- The scores of every item in each run: { [item_id] = { first run's, second's, ... } }, and the ids in item order.
local function scores_of(store, records, definition)
  local by_item, order = {}, {}
  for _, record in ipairs(records) do
    local given = trials.for_scorer(trials.of_record(record), definition.applies)
    local values, _, ids = must(store:paired_scores(record.id, record.id, definition.id, definition.step_id or "",
      given and { given, given } or nil))
    for position = 1, #values do
      local id = ids[position]
      if not by_item[id] then
        by_item[id] = {}
        order[#order + 1] = id
      end
      table.insert(by_item[id], values:get(position))
    end
  end
  return by_item, order
end

local function mean_of(values)
  local sum = 0.0
  for _, value in ipairs(values) do sum = sum + value end
  return sum / #values
end

-- The mean over items of the variance between runs, over items that have a score in every run.
local function within_variance(by_item, order, count)
  local sum, n, differing, means = 0.0, 0, 0, {}
  for run = 1, count do means[run] = 0.0 end
  for _, id in ipairs(order) do
    local values = by_item[id]
    if #values == count then
      local mean, squares = mean_of(values), 0.0
      for run, value in ipairs(values) do
        squares = squares + (value - mean) ^ 2
        means[run] = means[run] + value
      end
      sum, n = sum + squares / (count - 1), n + 1
      if squares > 0 then differing = differing + 1 end
    end
  end
  if n == 0 then return nil, 0, 0, nil end
  for run = 1, count do means[run] = means[run] / n end
  return sum / n, n, differing, means
end

-- How many items got one label in every run and another in one of them; nil where no item has a label in every run.
local function labels_of(store, records, key)
  local accessor, labels, order, differing = "label." .. key, {}, {}, {}
  for run, record in ipairs(records) do
    local rows = require("evalua.metric_rows").read(store, record, { accessor })
    for position, id in ipairs(rows.ids) do
      local label = rows.columns[accessor][position]
      if label and not labels[id] then
        labels[id] = { label = label, runs = 0 }
        order[#order + 1] = id
      end
      local known = labels[id]
      if label and known.runs < run then -- of several trials the first
        known.runs = known.runs == run - 1 and run or known.runs
        differing[id] = differing[id] or label ~= known.label
      end
    end
  end
  local found = { n = 0, differing = 0 }
  for _, id in ipairs(order) do
    if labels[id].runs == #records then
      found.n, found.differing = found.n + 1, found.differing + (differing[id] and 1 or 0)
    end
  end
  return found.n > 0 and found or nil
end

local function is_finite(value) return value - value == 0 end

-- Of scores near the largest doubles squares and sums are none: then nothing is said of them.
local function without_infinities(found)
  for name, value in next, found do
    if type(value) == "number" and not is_finite(value) then found[name] = nil end
  end
  for _, mean in ipairs(found.means or {}) do
    if not is_finite(mean) then found.means, found.mean = nil, nil end
  end
  if not (found.variance and found.floor) then
    found.problem = "its scores are too large: their variance is no number"
  end
  return found
end

local function record_of(definition, store, records, again)
  local by_item, order = scores_of(store, records, definition)
  local within, n, differing, means = within_variance(by_item, order, #records)
  local found = { scorer_id = definition.id, step_id = definition.step_id, name = definition.name, n = n,
    runs = #records, differing = differing, means = means }
  if not within then
    found.labels = labels_of(store, records, definition.key)
    return found
  end
  found.mean = mean_of(means)
  -- Trials of one run are averaged: their noise is smaller than that of a single output, and so is the scorer's part.
  local repeated = trials.of_record(records[1])
  local per_item = repeated and repeated.trials or 1
  local scorer = again and again.n > 0 and again.squares / 2 / again.n / per_item or 0
  found.n_scored_again, found.scores_changed = again and again.n or 0, again and again.changed or 0
  found.variance, found.scorer_variance = within, math.min(scorer, within)
  found.target_variance = within - found.scorer_variance
  found.sd, found.scorer_sd, found.target_sd = math.sqrt(within), math.sqrt(found.scorer_variance),
    math.sqrt(found.target_variance)
  found.difference_stderr = math.sqrt(2 * within / n)
  found.floor = stats.normal_quantile(0.5 + CONFIDENCE / 2) * found.difference_stderr
  return without_infinities(found)
end

---The noise of runs of the same target over the same items.
---@param store table
---@param records table[] two or more of the store
---@return table report { name, variant, runs, items, trials, scorers = { [key] = { n, runs, means, mean, variance,
---  target_variance, scorer_variance, sd, target_sd, scorer_sd, differing, floor, difference_stderr, labels = { n,
---  differing }, problem } } }; labels: of a scorer that gives no scores; floor: a difference of two runs' means
---  that is no larger is noise, 19 times in 20
function noise.report(store, records)
  local first, again = records[1], {}
  for _, record in ipairs(records) do add_again(store, record, again) end
  local reduction, numbers = trials.of_record(first), {}
  for position, record in ipairs(records) do numbers[position] = record.number end
  local report = { name = first.name, variant = first.variant, runs = json.array(numbers), items = first.total_items,
    trials = reduction and reduction.trials or 1, scorers = {} }
  for _, definition in ipairs(summary.scorers_of(store, first)) do
    report.scorers[definition.key] = record_of(definition, store, records, again[definition.key])
  end
  return report
end

---The last noise runs of an experiment over the same version of its dataset: two or more of one command; else nil.
---@param store table
---@param record table a run of the experiment
---@return table|nil report
function noise.find(store, record)
  local found = store:experiments { name = noise.name_of(record.name), variant = record.variant or "", limit = 100 }
  local records, batch = {}, nil
  for _, other in ipairs(found or {}) do
    local tags = summary.decoded(other.tags)
    local of = type(tags) == "table" and tags.noise_batch
    if other.status == "completed" and other.dataset_id == record.dataset_id
      and other.dataset_version == record.dataset_version and (batch == nil or of == batch) then
      batch = batch or of
      table.insert(records, 1, other)
    end
  end
  if #records < 2 then return nil end
  return noise.report(store, records)
end

return noise
