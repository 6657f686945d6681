-- json_valid: the output is a JSON text.

local json = require "evalua.json"
local value = require "evalua.scorer.value"

local foreign = { mode = "foreign" }

return {
  description = "The output is a valid JSON text (RFC 8259). An output that is no string is JSON already; "
    .. "null scores 0. The reason names line and column.",
  options = {
    { "container", "boolean", help = "it must be an object or an array" },
  },
  prepare = function(settings)
    local container = settings.container
    return function(run)
      local output = run.output
      if output == nil then return false, value.NO_OUTPUT end
      if type(output) == "string" then
        local parsed, message = json.decode(output, foreign)
        if parsed == nil then return false, message end
        output = parsed
      end
      if container and type(output) ~= "table" then return false, "it is JSON, but not an object or an array" end
      return true
    end
  end,
}
