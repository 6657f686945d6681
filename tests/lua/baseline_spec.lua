-- Baseline files: what accept writes is read back, pairs with runs of any store, and is refused where it is damaged.

local baseline = require "evalua.baseline"
local baseline_store = require "evalua.baseline_store"
local compare = require "evalua.compare"
local json = require "evalua.json"
local native = require "evalua.native.store"
local run_sheet = require "evalua.run_sheet"
local summary = require "evalua.summary"
local sys = require "evalua.native.sys"
local t = require "harness"
local trend = require "evalua.report.trend"

local directory = (os.getenv "TMPDIR" or "/tmp") .. ("/evalua-baseline-spec-%d"):format(sys.pid())
sys.mkdir(directory)
local count = 0

local function path_of(text)
  count = count + 1
  local path = ("%s/%d.baseline.json"):format(directory, count)
  if text then assert(sys.write_file(path, text)) end
  return path
end

-- An entry of a file: rows are { id, score | "error" | "timeout", digest? }.
local function entry(rows, fields)
  local list = json.array {}
  for position, row in ipairs(rows) do
    local score = type(row[2]) == "number" and row[2] or nil
    list[position] = { id = row[1], digest = row[3] or "d" .. row[1], status = score and "ok" or row[2],
      scores = { exact = score } }
    if score then list[position].passed = score >= 0.5 end
  end
  local made = { dataset = { name = "tickets", version = 1, digest = "one" }, target = { id = "target" },
    scorers = json.array { { id = "exact", higher_is_better = true, pass = 0.5, digest = "s" } },
    sheet = assert(run_sheet.of_list(list)) }
  for key, value in pairs(fields or {}) do made[key] = value end
  return made
end

local function record(rows, fields)
  local path = path_of(baseline.text("qa", { entry(rows, fields) }))
  return baseline_store.add(baseline.resolve(path))
end

t.test("what is written is read back", function()
  local rows = { { "a", 1 }, { "b", 0.25 }, { "c", "timeout" } }
  local path = path_of(baseline.text("qa", { entry(rows, { variant = "z" }), entry(rows) }))
  local file = baseline.read(path)
  t.equal(file.experiment, "qa")
  t.equal(baseline.variant_names(file), { "(without a variant)", "z" })
  local found = baseline.entry(file, "z")
  t.equal(found.sheet.by_id.b, { id = "b", digest = "db", status = "ok", passed = false, scores = { exact = 0.25 } })
  t.equal(found.sheet.by_id.c.status, "timeout")
  t.equal(found.sheet.order[1].id, "a")
  t.equal(baseline.text("qa", { found }), baseline.text("qa", { found }), "the same text each time")
  t.raises(function() baseline.resolve(path .. "[y]") end, "no variant y; it has %(without a variant%), z")
  t.equal(baseline.resolve(path .. "[z]").variant, "z")
  t.equal(baseline.resolve(path).variant, nil)
end)

t.test("one line an item", function()
  local text = baseline.text("qa", { entry { { "a", 1 }, { "b", 0.1 } } })
  t.matches(text, '\n{"id":"a","digest":"da","passed":true,"scores":{"exact":1}},\n')
  t.matches(text, '\n{"id":"b","digest":"db","passed":false,"scores":{"exact":0.1}}\n')
end)

t.test("damaged files are refused, each with its own message", function()
  local good = baseline.text("qa", { entry { { "a", 1 }, { "b", 0 } } })
  local function refused(text, pattern)
    t.raises(function() baseline.read(path_of(text)) end, pattern)
  end
  refused(good:sub(1, 200), "truncated or damaged")
  refused("[]", "no baseline")
  refused("null", "no baseline")
  refused("x", "not JSON")
  refused(good:gsub('"version":1,\n', '"version":7,\n', 1) .. "", "format version 7, and this evalua reads up to 1")
  refused(good:gsub('"version":1,\n', "", 1) .. "", "no proper format version")
  refused(good:gsub('"id":"b"', '"id":"a"') .. "", 'has the item "a" twice')
  refused(good:gsub('{"id":"a"[^\n]*\n', "") .. "", "says that it has 2 items and has 1")
  refused(good:gsub('"passed":true', '"passed":1') .. "", "passed must be true or false")
  refused(good:gsub('"exact":1}', '"exact":null}') .. "", "must be a number")
  refused(good:gsub('"variants":%[.*', '"variants":[]}') .. "", "has no variant")
  t.raises(function() baseline.read(directory) end, "it is a directory")
  t.raises(function() baseline.read(directory .. "/none.json") end, "no such baseline file")
end)

