-- word_count: the number of words of the output is within bounds.

local bounds = require "evalua.scorer.bounds"
local text = require "evalua.native.text"

return {
  description = "The number of words of the output lies within min and max (both included); without bounds the score "
    .. "is the number itself. Words are what white space separates.",
  positional = "max",
  options = bounds.options,
  prepare = function(settings, problem) return bounds.prepare(settings, problem, text.words, "words") end,
}
