-- length: the length of the output is within bounds.

local bounds = require "evalua.scorer.bounds"
local text = require "evalua.native.text"

local units = {
  characters = text.length,
  words = text.words,
  bytes = function(subject) return #subject end,
}

return {
  description = "The length of the output lies within min and max (both included); without bounds the score is the "
    .. "length itself. unit: characters (default), words or bytes.",
  positional = "max",
  options = {
    bounds.options[1], bounds.options[2],
    { "unit", "text", default = "characters", enum = { "characters", "words", "bytes" },
      help = "characters, words or bytes" },
  },
  prepare = function(settings, problem)
    return bounds.prepare(settings, problem, units[settings.unit], settings.unit)
  end,
}