t.test("names of files", function()
  t.equal(baseline.file_name "triage", "triage.baseline.json")
  t.equal(baseline.file_name "a b/c", "a-b-c.baseline.json")
  t.ok(baseline.is_file_name "x.json")
  t.ok(baseline.is_file_name "x.json[prompt=short]")
  t.ok(not baseline.is_file_name "qa[file=x.json]x")
  t.ok(not baseline.is_file_name "latest~2")
end)

t.test("two files are compared on the items that both have alike", function()
  local before = record { { "a", 1 }, { "b", 1 }, { "c", 1, "old" }, { "gone", 1 }, { "s", "skipped" }, { "e", 1 } }
  local after = record({ { "a", 0 }, { "b", 1 }, { "c", 0, "new" }, { "new", 1 }, { "s", 1 }, { "e", "error" } },
    { dataset = { name = "tickets", version = 1, digest = "two" } })
  local c = compare.pair(baseline_store.over(nil), before, after)
  t.equal(c.items, { paired = 4, changed = { "c" }, only_baseline = { "gone" }, only_candidate = { "new", "s" } })
  t.equal({ c.scorers.exact.n, c.scorers.exact.regressed }, { 2, 1 })
  t.equal(c.new_failures, { { item_id = "a", status = "not passed" }, { item_id = "e", status = "error" } })
  t.equal(c.version_mismatch.added, { "new", "s" })
  local text = table.concat(c.warnings, "\n")
  t.matches(text, "is stale: it holds tickets version 1 %(one%), the run tickets version 1 %(two%)")
  t.matches(text, "compared on the 3 items that both have alike")
  local same = compare.pair(baseline_store.over(nil), before, before)
  t.equal({ same.verdict, same.version_mismatch, #same.warnings }, { "no_worse", nil, 0 })
end)

t.test("a summary can be made of a file", function()
  local found = record({ { "a", 1 }, { "b", 0 }, { "c", "timeout" } }, { latency_ms = { mean = 3, p50 = 2 } })
  local built = summary.build(baseline_store.over(nil), found)
  t.equal({ built.total_items, built.succeeded_count, built.failed_count, built.passed_count }, { 3, 2, 1, 1 })
  t.equal({ built.scorers.exact.mean, built.scorers.exact.n_failed, built.scorers.exact.passed }, { 0.5, 1, 1 })
  t.equal(built.latency_ms.p50, 2)
  local rows = baseline_store.over(nil):results(found.id, { failed = true })
  t.equal({ #rows, rows[1].item_id, rows[2].status }, { 2, "b", "timeout" })
end)

t.test("other runs are asked of the real store", function()
  local real <close> = assert(native.open(":memory:", { create = true }))
  local over = baseline_store.over(real)
  local value, _, code = over:experiment "no such run"
  t.equal({ value, code }, { nil, "not_found" })
  t.equal(#over:experiments {}, 0)
  t.equal(over:experiment_accepted("qa", nil), nil)
  t.raises(function() baseline_store.over(nil):experiments {} end, "there is no store here")
end)

t.test("the store remembers what was accepted last", function()
  local store <close> = assert(native.open(":memory:", { create = true }))
  local first = assert(store:experiment_create { name = "qa" })
  local second = assert(store:experiment_create { name = "qa" })
  local other = assert(store:experiment_create { name = "qa", variant = "v" })
  assert(store:experiment_update(second.id, { accepted_at = "2026-01-01T00:00:00.000Z" }))
  t.equal(store:experiment_accepted("qa").number, second.number)
  assert(store:experiment_update(first.id, { accepted_at = "2026-01-02T00:00:00.000Z" }))
  assert(store:experiment_update(other.id, { accepted_at = "2026-01-03T00:00:00.000Z" }))
  t.equal(store:experiment_accepted("qa").number, first.number)
  t.equal(store:experiment_accepted("qa", "v").number, other.number)
  t.equal(store:experiment_accepted("other"), nil)
end)

t.test("sparklines", function()
  t.equal(trend.sparkline { 0, 0.5, 1 }, "▁▅█")
  t.equal(trend.sparkline { 0.3, 0.3 }, "▄▄")
  t.equal(trend.sparkline { 1, false, 2 }, "▁·█")
  t.equal(trend.sparkline {}, "")
end)
