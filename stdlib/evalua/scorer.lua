-- Scorers: what scripts declare with eval.scorer, the built-in ones, and the lists of them in experiments.

local definition = require "evalua.scorer.definition"
local handle = require "evalua.scorer.handle"
local options = require "evalua.options"
local place = require "evalua.place"
local run_record = require "evalua.scorer.run"
local strict = require "evalua.strict"

local scorer = {}

---The handles of the built-in scorers (`eval.scorers`).
scorer.builtins = handle.all
---Their names, sorted.
scorer.builtin_names = handle.names
---Description and options of a built-in, for help.
scorer.describe = handle.describe
---True for a finished scorer.
scorer.is_scorer = definition.is_scorer
---True for a built-in that was not called.
scorer.is_handle = handle.is_handle
---The fields of the record that scorers are given.
scorer.run_fields = run_record.fields

---Makes a scorer of the options of eval.scorer; evalua.declared_scorer registers it in the suite.
---Raises what is wrong, with the script's line.
scorer.declare = definition.declare

---Makes `fields` the strict record that scorers are given, in place.
---@param fields table
---@return table run
function scorer.run_record(fields) return run_record.record(fields) end

-- Declared scorers are looked up in a suite's registry, or in a plain map of scorers by id.
local function declared_in(registry, id)
  local declared = rawget(registry, "declared")
  if type(declared) ~= "table" or definition.is_scorer(declared) then return rawget(registry, id) end
  local entry = declared.scorer[id]
  return entry and entry.object
end

local function declared_names(registry)
  local declared = rawget(registry, "declared")
  if type(declared) ~= "table" or definition.is_scorer(declared) then return strict.keys(registry) end
  return strict.keys(declared.scorer)
end

-- A built-in without options, made once.
local defaults = {}

local function default_of(name, where)
  if not defaults[name] then defaults[name] = handle.make(name, 0, nil, where) end
  return defaults[name]
end

---The scorer with an id: declared in the suite, or built-in.
---@param id string
---@param registry table|nil a suite's registry, or scorers by id
---@param where string|nil
---@return evalua.scorer
function scorer.find(id, registry, where)
  local declared = registry and declared_in(registry, id)
  if declared then return declared end
  for _, name in ipairs(handle.names) do if name == id then return default_of(name, where) end end
  local names = registry and declared_names(registry) or {}
  table.move(handle.names, 1, #handle.names, #names + 1, names)
  place.fail(('there is no scorer "%s"%s'):format(id, strict.hint(id, names, "the scorers")), where)
end

local wanted = "a scorer of eval.scorers, one that eval.scorer returned, an id or a function"

local function from_entry(entry, position, context)
  if definition.is_scorer(entry) then return entry end
  if handle.is_handle(entry) then return default_of(entry.name, context.where) end
  if type(entry) == "string" then return scorer.find(entry, context.registry, context.where) end
  if type(entry) == "function" then
    local count = (context.inline[context.step_id] or 0) + 1
    context.inline[context.step_id] = count
    return definition.inline("scorer_" .. count, entry)
  end
  local message = ("%s: element %d is %s; it must be %s"):format(context.what, position, options.show(entry), wanted)
  if type(entry) == "table" then message = message .. "; a table with a score function goes through eval.scorer" end
  place.fail(message, context.where)
end

-- One entry of a list, added to context.entries.
local function add_entry(entry, position, category, context)
  local made = from_entry(entry, position, context)
  local key = context.step_id .. "/" .. made.id
  if context.seen[key] then
    place.fail(('%s: two scorers have the id "%s"; give one of them an id of its own, such as id = "%s_2"'):format(
      context.what, made.id, made.id), context.where)
  end
  context.seen[key] = true
  context.entries[#context.entries + 1] = {
    scorer = made,
    step_id = context.step_id ~= "" and context.step_id or nil,
    category = category,
  }
end

local function add_list(list, category, context)
  if type(list) ~= "table" or definition.is_scorer(list) or handle.is_handle(list) then
    place.fail(("%s must be a list of scorers, not %s; write { it } with braces"):format(context.what,
      type(list) == "table" and "one scorer" or options.show(list)), context.where)
  end
  local length, problem = options.length(list)
  if not length then
    place.fail(("%s is not a proper list: %s; each must be %s"):format(context.what, problem, wanted), context.where)
  end
  local problems = {}
  for position = 1, length do
    local ok, wrong = pcall(add_entry, list[position], position, category, context)
    if not ok and not place.is_mistake(wrong) then error(wrong, 0) end
    if not ok then problems[#problems + 1] = wrong end
  end
  if #problems > 0 then place.fail_all(problems, false) end
end

local categories = { "agent", "steps", "trajectory", "workflow" }

local function add_steps(steps, context)
  if type(steps) ~= "table" or rawlen(steps) > 0 then
    place.fail(("%s must be a table of lists by the id of a step"):format(context.what), context.where)
  end
  local what = context.what
  for _, step_id in ipairs(strict.keys(steps)) do
    context.step_id, context.what = step_id, ("%s[%q]"):format(what, step_id)
    add_list(steps[step_id], "steps", context)
  end
  context.step_id, context.what = "", what
end

local function add_categories(spec, context)
  for key in next, spec do
    if type(key) ~= "string" then
      place.fail("`scorers` mixes a list with categories; write the list as a category too, such as "
        .. "{ agent = { ... }, trajectory = { ... } }", context.where)
    elseif key ~= "agent" and key ~= "steps" and key ~= "trajectory" and key ~= "workflow" then
      place.fail(('unknown category "%s" of scorers%s'):format(key, strict.hint(key, categories, "the categories")),
        context.where)
    end
  end
  if spec.agent ~= nil and (spec.workflow ~= nil or spec.steps ~= nil) then
    place.fail("`scorers` has both `agent` and `workflow` or `steps`; a target is one of them", context.where)
  end
  for _, category in ipairs { "agent", "workflow", "steps", "trajectory" } do
    if spec[category] ~= nil then
      context.what = "scorers." .. category
      if category == "steps" then add_steps(spec.steps, context) else add_list(spec[category], category, context) end
    end
  end
end

---The scorers of an experiment, an item or a dataset, resolved: {scorer, step_id, category} in order.
---@param spec any handles, ids and functions in a list, or lists by category; nil gives an empty list
---@param registry table|nil a suite's registry, or scorers by id
---@param where string|nil what to name in problems; the caller's line where absent
---@return { scorer: evalua.scorer, step_id: string?, category: string? }[]
function scorer.resolve_list(spec, registry, where)
  local context = { entries = {}, seen = {}, inline = {}, step_id = "", what = "scorers", registry = registry,
    where = where }
  if type(spec) == "table" and not definition.is_scorer(spec) and not handle.is_handle(spec)
    and #strict.keys(spec) > 0 then
    add_categories(spec, context)
  elseif spec ~= nil then
    add_list(spec, nil, context)
  end
  return context.entries
end

return scorer
