-- matches: a regular expression matches somewhere in the output.

local regex = require "evalua.native.regex"
local value = require "evalua.scorer.value"

return {
  description = "A PCRE2 pattern matches somewhere in the output; ^ and $ make it the whole.",
  positional = "pattern",
  options = {
    { "pattern", "text", required = true, help = [[PCRE2, such as "^\\d+$"]] },
    { "flags", "text", help = "of i (ignore case), m (^ and $ at lines), s (. matches line ends), x (free spacing)" },
  },
  prepare = function(settings, problem)
    local flags = settings.flags
    local wrong = flags and flags:match("[^imsx]")
    if wrong then problem(('unknown flag "%s"; flags are i, m, s and x'):format(wrong)) end
    local pattern, message = regex.compile(settings.pattern, flags)
    if not pattern then
      problem(("the pattern %s is wrong: %s"):format(value.show(settings.pattern), message))
    end
    return function(run)
      local output = run.output
      if output == nil then return false, value.NO_OUTPUT end
      local found, failure = pattern:match(value.text(output))
      if not found and failure then error(failure, 0) end
      return found ~= nil
    end
  end,
}
