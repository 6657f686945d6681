-- What `require "evalua"` gives: every public function, each loaded when it is first used.

local place = require "evalua.place"
local strict = require "evalua.strict"

local eval = {}

-- How each name is found: module, and the field of it (nil: the module itself).
local names = {
  all = { "evalua.tasks", "all" },
  command = { "evalua.target", "command" },
  csv = { "evalua.source", "csv" },
  dataset = { "evalua.dataset", "declare" },
  datasets = { "evalua.datasets", "api" },
  env = { "evalua.param", "environment" },
  experiment = { "evalua.experiment", "declare" },
  experiments = { "evalua.experiments", "api" },
  fail = { "evalua.failure", "raise" },
  fetch = { "evalua.fetch", "fetch" },
  file = { "evalua.param", "file" },
  http = { "evalua.http", "declare" },
  json = { "evalua.json" },
  jsonl = { "evalua.source", "jsonl" },
  limit = { "evalua.limit", "declare" },
  matrix = { "evalua.matrix", "each" },
  model = { "evalua.model", "declare" },
  metrics = { "evalua.metrics", "builders" },
  null = { "evalua.json", "null" },
  param = { "evalua.param", "declare" },
  processor = { "evalua.target", "processor" },
  reducers = { "evalua.trials", "reducers" },
  rule = { "evalua.rules", "custom" },
  rules = { "evalua.rule_kinds", "builders" },
  scorer = { "evalua.declared_scorer" },
  scorers = { "evalua.scorer", "builtins" },
  signal = { "evalua.signal", "make" },
  sleep = { "evalua.tasks", "sleep" },
  spawn = { "evalua.spawn" },
  target = { "evalua.target", "declare" },
  text = { "evalua.native.text" },
  workflow = { "evalua.workflow", "declare" },
}

-- Names of the design whose machinery is not there yet.
local later = { agent = true, embed = true, generate = true, tool = true }

local function known_names()
  local list = strict.keys(names)
  for name in next, later do list[#list + 1] = name end
  return list
end

return setmetatable(eval, {
  __index = function(self, name)
    local found = names[name]
    if not found then
      if later[name] then place.fail(("eval.%s is not available yet; it comes with a later version"):format(name)) end
      place.fail(("unknown name eval.%s%s"):format(tostring(name), strict.hint(name, known_names(), "its names")))
    end
    local value = require(found[1])
    if found[2] then value = value[found[2]] end
    if type(value) == "function" then value = require("evalua.native.frame").keep(value) end
    rawset(self, name, value)
    return value
  end,
  __newindex = function(_, name) place.fail(("eval.%s cannot be assigned"):format(tostring(name))) end,
  -- Completion in scripts that list the names.
  __pairs = function(self)
    local position, list = 0, strict.keys(names)
    return function()
      position = position + 1
      if list[position] then return list[position], self[list[position]] end
    end
  end,
})
