#!/usr/bin/env bats
# Every JSON value comes back as it went in: dataset, worker, store, `run --format json` and `dataset show`.
load helper

# Writes cases.jsonl: one item per value, by name.
write_values() {
  python3 - <<'PY'
import json
values = {
  "beyond_double": "9007199254740993", "minus_zero": "-0.0", "denormal": "5e-324", "sum": repr(0.1 + 0.2),
  "least_integer": "-9223372036854775808", "most_integer": "9223372036854775807", "one": "1", "one_point": "1.0",
  "large": "1.7976931348623157e308", "list": "[]", "object": "{}", "empty": '""', "null": '{"a":null}',
  "null_list": "[null,[null],{\"b\":null}]", "nested": '[[],{},[[]],{"a":{},"b":[]}]',
  "zero_character": '"a\\u0000b"', "astral": json.dumps("\U0001F600 \U00010348 é", ensure_ascii=False),
  "separators": '"\\u2028\\u2029\\u007f\\u001b/"', "megabyte": '"' + "abcdefgh" * 131072 + '"',
  "deep": "[" * 500 + "]" * 500, "deep_object": '{"a":' * 500 + "1" + "}" * 500, "false": "false", "true": "true",
  "keys": '{"":1,"a b":2,"\\u0000":3,"1":4}', "word_null": '"null"',
}
with open("cases.jsonl", "w", encoding="utf-8") as out:
  for name, text in values.items():
    # Once as the whole value, once inside, since a field at the top may be treated otherwise.
    out.write('{"id":"%s","input":%s,"ground_truth":{"value":%s}}\n' % (name, text, text))
PY
}

# compare_json FIELD_OF_LIST: the values of the last output against cases.jsonl, types and signs included.
same_values() {
  python3 -c '
import json, math, sys
sys.setrecursionlimit(100000)
def same(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list): return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float): return a == b and math.copysign(1, a) == math.copysign(1, b)
    return a == b
wanted = [json.loads(line) for line in open("cases.jsonl", encoding="utf-8")]
got = json.load(open(sys.argv[1], encoding="utf-8"))
got = eval(sys.argv[2])
assert [g[sys.argv[3]] for g in got] == [w["id"] for w in wanted], "the ids differ"
bad = [w["id"] for w, g in zip(wanted, got) for field in sys.argv[4:]
       if not same(g[field], w["input" if field == "output" else field])]
print("differ:", bad)
sys.exit(bool(bad))' "$@"
}

suite_of_values() {
  suite values.eval.lua <<'LUA'
eval.dataset { name = "values", items = eval.jsonl "cases.jsonl" }
eval.experiment { name = "values", dataset = "values", target = function(input) return input end,
  scorers = { eval.scorer { id = "same", score = function(run)
    return require("evalua.json").encode(run.output) == require("evalua.json").encode(run.ground_truth.value)
  end } } }
LUA
}

@test "values through dataset, worker, store and run --format json" {
  write_values
  suite_of_values
  "$EVALUA" run values.eval.lua --format json >out.json
  same_values out.json 'got["experiments"][0]["results"]' item_id input output ground_truth
  equal "$(query 'select count(*) from scores where score = 1')" "$(wc -l <cases.jsonl)"
}

@test "values through dataset show and show" {
  write_values
  suite_of_values
  "$EVALUA" run values.eval.lua >/dev/null
  "$EVALUA" dataset show values --format json >out.json
  same_values out.json 'got["items"]' id input ground_truth
  "$EVALUA" show latest --format json >out.json
  same_values out.json 'got["results"]' item_id input output ground_truth
}

@test "storage keeps 1 and 1.0 apart" {
  write_values
  suite_of_values
  "$EVALUA" run values.eval.lua >/dev/null
  equal "$(query "select output from results where item_id = 'one'")" 1
  equal "$(query "select output from results where item_id = 'one_point'")" 1.0
}

@test "output that is not UTF-8 is repaired and marked" {
  suite bytes.eval.lua <<'LUA'
eval.experiment { name = "bytes", dataset = { { id = "x", input = 1 } }, target = function() return "a\xffb" end,
  scorers = {} }
LUA
  evalua run bytes.eval.lua --format json
  expect 0
  equal "$(json 'd["experiments"][0]["results"][0]["output"] == "a\ufffdb"')" true
  equal "$(query 'select output_repaired from results')" 1
}
