-- eval.all and eval.sleep: waiting, alone and together.

local duration = require "evalua.duration"
local options = require "evalua.options"
local place = require "evalua.place"

local tasks = {}

---Waits. Other items go on meanwhile.
---@param time number|string milliseconds, or "30s"
function tasks.sleep(time)
  local ms, problem = duration.parse(time)
  if not ms then place.fail("eval.sleep: " .. problem) end
  require("evalua.native.task").sleep(ms)
end

---Calls functions at the same time and returns their first results in a list. The first error is raised when all have
---ended. `eval.all { f, g, max = 2 }`
---@param given table functions; max: how many run at once
---@return any[] results
function tasks.all(given)
  if type(given) ~= "table" then place.fail("eval.all takes a list of functions, not " .. options.show(given)) end
  local list, max = {}, nil
  for key, value in next, given do
    if key == "max" then
      max = value
      if math.type(max) ~= "integer" or max < 1 then
        place.fail(('option "max" of eval.all must be a whole number of at least 1, not %s'):format(options.show(max)))
      end
    elseif math.type(key) ~= "integer" then
      place.fail(('unknown option "%s" of eval.all; it takes functions and max'):format(tostring(key)))
    else
      list[key] = value
    end
  end
  local length, problem = options.length(list)
  if not length then place.fail("eval.all: the list of functions is wrong: " .. problem) end
  for index, call in ipairs(list) do
    if type(call) ~= "function" then
      place.fail(("eval.all: element %d is %s, not a function"):format(index, options.show(call)))
    end
  end
  if length == 0 then return {} end
  local results = {}
  local ended = require("evalua.native.task").all(list, max)
  for index = 1, length do
    if not ended[index].ok then error(ended[index].error, 0) end
    results[index] = ended[index].value
  end
  return results
end

return tasks
