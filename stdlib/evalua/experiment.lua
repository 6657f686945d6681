-- Experiments: their options, and the resolved form that the runner takes.

local dataset = require "evalua.dataset"
local limits = require "evalua.limits"
local matrix = require "evalua.matrix"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"
local target = require "evalua.target"
local trials = require "evalua.trials"

local experiment = {}

local DEFAULT_CONCURRENCY = 5
local CONCURRENCY_MAX = 100000
local RETRIES_MAX = 100

local schema = options.schema("eval.experiment", {
  { "name", "text", required = true, help = "names it in reports, on the command line and in baselines" },
  { "variant", "text|table", help = "a name, or the record of eval.matrix" },
  { "description", "string" },
  { "metadata", "map", data = true, help = "kept with the experiment" },
  { "tags", "table", data = true, help = "a list of strings, or a table of them" },
  { "dataset", "any", required = true, help = "name, name@version, name@alias, a handle or a list of items" },
  { "version", "integer|text", help = "version or alias of the dataset; default the latest" },
  { "items", "list|function", help = "ids, or a predicate of the item" },
  { "target", "any", help = "id, function or handle; without one the items' output is scored" },
  { "target_id", "text", help = "the target by its id" },
  { "target_type", "string", enum = target.types, help = "the kind of target_id" },
  { "scorers", "table", help = "handles, ids and functions, or lists of them by category" },
  { "metrics", "map", help = "over all results: eval.metrics, or functions" },
  { "slices", "list", of = "text", help = 'fields to group by, such as "metadata.lang"' },
  { "cluster", "text", help = 'field whose equal values belong together, such as "metadata.document"' },
  { "context", "any", data = true, help = "for all targets and scorers; of two objects the item's fields win" },
  { "max_concurrency", "integer", default = DEFAULT_CONCURRENCY, min = 1, max = CONCURRENCY_MAX,
    help = "items in flight over all workers" },
  { "item_timeout", "duration", help = "for one attempt at an item" },
  { "timeout", "duration", help = "for the whole experiment" },
  { "max_retries", "integer", default = 0, min = 0, max = RETRIES_MAX, help = "further attempts at a failed item" },
  { "max_failures", "number", help = "so many failed items end the run: a share below 1, a count from 1 on" },
  { "tolerance", "number", min = 0, help = "failed items accepted: a share below 1, a count from 1 on" },
  { "memory_per_worker", "size", min = 1024 * 1024, help = "of Lua in one worker, beyond what it began with" },
  { "limits", "map", help = "tokens, cost and steps of an item, run_tokens and run_cost of the run, and more" },
  { "trials", "integer|table", help = "times that each item runs" },
  { "seed", "integer", help = "of math.random in items" },
  { "cache", "boolean|string|table",
    help = "of requests: \"off\", \"use\", \"refresh\" or \"replay\", or { mode = ..., file = ... }" },
  { "signal", "any", help = "what eval.signal() returned; aborting it ends the run" },
  { "rules", "list", help = "what must hold: eval.rules and eval.rule" },
  { "baseline", "text", help = "the run or file to compare with" },
  { "setup", "function", help = "before the first item; what it returns is item.setup" },
  { "teardown", "function", help = "after the last item, whatever happened" },
  { "after_each", "function", help = "after_each(result, setup), in item order" },
  { "worker_setup", "function", help = "once in each worker; what it returns is item.worker" },
  { "before_each", "function", help = "before_each(item), in its worker, before each attempt" },
})

local handle_methods = {}
local handle_metatable = {
  __name = "evalua.experiment",
  __index = function(_, key)
    if handle_methods[key] then return handle_methods[key] end
    place.fail(('unknown field "%s" of the experiment handle%s'):format(tostring(key),
      strict.hint(key, { "name", "variant", "run" }, "its fields")))
  end,
}

