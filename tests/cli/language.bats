#!/usr/bin/env bats
# The language of suites as an outsider tries it: whose scorers count, what scorers and rules see, what is refused early.
load helper

# scores: "item scorer score" of every score of the first experiment, one a line, sorted.
scores() {
  json '"\n".join(sorted("%s %s %s" % (r["item_id"], s["scorer_id"], s["score"])
    for r in d["experiments"][0]["results"] for s in r["scores"]))'
}

@test "item scorers that an experiment overrides are counted aloud" {
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", items = {
  { id = "a", input = "x", scorers = { "exact" } }, { id = "b", input = "x" }, { id = "c", input = "x", scorers = {} } } }
eval.experiment { name = "over", dataset = "d", target = function(input) return input end, trials = 2,
  scorers = { function() return 1 end } }
eval.experiment { name = "own", dataset = "d", target = function(input) return input end }
LUA
  evalua run a.eval.lua -e over
  expect 0
  says "evalua: experiment over: its scorers have overridden those that 2 items name"
  evalua run a.eval.lua -e own
  [[ $stderr != *overridden* ]]
}

@test "an item that names an unknown scorer is refused before anything runs" {
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", items = {
  { id = "a", input = "x", scorers = { "exat" } },
  { id = "b", input = "x", expect = { { contains = "x" }, { scorer = "shrt", at_least = 1 } } } } }
eval.scorer { id = "short", score = function(run) return #run.output end }
eval.experiment { name = "e", dataset = "d", target = function(input) return input end }
LUA
  evalua run a.eval.lua
  expect 2
  says 'items[1]: scorers: there is no scorer "exat"; did you mean "exact"?' 'did you mean "short"?'
  [ ! -e .evalua/evalua.db ] || equal "$(query 'select count(*) from datasets')" 0
  printf '{"id":"a","input":"x"}\n{"id":"b","input":"y","scorers":["exat"]}\n' >items.jsonl
  suite b.eval.lua <<'LUA'
eval.dataset { name = "d", file = "items.jsonl" }
eval.experiment { name = "e", dataset = "d", target = function(input) return input end }
LUA
  evalua run b.eval.lua
  expect 2
  says 'items.jsonl:2: scorers: there is no scorer "exat"'
}

@test "checks of items may name the scorers that their experiment states" {
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { id = "a", input = "x", ground_truth = "X",
  expect = { { scorer = "ci", at_least = 1 }, { scorer = "scorer_1", at_least = 0.5 } } } } }
eval.experiment { name = "e", dataset = "d", target = function(input) return input end,
  scorers = { eval.scorers.exact { id = "ci", ignore_case = true }, function() return 0.7 end } }
LUA
  evalua run a.eval.lua --format json
  expect 0
  equal "$(scores)" $'a ci 1.0\na expect 1.0\na scorer_1 0.7'
}

@test "the id expect is kept for the checks of items" {
  suite a.eval.lua <<'LUA'
local mine = eval.scorer { id = "expect", score = function() return 1 end }
eval.experiment { name = "e", dataset = { { input = 1 } }, target = function() return 1 end, scorers = { mine } }
LUA
  evalua run a.eval.lua
  expect 2
  says 'a.eval.lua:2: the scorer id "expect" is kept for the checks of items'
}

@test "what a scorer changes no other one sees" {
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { id = "a", input = { 1 }, ground_truth = { 3, 1, 2 },
  expect = { { equals = { 3, 1, 2 } } } } } }
eval.experiment { name = "e", dataset = "d", target = function() return { 3, 1, 2 } end, scorers = {
  eval.scorer { id = "sorts", score = function(run)
    table.sort(run.output)
    run.ground_truth, run.input[1] = nil, 7
    return run.output[1]
  end },
  eval.scorer { id = "looks", score = function(run)
    eval.sleep(20)
    return run.output[1] + 100 * run.input[1] + 1000 * #run.ground_truth
  end } } }
LUA
  evalua run a.eval.lua --format json
  expect 0
  equal "$(scores)" $'a expect 1.0\na looks 3103.0\na sorts 1.0'
}

