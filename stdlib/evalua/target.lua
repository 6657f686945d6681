-- Targets: what an experiment runs for each item.

local digest = require "evalua.digest"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local target = {}

local schema = options.schema("eval.target", {
  { "id", "text", required = true, help = "names it in experiments and results" },
  { "run", "function", required = true, help = "run(input, item) -> output, info" },
  { "description", "string" },
  { "version", "text|number", help = "stands for the definition instead of its digest" },
})

local processor_schema = options.schema("eval.processor", {
  { "id", "text", required = true, help = "names it in experiments and results" },
  { "process", "function", required = true, help = "process(input, item) -> output, info" },
  { "description", "string" },
  { "version", "text|number", help = "stands for the definition instead of its digest" },
})

target.fields = { "id", "type", "version", "digest", "run", "try", "check", "description", "file", "line" }
target.types = { "agent", "command", "function", "http", "processor", "scorer", "workflow" }

---What `info`, the second result of a target, may contain.
target.info_fields = { "context", "messages", "metadata", "trajectory", "usage" }

local metatable = strict.metatable(target.fields, "target")
local FUNCTION_ID = "target" -- of a bare function in an experiment
local OUTPUT_ID = "output"   -- where the items' own output is scored

---Makes a target handle of its parts.
---@param parts { id: string, type: string, run: function, digest: string, version: string|number|nil }
---@return table
function target.make(parts)
  parts.version = parts.version and tostring(parts.version)
  return setmetatable(parts, metatable)
end

---Registers a target under its id in the suite.
---@param parts table
---@return table target
function target.register(parts)
  local caller = place.caller()
  parts.file, parts.line = caller and caller.file, caller and caller.line
  local made = target.make(parts)
  return require("evalua.suite").declare("target", made.id, made)
end

---Declares a function as a target (`eval.target{...}`).
---@param given table
---@return table target
function target.declare(given)
  local values = options.check(schema, given)
  return target.register {
    id = values.id, type = "function", run = values.run, description = values.description, version = values.version,
    digest = digest.of { type = "function", id = values.id, run = values.run },
  }
end

---Declares a processor (`eval.processor{...}`).
---@param given table
---@return table target
function target.processor(given)
  local values = options.check(processor_schema, given)
  return target.register {
    id = values.id, type = "processor", run = values.process, description = values.description,
    version = values.version, digest = digest.of { type = "processor", id = values.id, process = values.process },
  }
end

---Declares a command (`eval.command{...}`).
---@param given table
---@return table target
function target.command(given)
  return target.register(require("evalua.command").target(given))
end

---True for what eval.target, eval.command and their like return.
---@param value any
---@return boolean
function target.is(value) return getmetatable(value) == metatable end

local function of_function(run)
  return target.make {
    id = FUNCTION_ID, type = "function", run = run, digest = digest.of { type = "function", run = run },
  }
end

-- A scorer under test: the item's input is {input, output, ground_truth}, its ground truth the human label.
local function of_scorer(scorer)
  local record = require("evalua.scorer").run_record
  local failure = require "evalua.failure"
  return target.make {
    id = scorer.id, type = "scorer", version = scorer.version, digest = scorer.digest,
    run = function(input, item)
      if type(input) ~= "table" then
        failure.raise("the input for a scorer as target is { input, output, ground_truth }",
          { permanent = true, code = "bad_input" })
      end
      local null = require("evalua.json").null
      local function field(name)
        local value = rawget(input, name)
        if value ~= null then return value end
      end
      local outcome = scorer.evaluate(record {
        item_id = item.id, trial = 1, input = field("input"), output = field("output"),
        ground_truth = field("ground_truth"), context = field("context"), metadata = field("metadata"),
      })
      if outcome.status == "error" then
        failure.raise(outcome.error and outcome.error.message or "the scorer failed", { code = "scorer_error" })
      end
      local output = outcome.score
      if output == nil then output = outcome.label end
      return output, { metadata = { reason = outcome.reason, label = outcome.label, passed = outcome.passed } }
    end,
  }
end

-- Where an experiment names no target, the items' own output is scored.
local function of_output()
  return target.make {
    id = OUTPUT_ID, type = "none", digest = digest.of { type = "none" },
    run = function(_, item)
      if item.output == nil then
        require("evalua.failure").raise("the item has no output, and the experiment names no target",
          { permanent = true, code = "no_output" })
      end
      return item.output
    end,
  }
end

local function scorer_named(id, registry)
  local declared = require("evalua.suite").find(registry, "scorer", id)
  if declared then return declared end
  local scorers = require "evalua.scorer"
  if strict.contains(scorers.builtin_names, id) then return scorers.find(id, nil) end
  return nil
end

local function find(id, kind, registry, where)
  local suite = require "evalua.suite"
  local found = suite.find(registry, "target", id)
  if found and (not kind or found.type == kind) then return found end
  if not kind or kind == "scorer" then
    local scorer = scorer_named(id, registry)
    if scorer then return of_scorer(scorer) end
  end
  if found then
    place.fail(('target "%s" is of type %s, not %s'):format(id, found.type, kind), where)
  end
  place.fail(('there is no target "%s"%s'):format(id, strict.hint(id, suite.names(registry, "target"), "targets")),
    where)
end

---The target of an experiment, from its options `target`, `target_id` and `target_type`.
---@param values { target: any, target_id: string|nil, target_type: string|nil }
---@param registry table
---@param where string
---@param what string|nil whose options they are; "eval.experiment" where absent
---@return table target
function target.resolve(values, registry, where, what)
  local named = values.target
  if named ~= nil and values.target_id ~= nil then
    place.fail('eval.experiment takes either "target" or "target_id", not both', where)
  end
  if named == nil then named = values.target_id end
  if named == nil then
    if values.target_type then place.fail('option "target_type" of eval.experiment needs target_id', where) end
    return of_output()
  end
  if type(named) == "string" then return find(named, values.target_type, registry, where) end
  if type(named) == "function" then return of_function(named) end
  if target.is(named) then return named end
  local scorers = require "evalua.scorer"
  if scorers.is_scorer(named) then return of_scorer(named) end
  if scorers.is_handle(named) then return of_scorer(scorers.find(rawget(named, "name"), nil)) end
  place.fail(('option "target" of %s must be an id, a function or what eval.target and its like return, not %s'):format(
    what or "eval.experiment", options.show(named)), where)
end

return target
