-- The end of a run: its summary from the rows, what its rules say, the verdict, and the record that keeps them.

local engine = require "evalua.native.engine"
local fail = require "evalua.cli.fail"
local gate = require "evalua.gate"
local json = require "evalua.json"
local measurement = require "evalua.measurement"
local result_record = require "evalua.result_record"
local rule_slices = require "evalua.rule_slices"
local rules = require "evalua.rules"
local slices = require "evalua.slices"
local strict = require "evalua.strict"
local summary_module = require "evalua.summary"
local sys = require "evalua.native.sys"

-- `interrupted`: the user has ended a run of this process.
local judgement = { interrupted = false }

local must = fail.must

---What gates is found before anything runs.
function judgement.choose_gate(store, experiment, settings)
  if experiment.gate_choice == nil then
    experiment.gate_choice = gate.find(store, experiment, settings.baseline) or false
  end
end

-- Iterates over the results of an experiment, for rules that look at each.
local function each_result_of(store, experiment_id)
  return function()
    local after, rows, index = 0, {}, 0
    return function()
      index = index + 1
      if index > #rows then
        if after == false then return nil end
        rows, index = must(store:results(experiment_id, { after = after, limit = 500 })), 1
        after = #rows == 500 and rows[#rows].position or false
      end
      return rows[index] and result_record.of(rows[index])
    end
  end
end

-- What reads the results of a run for rules; a baseline file has none.
local function results_of(store, record)
  return not record.baseline_file and function() return result_record.list(store, record.id) end or nil
end

-- The slices that the experiment and its rules speak of; those of the experiment are in its summary.
local function slices_of(store, experiment, record, built, measured)
  local fields = rule_slices.fields(experiment.rules)
  for _, field in ipairs(experiment.slices or {}) do
    if not strict.contains(fields, field) then fields[#fields + 1] = field end
  end
  if #fields == 0 then return nil end
  local found, values = slices.build(store, record, fields, { metrics = measured })
  for _, field in ipairs(experiment.slices or {}) do
    built.slices = built.slices or {}
    built.slices[field] = found[field]
  end
  return {
    built = found, values = values,
    parts = function(key, field, names, cluster)
      return gate.parts(experiment.gate_choice, key, names, function(id) return values[field][id] end, cluster)
    end,
  }
end

local function judge(store, experiment, settings, record, built, ending, message, hook_problem)
  local comparison, baseline_summary, measured, metric_problem
  built.metrics, measured, metric_problem = measurement.run(store, record, experiment.metrics)
  record.metric_values = built.metrics
  if experiment.gate_choice then
    comparison, baseline_summary = gate.compare(store, experiment.gate_choice, record, built, {
      gated = rules.gated(experiment.rules), clusters = rules.clusters(experiment.rules), metrics = experiment.metrics,
    })
  elseif ending == "completed" and not experiment.is_noise then
    gate.show_previous(store, record, built)
  end
  local results, parts = {}, slices_of(store, experiment, record, built, measured)
  if ending == "completed" or ending == "max_failures" then
    results = rules.run(experiment.rules, built, baseline_summary, comparison,
      { each_result = each_result_of(store, record.id), slices = parts, results = results_of(store, record),
        baseline_results = experiment.gate_choice and results_of(store, experiment.gate_choice.record) })
  end
  local script_error = hook_problem or metric_problem or ending == "script_error" and message or nil
  for _, result in ipairs(results) do
    if result.script_error then script_error = script_error or result.message end
  end
  local failures = {
    broken = message,
    timeout = ("the experiment's timeout passed%s with %d of %d items done"):format(message and " " .. message or "",
      built.total_items - built.skipped_count - built.pending_count, built.total_items),
    max_failures = message, stopped = message, budget = message,
  }
  if built.cluster and built.cluster.clusters == 0 then
    failures.completed = ('cluster: no item has the field "%s"'):format(built.cluster.field)
  end
  local verdict, exit_code, reason = rules.verdict(built, results, {
    tolerance = experiment.tolerance, inconclusive = settings.inconclusive, interrupted = ending == "cancelled",
    script_error = script_error, failure = failures[ending],
  })
  if ending == "cancelled" and message then reason = message end
  built.rules, built.verdict, built.reason, built.exit_code = results, verdict, reason, exit_code
  built.rules_declared = #experiment.rules
end

local status_of = {
  completed = "completed", unjudged = "interrupted", cancelled = "cancelled", timeout = "cancelled",
  max_failures = "cancelled", stopped = "cancelled", budget = "cancelled",
}

-- What Ctrl-C left of the judging says nothing of the run. One whose items all have their results stays open for
-- `evalua resume`, which then only judges it.
local function leave_unjudged(built, experiment, record, interrupted)
  built.rules, built.metrics, built.comparison, built.rules_declared = {}, nil, nil, #experiment.rules
  built.verdict, built.exit_code = "error", fail.codes.interrupted
  if built.status == "cancelled" then
    built.reason = "the run was " .. interrupted
    return
  end
  built.status, built.completed_at, built.completed_with_errors = "interrupted", nil, false
  built.reason = ("the judging was %s; every result is stored%s"):format(interrupted, experiment.started_by and ""
    or (", and `evalua resume %d` judges them"):format(record.number))
end

---Builds the summary of a run that has ended, judges it and stores both.
---@param store table
---@param experiment table
---@param settings table
---@param made table the stored record
---@param ending string "completed", "cancelled", "timeout", "max_failures", "stopped", "budget", "script_error",
---"unjudged" (a signal came after the last item), "broken" ...
---@param message string|nil why, where it is not completed
---@param hook_problem string|nil
---@return table summary with `exit_code`
function judgement.finish(store, experiment, settings, made, ending, message, hook_problem)
  local record = must(store:experiment(made.id))
  local built = summary_module.build(store, record)
  built.status = status_of[ending] or "failed"
  if ending == "completed" and built.succeeded_count == 0 and built.total_items > 0 then built.status = "failed" end
  -- A retry leaves alone what never ran.
  if ending == "completed" and built.pending_count > 0 then built.status = "cancelled" end
  built.completed_with_errors = built.status == "completed" and built.failed_count > 0
  if ending ~= "completed" and ending ~= "unjudged" then
    built.skipped_count, built.pending_count = built.skipped_count + built.pending_count, 0
    for _, scorer in next, built.scorers do
      scorer.n_skipped, scorer.n_pending = (scorer.n_skipped or 0) + (scorer.n_pending or 0), 0
    end
  end
  built.completed_at = sys.wall_text(sys.now_ms())
  record.status = built.status
  local interrupted = ending == "unjudged" and "interrupted" or nil
  if not interrupted then
    local ok, problem
    interrupted, ok, problem = engine.guard(judge, store, experiment, settings, record, built, ending, message,
      hook_problem)
    if not ok and not interrupted then error(problem, 0) end
  end
  if interrupted then
    leave_unjudged(built, experiment, record, interrupted)
    judgement.interrupted = true
    if built.status == "interrupted" then
      store:unlock(made.number)
      return built
    end
  end
  if built.exit_code == fail.codes.interrupted then judgement.interrupted = true end
  local stored = summary_module.for_json(built)
  stored.exit_code = nil
  local done, unstored = store:experiment_finish(made.id, {
    status = built.status, verdict = built.verdict, completed_at = built.completed_at, summary = json.encode(stored),
  })
  store:unlock(made.number)
  if not done and not built.reason then
    built.verdict, built.exit_code = "error", fail.codes.incomplete
    built.reason = "the end of the run cannot be stored: " .. tostring(unstored)
  end
  return built
end

return judgement
