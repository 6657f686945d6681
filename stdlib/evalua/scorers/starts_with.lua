-- starts_with: the output starts with a text, or with one of several.

local search = require "evalua.scorer.search"

return {
  description = "The output starts with the text, or with any of several. Without a value: with the ground truth.",
  positional = "value",
  options = search.plain_options,
  prepare = function(settings, problem) return search.prepare(settings, problem, search.starts_with) end,
}