@test "errors that are tables say their message, else what they are" {
  suite a.eval.lua <<'LUA'
local errors = { { message = "no such user", code = "no_user" }, { why = "this" }, "a text" }
eval.dataset { name = "d", items = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } } }
eval.experiment { name = "e", dataset = "d", target = function(input) error(errors[input], 0) end, scorers = {} }
eval.experiment { name = "s", dataset = "d", target = function(input) return input end,
  scorers = { function(run) error(errors[run.output], 0) end } }
eval.experiment { name = "r", dataset = "d", target = function(input) return input end, scorers = {},
  rules = { eval.rule("mine", function() error(errors[1]) end) } }
LUA
  evalua run a.eval.lua -e e -e s --format json
  expect 4
  equal "$(json '[[r["error"]["code"], r["error"]["message"]] for r in d["experiments"][0]["results"]]')" \
    '[["no_user", "no such user"], ["target_error", "{\"why\":\"this\"}"], ["target_error", "a text"]]'
  equal "$(json '[[s["error"]["code"], s["error"]["message"]] for r in d["experiments"][1]["results"] for s in r["scores"]]')" \
    '[["no_user", "no such user"], ["scorer_error", "{\"why\":\"this\"}"], ["scorer_error", "a text"]]'
  evalua run a.eval.lua -e r --format json
  expect 3
  says "the rule's function failed: no such user"
}

@test "usage that is no number is the target's error" {
  suite a.eval.lua <<'LUA'
local bad = { { input_tokens = "3" }, { cost = -1 }, 7, { input_tokens = 1, cached = "x" } }
eval.dataset { name = "d", items = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 },
  { id = "d", input = 4 } } }
eval.experiment { name = "e", dataset = "d", target = function(input) return input, { usage = bad[input] } end,
  scorers = {} }
LUA
  evalua run a.eval.lua --format json
  expect 4
  equal "$(json '[r["status"] for r in d["experiments"][0]["results"]]')" '["error", "error", "error", "ok"]'
  equal "$(json 'd["experiments"][0]["results"][0]["error"]["code"]')" bad_info
  says 'usage.input_tokens must be a number of at least 0, not "3"' "usage.cost must be"
}

@test "the context of an experiment is that of its items, whose own fields come first" {
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { id = "a", input = 1, context = { user = "item" } }, { id = "b", input = 2 },
  { id = "c", input = 3, context = "mine" } } }
eval.experiment { name = "e", dataset = "d", context = { user = "all", tenant = 4 },
  target = function(_, item) return item.context end,
  scorers = { eval.scorer { id = "tenant", score = function(run)
    return type(run.context) == "table" and run.context.tenant or 0
  end } } }
LUA
  evalua run a.eval.lua --format json
  expect 0
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" \
    '[{"tenant": 4, "user": "item"}, {"tenant": 4, "user": "all"}, "mine"]'
  equal "$(scores)" $'a tenant 4.0\nb tenant 4.0\nc tenant 0.0'
}

@test "rules read results, and unknown fields of any part of a summary are errors" {
  suite a.eval.lua <<'LUA'
local part = eval.param { name = "part", default = "fine" }
eval.dataset { name = "d", items = { { id = "a", input = "x", metadata = { lang = "de" } } } }
local parts = {
  fine = function(now)
    local result = now.results[1]
    return #now.results == 1 and result.output == "x" and result.score.exact == 1 and now.params.part == "fine"
      and now.slices["metadata.lang"].de.n == 1 and now.dataset.name == "d" and now.usage == nil
  end,
  dataset = function(now) return now.dataset.nme end,
  params = function(now) return now.params.prat end,
  slice = function(now) return now.slices["metadata.lag"] end,
  value = function(now) return now.slices["metadata.lang"].fr end,
  score = function(now) return now.results[1].scores[1].scor end,
}
eval.experiment { name = "e", dataset = "d", target = function(input) return input end, slices = { "metadata.lang" },
  scorers = { eval.scorers.exact "x" }, rules = { eval.rule("mine", parts[part]) } }
LUA
  evalua run a.eval.lua
  expect 0
  for part in dataset:nme params:prat slice:metadata.lag value:fr score:scor; do
    evalua run a.eval.lua -p "part=${part%%:*}" --format json
    expect 3
    says "a.eval.lua:" "unknown field \"${part#*:}\""
  done
}

