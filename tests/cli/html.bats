#!/usr/bin/env bats
# The HTML report as a browser shows it: inert, quick, readable at every width and in both colour schemes.
load helper

setup_file() {
  echo '<p>x</p>' >"$BATS_FILE_TMPDIR/try.html"
  python3 "$BATS_TEST_DIRNAME/browser.py" "$BATS_FILE_TMPDIR/try.html" >/dev/null 2>&1 ||
    touch "$BATS_FILE_TMPDIR/no-browser"
}

# browse FILE [OPTION]... [EXPRESSION]...: $output is the JSON that the browser said.
browse() {
  [ ! -e "$BATS_FILE_TMPDIR/no-browser" ] || skip "no Chromium"
  run --separate-stderr python3 "$BATS_TEST_DIRNAME/browser.py" "$@"
  echo "browser: $status $output $stderr"
  [ "$status" -eq 0 ]
}

# Two runs of 60 items with three scorers; the second is worse in places, and three of its items fail.
two_runs() {
  suite qa.eval.lua <<'LUA'
local shift = tonumber(eval.param { name = "shift", default = "0" })
local items = {}
for number = 1, 60 do
  items[number] = { id = ("ticket-%02d"):format(number), metadata = { lang = number % 2 == 0 and "de" or "en" },
    input = "Customer " .. number .. " writes: my invoice does not open since the last update.",
    ground_truth = "Open the invoice again." }
end
eval.dataset { name = "tickets", items = items }
eval.experiment { name = "answers", dataset = "tickets", slices = { "metadata.lang" }, tolerance = 3,
  target = function(_, item)
    local number = tonumber(item.id:sub(8))
    if shift > 0 and number % 20 == 0 then error("upstream overloaded") end
    return number <= shift and "Close the invoice first." or item.ground_truth
  end,
  scorers = { eval.scorers.exact, eval.scorers.levenshtein,
    eval.scorer { id = "tone", score = function(run) return { label = #run.output > 23 and "long" or "short" } end } },
  rules = { eval.rules.no_regression "exact" } }
LUA
  "$EVALUA" run qa.eval.lua >/dev/null 2>&1 || true
  "$EVALUA" accept 1 >/dev/null
  "$EVALUA" run qa.eval.lua -p shift=15 -o run.html >/dev/null 2>&1 || true
  "$EVALUA" compare 1 2 -o compare.html >/dev/null
  "$EVALUA" trend answers -o trend.html >/dev/null
}

@test "nothing that a model wrote runs, and no request leaves the page" {
  suite hostile.eval.lua <<'LUA'
local mark = "document.title = 'owned'"
local evil = "<script>" .. mark .. "</script></script><img src='http://127.0.0.1:9/x' onerror=\"" .. mark .. "\">"
  .. "<svg onload=\"" .. mark .. "\"><style>@import 'http://127.0.0.1:9/y';</style><a href='javascript:" .. mark
  .. "'>x</a> ]]> --> \27[31m \0 \255 ::error::x \u{2028}"
local named = "<script>" .. mark .. "</script><img src='http://127.0.0.1:9/x' onerror=\"" .. mark .. "\">"
eval.experiment { name = "evil " .. named, variant = named, slices = { "metadata.part" }, tolerance = 9,
  dataset = { { id = "a" .. named, input = named, ground_truth = evil:gsub("\255", ""), metadata = { part = named } },
    { id = "b", input = "b", ground_truth = "b", metadata = { part = "b" } }, { id = "c", input = 0 } },
  target = function(input)
    if input == 0 then error(evil) end
    return input == "b" and evil or input
  end,
  scorers = { eval.scorers.exact, eval.scorer { id = "label", name = named,
    score = function() return { label = named, reason = evil } end } },
  rules = { eval.rule("rule " .. named, function() return false, evil end) } }
LUA
  for _ in 1 2; do evalua run hostile.eval.lua -o run.html; done
  expect 1
  evalua compare 1 2 -o compare.html
  expect 0
  evalua trend "$(query 'select name from experiments limit 1')" -o trend.html
  expect 0
  for file in run compare trend; do
    browse $file.html 'document.querySelectorAll("tr.row").forEach(row => row.click())' 'document.title' \
      'document.querySelectorAll("img, a, svg[onload], iframe").length' \
      'document.querySelectorAll("script, style").length'
    equal "$(json 'd["requests"]')" "[]"
    equal "$(json 'd["errors"]')" "[]"
    [[ $(json 'd["values"][1]') != owned ]]
    equal "$(json 'd["values"][2:]')" "[0, 3]"
  done
}

@test "10,000 items open within a second" {
  counting_suite many.eval.lua 10000
  sed -i 's/return input \* 2/return input % 7 == 0 and "The model had much to say about it, at length." or input * 2/' \
    many.eval.lua
  evalua run many.eval.lua -o r.html
  expect 0
  browse r.html 'document.querySelectorAll("tr.row").length' 'document.querySelector("[role=status]").textContent'
  equal "$(json 'd["values"]')" '[100, "10000 items"]'
  # A second is the measure; five times that is a failure on any machine.
  equal "$(json 'd["load_ms"] < 5000')" true
}

@test "the table of items is filtered, chosen from and sorted; details show the words that differ" {
  two_runs
  browse compare.html '
    (() => {
      const status = () => document.querySelector("[role=status]").textContent;
      const first = () => document.querySelector("tr.row td").textContent;
      const seen = { open: [status(), first(), document.querySelectorAll("tr.row td")[1].textContent] };
      const select = document.querySelector("select");
      select.value = "0";
      select.dispatchEvent(new Event("change"));
      seen.all = status();
      const buttons = Array.from(document.querySelectorAll("th button"));
      buttons.find(button => button.textContent === "item").click();
      seen.up = first();
      buttons.find(button => button.textContent === "item").click();
      seen.down = first();
      seen.sorted = document.querySelector("th[aria-sort]").getAttribute("aria-sort");
      buttons.find(button => button.textContent === "item").click();
      document.querySelector("tr.row").click();
      seen.removed = Array.from(document.querySelectorAll("del"), node => node.textContent);
      seen.added = Array.from(document.querySelectorAll("ins"), node => node.textContent);
      const search = document.querySelector("input");
      search.value = "ticket-1 CLOSE";
      search.dispatchEvent(new Event("input"));
      return new Promise(done => setTimeout(() => { seen.found = status(); done(seen); }, 300));
    })()'
  equal "$(json 'd["values"][0]["open"]')" '["18 of 60 items", "ticket-20", "fails now"]'
  equal "$(json '[d["values"][0][k] for k in ("all", "up", "down", "sorted")]')" \
    '["60 items", "ticket-01", "ticket-60", "descending"]'
  equal "$(json '[d["values"][0][k] for k in ("removed", "added")]')" '[["Open", "again"], ["Close", "first"]]'
  equal "$(json 'd["values"][0]["found"]')" "6 of 60 items"
  equal "$(json 'd["errors"]')" "[]"
}

# The lowest contrast of any text with what is behind it, and the text that has it.
contrast='(() => {
  const part = value => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const parse = colour => colour.match(/[\d.]+/g).map(Number);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || node.closest("script, title")) continue;
    const style = getComputedStyle(node), is_picture = node.closest("svg");
    const ink = light(parse(is_picture ? style.fill : style.color)), ground = light(behind(node));
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (ratio < least[0]) least = [ratio, walk.currentNode.textContent];
  }
  return least;
})()'

