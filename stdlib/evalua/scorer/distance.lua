-- Similarities of two texts from 0 to 1, and what levenshtein and similarity share.

local text = require "evalua.native.text"
local value = require "evalua.scorer.value"

local distance = {}

distance.options = {
  { "value", "any", help = "compared with instead of the ground truth" },
  { "ignore_case", "boolean", help = "compare without regard to case" },
  { "trim", "boolean", help = "leave out white space at both ends" },
}

local function from_edits(edits)
  return function(left, right)
    local longest = math.max(text.length(left), text.length(right))
    if longest == 0 then return 1 end
    local count, problem = edits(left, right)
    if not count then return nil, problem end
    return 1 - count / longest
  end
end

distance.levenshtein = from_edits(text.levenshtein)
distance.damerau = from_edits(text.damerau)
distance.jaro = text.jaro
distance.jaro_winkler = text.jaro_winkler
distance.dice = text.dice
distance.lcs = text.lcs_ratio

---A score function over a similarity.
---@param settings { value: any, ignore_case: boolean?, trim: boolean? }
---@param measure fun(left: string, right: string): number?, string?
---@return fun(run: table): number?, string?
function distance.prepare(settings, measure)
  local normalise, own = value.normaliser(settings), nil
  if settings.value ~= nil then
    own = value.text(settings.value)
    if normalise then own = normalise(own) end
  end
  return function(run)
    local expected = own
    if not expected then
      if run.ground_truth == nil then return nil, value.NO_TRUTH end
      expected = value.text(run.ground_truth)
      if normalise then expected = normalise(expected) end
    end
    if run.output == nil then return 0, value.NO_OUTPUT end
    local output = value.text(run.output)
    if normalise then output = normalise(output) end
    if output == expected then return 1 end
    local score, problem = measure(output, expected)
    if not score then error(problem, 0) end
    return score
  end
end

return distance
