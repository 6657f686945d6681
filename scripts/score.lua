-- evalua score: the stored outputs of a run scored again with the scorers of a suite, as a score set beside its own.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local plan = require "evalua.cli.plan"
local pretty = require "evalua.report.pretty"
local progress = require "evalua.report.progress"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local rescore = require "evalua.rescore"
local score_sets = require "evalua.score_sets"
local store_context = require "evalua.store_context"
local strict = require "evalua.strict"
local summary_module = require "evalua.summary"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local parsed = options.begin("score", ...)
if not parsed then return 0 end
sys.claim_stdout()
require("evalua.printing").to_stderr()
if parsed.set and not score_sets.is_name(parsed.set) then
  fail.usage("--set %s: a name has letters, digits, '.', '_' and '-' (at most %d bytes)", parsed.set,
    score_sets.NAME_BYTES_MAX)
end
local store = store_context.open(parsed.store, { create = false })
local record = ref.resolve(store, parsed[1])
if parsed[2]:match("%.jsonl$") or parsed[2]:match("%.csv$") then
  fail.usage("score: %s is a file of cases; SUITE is a Lua file with scorers (*.eval.lua)", parsed[2])
end

-- The parameters of the run, where the suite still has them, and those of -p.
local function params_of()
  local params = {}
  for _, pair in ipairs(parsed.param or {}) do params[pair[1]] = pair[2] end
  local loaded = next(params) ~= nil
  for name, value in next, summary_module.decoded(record.params) or {} do
    if params[name] == nil then params[name] = tostring(value) end
  end
  return params, loaded
end

-- Whose scorers: what -e names, the run's own experiment, or the only one there is.
local function find_experiment(suite)
  local names, wanted, same_name = {}, parsed.experiment, nil
  for _, experiment in ipairs(suite.experiments) do
    local title = plan.title(experiment)
    names[#names + 1] = title
    if wanted then
      if wanted == title then return experiment end
      if plan.is_named(experiment, wanted) then same_name = same_name or experiment end
    elseif title == plan.title(record) then
      return experiment
    elseif experiment.name == record.name then
      same_name = same_name or experiment
    end
  end
  if same_name then return same_name end
  if wanted then
    fail.usage("-e %s: there is no such experiment%s", wanted, strict.hint(wanted, names, "experiments"))
  end
  if #suite.experiments == 1 then return suite.experiments[1] end
  fail.usage("%s: which experiment's scorers? Name it with -e: %s", parsed[2],
    #names > 0 and table.concat(names, ", ") or "the suite declares none")
end

local params, has_given = params_of()
local suite = require("evalua.suite").load(parsed[2], { params = params, check_params = has_given })
local experiment = find_experiment(suite)
experiment.suite_path = parsed[2]
experiment.attach((store:dataset(experiment.dataset.name)))
local view = rescore.view(experiment, parsed.scorer)

-- A run that is still being made has no end that could be scored.
local locked, problem, code = store:lock(record.number)
if not locked then
  if code == "busy" then fail.usage("run %s is running in another process; wait for it", ref.title(record)) end
  fail.incomplete("run %s: %s", ref.title(record), tostring(problem))
end

local bar = progress.reporter(("%s: scoring"):format(ref.title(record)))
local ok, done = pcall(rescore.run, store, record, view, {
  set = parsed.set, definitions = require("evalua.runner").definitions(view), workers = parsed.workers,
  max_concurrency = parsed.max_concurrency,
  command_line = require("evalua.secrets").redact(table.concat({ "evalua", "score", ... }, " ")),
  on_event = function(event) bar:event(event) end,
})
bar:clear()
store:unlock(record.number)
if not ok then error(done, 0) end

local scored = score_sets.over(store, record, done.name)
local summary = summary_module.build(store, scored)
local address = ("%d@%s"):format(record.number, done.name)
local stdout = output.stdout()
if parsed.format == "json" then
  local shown = json.decode(report.head(summary))
  shown.score_set = score_sets.object(assert(score_sets.find(store, record, done.name)))
  stdout.write(report.harmless(json.encode(report.mark_lists(shown))) .. "\n")
else
  local view_of = pretty.view(stdout.write)
  pretty.summary(view_of, store, summary)
  pretty.line(view_of, ("compare with the run's own scores: evalua compare %d %s"):format(record.number, address))
end
stdout.flush()

local errors = 0
for _, scorer in next, summary.scorers do errors = errors + (scorer.n_error or 0) end
local function log(message, ...)
  sys.stderr_write(("evalua: score set %s: %s\n"):format(address, message:format(...)))
end
store:close()
if done.hook_problem then
  log("%s", text.clean(done.hook_problem))
  return fail.codes.script
elseif done.ending == "cancelled" then
  log("interrupted with %s left; the same command completes it", text.count(done.left, "result"))
  return fail.codes.interrupted
elseif done.ending ~= "completed" then
  log("not complete, %s left: %s", text.count(done.left, "result"), text.clean(tostring(done.message or done.ending)))
  return fail.codes.incomplete
elseif done.failed > 0 then
  log("the scoring of %s died with its worker; the same command tries again", text.count(done.failed, "result"))
  return fail.codes.incomplete
elseif errors > 0 then
  log("%s failed", text.count(errors, "score"))
  return fail.codes.incomplete
end
return fail.codes.ok