@test "it fits 400 and 1,400 px, and its texts stand out, light and dark" {
  two_runs
  for file in run compare trend; do
    for width in 400 1400; do
      for scheme in "" --dark; do
        browse $file.html --width $width $scheme 'document.documentElement.scrollWidth' \
          'document.querySelectorAll("tr.row").forEach((row, at) => { if (at < 3) row.click() })' "$contrast"
        [ "$(json 'd["values"][0]')" -le $width ]
        equal "$(json 'd["values"][2][0] >= 4.5')" true
        equal "$(json 'd["errors"]')" "[]"
      done
    done
  done
}

@test "charts are there: distributions, labels, latency, trend and differences; tables have headers" {
  two_runs
  browse run.html 'Array.from(document.querySelectorAll("figcaption"), node => node.textContent)' \
    'document.querySelectorAll("svg.difference").length' \
    'document.querySelectorAll("figure.trend g").length' \
    'Array.from(document.querySelectorAll("table")).every(table => table.querySelector("thead th[scope=col]"))' \
    'Array.from(document.querySelectorAll("svg")).every(picture => picture.getAttribute("aria-label"))' \
    'Array.from(document.querySelectorAll("h3"), node => node.textContent).join(" ")'
  equal "$(json 'd["values"][0][:3]')" '["exact", "levenshtein", "tone"]'
  [[ $(json 'd["values"][0][3]') == latency* ]]
  equal "$(json 'd["values"][1:2] + d["values"][3:5]')" "[2, true, true]"
  equal "$(json 'd["values"][2]')" 6
  [[ $(json 'd["values"][5]') == Rules*"Against answers"*Distributions*Trend*"By metadata.lang"*Items ]]
  browse trend.html 'document.querySelectorAll("figure.trend g .interval").length' \
    'document.querySelectorAll("tbody tr").length'
  equal "$(json 'd["values"]')" "[4, 2]"
}
