-- eval.experiments: finished runs of the store, and their comparison.

local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"
local summary = require "evalua.summary"

local experiments = {}

local LIST_DEFAULT = 100

local list_schema = options.schema("eval.experiments.list", {
  { "name", "text", help = "only that name" },
  { "variant", "text", help = "only that variant" },
  { "status", "string", enum = { "pending", "running", "completed", "failed", "cancelled", "interrupted" } },
  { "limit", "integer", default = LIST_DEFAULT, min = 1, help = "how many, newest first" },
})

local compare_schema = options.schema("eval.experiments.compare", {
  { "margin", "number", min = 0, help = "how much worse still is no worse" },
  { "alpha", "number", min = 1e-12, max = 0.5, help = "level of the tests; default 1 - confidence" },
  { "confidence", "number", min = 0.5, max = 1 - 1e-12, help = "of the intervals; default 0.95" },
  { "cluster", "text|boolean",
    help = "field whose equal values belong together; default that of the run; false: none" },
  { "scorer", "text|list", help = "only this scorer or metric, or these" },
  { "by", "list", of = "text", help = 'also by the values of fields, such as "metadata.lang"' },
  { "across_datasets", "boolean", help = "runs over different datasets, too, paired by item id alone" },
  { "limit", "integer", min = 0, help = "most regressions and improvements listed per scorer" },
})

local function store() return require("evalua.store_context").current() end

-- Calls a function of the commands; what is wrong in the call is the script's mistake, with its line.
local function at_script(call, ...)
  local ok, value = pcall(call, ...)
  if ok then return value end
  if type(value) == "table" and rawget(value, "exit") == 2 then place.fail(tostring(value)) end
  error(value, 0)
end

local function record_of(reference, takes_files)
  if math.type(reference) == "integer" then reference = ("%d"):format(reference) end
  if type(reference) == "table" then reference = rawget(reference, "experiment_id") or rawget(reference, "id") end
  if type(reference) ~= "string" then
    place.fail("a run is named by its number, id or name (or its summary), not " .. options.show(reference))
  end
  return at_script(require("evalua.cli.ref").resolve, store(), reference, { files = takes_files, sets = true })
end

---The summary of a run; its `results` are read from the store when they are asked for.
---@param reference string|integer|table number, id, "latest", NAME, NAME~1, NAME[variant], or a summary
---@return table summary
function experiments.get(reference)
  local found = require("evalua.cli.records").summary(store(), record_of(reference))
  return require("evalua.result_record").attach(found, store())
end

local JSON_FIELDS = { "metadata", "tags", "params", "git", "selection", "slices" }
local INNER_FIELDS = { "summary", "scorers", "options", "metrics" } -- how the store keeps them is its own matter

-- A record of the store as scripts see it: ids as a summary names them, values instead of JSON text.
local function listed(record)
  for _, name in ipairs(INNER_FIELDS) do record[name] = nil end
  for _, name in ipairs(JSON_FIELDS) do record[name] = summary.decoded(record[name]) end
  record.experiment_id, record.verdict = record.id, record.verdict or "none"
  record.dataset = { name = record.dataset_name, version = record.dataset_version, digest = record.dataset_digest }
  record.target = { type = record.target_type, id = record.target_id, version = record.target_version }
  return record
end

---Runs, newest first: what a summary has that is known without reading results.
---@param given table|nil name, variant, status, limit
---@return table[]
function experiments.list(given)
  local values = options.check(list_schema, given or {})
  local records, message = store():experiments(values)
  if not records then require("evalua.cli.fail").incomplete("%s", message) end
  for position, record in ipairs(records) do records[position] = listed(record) end
  return records
end

---Compares two runs, the first being the baseline.
---@param baseline string|integer|table as of get, or a baseline file
---@param candidate string|integer|table
---@param given table|nil margin, alpha, confidence, cluster, scorer, by, across_datasets, limit
---@return table comparison
function experiments.compare(baseline, candidate, given)
  local values = options.check(compare_schema, given or {})
  local first, second = record_of(baseline, true), record_of(candidate, true)
  local both_stores = require("evalua.baseline_store").over(store())
  return at_script(require("evalua.compare").pair, both_stores, first, second, values)
end

experiments.api = strict.namespace({
  get = experiments.get, list = experiments.list, compare = experiments.compare,
}, "eval.experiments")

return experiments
