-- levenshtein: how alike the output and the ground truth are, by edit distance.

local distance = require "evalua.scorer.distance"

return {
  description = "1 - edits / length of the longer text, in characters; 1 for two empty texts. "
    .. "Passes where `pass` says, such as pass = 0.8.",
  positional = "value",
  options = distance.options,
  prepare = function(settings) return distance.prepare(settings, distance.levenshtein) end,
}
