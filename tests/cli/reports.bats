#!/usr/bin/env bats
# Reports: junit, markdown, csv, html, github, gitlab, openmetrics and sql; what a model wrote is inert in all of them.
load helper

# An item of each fate, whose outputs and errors try everything.
hostile_suite() {
  suite hostile.eval.lua <<'LUA'
local evil = "<script>alert(1)</script></script><!-- `code` | cell ]]> \27[31mred\27[0m \27]0;title\7 a\0b \255\254 end"
  .. "\n::error::owned\n##[error]owned\n::set-output name=x::y\n=cmd()|' @octocat #12 [link](http://evil.example)\u{FFFE}"
eval.dataset { name = "bad", items = {
  { id = "evil<script>\"'&|`", input = "<img src=x onerror=alert(1)> ::warning::x", ground_truth = "]]>" },
  { id = "=formula", input = "plain", ground_truth = "plain" },
  { id = "crash", input = "boom", ground_truth = "x" },
  { id = "nul", input = "a\0b", ground_truth = "=1+1" },
} }
eval.experiment { name = "hostile <b>", dataset = "bad",
  target = function(input)
    if input == "boom" then error(evil) end
    return input == "plain" and "plain" or evil
  end,
  scorers = { eval.scorers.exact, eval.scorer { id = "reason", score = function() return 0.5, evil end } },
  rules = { eval.rules.at_least("exact", 0.9), eval.rules.success_rate(0.5) },
}
LUA
}

# No control characters but newlines, and UTF-8.
harmless_bytes() {
  ! LC_ALL=C grep -q -P '[\x00-\x08\x0b-\x1f\x7f]' "$1" || { echo "$1 has control characters"; return 1; }
  iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || { echo "$1 is not UTF-8"; return 1; }
}

# No line that the runner of a workflow would take for a command.
no_commands() {
  ! grep -q -E '^[[:space:]]*::|##\[' "$1" || { echo "$1 has a workflow command:"; grep -n -E '^\s*::|##\[' "$1"; return 1; }
}

# inert FORMAT: what the last command printed. JSON and HTML have their own ways to hold such text.
inert() {
  printf '%s\n' "$output" >out.txt
  [ -s out.txt ] || { echo "$1 printed nothing"; return 1; }
  harmless_bytes out.txt
  case $1 in
    html) ! grep -q '<script>alert' out.txt ;;
    github) [ "$(grep -c -v '^::\(error\|warning\) ' out.txt)" -eq 0 ] && ! grep -q '##\[' out.txt ;;
    pretty) grep -v -E '^::(stop-commands::)?evalua-[0-9a-f-]+(::)?$' out.txt >rest.txt || true
      no_commands rest.txt ;;
    *) no_commands out.txt ;;
  esac
  case $1 in
    json | gitlab) python3 -m json.tool out.txt >/dev/null ;;
    jsonl) while read -r line; do python3 -m json.tool <<<"$line" >/dev/null || return 1; done <out.txt ;;
    junit) ! command -v xmllint >/dev/null || xmllint --noout out.txt ;;
    csv) python3 -c 'import csv; assert len({len(r) for r in csv.reader(open("out.txt", newline=""))}) == 1' ;;
    openmetrics) openmetrics_grammar out.txt ;;
  esac
}

# What OpenMetrics asks for: each family once, its TYPE before its samples, no series twice, # EOF as the last line.
openmetrics_grammar() {
  if command -v promtool >/dev/null; then promtool check metrics <"$1" || return 1; fi
  python3 - "$1" <<'PY'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
assert text.endswith("# EOF\n") and text.count("# EOF") == 1
name, label = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
sample = re.compile(rf"({name})\{{({label}(?:,{label})*)\}} (-?[0-9.]+(?:e[+-]?[0-9]+)?)$")
family, seen, series = None, set(), set()
for line in text.split("\n")[:-2]:
    kind = re.match(rf"# TYPE ({name}) (gauge|counter)$", line)
    if kind:
        assert kind[1] not in seen, line
        family = kind[1]
        seen.add(family)
    elif line.startswith("# "):
        assert re.match(rf"# (HELP|UNIT) {family} .+", line), line
    else:
        found = sample.match(line)
        assert found and found[1] == family, line
        assert (found[1], found[2]) not in series, line
        series.add((found[1], found[2]))
assert series
PY
}

