-- Reading a version among 1,000: its time against version 1 of the same number of items. Prints the median ratio.
-- usage: evalua exec tests/bench/version.lua STORE

local native = require "evalua.native.store"
local sys = require "evalua.native.sys"

local path = ...
local item_count, version_count, changed_per_version, turns = 1000, 1000, 20, 21

local function item(number, revision)
  return {
    item_id = ("item-%04d"):format(number),
    input = ('"question %d, revision %d"'):format(number, revision),
    ground_truth = '"answer"',
  }
end

local store = assert(native.open(path, { create = true }))
local dataset = assert(store:dataset_create { name = "versions" })

local sync = assert(store:sync_begin(dataset.id, { message = "all" }))
for number = 1, item_count do assert(sync:put(item(number, 0), "item " .. number)) end
assert(sync:finish())

local turn = 0
for revision = 2, version_count do
  local put = {}
  for position = 1, changed_per_version do
    turn = turn + 7919 -- a prime: the changed items wander through the dataset
    put[position] = item(turn % item_count + 1, revision)
  end
  assert(store:change_items(dataset.id, { put = put }))
end

local function seconds_to_read(version)
  local started = sys.monotonic_ms()
  for _ = 1, 5 do
    local after, count = nil, 0
    repeat
      local page = assert(store:items(dataset.id, version, { after = after, limit = 500 }))
      count = count + #page
      after = #page > 0 and page[#page].position or nil
    until #page < 500
    assert(count == item_count, ("version %d has %d items"):format(version, count))
  end
  return sys.monotonic_ms() - started
end

local ratios = {}
for position = 1, turns do
  local first = seconds_to_read(1)
  local middle = seconds_to_read(version_count // 2)
  ratios[position] = middle / first
end
table.sort(ratios)
print(("%.3f"):format(ratios[turns // 2 + 1]))
store:close()
