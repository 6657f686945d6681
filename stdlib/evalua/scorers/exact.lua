-- exact: the output is the ground truth.

local value = require "evalua.scorer.value"

return {
  description = "The output is the ground truth: strings as they are, other values by identity text "
    .. "(1 is 1.0, the order of keys does not matter). Nothing is trimmed or folded unless asked.",
  positional = "value",
  options = {
    { "value", "any", help = "expected instead of the ground truth" },
    { "ignore_case", "boolean", help = "compare without regard to case" },
    { "trim", "boolean", help = "leave out white space at both ends" },
  },
  prepare = function(settings)
    local normalise, same, own = value.normaliser(settings), value.same, settings.value
    return function(run)
      local expected = own
      if expected == nil then
        expected = run.ground_truth
        if expected == nil then return nil, value.NO_TRUTH end
      end
      return same(run.output, expected, normalise)
    end
  end,
}