FORMATS="pretty json jsonl junit markdown html csv github gitlab openmetrics"

@test "a hostile output is inert in every format of every command" {
  hostile_suite
  "$EVALUA" run hostile.eval.lua >/dev/null || true
  "$EVALUA" accept 1 >/dev/null
  local format
  for where in outside workflow; do
    [ $where = outside ] || export GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$PWD/step.md
    for format in $FORMATS; do
      evalua run hostile.eval.lua --format $format
      expect 1
      inert $format
      printf '%s\n' "$stderr" | grep -v '^::\(error\|warning\) ' >err.txt || true
      harmless_bytes err.txt
      no_commands err.txt
      evalua show 1 --format $format
      expect 0
      inert $format
    done
    for format in pretty json markdown html csv github; do
      evalua compare 1 2 --format $format
      expect 0
      [ -z "$output" ] || inert $format
    done
    for format in pretty json markdown html csv; do
      evalua trend 'hostile <b>' --format $format
      expect 0
      inert $format
    done
    for format in pretty json jsonl; do
      evalua show 1 'evil<script>"'"'&|\`" --format $format
      expect 0
      inert $format
    done
  done
  harmless_bytes step.md
  no_commands step.md
}

@test "-o picks by ending and repeats, in run, show, compare and trend; nothing is left over" {
  hostile_suite
  evalua run hostile.eval.lua -o r.xml -o r.md -o r.html -o r.csv -o r.json -o r.jsonl -o r.prom -o r.gitlab.json
  expect 1
  evalua show 1 -o s.xml -o s.md -o s.html -o s.csv -o s.json -o s.jsonl -o s.prom -o s.gitlab.json
  expect 0
  evalua compare 1 1 -o c.md -o c.html -o c.csv -o c.json
  expect 0
  evalua trend 'hostile <b>' -o t.md -o t.html -o t.csv -o t.json
  expect 0
  for file in {r,s}.{xml,md,html,csv,json,jsonl,prom,gitlab.json} {c,t}.{md,html,csv,json}; do
    [ -s "$file" ] || { echo "no $file"; return 1; }
    harmless_bytes "$file"
    [[ $file == *.html ]] || no_commands "$file"
  done
  # Every report is of the same data: what show writes of a run is what run wrote.
  for ending in xml md csv prom gitlab.json; do cmp r.$ending s.$ending; done
  python3 -c 'import json
run, show = json.load(open("r.json"))["experiments"][0], json.load(open("s.json"))
assert run["results"] == show["results"] and run["scorers"] == show["scorers"]'
  [ -z "$(ls ./*.part 2>/dev/null)" ]
  evalua trend 'hostile <b>' -o t.xml
  expect 2
  says ".html"
}

@test "junit is well formed, of the schema that CI reads, with failures and errors apart" {
  command -v xmllint >/dev/null || skip "no xmllint"
  hostile_suite
  evalua run hostile.eval.lua --format junit
  expect 1
  printf '%s\n' "$output" >r.xml
  xmllint --noout --relaxng "$BATS_TEST_DIRNAME/junit.rng" r.xml
  equal "$(xmllint --xpath 'string(/testsuites/@tests)' r.xml)" 6
  equal "$(xmllint --xpath 'string(/testsuites/testsuite[1]/@failures)' r.xml)" 2
  equal "$(xmllint --xpath 'string(/testsuites/testsuite[1]/@errors)' r.xml)" 1
  equal "$(xmllint --xpath 'count(//testsuite[1]/testcase/failure)' r.xml)" 2
  equal "$(xmllint --xpath 'count(//testsuite[1]/testcase/error)' r.xml)" 1
  equal "$(xmllint --xpath 'string(//testcase[error]/@name)' r.xml)" crash
  equal "$(xmllint --xpath 'string(//testsuite[2]/testcase[failure]/@name)' r.xml)" "exact at least 0.9"
  # Names are the same in the next run, whatever the scores are.
  xmllint --xpath '//testcase/@name' r.xml >before
  sed -i 's/return input == "plain"/return input ~= "x"/' hostile.eval.lua
  evalua run hostile.eval.lua -o s.xml
  xmllint --xpath '//testcase/@name' s.xml >after
  cmp before after
}

