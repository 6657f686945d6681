-- `expect`: checks that an item carries as data. A list of one-key checks is validated when its dataset is read and
-- runs as the scorer `expect`: the score is the fraction that held, it passes when all did, the reason lists the rest.

local definition = require "evalua.scorer.definition"
local duration = require "evalua.duration"
local handle = require "evalua.scorer.handle"
local json = require "evalua.json"
local options = require "evalua.options"
local outcome = require "evalua.scorer.outcome"
local place = require "evalua.place"
local scorer = require "evalua.scorer"
local strict = require "evalua.strict"
local task = require "evalua.native.task"
local value = require "evalua.scorer.value"

local expect = {}

local CACHE_ENTRIES_MAX = 1000 -- compiled lists that a process keeps

-- Bounds: {the built-in that counts, the option of it}. max_latency is apart, since it is about the run.
local bounds = {
  max_words = { "word_count", "max" }, min_words = { "word_count", "min" },
  max_length = { "length", "max" }, min_length = { "length", "min" },
}

-- Built-ins with scores between 0 and 1 hold where at_least or at_most says.
local graded = { levenshtein = true, similarity = true }
-- Here an object is the value that is expected; elsewhere it is a table of options.
local takes_objects = { equals = true, exact = true }

local check_names = { "scorer", "max_latency" }
for name in next, bounds do check_names[#check_names + 1] = name end
table.move(handle.names, 1, #handle.names, #check_names + 1, check_names)
table.sort(check_names)
local known = {}
for _, name in ipairs(check_names) do known[name] = true end

---The names of all checks, sorted.
expect.check_names = check_names

-- The name of a check, or the problem with its keys.
local function name_of(check)
  local name
  for _, key in ipairs(strict.keys(check)) do
    if known[key] then
      if name then return nil, ("it has two checks, %s and %s; each is an element of its own"):format(name, key) end
      name = key
    elseif key ~= "at_least" and key ~= "at_most" then
      return nil, ('unknown check "%s"%s'):format(key, strict.hint(key, check_names, "the checks"))
    end
  end
  if not name then return nil, "it has no check; the checks are " .. table.concat(check_names, ", ") end
  return name
end

local function bound_problem(check)
  for _, key in ipairs { "at_least", "at_most" } do
    local bound = rawget(check, key)
    if bound ~= nil and (type(bound) ~= "number" or bound ~= bound) then
      return ("%s must be a number, not %s"):format(key, options.show(bound))
    end
  end
  return nil
end

local function latency_check(given)
  local most, problem = duration.parse(given)
  if not most then return nil, "max_latency: " .. problem end
  return {
    name = "max_latency " .. duration.text(most),
    test = function(run)
      local took = run.latency_ms
      if took == nil then return false, "no latency is known" end
      return took <= most, ("took %s"):format(duration.text(took))
    end,
  }
end

-- The call of a built-in that a check stands for.
local function builtin_options(name, given)
  if name == "json_valid" then
    if given == true then return {} end
    if type(given) == "table" then return given end
    return nil, ("json_valid must be true, not %s"):format(options.show(given))
  end
  if given == json.null then return nil, ("%s must have a value, not null"):format(name) end
  if type(given) == "table" and not value.is_list(given) and not takes_objects[name] then return given end
  local positional = handle.describe(name).positional or "value"
  return { [positional] = given }
end

local function has_own_value(name, call)
  local positional = handle.describe(name).positional
  return positional == nil or name == "length" or name == "word_count" or rawget(call, positional) ~= nil
end

local function builtin_check(name, check, where)
  local given = check[name]
  local bound = bounds[name]
  local built, call = name
  if bound then
    built, call = bound[1], { [bound[2]] = given }
  else
    local problem
    call, problem = builtin_options(name, given)
    if not call then return nil, problem end
    if not has_own_value(name, call) then
      return nil, ("%s has no %s to compare with"):format(name, handle.describe(name).positional)
    end
  end
  local is_plain, made = pcall(handle.make, built, 1, call, where)
  if not is_plain then return nil, made, true end
  if graded[name] and not made.pass and not check.at_least and not check.at_most then
    return nil, ("%s needs a bound, such as { %s = ..., at_least = 0.8 }"):format(name, name)
  end
  return { name = ("%s %s"):format(name, value.show(given)), scorer = made }
end

local function scorer_check(check, registry, where)
  local id = check.scorer
  if type(id) ~= "string" then return nil, ("scorer must be the id of a scorer, not %s"):format(options.show(id)) end
  if not registry then return { name = "scorer " .. id, id = id } end
  local ok, made = pcall(scorer.find, id, registry, where)
  if not ok then return nil, made, true end
  return { name = "scorer " .. id, scorer = made }
end

-- One check ready to run, or nil and what is wrong; the third result is true where the place is in the problem already.
local function compile_check(check, registry, where)
  if type(check) ~= "table" or check == json.null then
    return nil, ("it is %s; it must be a check such as { contains = \"refund\" }"):format(options.show(check))
  end
  if #check > 0 then return nil, 'it is a list; it must be a check such as { contains = "refund" }' end
  local name, problem = name_of(check)
  problem = problem or bound_problem(check)
  if problem then return nil, problem end
  if (bounds[name] or name == "max_latency") and (check.at_least or check.at_most) then
    return nil, name .. " is a bound itself; leave at_least and at_most out"
  end
  local made, placed
  if name == "max_latency" then
    made, problem = latency_check(check.max_latency)
  elseif name == "scorer" then
    made, problem, placed = scorer_check(check, registry, where)
  else
    made, problem, placed = builtin_check(name, check, where)
  end
  if not made then return nil, problem, placed end
  made.at_least, made.at_most = check.at_least, check.at_most
  return made
end

local function compile(list, registry)
  if type(list) ~= "table" or list == json.null then
    return nil, { ("expect must be a list of checks, not %s"):format(options.show(list)) }
  end
  if #strict.keys(list) > 0 then
    return nil, { 'expect must be a list of checks: write { { contains = "refund" }, { max_words = 50 } }' }
  end
  local length, hole = options.length(list)
  if not length then return nil, { "expect is not a proper list: " .. hole } end
  local checks, problems = {}, {}
  for position = 1, length do
    local where = ("expect[%d]"):format(position)
    local check, problem, placed = compile_check(list[position], registry, where)
    if check then checks[#checks + 1] = check
    else problems[#problems + 1] = placed and problem or (where .. ": " .. problem) end
  end
  if #problems > 0 then return nil, problems end
  return checks
end

---What is wrong with an item's `expect`, one text for each problem; an empty list where nothing is.
---@param list any
---@param registry table|nil declared scorers; without it ids of scorers are not looked up
---@return string[] problems such as `expect[2]: unknown check "contain"; did you mean "contains"?`
function expect.problems(list, registry)
  local _, problems = compile(list, registry)
  return problems or {}
end

local function bounds_hold(check, score)
  if score == nil then return false, "it gave no score" end
  if check.at_least and score < check.at_least then return false, ("%.6g < %.6g"):format(score, check.at_least) end
  if check.at_most and score > check.at_most then return false, ("%.6g > %.6g"):format(score, check.at_most) end
  return true
end

-- What a declared scorer says, within its own time or `timeout_ms`; built-in ones do not wait.
local function evaluate_one(used, run, timeout_ms)
  if definition.is_in_place(used) then return used.evaluate(run) end
  local status, made = task.attempt(used.timeout_ms or timeout_ms, used.evaluate, run)
  if status == "ok" then return made end
  return outcome.failed(status == "timeout" and "timeout" or "scorer_error", status == "timeout"
    and ("scorer %s took longer than %g ms"):format(used.id, used.timeout_ms or timeout_ms) or tostring(made))
end

local function holds(check, run, registry, timeout_ms)
  if check.test then return check.test(run) end
  local made = evaluate_one(check.scorer or scorer.find(check.id, registry), run, timeout_ms)
  if made.status == "error" then return false, made.error.message end
  if made.status == "unscored" then return false, made.reason end
  if check.at_least or check.at_most then return bounds_hold(check, made.score) end
  if made.passed == nil then return false, "the scorer states no `pass`; add at_least to the check" end
  return made.passed, made.reason
end

local function evaluate(checks, run, registry, timeout_ms)
  local held, failures = 0, {}
  for _, check in ipairs(checks) do
    local ok, why = holds(check, run, registry, timeout_ms or 0)
    if ok then held = held + 1
    else failures[#failures + 1] = why and ("%s (%s)"):format(check.name, why) or check.name end
  end
  return {
    status = "ok",
    score = held / #checks,
    passed = held == #checks,
    reason = #failures > 0 and "failed: " .. table.concat(failures, "; ") or nil,
  }
end

-- What experiments keep about the scorer `expect`; its checks belong to the items.
local about = {
  id = "expect",
  description = "The fraction of the item's own checks that held; passes when all of them did.",
}

---The scorer `expect` for one list of checks. Raises what is wrong with the list.
---@param list table
---@param registry table|nil
---@param where string|nil what to name in problems: the item
---@return evalua.scorer
function expect.scorer(list, registry, where)
  local checks, problems = compile(list, registry)
  if not checks then place.fail_all(problems, where) end
  local made = definition.make(about, { score = evaluate }, { builtin = "expect" })
  made.evaluate = function(run)
    if #checks == 0 then return outcome.unscored("the item has no checks") end
    if rawget(run, "error") ~= nil then return outcome.unscored("the target failed") end
    return evaluate(checks, run, registry)
  end
  return made
end

---The scorer `expect` in general, without checks: what lists of scorers show.
---@return evalua.scorer
function expect.definition()
  local made = definition.make(about, { score = evaluate }, { builtin = "expect" })
  made.evaluate = function() return outcome.unscored("the item has no checks") end
  return made
end

local no_registry = {}
local caches = setmetatable({}, { __mode = "k" }) -- {count, compiled by text} by registry

---Runs the checks of an item, given as the JSON text that the store keeps. Lists that were seen are not compiled again.
---@param run table the strict record of the run
---@param text string
---@param registry table|nil
---@param timeout_ms number|nil for each declared scorer that states no timeout; 0: none
---@return evalua.outcome|nil outcome nil where the list is empty: nothing is expected
function expect.evaluate(run, text, registry, timeout_ms)
  registry = registry or no_registry
  local cache = caches[registry]
  if not cache or cache.count >= CACHE_ENTRIES_MAX then
    cache = { count = 0, compiled = {} }
    caches[registry] = cache
  end
  local checks = cache.compiled[text]
  if not checks then
    local list, message = json.decode(text)
    if list == nil then return outcome.failed("bad_expect", "the item's expect is not JSON: " .. message) end
    local problems
    checks, problems = compile(list, registry)
    if not checks then return outcome.failed("bad_expect", table.concat(problems, "\n")) end
    cache.compiled[text], cache.count = checks, cache.count + 1
  end
  if #checks == 0 then return nil end
  if rawget(run, "error") ~= nil then return outcome.unscored("the target failed") end
  return evaluate(checks, run, registry, timeout_ms)
end

return expect
