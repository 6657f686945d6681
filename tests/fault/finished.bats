#!/usr/bin/env bats
# What has finished in a worker is stored, though an item beside it holds the process from then on.
load ../cli/helper

# Items 1 and 2 are done at once; the others never are, each in its way.
holding_suite() {
  suite holding.eval.lua <<LUA
$(numbered 8)
local ways = {
  loops = function() while true do pcall(function() while true do end end) end end,
  stuck = function() string.find(("a"):rep(60), ("a*"):rep(30) .. "b") end,
  collects = function() setmetatable({}, { __gc = function() while true do end end }) collectgarbage() end,
}
for way, hold in pairs(ways) do
  eval.experiment { name = way, dataset = { table.unpack(items) }, max_concurrency = 4, scorers = {},
    timeout = os.getenv "TIMEOUT", target = function(input) if input > 2 then hold() end return input end }
end
LUA
}

@test "a timeout of the experiment stores what had finished beside a loop, a stuck call of C and a finalizer" {
  holding_suite
  for way in loops stuck collects; do
    TIMEOUT=1s evalua run holding.eval.lua -e "$way" --workers 1 --format json
    expect 4
    equal "$(each '[e["succeeded_count"], e["skipped_count"], sorted(R)]')" '[2, 6, ["i1", "i2"]]'
  done
}

@test "results are stored while a loop of another item holds their worker, so kill -9 loses none" {
  holding_suite
  "$EVALUA" run holding.eval.lua -e loops --workers 1 >/dev/null 2>err.txt 3>&- &
  pid=$!
  until_results 2
  kill -9 "$pid"
  ended
  equal "$(query "select group_concat(item_id) from (select item_id from results order by item_id)")" i1,i2
}