@test "a skipped item is skipped in junit" {
  command -v xmllint >/dev/null || skip "no xmllint"
  suite stop.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } } }
eval.experiment { name = "stop", dataset = "d", max_failures = 1, max_concurrency = 1,
  target = function() error("no") end }
LUA
  evalua run stop.eval.lua -o r.xml
  [ "$status" -ne 0 ]
  xmllint --noout --relaxng "$BATS_TEST_DIRNAME/junit.rng" r.xml
  equal "$(xmllint --xpath 'count(//testcase)' r.xml)" "$(query 'select count(*) from results')"
  equal "$(xmllint --xpath 'count(//testcase/skipped)' r.xml)" \
    "$(query "select count(*) from results where status = 'skipped'")"
}

@test "csv has one line an item with its scores, and no formula" {
  hostile_suite
  evalua run hostile.eval.lua -o r.csv
  equal "$(wc -l <r.csv)" 5
  python3 - <<'PY'
import csv
rows = list(csv.DictReader(open("r.csv", newline="", encoding="utf-8")))
assert [r["item_id"] for r in rows] == ["evil<script>\"'&|`", "'=formula", "crash", "nul"], rows
assert [r["exact"] for r in rows] == ["0", "1", "", "0"], rows
assert [r["status"] for r in rows] == ["ok", "ok", "error", "ok"]
assert rows[3]["ground_truth"] == "'=1+1"
assert rows[2]["error"].startswith("hostile.eval.lua:")
for row in rows:
    for cell in row.values():
        assert cell[:1] not in ("=", "+", "@"), cell
PY
}

@test "an item with several trials is one row in html and one case in junit, and a line each in csv" {
  suite trials.eval.lua <<'LUA'
eval.experiment { name = "t", trials = { count = 5, reducer = eval.reducers.at_least(2) }, tolerance = 3,
  dataset = { { id = "a", input = 2 }, { id = "b", input = 5 }, { id = "c", input = 1 }, { id = "d", input = 9 } },
  target = function(input, item)
    if input == 9 then error("never") end
    return item.trial <= input
  end,
  scorers = { eval.scorer { id = "right", score = function(run) return run.output end } } }
LUA
  evalua run trials.eval.lua -o r.html -o r.xml -o r.csv -o r.md -o r.gitlab.json
  expect 0
  equal "$(wc -l <r.csv)" 21
  equal "$(cut -d, -f3-6 r.csv | sed -n '2p;4p;21p')" "$(printf '%s\n' a,1,ok,true a,3,ok,false d,5,error,false)"
  python3 - <<'PY'
import json, re
text = open("r.html", encoding="utf-8").read()
rows = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))["runs"][0]["rows"]
assert [(r[0], r[1], r[2], r[10]) for r in rows] == [("a", "ok", 1, "2 of 5"), ("b", "ok", 1, "5 of 5"),
    ("c", "ok", 0, "1 of 5"), ("d", "error", None, "0 ok of 5")], [(r[0], r[1], r[2], r[10]) for r in rows]
assert [trial[1] for trial in rows[0][11]] == [1, 1, 0, 0, 0] and len(rows[3][11]) == 5
entries = json.load(open("r.gitlab.json"))
assert [(e["check_name"], e["description"].split(":")[0]) for e in entries] == [
    ("evalua-not_passed", "t, item c"), ("evalua-target_error", "t, item d")], entries
