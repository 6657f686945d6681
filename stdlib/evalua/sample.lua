-- Deterministic samples: the same entries for the same seed, whatever else is in the list and in whatever order.

local text = require "evalua.native.text"

local sample = {}

---Those `count` entries whose keys have the smallest SHA-256 with the seed, in the order of the list.
---@generic T
---@param list T[]
---@param count integer
---@param seed integer
---@param key_of fun(entry: T): string what an entry is, unique in the list
---@return T[]
function sample.of(list, count, seed, key_of)
  local ranked = {}
  for position, entry in ipairs(list) do
    ranked[position] = { position = position, digest = text.sha256(("%d\n%s"):format(seed, key_of(entry))) }
  end
  table.sort(ranked, function(a, b) return a.digest < b.digest end)
  local chosen, kept = {}, {}
  for place = 1, math.min(count, #ranked) do chosen[ranked[place].position] = true end
  for position, entry in ipairs(list) do if chosen[position] then kept[#kept + 1] = entry end end
  return kept
end

return sample
