-- What a comparison could have found at all: the smallest difference, or how many pairs are too few for any.

local json = require "evalua.json"

local detectable = {}

-- Tests whose p is at least 2 / 2^n: that of n pairs which all changed the same way. Of clusters there are fewer.
local COUNTS_SIGNS = { mcnemar = true, permutation = true, bootstrap = true }

---The number of pairs from which on a comparison can find anything, where it has fewer; nil where it has enough.
---With n pairs the least p of the exact McNemar test and of the sign flips is 2^(1 - n).
---@param entry table a scorer's entry in a comparison: { n, test, alpha }
---@return integer|nil pairs
function detectable.least_pairs(entry)
  local alpha = type(entry.alpha) == "number" and entry.alpha or 0.05
  if not COUNTS_SIGNS[entry.test] or entry.clusters or alpha <= 0 then return nil end
  local needed = 1
  while 2.0 ^ (1 - needed) >= alpha do needed = needed + 1 end
  return (entry.n or 0) < needed and needed or nil
end

---The difference from which on a comparison would have found one with power 0.8; nil where it cannot be said.
---@param entry table a scorer's entry in a comparison
---@return number|nil
function detectable.difference(entry)
  local mde = entry.mde
  if mde == nil or mde == json.null or mde <= 0 or detectable.least_pairs(entry) then return nil end
  return mde + 0.0
end

return detectable