PY
  "$EVALUA" run trials.eval.lua >/dev/null
  evalua compare 1 2 -o c.csv -o c.html
  equal "$(sed -n '2,4p' c.csv)" "$(printf '%s\n' 1,2,right,a,1,1,0 1,2,right,b,1,1,0 1,2,right,c,0,0,0)"
  command -v xmllint >/dev/null || skip "no xmllint"
  xmllint --noout --relaxng "$BATS_TEST_DIRNAME/junit.rng" r.xml
  equal "$(xmllint --xpath 'count(//testcase)' r.xml)" 4
  equal "$(xmllint --xpath 'string(//testcase[failure]/@name)' r.xml)" c
  equal "$(xmllint --xpath 'string(//testcase[failure]/failure/@message)' r.xml)" "passed in 1 of 5 trials"
  equal "$(xmllint --xpath 'string(//testcase[error]/@name)' r.xml)" d
}

@test "markdown is a compact table under a hidden marker, values in code" {
  hostile_suite
  evalua run hostile.eval.lua --format markdown
  expect 1
  equal "${lines[0]}" "<!-- evalua report -->"
  prints "| exact | 0.33 over 3 of 4 (1 failed)" "fail: exact at least 0.9" "hostile &lt;b&gt;"
  [ "${#output}" -lt 60000 ]
  # Outside of code spans there is no markup but ours, and no mention.
  python3 - "$output" <<'PY'
import re, sys
text = re.sub(r"(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)", "", sys.argv[1])
tags = set(re.findall(r"<[^>]*>", text))
assert tags <= {"<!-- evalua report -->", "<details>", "</details>", "<summary>", "</summary>"}, tags
assert "@" not in text and "](" not in text, text
PY
}

@test "markdown mentions nobody and refers to no issue, also after entities have become characters" {
  suite mention.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { id = "a", input = 1 }, { id = "b", input = 2 } } }
eval.experiment { name = "m", dataset = "d", scorers = { function() return { score = 0, reason = "ask @octocat" } end },
  target = function(x) if x == 2 then error("see @octocat, #12, !7, www.evil.example, http://evil.example/x") end end,
  rules = { eval.rule("of @octocat", function() return false, "closes #3, says @octocat" end) } }
LUA
  "$EVALUA" run mention.eval.lua >/dev/null 2>&1 || true
  evalua run mention.eval.lua --format markdown
  expect 4
  python3 - "$output" <<'PY'
import html, re, sys
text = re.sub(r"(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)", "", sys.argv[1])
assert "www." not in text and "://" not in text, text
seen = html.unescape(text)
assert "octocat" in seen and not re.search(r"[@!~$%&]\w|#\d", re.sub("(?m)^#+ .*$", "", seen)), seen
PY
}

@test "html is one file that asks for nothing and keeps data apart from markup" {
  hostile_suite
  "$EVALUA" run hostile.eval.lua >/dev/null || true
  evalua run hostile.eval.lua -o r.html --baseline 1
  python3 - <<'PY'
import base64, hashlib, html.parser, json, re
text = open("r.html", encoding="utf-8").read()
class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.inside, self.bodies, self.policy = [], None, {}, None
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.inside = (tag, attributes.get("type")) if tag in ("script", "style") else None
        if attributes.get("http-equiv") == "Content-Security-Policy": self.policy = attributes["content"]
    def handle_endtag(self, tag): self.inside = None
    def handle_data(self, data):
        if self.inside: self.bodies[self.inside] = self.bodies.get(self.inside, "") + data
page = Page()
page.feed(text)
assert [t for t, _ in page.tags].count("script") == 2, page.tags
assert not any(t in ("img", "link", "iframe", "object", "a") for t, _ in page.tags)
assert not any(k in ("src", "href", "style") or k.startswith("on") for _, a in page.tags for k in a), page.tags
assert page.policy.startswith("default-src 'none'")
for inside in (("script", None), ("style", None)):
    digest = base64.b64encode(hashlib.sha256(page.bodies[inside].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.policy, inside
data = json.loads(page.bodies[("script", "application/json")])
assert len(data["runs"]) == 1 and len(data["runs"][0]["rows"]) == 4
assert data["runs"][0]["rows"][0][0] == "evil<script>\"'&|`"
assert "<script>alert(1)</script>" in data["runs"][0]["rows"][0][7]
PY
}

@test "html of a comparison has every pair with both outputs" {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  sed -i 's/return input:upper()/return input == "three" and "DREI" or input:upper()/' small.eval.lua
  "$EVALUA" run small.eval.lua >/dev/null
  evalua compare 1 2 -o c.html -o c.md -o c.csv -o c.json
  expect 0
  python3 - <<'PY'
import json, re
text = open("c.html").read()
data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))
rows = data["pairs"][0]["rows"]
assert [r[0] for r in rows] == ["a", "b", "c"] and [r[9] for r in rows] == [7, 7, 4], rows
assert rows[2][7:9] == ["THREE", "DREI"]
assert json.load(open("c.json"))["scorers"]["exact"]["improved"] == 1
PY
  equal "$(cat c.csv)" "$(printf '%s\n' baseline,candidate,scorer,item_id,baseline_score,candidate_score,delta \
    1,2,exact,a,1,1,0 1,2,exact,b,1,1,0 1,2,exact,c,0,1,1)"
  grep -q '| exact | 3 |' c.md
}

