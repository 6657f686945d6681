-- similarity: how alike the output and the ground truth are, by a method of choice.

local distance = require "evalua.scorer.distance"

local methods = { "jaro_winkler", "jaro", "dice", "lcs", "levenshtein", "damerau" }

return {
  description = "The similarity of output and ground truth from 0 to 1, in characters, by `method`: jaro_winkler "
    .. "(default), jaro, dice (pairs of characters), lcs (longest common subsequence), levenshtein, damerau.",
  positional = "value",
  options = {
    distance.options[1], distance.options[2], distance.options[3],
    { "method", "text", default = "jaro_winkler", enum = methods, help = table.concat(methods, ", ") },
  },
  prepare = function(settings) return distance.prepare(settings, distance[settings.method]) end,
}
