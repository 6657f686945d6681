-- The end of a run: its summary from the rows, what its rules say, the verdict, and the record that keeps them.

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

local judgement = {}

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
      { each_result = each_result_of(store, record.id), slices = parts })
  end
  local script_error = hook_problem or metric_problem or ending == "script_error" and message or nil
  for _, result in ipairs(results) do
    if result.script_error then script_error = script_error or result.message end
  end
  local failures = {
    broken = message,
    timeout = ("the experiment's timeout passed with %d of %d items done"):format(
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
  completed = "completed", cancelled = "cancelled", timeout = "cancelled", max_failures = "cancelled",
  stopped = "cancelled", budget = "cancelled",
}

---Builds the summary of a run that has ended, judges it and stores both.
---@param store table
---@param experiment table
---@param settings table
---@param made table the stored record
---@param ending string "completed", "cancelled", "timeout", "max_failures", "stopped", "budget", "script_error",
---"broken" ...
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
  if ending ~= "completed" then
    built.skipped_count, built.pending_count = built.skipped_count + built.pending_count, 0
    for _, scorer in next, built.scorers do
      scorer.n_skipped, scorer.n_pending = (scorer.n_skipped or 0) + (scorer.n_pending or 0), 0
    end
  end
  built.completed_at = sys.wall_text(sys.now_ms())
  record.status = built.status
  judge(store, experiment, settings, record, built, ending, message, hook_problem)
  local stored = summary_module.for_json(built)
  stored.exit_code = nil
  local done, problem = store:experiment_finish(made.id, {
    status = built.status, verdict = built.verdict, completed_at = built.completed_at, summary = json.encode(stored),
  })
  store:unlock(made.number)
  if not done and not built.reason then
    built.verdict, built.exit_code = "error", fail.codes.incomplete
    built.reason = "the end of the run cannot be stored: " .. tostring(problem)
  end
  return built
end

return judgement
