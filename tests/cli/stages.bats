#!/usr/bin/env bats
# What happened to an item says where: in its target or in its scorers; and a result that is too large has its limit's name.
load helper

@test "a scorer that is stuck in C, or takes its worker down: the item's error says that the scorers ran" {
  suite scorers.eval.lua <<'LUA'
local function stuck() string.find(("a"):rep(60), ("a*"):rep(30) .. "b") end
local function crash() eval.spawn { argv = { "sh", "-c", "kill -QUIT $PPID" } } eval.sleep "20s" end
eval.scorer { id = "rough", score = function(run)
  if run.item_id == "stuck" then stuck() elseif run.item_id == "crash" then crash() end
  return 1
end }
eval.experiment { name = "scorers", item_timeout = "500ms", scorers = { "rough" }, max_concurrency = 1,
  dataset = { { id = "stuck", input = 1 }, { id = "crash", input = 1 }, { id = "fine", input = 1 } },
  target = function(input) return input end }
eval.experiment { name = "targets", item_timeout = "500ms", scorers = { "rough" }, max_concurrency = 1,
  dataset = { { id = "a", input = "stuck" }, { id = "b", input = "crash" } },
  target = function(input) if input == "stuck" then stuck() else crash() end end }
LUA
  evalua run scorers.eval.lua -e scorers --format json
  expect 4
  equal "$(each '[R[i]["status"] for i in ("stuck", "crash", "fine")]')" '["timeout", "error", "ok"]'
  equal "$(each '[R[i]["error"]["message"].startswith("when its target had ended and its scorers ran: ") for i in ("stuck", "crash")]')" \
    '[true, true]'
  equal "$(each '"SIGQUIT" in R["crash"]["error"]["message"]')" true
  evalua run scorers.eval.lua -e targets --format json
  equal "$(each '["its scorers" in r["error"]["message"] for r in e["results"]]')" '[false, false]'
}

@test "result_bytes: an item with more than that in its info is limited, with name, limit and actual" {
  [ "$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)" -gt 6000000 ] || skip "needs 6 GB of memory"
  suite large.eval.lua <<'LUA'
eval.experiment { name = "large", memory_per_worker = "4GB", limits = { rss_per_worker = "10GB" }, scorers = {},
  dataset = { { id = "large", input = 270 * 1024 * 1024 }, { id = "small", input = 10 } },
  target = function(input) return "said", { metadata = { text = ("x"):rep(input) } } end }
LUA
  evalua run large.eval.lua --format json
  expect 4
  equal "$(each '[R["large"]["status"], R["large"]["error"]["code"], R["small"]["status"]]')" \
    '["limited", "result_bytes", "ok"]'
  equal "$(each '"has 2831" in R["large"]["error"]["message"] and "the limit (result_bytes) is 268435456" in R["large"]["error"]["message"]')" true
}