@test "html of 10,000 items stays small" {
  counting_suite many.eval.lua 10000
  evalua run many.eval.lua -o r.html
  expect 0
  [ "$(stat -c %s r.html)" -lt 3000000 ]
  [ "$(grep -c '^\["n' r.html)" -eq 10000 ]
}

@test "html of very many items keeps those that matter, says so, and stays small" {
  suite many.eval.lua <<'LUA'
local shift = tonumber(eval.param { name = "shift", default = "0" })
local items, long = {}, ("A sentence that a model wrote, and that is not short. "):rep(8)
for number = 1, 30000 do
  items[number] = { id = ("item-%06d"):format(number), input = number .. " " .. long, ground_truth = long .. number }
end
eval.dataset { name = "many", items = items }
eval.experiment { name = "many", dataset = "many", scorers = { eval.scorers.exact },
  target = function(_, item) return (tonumber(item.id:sub(6)) + shift) % 100 == 0 and long or item.ground_truth end }
LUA
  "$EVALUA" run many.eval.lua >/dev/null
  "$EVALUA" run many.eval.lua -p shift=1 >/dev/null
  evalua compare 1 2 -o c.html
  expect 0
  [ "$(stat -c %s c.html)" -lt 20000000 ]
  python3 - <<'PY'
import json, re
text = open("c.html", encoding="utf-8").read()
pair = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))["pairs"][0]
assert pair["total"] == 30000 and 15000 <= len(pair["rows"]) <= 20000, len(pair["rows"])
changes = [row[9] for row in pair["rows"]]
assert changes.count(2) == 300 and changes.count(4) == 300, (changes.count(2), changes.count(4))
PY
}

@test "in a workflow there are annotations within the limits and a step summary" {
  counting_suite many.eval.lua 30 'rules = { eval.rules.at_least("exact", 0.5) },'
  sed -i 's/return input \* 2/if input > 12 then error("50% off\\n::error::no, not this") end return 0/' many.eval.lua
  export GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$PWD/step.md
  evalua run many.eval.lua
  says "GitHub Actions: wrote" "the step summary" "::error "
  [ "$(grep -c '^::error ' <<<"$stderr")" -le 10 ]
  [ "$(grep -c '^::warning ' <<<"$stderr")" -le 10 ]
  ! grep -q '^::error::no' <<<"$stderr"
  grep -q 'evalua report' step.md
  # The guard is the first and the last line of what is printed.
  [[ ${lines[0]} == ::stop-commands::evalua-* ]]
  equal "${lines[-1]}" "::${lines[0]#::stop-commands::}::"
  evalua run many.eval.lua --format json
  json 'd["verdict"]'
  evalua run many.eval.lua --format github
  [[ $output == "::error "* ]]
  [ "$(grep -c -v '^::' <<<"$output")" -eq 0 ]
  prints "50%25 off"
  unset GITHUB_ACTIONS GITHUB_STEP_SUMMARY
  evalua run many.eval.lua
  [[ $output != *::stop-commands* ]]
  [[ $stderr != *GitHub* ]]
}