@test "what rules see of a comparison is strict to its leaves" {
  suite a.eval.lua <<'LUA'
local part = eval.param { name = "part", default = "fine" }
local parts = {
  fine = function(_, baseline, comparison)
    return comparison == nil or baseline.name == "e" and comparison.items.paired == 1
      and comparison.success_rate.delta == 0 and comparison.latency_ms.baseline.p95 > 0 and comparison.usage == nil
      and comparison.baseline.name == "e" and comparison.candidate.number == 2
  end,
  items = function(_, _, comparison) return comparison.items.pared end,
  rate = function(_, _, comparison) return comparison.success_rate.deltas end,
  latency = function(_, _, comparison) return comparison.latency_ms.candidate.p90 end,
  side = function(_, _, comparison) return comparison.baseline.nmae end,
}
eval.experiment { name = "e", dataset = { { id = "a", input = "x" } }, target = function(input) return input end,
  scorers = { eval.scorers.exact "x" }, rules = { eval.rule("mine", parts[part]) } }
LUA
  "$EVALUA" run a.eval.lua >/dev/null
  "$EVALUA" accept 1 >/dev/null
  evalua run a.eval.lua --format json
  expect 0
  for part in items:pared rate:deltas latency:p90 side:nmae; do
    evalua run a.eval.lua -p "part=${part%%:*}" --format json
    expect 3
    says "unknown field \"${part#*:}\""
  done
}

@test "after_each gets strict results" {
  suite a.eval.lua <<'LUA'
eval.experiment { name = "e", dataset = { { id = "a", input = 1 } }, target = function() return "x" end,
  scorers = { eval.scorers.exact "x" },
  after_each = function(result)
    print(result.item_id, result.score.exact, result.scores[1].label, eval.json.encode(result):find("scores") ~= nil)
    return result.ouput
  end }
LUA
  evalua run a.eval.lua --format json
  expect 3
  says $'a\t1.0\tnil\ttrue' 'unknown field "ouput" of result; did you mean "output"?'
}

@test "paths are taken from the file that wrote them, also where a function ends with the call" {
  mkdir -p suites/lib
  echo "the prompt" >suites/lib/prompt.md
  cat >suites/lib/prompts.lua <<'LUA'
local eval = require "evalua"
return { read = function() return eval.file "prompt.md" end, wrong = function() return eval.sleep "soon" end }
LUA
  suite suites/a.eval.lua <<'LUA'
local prompts = require "lib.prompts"
eval.dataset { name = "d", items = { { id = "a", input = "read" }, { id = "b", input = "wrong" } } }
eval.experiment { name = "e", dataset = "d", target = function(input) return prompts[input]() end, scorers = {} }
LUA
  evalua run suites/a.eval.lua --format json
  expect 4
  equal "$(json 'd["experiments"][0]["results"][0]["output"]')" "the prompt"
  says 'suites/lib/prompts.lua:2: eval.sleep: "soon" is not a duration'
}

@test "what an item declares would never run, and is refused" {
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { id = "a", input = 1 }, { id = "b", input = 2 } } }
eval.experiment { name = "e", dataset = "d", scorers = {}, target = function(input)
  local declare = input == 1 and eval.experiment or eval.dataset
  declare { name = "inner", dataset = "d", items = { { input = 1 } } }
end }
LUA
  evalua run a.eval.lua --format json
  expect 4
  says "a.eval.lua:5: eval.experiment does nothing inside an item" "eval.dataset does nothing inside an item"
}

@test "a mapping of JSONL that names a key of no line is refused" {
  printf '{"q":"x","a":"y"}\n{"q":"z","a":"w"}\n' >rows.jsonl
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", items = eval.jsonl("rows.jsonl", { input = "q", ground_truth = "answer" }) }
eval.experiment { name = "e", dataset = "d", target = function(input) return input end, scorers = { eval.scorers.exact } }
LUA
  evalua run a.eval.lua
  expect 2
  says 'rows.jsonl: no line has the key "answer"' "the keys of the last line are a, q"
  equal "$output" ""
}

