#!/usr/bin/env bats
# The shapes of what is printed as JSON, field by field, and numbers at the ends of what a double holds.
load helper

# shaped KIND: what was printed has every field.
shaped() { python3 "$BATS_TEST_DIRNAME/shapes.py" "$1" <<<"$output"; }

# A suite with scores, labels, nothing to score and failures, by parameter `kind`; `factor` scales the scores.
many_suite() {
  suite many.eval.lua <<'LUA'
local kind, factor = eval.param { name = "kind", default = "plain" }, tonumber(eval.param { name = "factor", default = "1" })
local items = {}
for i = 1, kind == "one" and 1 or 6 do
  items[i] = { id = "i" .. i, input = i, ground_truth = tostring(i), metadata = { half = i % 2 == 0 and "even" or "odd" } }
end
local size = ({ huge = 1e308, tiny = 5e-324 })[kind] or 1
eval.dataset { name = "many " .. kind, items = items }
eval.experiment {
  name = kind, dataset = "many " .. kind, tolerance = 6, slices = { "metadata.half" },
  metrics = { kappa = eval.metrics.kappa(), accuracy = eval.metrics.accuracy() },
  target = function(input)
    if kind == "failing" or kind == "plain" and input == 1 then error "no" end
    return tostring(input), kind == "plain" and { usage = { input_tokens = 1, output_tokens = 2, cost = 0.5 } } or nil
  end,
  scorers = {
    eval.scorers.exact,
    eval.scorer { id = "sized", score = function(run)
      if factor == -1 then return -size end
      return size * (kind == "huge" and 1 or run.input) * factor
    end },
    eval.scorer { id = "label", score = function(run) return { label = run.output } end },
    eval.scorer { id = "odd", score = function(run) if run.input % 2 == 0 then return nil, "even" end return 1 end },
  },
  rules = { eval.rules.at_least("exact", 0.1) },
}
LUA
}

@test "every command's JSON has every field, null where it has no value" {
  many_suite
  for kind in plain one failing; do
    evalua run many.eval.lua -p kind=$kind --format json
    shaped run
    evalua show latest --format json
    shaped show
    evalua run many.eval.lua -p kind=$kind -p factor=2 --format json
    evalua compare "$kind~1" "$kind" --format json
    expect 0
    shaped compare
  done
  evalua run many.eval.lua --limit 2 --format json
  shaped run
  equal "$(json 'd["experiments"][0]["selection"]["limit"]')" 2
  evalua compare plain~2 plain~1 plain --format json
  shaped compare
  equal "$(json 'len(d)')" 2
  evalua list --format json
  shaped list
  evalua dataset show "many plain" --format json
  shaped dataset
}

@test "huge and tiny scores, and what cannot be summed, are numbers or nothing in every report" {
  many_suite
  for kind in huge tiny; do
    for factor in 1 -1; do
      evalua run many.eval.lua -p kind=$kind -p factor=$factor --format json -o $kind.html -o $kind.md -o $kind.csv \
        -o $kind.xml -o $kind.prom -o $kind.jsonl
      expect 0
      shaped run
      evalua show latest
      expect 0
      awk 'length > 400 { exit 1 }' <<<"$output"
    done
    evalua compare "$kind~1" "$kind" --format json -o "$kind-compared.html" -o "$kind-compared.md" -o "$kind-compared.csv"
    expect 0
    shaped compare
    evalua compare "$kind~1" "$kind" --by metadata.half
    expect 0
    awk 'length > 400 { exit 1 }' <<<"$output"
    evalua plan "$kind"
    expect 0
    evalua trend "$kind" -o "$kind-trend.html"
    expect 0
    # The pages' own script knows Infinity; what is drawn and written must not.
    ! grep -hniE '(^|[^a-z])-?(nan|inf)([^a-z]|$)' $kind.md $kind.csv $kind.xml $kind.prom $kind.jsonl $kind-compared.md \
      $kind-compared.csv
    ! grep -hnE '="[^"]*\b(nan|inf)\b' $kind.html $kind-compared.html $kind-trend.html
  done
}

@test "scripts get results, and nil where a summary has no value" {
  many_suite
  evalua run many.eval.lua
  cat >look.lua <<'LUA'
local eval = require "evalua"
local found = eval.experiments.get "latest"
assert(found.variant == nil and found.selection == nil and found.scorers.label.mean == nil)
assert(found.slices["metadata.half"].even.scorers.odd.mean == nil)
assert(#found.results == 6 and found.results[1].status == "error" and found.results[1].error.message:find "no")
assert(found.results[2].scores[1].scorer_id == "exact" and found.results[2].scores[1].step_id == nil)
local listed = eval.experiments.list { name = "plain" }[1]
assert(listed.experiment_id == found.experiment_id and listed.dataset.name == "many plain" and listed.params.kind == "plain")
local run = eval.datasets.get("many plain"):start_experiment {
  name = "again", target = function(input) return tostring(input) end, scorers = { eval.scorers.exact } }
assert(#run.results == 6 and run.results[6].output == "6" and run.results[6].scores[1].score == 1)
LUA
  evalua exec look.lua
  expect 0
}
