-- excludes: the output contains none of the texts.

local search = require "evalua.scorer.search"

return {
  description = "The output contains none of the texts. Without a value the ground truth must not be in it. "
    .. "An output that is null scores 0.",
  positional = "value",
  options = search.plain_options,
  prepare = function(settings, problem) return search.prepare(settings, problem, search.excludes) end,
}