@test "the line of a JSONL file that is not JSON is named once" {
  printf '{"input":1}\n{"input":\n' >rows.jsonl
  suite a.eval.lua <<'LUA'
eval.dataset { name = "d", file = "rows.jsonl" }
eval.experiment { name = "e", dataset = "d", target = function(input) return input end }
LUA
  evalua run a.eval.lua
  expect 2
  says "rows.jsonl:2: not JSON: column 10:"
}

@test "defaults of parameters are of their type" {
  for option in 'type = "number", default = "a"' 'type = "integer", default = 1.5' 'type = "boolean", default = "yes"'; do
    suite a.eval.lua <<LUA
local _ = eval.param { name = "x", $option }
eval.experiment { name = "e", dataset = { { input = 1 } }, target = function() return 1 end }
LUA
    evalua run a.eval.lua
    expect 2
    says 'a.eval.lua:2: option "default" of eval.param must be a'
  done
}

@test "the JSON of a run always has params" {
  small_suite
  evalua run small.eval.lua --format json
  equal "$(json 'd["experiments"][0]["params"]')" "{}"
}

@test "an experiment that names none has the target and the scorers of its dataset" {
  suite a.eval.lua <<'LUA'
eval.target { id = "shout", run = function(input) return input .. "!" end }
eval.dataset { name = "d", target = "shout", scorers = { "exact" },
  items = { { id = "a", input = "x", ground_truth = "x!" } } }
eval.experiment { name = "theirs", dataset = "d" }
eval.experiment { name = "own", dataset = "d", target = function() return "y" end, scorers = { eval.scorers.length } }
LUA
  evalua run a.eval.lua --format json
  expect 0
  equal "$(scores)" "a exact 1.0"
  equal "$(json '[e["target"]["id"] for e in d["experiments"]]')" '["shout", "target"]'
  equal "$(json 'list(d["experiments"][1]["scorers"])')" '["length"]'
  cat >script.lua <<'LUA'
local eval = require "evalua"
eval.datasets.create { name = "stored", target = "shout", scorers = { "exact" } }
  :add_items { { id = "a", input = "x", ground_truth = "x!" } }
LUA
  "$EVALUA" exec script.lua
  suite b.eval.lua <<'LUA'
eval.target { id = "shout", run = function(input) return input .. "!" end }
eval.experiment { name = "stored", dataset = "stored" }
LUA
  evalua run b.eval.lua --format json
  expect 0
  equal "$(scores)" "a exact 1.0"
  evalua score latest b.eval.lua --format json
  expect 0
  equal "$(json 'd["scorers"]["exact"]["mean"]')" 1.0
  suite b.eval.lua <<'LUA'
eval.experiment { name = "stored", dataset = "stored" }
LUA
  evalua run b.eval.lua
  expect 2
  says 'b.eval.lua:2: there is no target "shout"'
}

