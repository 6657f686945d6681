-- evalua trend: the means of an experiment from run to run, oldest first, each variant by itself.

local fail = require "evalua.cli.fail"
local formats = require "evalua.report.formats"
local history = require "evalua.report.history"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local ref = require "evalua.cli.ref"
local store_context = require "evalua.store_context"
local strict = require "evalua.strict"
local trend = require "evalua.report.trend"

local RUNS_DEFAULT = 20

local parsed = options.begin("trend", ...)
if not parsed then return 0 end
local format = parsed.format or "pretty"
local file_formats = output.formats_of(parsed.output, { "json", "md", "html", "csv" })
local store = store_context.open(parsed.store, { read_only = true })
local newest = ref.resolve(store, parsed[1])
local wanted_variant = parsed[1] ~= newest.name and (newest.variant or "") or nil

local function keep_scorers(groups)
  if not parsed.scorer then return end
  local known, wanted = {}, {}
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do for id in pairs(run.scorers) do known[id] = true end end
  end
  for _, id in ipairs(parsed.scorer) do
    if not known[id] then
      fail.usage("--scorer %s: the runs have no such scorer%s", id, strict.hint(id, strict.keys(known), "scorers"))
    end
    wanted[id] = true
  end
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do
      for id in pairs(run.scorers) do if not wanted[id] then run.scorers[id] = nil end end
    end
  end
end

local groups = history.collect(store, { name = newest.name, variant = wanted_variant,
  limit = parsed.limit or RUNS_DEFAULT })
keep_scorers(groups)
local stdout = output.stdout()
if format ~= "pretty" then
  formats.trend(format, stdout.write, groups)
else
  local view = pretty.view(stdout.write)
  for position, group in ipairs(groups) do
    if position > 1 then stdout.write("\n") end
    trend.put(view, group)
  end
end
stdout.flush()
output.write_files(parsed.output, file_formats, function(wanted, write) formats.trend(wanted, write, groups) end)
return 0
