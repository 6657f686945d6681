-- The store inside items: workers never touch it, so what scripts call there goes to the coordinator over the desk.
-- Reads and changes of datasets; what runs experiments stays with the coordinator.

local desk = require "evalua.native.desk"
local engine = require "evalua.native.engine"
local json = require "evalua.json"
local place = require "evalua.place"

local store_proxy = {}

local SERVICE = "store"
local BUSY_NAP_MS = 50
local BUSY_WAIT_MS = 30000 -- store_timeout

local reads, writes = {}, {}
for name in ([[dataset dataset_by_id datasets versions version_get aliases items item_count item_history diff experiment
  experiment_by_number experiments experiments_by_prefix experiment_accepted results status_counts job_count score_keys
  score_sets item_counts failing_items reviews answers reviewers cache_counts path]]):gmatch("%S+") do
  reads[name] = true
end
for name in ("dataset_create dataset_update dataset_delete change_items alias_set"):gmatch("%S+") do
  writes[name] = true
end

-- Values of a call as JSON: nil in between is kept.
local function packed(values, first)
  local list = json.array {}
  for position = first or 1, values.n do
    local value = values[position]
    list[#list + 1] = value == nil and json.null or value
  end
  return list
end

local function unpacked(list)
  local values = { n = #list }
  for position = 1, values.n do
    if list[position] ~= json.null then values[position] = list[position] end
  end
  return table.unpack(values, 1, values.n)
end

---Lets the items of a run use the store; called in the coordinator before it forks.
---@param store table
function store_proxy.serve(store)
  desk.serve(SERVICE, function(request)
    local call = json.decode(request)
    local name = call.method
    if not reads[name] and not writes[name] then return nil, "store:" .. name .. " is not for items", "argument" end
    if writes[name] then engine.commit() end -- results that are on their way have a transaction of their own
    return json.encode(packed(table.pack(store[name](store, unpacked(call.arguments)))))
  end)
end

local function ask(name, ...)
  local request = json.encode { method = name, arguments = packed(table.pack(...)) }
  local waited = 0
  while true do
    local answer, message, code = desk.ask(SERVICE, request)
    if not answer then return nil, message, code end
    local values = json.decode(answer)
    if values[3] ~= "busy" or waited >= BUSY_WAIT_MS then return unpacked(values) end
    require("evalua.native.task").sleep(BUSY_NAP_MS) -- another process holds the database
    waited = waited + BUSY_NAP_MS
  end
end

---The store as items have it: the methods of evalua.native.store that read, and those that change datasets.
---@return table store
function store_proxy.remote()
  return setmetatable({}, {
    __name = "evalua.store",
    __index = function(self, name)
      if not reads[name] and not writes[name] then
        place.fail(("this cannot be done inside an item (store:%s): only datasets and finished results can be read, "
          .. "and datasets changed; do it before the run or in setup"):format(tostring(name)))
      end
      local function method(_, ...) return ask(name, ...) end
      rawset(self, name, method)
      return method
    end,
  })
end

return store_proxy