@test "tags of datasets are a list or names with values" {
  cat >script.lua <<'LUA'
local eval = require "evalua"
local one = eval.datasets.create { name = "one", tags = { "a", "b" } }
local two = eval.datasets.create { name = "two" }
two:set_tags { team = "x", level = 2 }
print(#eval.datasets.list { tags = { "a" } }, #eval.datasets.list { tags = { team = "x", level = 2 } },
  #eval.datasets.list { tags = { team = "y" } }, #eval.datasets.list { tags = { "team=x" } })
for _, wrong in ipairs { 3, { 1 }, { { "x" } }, { "a", b = "c" } } do
  local ok, problem = pcall(one.set_tags, one, wrong)
  assert(not ok and problem:find("script.lua:8: ", 1, true) and problem:find("must be a list of strings", 1, true), problem)
end
print(table.concat(eval.datasets.get("one").tags, " "))
LUA
  run "$EVALUA" exec script.lua
  equal "$output" $'1\t1\t0\t1\na b'
}

@test "numbers are ids of items everywhere, and versions that are not there are told with the script's line" {
  cat >script.lua <<'LUA'
local eval = require "evalua"
local ds = eval.datasets.create { name = "one" }
ds:add_items { { id = 1.5, input = "x" }, { id = 2, input = "y" } }
ds:update_item(1.5, { ground_truth = "z" })
print(ds:items()[1].id, ds:items()[1].ground_truth, #ds:history(1.5), #ds:history(2.0))
ds:delete_items { 2.0 }
print(#ds:items(), ds.version)
print(select(2, pcall(ds.items, ds, { version = 9 })))
print(select(2, pcall(eval.experiments.get, "none")))
LUA
  run "$EVALUA" exec script.lua
  equal "$output" $'1.5\tz\t2\t1\n1\t3
script.lua:8: dataset "one" has no version 9; the latest is 3
script.lua:9: there is no experiment "none"; there are no experiments'
}

@test "what items write reaches stderr, with an end of line or without" {
  suite a.eval.lua <<'LUA'
eval.experiment { name = "e", dataset = { { id = "a", input = 1 } }, scorers = {}, target = function()
  print("printed")
  io.write("no end")
  return 1
end }
LUA
  evalua run a.eval.lua --format json
  expect 0
  says "[a] printed" "no end"
  equal "$(json 'd["verdict"]')" none
}

@test "scripts have their arguments in arg, too, and errors that are tables say their message" {
  echo 'print(arg[0], arg[1], #arg, ...) error({ message = "no such thing" })' >script.lua
  evalua exec script.lua one two
  expect 3
  equal "$output" $'script.lua\tone\t2\tone\ttwo'
  says "evalua: no such thing" "script.lua:1"
}

@test "scripts read summaries of one shape, strictly" {
  cat >script.lua <<'LUA'
local eval = require "evalua"
local ds = eval.datasets.create { name = "d" }
ds:add_items { { id = "a", input = "x", ground_truth = "x" } }
local made = ds:start_experiment { target = function(input) return input end, scorers = { eval.scorers.exact } }
local read = eval.experiments.get("latest")
for _, summary in ipairs { made, read } do
  print(summary.scorers.exact.mean, summary.usage, next(summary.metrics), next(summary.slices), next(summary.params),
    #summary.results, summary.results[1].scores[1].score, eval.json.encode(summary):find('"exact":{', 1, true) ~= nil)
  print(select(2, pcall(function() return summary.scorers.exat end)))
  print(select(2, pcall(function() return summary.scorers.exact.maen end)))
  print(select(2, pcall(function() return summary.verdit end)))
end
LUA
  evalua exec script.lua
  expect 0
  local seen=$'1.0\tnil\tnil\tnil\tnil\t1\t1.0\ttrue
script.lua:9: unknown field "exat" of summary.scorers; did you mean "exact"?
script.lua:10: unknown field "maen" of summary.scorers["exact"]; did you mean "mean"?
script.lua:11: unknown field "verdit" of summary; did you mean "verdict"?'
  equal "$output" "$seen"$'\n'"$seen"
}

@test "slices and clusters begin with a field that results have" {
  for option in 'slices = { "metadta.lang" }' 'cluster = "metadta.doc"'; do
    suite a.eval.lua <<LUA
eval.experiment { name = "e", dataset = { { input = 1 } }, target = function() return 1 end, $option }
LUA
    evalua run a.eval.lua
    expect 2
    says "a.eval.lua:2: option" "does not begin with a field of a result; did you mean \"metadata\"?"
  done
}

@test "eval.fail and templates say what is wrong with them" {
  suite a.eval.lua <<'LUA'
eval.experiment { name = "e", dataset = { { input = 1 } }, target = function() eval.fail("no", "such") end, scorers = {} }
LUA
  evalua run a.eval.lua --format json
  says 'a.eval.lua:2: eval.fail takes a message and a table of options, not "such"'
  suite a.eval.lua <<'LUA'
eval.http { id = "h", url = "http://localhost/{{input.question" }
eval.experiment { name = "e", dataset = { { input = 1 } }, target = "h", scorers = {} }
LUA
  evalua run a.eval.lua
  expect 2
  says 'a.eval.lua:2: option "url" of eval.http: a place begins with {{ and has no end'
}
