-- run --noise: every experiment runs several times, and what is reported is how far the runs lie apart.

local fail = require "evalua.cli.fail"
local noise = require "evalua.noise"

local noise_runs = {}

---Checks the option, before a suite is read. Raises (exit 2).
---@param parsed table options of run
function noise_runs.check(parsed)
  local count = parsed.noise
  if not count then return end
  if count < 2 or count > noise.RUNS_MAX then
    fail.usage("run: --noise=%d: from 2 to %d runs show noise", count, noise.RUNS_MAX)
  end
  for _, name in ipairs { "baseline", "watch" } do
    if parsed[name] then fail.usage("run: --noise and --%s exclude each other: nothing gates noise runs", name) end
  end
  if parsed.cache and parsed.cache ~= "off" then
    fail.usage("run: --noise and --cache %s exclude each other: answers of the cache have no noise", parsed.cache)
  end
  parsed.cache = "off"
end

---Runs each experiment `parsed.noise` times.
---@param experiments table[]
---@param parsed table options of run
---@param report table of evalua.cli.run_report; gets `noise`, the reports
---@param settings_of fun(on_event: function|nil): table options of the runner
---@param title_of fun(experiment: table): string
function noise_runs.run(experiments, parsed, report, settings_of, title_of)
  local runner = require "evalua.runner"
  report.noise = {}
  local batch = require("evalua.native.text").uuid()
  for _, experiment in ipairs(experiments) do
    noise.prepare(experiment)
    local records = {}
    for number = 1, parsed.noise do
      local function start(on_event)
        local settings = settings_of(on_event)
        settings.tags = settings.tags or {}
        settings.tags.noise, settings.tags.noise_batch = tostring(number), batch
        -- The same items each time, and other random numbers in them: those are noise, too.
        local seed = settings.seed or experiment.seed or 0
        settings.seed = seed
        runner.prepare(experiment, settings)
        settings.seed = seed + number - 1
        return runner.run(experiment, settings)
      end
      local summary = report:run(title_of(experiment), start)
      if not summary or report:is_interrupted() then return end
      if summary.status == "completed" then
        records[#records + 1] = fail.check(fail.codes.incomplete, report.store:experiment(summary.experiment_id))
      end
    end
    if #records > 1 then report.noise[#report.noise + 1] = noise.report(report.store, records) end
  end
end

return noise_runs