---Runs the experiment now and returns its summary, whose `results` are read from the store when asked for; for
---scripts, a suite's experiments are run by `evalua run`.
---@param given table|nil options of the runner: store, limit, workers, seed
---@return table summary
function handle_methods:run(given)
  local resolved = experiment.resolve(rawget(self, "declared"), rawget(self, "registry"))
  local settings = {}
  resolved.started_by = resolved.place
  for key, value in next, given or {} do settings[key] = value end
  settings.store = settings.store or require("evalua.store_context").current()
  local summary = require("evalua.runner").run(resolved, settings)
  return require("evalua.result_record").attach(summary, settings.store)
end

-- The same name and variant twice would be one experiment in every report.
local function check_unique(registry, declared)
  if registry.loose then return end
  for _, other in ipairs(registry.experiments) do
    if other.values.name == declared.values.name and other.variant == declared.variant then
      place.fail(('experiment "%s"%s is declared twice; the first is at %s; give it another name or a variant'):format(
        declared.values.name, declared.variant and (" [%s]"):format(declared.variant) or "", other.place))
    end
  end
end

-- Numbers that a type allows and that mean nothing.
local function check_numbers(values)
  local tolerance = values.tolerance
  if tolerance and tolerance > 1 and tolerance % 1 ~= 0 then
    place.fail(('option "tolerance" of eval.experiment is a share below 1 or a whole number of items, not %s'):format(
      tostring(tolerance)))
  end
  local failures = values.max_failures
  if failures and (failures <= 0 or failures > 1 and failures % 1 ~= 0 or failures == math.huge) then
    place.fail(('option "max_failures" of eval.experiment is a share below 1 or a whole number of items, not %s')
      :format(tostring(failures)))
  end
end

-- A path into results begins with one of their fields.
local function check_path(option, path)
  local fields = require("evalua.result_record").FIELDS
  local root = path:match("^[^.]*")
  if strict.contains(fields, root) then return end
  place.fail(('option "%s" of eval.experiment: "%s" does not begin with a field of a result%s, as in "metadata.lang"')
    :format(option, path, strict.hint(root, fields, "its fields")))
end

-- Checks the options; names are resolved later.
local function check(given)
  local values = options.check(schema, given)
  dataset.check_name(values.name, "eval.experiment", "%[%]~")
  if values.name:match("^%d+$") or values.name == "latest" then
    place.fail(('option "name" of eval.experiment cannot be "%s": as a reference it means another run'):format(
      values.name))
  end
  check_numbers(values)
  local problem = options.tags_problem(values.tags, 'option "tags" of eval.experiment')
  if problem then place.fail(problem) end
  for _, path in ipairs(values.slices or {}) do check_path("slices", path) end
  if values.cluster then check_path("cluster", values.cluster) end
  local caller = place.caller()
  return {
    values = values, variant = values.variant and matrix.text(values.variant) or nil,
    place = caller and caller.text or "experiment", file = caller and caller.file, line = caller and caller.line,
  }
end

local function handle_of(declared, registry)
  return setmetatable({
    name = declared.values.name, variant = declared.variant, declared = declared, registry = registry,
  }, handle_metatable)
end

