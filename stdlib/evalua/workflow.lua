-- eval.workflow: a target of steps, each fed with the output of the one before.

local digest = require "evalua.digest"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local workflow = {}

local schema = options.schema("eval.workflow", {
  { "id", "text", required = true, help = "names it in experiments and results" },
  { "steps", "list", of = "table", required = true, help = "steps, or { parallel = { steps } }" },
  { "description", "string" },
  { "version", "text|number", help = "stands for the definition instead of its digest" },
})

local step_schema = options.schema("a step of eval.workflow", {
  { "id", "text", required = true, help = "names its output: context.steps[id]" },
  { "run", "function", required = true, help = "run(input, context) -> output" },
  { "when", "function", help = "when(input, context): the step is left out unless it returns true" },
})

local parallel_schema = options.schema("a parallel step of eval.workflow", {
  { "parallel", "list", of = "table", required = true, help = "steps that run at the same time" },
})

local context_fields = { "item", "steps" }

local function check_step(given, seen)
  local step = options.check(step_schema, given)
  if seen[step.id] then place.fail(('eval.workflow has two steps with the id "%s"'):format(step.id)) end
  seen[step.id] = true
  return step
end

local function check_steps(list)
  local steps, seen = {}, {}
  if #list == 0 then place.fail("eval.workflow has no steps") end
  for position, given in ipairs(list) do
    if rawget(given, "parallel") ~= nil then
      local group = {}
      for index, part in ipairs(options.check(parallel_schema, given).parallel) do
        group[index] = check_step(part, seen)
      end
      steps[position] = { parallel = group }
    else
      steps[position] = check_step(given, seen)
    end
  end
  return steps
end

-- Runs one step; a step that is left out passes its input on.
local function run_step(step, input, context)
  if step.when and not step.when(input, context) then return input, false end
  local output = step.run(input, context)
  rawset(context.steps, step.id, output)
  return output, true
end

-- Runs steps at the same time; their outputs by id are the next input.
local function run_parallel(steps, input, context)
  local calls, outputs = {}, {}
  for position, step in ipairs(steps) do
    calls[position] = function()
      local output, ran = run_step(step, input, context)
      if ran then outputs[step.id] = output end
    end
  end
  require("evalua.tasks").all(calls)
  return outputs
end

---Declares a workflow.
---@param given table
---@return table target
function workflow.declare(given)
  local values = options.check(schema, given)
  local steps = check_steps(values.steps)
  local ids = {}
  for _, step in ipairs(steps) do
    for _, part in ipairs(step.parallel or { step }) do ids[#ids + 1] = part.id end
  end
  return require("evalua.target").register {
    id = values.id, type = "workflow", description = values.description, version = values.version,
    digest = digest.of { type = "workflow", id = values.id, steps = steps },
    run = function(input, item)
      local outputs = strict.record({}, ids, "context.steps")
      local context = strict.record({ item = item, steps = outputs }, context_fields, "context")
      for _, step in ipairs(steps) do
        if step.parallel then
          input = run_parallel(step.parallel, input, context)
        else
          input = run_step(step, input, context)
        end
      end
      return input
    end,
  }
end

return workflow
