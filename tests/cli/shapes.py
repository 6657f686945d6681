"""Checks the JSON that commands print against the fields that the reference names: `shapes.py KIND < JSON`. Every field
must be there, null where it has no value, and no constant may be one that JSON does not have (NaN, Infinity)."""
import json
import sys

SUMMARY = """experiment_id number name variant status verdict total_items succeeded_count failed_count skipped_count
passed_count completed_with_errors started_at completed_at dataset target selection params git scorers metrics slices
latency_ms usage rules results""".split()
SCORER = "mean n n_unscored n_error stderr ci min max p50 pass_rate histogram".split()
RESULT = """item_id item_version trial status passed input output ground_truth metadata tags error started_at completed_at
latency_ms retry_count usage steps trajectory scores""".split()
SCORE = "scorer_id scorer_name step_id score label passed reason error status".split()
COMPARISON = """baseline candidate warnings version_mismatch items scorers success_rate latency_ms usage regressions
improvements verdict""".split()
COMPARED = """n baseline_mean candidate_mean delta ci test p_value effect_size mde improved regressed same
verdict""".split()
LATENCY = "mean p50 p95 p99 max".split()
USAGE = "input_tokens output_tokens cost".split()
VERDICTS = "improved regressed no_worse inconclusive incomparable".split()
problems = set()


def need(record, names, where):
    if not isinstance(record, dict):
        problems.add(f"{where} is no object: {record!r}")
        return
    problems.update(f"{where} has no {name}" for name in names if name not in record)


def scorers(record, where):
    for key, scorer in record["scorers"].items():
        need(scorer, SCORER, f"{where}.scorers.{key}")


def summary(record):
    need(record, SUMMARY, "summary")
    need(record["dataset"], "name version digest".split(), "dataset")
    need(record["target"], "type id version".split(), "target")
    need(record["selection"], "items where limit sample".split(), "selection")
    need(record["git"], "commit branch dirty".split(), "git")
    scorers(record, "summary")
    for of in (record, *(part for field in record["slices"].values() for part in field.values())):
        for name, names in ("latency_ms", LATENCY), ("usage", USAGE):
            if of[name] is not None:
                need(of[name], names, name)
    for field, values in record["slices"].items():
        for value, part in values.items():
            need(part, ["n", "scorers"], f"slices.{field}.{value}")
            scorers(part, f"slices.{field}.{value}")
    for rule in record["rules"]:
        need(rule, "name status message".split(), "rule")
    for result in record["results"]:
        need(result, RESULT, "result")
        if result["error"]:
            need(result["error"], "message code".split(), "error")
        for score in result["scores"]:
            need(score, SCORE, "score")


def comparison(record):
    need(record, COMPARISON, "comparison")
    need(record["items"], "paired only_baseline only_candidate changed".split(), "items")
    for key, entry in record["scorers"].items():
        need(entry, COMPARED, f"scorers.{key}")
        if entry["verdict"] not in VERDICTS or not (entry["ci"] is None or len(entry["ci"]) == 2):
            problems.add(f"scorers.{key}: {entry['verdict']} {entry['ci']}")
    for change in record["regressions"] + record["improvements"]:
        need(change, "item_id scorer_id baseline candidate".split(), "change")


def check(kind, value):
    if kind == "run":
        need(value, ["experiments", "verdict"], "run")
        for record in value["experiments"]:
            summary(record)
    elif kind == "show":
        summary(value)
    elif kind == "compare":
        for record in value if isinstance(value, list) else [value]:
            comparison(record)
    elif kind == "list":
        for record in value:
            need(record, "experiment_id number name variant status verdict started_at completed_at".split(), "list")
    elif kind == "dataset":
        need(value, "id name version digest description metadata tags items".split(), "dataset")


def refuse(name):
    problems.add(f"{name} is no JSON")


check(sys.argv[1], json.load(sys.stdin, parse_constant=refuse))
if problems:
    print("\n".join(sorted(problems)))
    sys.exit(1)
