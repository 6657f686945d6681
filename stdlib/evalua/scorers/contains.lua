-- contains: the output contains a text, or all or any of several.

local search = require "evalua.scorer.search"

return {
  description = "The output contains the text; of several, all of them, or any with any = true. "
    .. "Without a value the ground truth is looked for.",
  positional = "value",
  options = search.options,
  prepare = function(settings, problem) return search.prepare(settings, problem, search.contains) end,
}
