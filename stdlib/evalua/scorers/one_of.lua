-- one_of: the output is one of the values that the ground truth lists.

local value = require "evalua.scorer.value"

return {
  description = "The output is one of a list of right values, each compared as `exact` does. "
    .. "The list is the ground truth; an item whose ground truth is not a list is unscored.",
  positional = "value",
  options = {
    { "value", "list", help = "the right values, instead of the ground truth" },
    { "ignore_case", "boolean", help = "compare without regard to case" },
    { "trim", "boolean", help = "leave out white space at both ends" },
  },
  prepare = function(settings, problem)
    local normalise = value.normaliser(settings)
    if settings.value and #settings.value == 0 then problem("the list of right values is empty") end
    return function(run)
      local list, why = value.expected(settings, run)
      if list == nil then return nil, why end
      if not value.is_list(list) then return nil, "the ground truth is not a list of right values" end
      if #list == 0 then return nil, "the ground truth is an empty list" end
      local output = run.output
      for position = 1, #list do
        if value.same(output, list[position], normalise) then return true end
      end
      return false
    end
  end,
}
