#!/usr/bin/env bats
# One pass over the scores of a run gives what asking for each scorer gives, and the summary is the same either way.
load helper

@test "one pass over the scores says what each scorer's own pass says" {
  suite many.eval.lua <<'LUA'
local items = {}
for i = 1, 60 do items[i] = { id = "i" .. i, input = i, expect = i % 7 == 0 and { { contains = "7" } } or nil } end
eval.dataset { name = "d", items = items }
eval.experiment {
  name = "many", dataset = "d", tolerance = 60,
  target = function(input) if input % 10 == 0 then error "no" end return "out " .. input end,
  scorers = {
    eval.scorer { id = "z", name = "Zett", pass = 0.5, score = function(run) return run.input / 60 end },
    eval.scorer { id = "a", score = function(run) return { label = run.input % 2 == 0 and "even" or "odd" } end },
    eval.scorer { id = "m", score = function(run) if run.input % 3 == 0 then return nil, "none" end return 1 end },
    eval.scorer { id = "broken", score = function(run) if run.input % 4 == 0 then error "oh" end return 0 end },
  },
}
LUA
  evalua run many.eval.lua --format json
  expect 0
  cat >compare.lua <<'LUA'
local store = require("evalua.store_context").open(nil, {})
local json = require "evalua.json"
local run = store:experiments({})[1]
local plain, keys = store:score_keys(run.id), store:score_keys(run.id, true)
local function list(values)
  local numbers = json.array {}
  for position = 1, #values do numbers[position] = values[position] end
  return numbers
end
assert(#keys == 5 and #plain == 5, #keys)
for position, key in ipairs(keys) do
  local values, counts = store:score_values(run.id, key.scorer_id, key.step_id)
  assert(#values > 0 or key.scorer_id == "a")
  assert(json.encode(list(values)) == json.encode(list(key.values)), key.scorer_id)
  assert(json.encode(counts) == json.encode(key.counts), json.encode(key.counts))
  assert(plain[position].values == nil and plain[position].scorer_id == key.scorer_id)
  assert(counts.ok == key.ok and counts.unscored == key.unscored and counts.error == key.error)
  print(key.scorer_id, key.scorer_name, key.ok, key.unscored, key.error)
end
LUA
  evalua exec compare.lua
  expect 0
  [ "$output" = $'a\ta\t54\t0\t0\nbroken\tbroken\t42\t0\t12\nexpect\texpect\t8\t0\t0\nm\tm\t36\t18\t0\nz\tZett\t54\t0\t0' ]
}
