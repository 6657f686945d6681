-- Clusters: items that belong together, such as the questions about one document, by a field of theirs.

local slices = require "evalua.slices"

local clusters = {}

local PAGE = 500

---The field that a run's items are clustered by, as its experiment says.
---@param record table of the store
---@return string|nil
function clusters.field_of(record)
  local stored = require("evalua.summary").decoded(record.options)
  return type(stored) == "table" and type(stored.cluster) == "string" and stored.cluster or nil
end

---The cluster of every item of a run. An item without the field is a cluster of its own.
---@param store table
---@param record table
---@param path string "metadata.document"
---@return table<string, string>|nil by_item nil where no item has the field
---@return string|nil problem
function clusters.by_item(store, record, path)
  local by_item, after, found = {}, 0, false
  repeat
    local rows, problem = store:results(record.id, { after = after, limit = PAGE })
    if not rows then error(problem, 0) end
    for _, row in ipairs(rows) do
      if not by_item[row.item_id] then
        local name = slices.value_at(row, path)
        found = found or name ~= nil
        by_item[row.item_id] = name and ("in " .. name) or ("alone " .. row.item_id)
      end
      after = row.position
    end
  until #rows < PAGE
  if not found then return nil, ('cluster: no item has the field "%s"'):format(path) end
  return by_item
end

---The clusters of values that belong to items.
---@param by_item table<string, string>
---@param ids any ids[i] is the item of the i-th value
---@param n integer
---@return string[]
function clusters.list(by_item, ids, n)
  local list = {}
  for position = 1, n do
    local id = ids[position]
    list[position] = by_item[id] or ("alone " .. id)
  end
  return list
end

---How many clusters there are.
---@param by_item table<string, string>
---@return integer
function clusters.count(by_item)
  local seen, count = {}, 0
  for _, name in next, by_item do
    if not seen[name] then
      seen[name] = true
      count = count + 1
    end
  end
  return count
end

return clusters
