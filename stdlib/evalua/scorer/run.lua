-- The records that scorers are given: `run` (what happened to one item) and `stage` (what earlier steps found).

local strict = require "evalua.strict"

local run = {}

run.fields = {
  "item_id", "trial", "input", "output", "ground_truth", "context", "metadata", "tags", "error", "trajectory",
  "steps", "messages", "usage", "latency_ms", "expected_trajectory",
}
run.stage_fields = { "preprocess", "analyze", "score", "label", "reason" }

local run_methods = strict.metatable(run.fields, "run")
local stage_methods = strict.metatable(run.stage_fields, "stage")

---Makes `fields` the strict record of a run, in place: an unknown field raises with the nearest name.
---@param fields table
---@return table run the same table
function run.record(fields) return setmetatable(fields, run_methods) end

---A new, empty record of a pipeline's results.
---@return table stage
function run.stage() return setmetatable({}, stage_methods) end

---The stage of scorers without a pipeline: shared by all of them and always empty.
run.no_stage = setmetatable({}, {
  __name = "evalua.record",
  __index = stage_methods.__index,
  __newindex = function() error("`stage` is filled by preprocess and analyze; a scorer only reads it", 2) end,
})

return run
