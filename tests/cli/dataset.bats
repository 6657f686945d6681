#!/usr/bin/env bats
# evalua dataset: versions of a dataset that a suite owns.
load helper

# Version 1 of `small`, then version 2 with a changed, an added and a removed item.
two_versions() {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  sed -i 's/ground_truth = "DREI"/ground_truth = "THREE"/; s/{ id = "a".*/{ id = "d", input = "four" },/' small.eval.lua
  "$EVALUA" run small.eval.lua >/dev/null || true
}

@test "list and show" {
  two_versions
  evalua dataset list
  expect 0
  prints small
  evalua dataset show small
  expect 0
  prints "small version 2, 3 items" "THREE"
  evalua dataset show small --format json
  equal "$(json '(d["name"], d["version"], sorted(i["id"] for i in d["items"]))')" '["small", 2, ["b", "c", "d"]]'
  equal "$(json 'len(d["digest"])')" 64
  evalua dataset show small@1 --format json
  equal "$(json '(d["version"], [i["id"] for i in d["items"]], d["items"][2]["ground_truth"])')" '[1, ["a", "b", "c"], "DREI"]'
  evalua dataset show small@1 --items c --format jsonl
  equal "$(jsonl '[i["id"] for i in d]')" '["c"]'
  evalua dataset show small@1 --where 'metadata.lang == "de"' --format jsonl
  equal "$(jsonl '[i["id"] for i in d]')" '["b"]'
  evalua dataset show small@1 --limit 1 --format jsonl
  equal "$(jsonl 'len(d)')" 1
}

@test "history of a dataset and of one item" {
  two_versions
  evalua dataset history small
  expect 0
  evalua dataset history small --format json
  equal "$(json 'sorted(v["version"] for v in d if v["version"] > 0)')" '[1, 2]'
  evalua dataset history small c
  expect 0
  prints DREI THREE
  evalua dataset history small c --format json
  equal "$(json 'sorted((r["valid_from"], r["valid_to"] or 0, r["ground_truth"]) for r in d)')" '[[1, 2, "DREI"], [2, 0, "THREE"]]'
  evalua dataset history small never
  expect 2
  says never
}

@test "diff of two versions" {
  two_versions
  evalua dataset diff small 1 2 --format json
  expect 0
  equal "$(json '(d["added"], d["removed"], d["changed"])')" '[["d"], ["a"], ["c"]]'
  evalua dataset diff small 1 2
  prints "added: 1  d" "removed: 1  a" "changed: 1  c"
  evalua dataset diff small 1 1 --format json
  equal "$(json '(d["added"], d["removed"], d["changed"])')" '[[], [], []]'
}

@test "aliases name versions and move" {
  two_versions
  evalua dataset alias small stable 1
  expect 0
  evalua dataset show small@stable --format json
  equal "$(json 'd["version"]')" 1
  evalua dataset alias small stable 2
  expect 0
  evalua dataset alias small --format json
  equal "$(json d)" '{"stable": 2}'
  evalua dataset alias small stable 9
  expect 2
  evalua dataset alias small 12 1
  expect 2
}

@test "names and versions that are not there" {
  two_versions
  evalua dataset show smal
  expect 2
  says smal small
  evalua dataset show small@9
  expect 2
  says 9 2
  evalua dataset show small@stabel
  expect 2
  evalua dataset shwo small
  expect 2
  says shwo show
  evalua dataset diff small 1
  expect 2
  evalua dataset show small --items a,b,zzz
  expect 2
  says zzz
}

@test "reading a store that is not there makes none" {
  evalua dataset list
  [ ! -e .evalua ]
  evalua show latest
  expect 2
  [ ! -e .evalua ]
}