@test "a step summary never grows over its limit" {
  small_suite
  head -c 1040000 /dev/zero | tr '\0' 'x' >step.md
  GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$PWD/step.md evalua run small.eval.lua
  [ "$(stat -c %s step.md)" -le 1048576 ]
}

@test "gitlab and openmetrics reports keep their form" {
  hostile_suite
  evalua run hostile.eval.lua --format gitlab
  equal "$(json '[(e["severity"], e["check_name"], e["location"]["path"]) for e in d][:2]')" \
    '[["critical", "evalua-rule", "hostile.eval.lua"], ["major", "evalua-not_passed", "hostile.eval.lua"]]'
  first=$(json 'sorted(e["fingerprint"] for e in d)')
  evalua run hostile.eval.lua --format gitlab
  equal "$(json 'sorted(e["fingerprint"] for e in d)')" "$first"
  evalua show latest --format openmetrics
  expect 0
  equal "${lines[-1]}" "# EOF"
  prints 'evalua_score_mean{experiment="hostile <b>",scorer="exact"} 0.333333'
  [ "$(grep -c '# TYPE evalua_score_mean gauge' <<<"$output")" -eq 1 ]
}

@test "show writes every result to a file, or those that are asked for" {
  counting_suite many.eval.lua 100
  "$EVALUA" run many.eval.lua >/dev/null
  evalua show latest -o all.csv -o few.jsonl
  expect 0
  equal "$(wc -l <all.csv)" 101
  equal "$(wc -l <few.jsonl)" 100
  evalua show latest --where 'input > 90' --format csv
  equal "${#lines[@]}" 11
  evalua show latest n000001 --format html
  expect 2
  says ITEM
}

@test "an unknown ending or format is refused before anything runs" {
  small_suite
  evalua run small.eval.lua -o r.htm
  expect 2
  says ".html"
  equal "$(store_digest)" none
  evalua run small.eval.lua --format html5
  expect 2
  says html
}

@test "sql reads the views as table, csv and json" {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  evalua sql 'select item_id, status, passed, output from v_results order by position'
  expect 0
  prints "item_id" "THREE"
  evalua sql 'select number, name, ok_count, passed_count, dataset_version, null as empty from v_experiments' --format json
  equal "$(json d)" '[{"number": 1, "name": "upper", "ok_count": 3, "passed_count": 2, "dataset_version": 1, "empty": null}]'
  evalua sql 'select item_id, scorer, score from v_scores order by position' --format csv
  equal "$output" "$(printf '%s\n' item_id,scorer,score a,exact,1 b,exact,1 c,exact,0)"
  evalua sql 'select item_id from v_results order by position' --format jsonl --limit 2
  equal "$output" "$(printf '%s\n' '{"item_id":"a"}' '{"item_id":"b"}')"
  run --separate-stderr "$EVALUA" sql - --format jsonl <<<'select count(*) as n from v_results;'
  equal "$output" '{"n":3}'
  evalua sql 'select 1 as a where 1 = 0' --format json
  equal "$output" "[]"
}

@test "sql changes nothing, whatever it is asked" {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  before=$(store_digest)
  for statement in 'delete from results' 'insert into meta values (1, 2)' 'drop view v_results' \
    'update experiments set name = 1' 'create table x (y)' 'pragma journal_mode = wal' 'pragma user_version = 9' \
    "attach 'other.db' as other" 'begin' 'vacuum' "vacuum into 'copy.db'" 'select 1; delete from results' \
    "select load_extension('x')" 'with t as (select 1) delete from results'; do
    evalua sql "$statement"
    expect 2
  done
  evalua sql 'selec 1'
  expect 2
  says "syntax error"
  evalua sql ''
  expect 2
  equal "$(store_digest)" "$before"
  [ ! -e other.db ] && [ ! -e copy.db ]
}

@test "sql shows hostile values harmlessly" {
  hostile_suite
  "$EVALUA" run hostile.eval.lua >/dev/null || true
  for form in table csv json jsonl; do
    evalua sql "select item_id, output, error, char(27) || '[31m' as colour from v_results" --format $form
    expect 0
    printf '%s\n' "$output" >out.txt
    harmless_bytes out.txt
    no_commands out.txt
  done
}