---Declares an experiment (`eval.experiment{...}`). Names are resolved when the suite has been read to its end.
---@param given table
---@return table handle {name, variant, run = function(self, options) -> summary}
function experiment.declare(given)
  place.outside_items "eval.experiment"
  local registry = require("evalua.suite").current()
  local declared = check(given)
  check_unique(registry, declared)
  registry.experiments[#registry.experiments + 1] = declared
  return handle_of(declared, registry)
end

---Prepares an experiment that no suite lists; `:run()` runs it.
---@param given table
---@return table handle
function experiment.prepare(given)
  return handle_of(check(given), require("evalua.suite").current())
end

-- The dataset of an experiment: {name, version, declaration, inline}.
local function resolve_dataset(declared, registry)
  local suite = require "evalua.suite"
  local values, where = declared.values, declared.place
  local given, version = values.dataset, values.version
  if type(given) == "string" then
    local name, pinned = dataset.split(given)
    if pinned ~= nil and version ~= nil then
      place.fail(('dataset "%s" states a version, and so does the option version'):format(given), where)
    end
    if name == "" then place.fail('option "dataset" of eval.experiment is empty', where) end
    return { name = name, version = pinned or version, declaration = suite.find(registry, "dataset", name) }
  end
  if dataset.is(given) then return { name = given.name, version = version, declaration = given } end
  if require("evalua.datasets").is_handle(given) then return { name = given.name, version = version } end
  if type(given) == "table" or type(given) == "function" then
    if suite.find(registry, "dataset", values.name) then
      place.fail(('the inline items of experiment "%s" would be a second dataset of that name'):format(values.name),
        where)
    end
    local declaration = dataset.inline(values.name, given, { text = where, file = declared.file, line = declared.line })
    return { name = values.name, version = version, declaration = declaration, inline = true }
  end
  place.fail(("option \"dataset\" of eval.experiment must be a name, a handle or a list of items, not %s"):format(
    options.show(given)), where)
end

-- The declared scorers by their ids.
local function declared_scorers(registry) return require("evalua.suite").objects(registry, "scorer") end

-- The scorers that the checks of items may name: those declared, and those that the experiment states itself.
local function known_scorers(resolved, registry)
  local by_id = declared_scorers(registry)
  for _, scorer in ipairs(resolved.scorers or resolved.dataset_scorers or {}) do by_id[scorer.id] = scorer end
  return by_id
end

-- The scorers of a list, flat; kinds whose machinery is not there yet are refused.
local function resolve_scorers(spec, registry, where)
  local list = {}
  for _, entry in ipairs(require("evalua.scorer").resolve_list(spec, declared_scorers(registry), where)) do
    if entry.category == "steps" or entry.category == "trajectory" then
      place.fail(("scorers.%s is not available yet; it comes with a later version"):format(entry.category), where)
    end
    list[#list + 1] = entry.scorer
  end
  return list
end

-- Scorers by id, for items that name their own.
local function scorer_finder(registry)
  local found = {}
  return function(id)
    if found[id] == nil then
      local ok, list = pcall(resolve_scorers, { id }, registry, "scorers")
      found[id] = ok and list[1] or false
    end
    return found[id] or nil
  end
end

-- The ids that rules may speak of.
local function scorer_ids(resolved, registry)
  local ids = { "expect" }
  for _, list in ipairs { resolved.scorers or {}, resolved.dataset_scorers or {} } do
    for _, scorer in ipairs(list) do ids[#ids + 1] = scorer.id end
  end
  if not resolved.scorers then -- items may name any
    for _, name in ipairs(require("evalua.suite").names(registry, "scorer")) do ids[#ids + 1] = name end
    for _, name in ipairs(require("evalua.scorer").builtin_names) do ids[#ids + 1] = name end
  end
  return ids
end

local function check_items(items, where)
  if type(items) ~= "table" then return items end
  local ids = {}
  for index, id in ipairs(items) do
    if math.type(id) == "integer" then id = ("%d"):format(id) end
    if type(id) ~= "string" then
      place.fail(('option "items" of eval.experiment is a list of ids; element %d is %s'):format(index,
        options.show(id)), where)
    end
    ids[index] = id
  end
  if #ids == 0 then place.fail('option "items" of eval.experiment is an empty list; leave it out for all', where) end
  return ids
end

-- Rules that speak of scorers that there are not.
local function check_rules(resolved, registry, where)
  local metric_ids = {}
  for position, entry in ipairs(resolved.metrics or {}) do metric_ids[position] = entry.id end
  local problems = require("evalua.rules").check_names(resolved.rules, scorer_ids(resolved, registry), metric_ids)
  for position, problem in ipairs(problems) do
    if not problem:find("^[^\n:]+:%d+: ") then problems[position] = where .. ": " .. problem end
  end
  if #problems > 0 then place.fail_all(problems, false) end
end

local function check_signal(given, where)
  if given == nil or require("evalua.signal").is(given) then return given end
  place.fail("option \"signal\" of eval.experiment must be what eval.signal() returned, not " .. options.show(given),
    where)
end

-- Gathers what the parts of an experiment raise, so that it is told together: gather(f, ...) returns what f returns, or
-- nil where it refused its arguments.
local function gatherer(problems)
  return function(action, ...)
    local ok, first, second = pcall(action, ...)
    if ok then return first, second end
    if not place.is_mistake(first) then error(first, 0) end
    problems[#problems + 1] = first
  end
end

-- What gives an experiment the target and the scorers that a dataset of the store has attached, where it names none.
local function attacher(resolved, registry, where)
  local function attach(record)
    local ids = require("evalua.summary").decoded(record.scorers)
    if not resolved.scorers and not resolved.dataset_scorers and ids then
      resolved.dataset_scorers = resolve_scorers(ids, registry, where)
      resolved.scorer_registry = known_scorers(resolved, registry)
    end
    if resolved.target.type == "none" and type(record.target) == "string" then
      resolved.target = target.resolve({ target = record.target }, registry, where)
    end
  end
  return function(record)
    if not record or resolved.dataset.declaration then return end
    local ok, problem = pcall(attach, record)
    if not ok then require("evalua.cli.fail").usage("%s", tostring(problem)) end
  end
end

-- The target that the experiment names, else that of its dataset.
local function resolve_target(values, declaration, registry, where)
  if values.target == nil and values.target_id == nil and declaration and declaration.target ~= nil then
    return target.resolve({ target = declaration.target }, registry, declaration.place, "eval.dataset")
  end
  return target.resolve(values, registry, where)
end

---Resolves a declared experiment: every name becomes what it names. Raises what is wrong, with the experiment's line.
---@param declared table
---@param registry table
---@return table resolved what the runner takes
function experiment.resolve(declared, registry)
  local values, where = declared.values, declared.place
  local resolved = {
    name = values.name, variant = declared.variant, description = values.description, metadata = values.metadata,
    tags = values.tags, slices = values.slices, max_concurrency = values.max_concurrency,
    item_timeout_ms = values.item_timeout, timeout_ms = values.timeout, max_retries = values.max_retries,
    max_failures = values.max_failures,
    limits = limits.resolve(values.limits, values.memory_per_worker, where),
    stated_limits = limits.stated(values.limits), tolerance = values.tolerance or 0, seed = values.seed,
    rules = values.rules or {}, baseline = values.baseline, params = registry.params, suite_path = registry.path,
    file = declared.file, line = declared.line, place = where, code_files = registry.files,
  }
  for _, hook in ipairs { "setup", "teardown", "after_each", "worker_setup", "before_each" } do
    resolved[hook] = values[hook]
  end
  resolved.context = values.context
  local problems = {}
  local gather = gatherer(problems)
  resolved.signal = gather(check_signal, values.signal, where)
  resolved.cache = gather(require("evalua.cache").resolve, values.cache, where)
  resolved.metrics, resolved.cluster = gather(require("evalua.metrics").resolve, values.metrics, where), values.cluster
  resolved.trials, resolved.reducer = gather(trials.resolve, values.trials, where)
  resolved.dataset = gather(resolve_dataset, declared, registry)
  resolved.items = gather(check_items, values.items, where)
  local declaration = resolved.dataset and resolved.dataset.declaration
  resolved.target = gather(resolve_target, values, declaration, registry, where)
  resolved.scorers = values.scorers and gather(resolve_scorers, values.scorers, registry, where) or nil
  if declaration and declaration.scorers then
    resolved.dataset_scorers = gather(resolve_scorers, declaration.scorers, registry, declaration.place)
  end
  if #problems > 0 then place.fail_all(problems, false) end
  resolved.find_scorer, resolved.attach = scorer_finder(registry), attacher(resolved, registry, where)
  resolved.declared_datasets = require("evalua.suite").names(registry, "dataset")
  resolved.scorer_registry = known_scorers(resolved, registry)
  if #resolved.rules > 0 then check_rules(resolved, registry, where) end
  return resolved
end

return experiment
