-- What length and word_count share: a count of the output's text, held against bounds or scored itself.

local value = require "evalua.scorer.value"

local bounds = {}

bounds.options = {
  { "min", "integer", min = 0, help = "the least that is allowed" },
  { "max", "integer", min = 0, help = "the most that is allowed" },
}

---A score function over a count.
---@param settings { min: integer?, max: integer? }
---@param problem fun(message: string)
---@param count fun(subject: string): integer
---@param unit string for reasons
---@return fun(run: table): boolean|integer, string?
function bounds.prepare(settings, problem, count, unit)
  local least, most = settings.min, settings.max
  if least and most and least > most then problem(("min (%d) is greater than max (%d)"):format(least, most)) end
  return function(run)
    if run.output == nil then
      if not least and not most then return 0, value.NO_OUTPUT end
      return false, value.NO_OUTPUT
    end
    local counted = count(value.text(run.output))
    if not least and not most then return counted end
    if least and counted < least then return false, ("%d %s, at least %d are wanted"):format(counted, unit, least) end
    if most and counted > most then return false, ("%d %s, at most %d are allowed"):format(counted, unit, most) end
    return true
  end
end

return bounds
