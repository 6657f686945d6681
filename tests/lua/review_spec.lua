-- Reviews and score sets without a terminal: what answers mean, round trips through CSV, agreement, the store's part.

local t = require "harness"
local agreement = require "evalua.review.agreement"
local answers = require "evalua.review.answers"
local json = require "evalua.json"
local native = require "evalua.native.store"
local queue = require "evalua.review.queue"
local ref = require "evalua.cli.ref"
local score_sets = require "evalua.score_sets"
local session = require "evalua.review.session"
local sheet = require "evalua.review.sheet"

-- A run over `count` items i1, i2 ... whose outputs equal their inputs.
local function run_of(count)
  local store = assert(native.open(":memory:", { create = true }))
  local data = assert(store:dataset_create { name = "d" })
  local sync = assert(store:sync_begin(data.id, {}))
  for number = 1, count do
    assert(sync:put({ item_id = "i" .. number, input = tostring(number), output = tostring(number) }, "spec"))
  end
  assert(sync:finish())
  local suite = t.write_file(t.temp_path("x.eval.lua"), [[
local eval = require "evalua"
eval.experiment { name = "x", dataset = "d", scorers = { function(run) return run.input % 2 end } }]])
  local loaded = require("evalua.suite").load(suite)
  local summary = require("evalua.runner").run(loaded.experiments[1], { store = store })
  os.remove(suite)
  return store, assert(store:experiment(summary.experiment_id))
end

local function walk(store, record, name, choices)
  local reviews, given = queue.state(store, record.id, answers.scorer_id(name))
  return session.start { store = store, run_id = record.id, name = name, choices = choices or {},
    entries = queue.select(store, record, {}, { reviews = reviews, answers = given }), reviews = reviews,
    answers = given }
end

t.test("what answers are worth", function()
  t.equal(answers.accept {}, { status = "ok", score = 1, passed = true })
  t.equal(answers.reject { low = 1, high = 5 }, { status = "ok", score = 1, passed = false })
  t.equal(answers.accept { labels = { "good", "bad" } }, { status = "ok", label = "good", passed = true, score = 1 })
  t.equal(answers.label({ labels = { "a", "b", "c" } }, "b"), { status = "ok", label = "b" })
  t.equal(answers.digit({ low = 1, high = 5 }, 4), { status = "ok", score = 4 })
  t.equal(select(2, answers.digit({}, 4)) ~= nil, true)
  t.equal(select(2, answers.score({}, "inf")) ~= nil, true)
  t.equal(answers.score({}, "0x1"), { status = "ok", score = 1 })
end)

t.test("the store refuses what people say under another name, and over a machine's score", function()
  local store <close>, record = run_of(1)
  local row = { position = 1, item_id = "i1", trial = 1, scorer_id = "scorer_1", status = "ok", score = 1 }
  local done, message, code = store:answer_put(record.id, row)
  t.equal({ done, code }, { nil, "argument" })
  t.matches(message, "human/NAME")
  row.scorer_id = "human/ann"
  t.ok(store:answer_put(record.id, row))
  t.equal(store:answers(record.id, "human/ann", "")[1].score, 1.0)
  t.equal(store:answers(record.id, "scorer_1", "")[1].score, 1.0)
end)

t.test("undo brings every state back", function()
  local store <close>, record = run_of(4)
  local function dump()
    return json.encode { store:answers(record.id, "human/ann", ""), store:reviews(record.id) }
  end
  local made = walk(store, record, "ann")
  local states = {}
  local commands = { { "accept", "why" }, { "tag", "hard" }, { "reject" }, { "comment", "hm" }, { "score", "0.5 x" },
    { "skip" }, { "back" }, { "complete" } }
  for index, command in ipairs(commands) do
    states[index] = dump()
    t.ok(made:apply(command[1], command[2]))
  end
  for index = #commands, 1, -1 do
    if commands[index][1] ~= "back" then
      t.ok(made:apply "undo")
      t.equal(dump(), states[index])
    end
  end
  t.equal(made:apply "undo", nil)
  t.equal(made.given, 0)
end)

t.test("a sheet comes back as it went out, for any text", function()
  local store <close>, record = run_of(40)
  local pieces = { "=", "'", "+1", "-2", "@x", "\t", "\r\n", "\n", '"', ",", ";", " ", "ü", "＝", "x", "1", "''" }
  math.randomseed(7)
  local made = walk(store, record, "ann")
  while made:entry() do
    local comment = {}
    for index = 1, math.random(1, 6) do comment[index] = pieces[math.random(#pieces)] end
    made:apply("accept", nil)
    local row = store:answers(record.id, "human/ann", "")[made.at - 1]
    row.reason, row.score = table.concat(comment), math.random() - 0.5
    t.ok(store:answer_put(record.id, row))
  end
  local before = json.encode(store:answers(record.id, "human/ann", ""))
  local path, out = t.temp_path("sheet.csv"), {}
  local reviews = queue.state(store, record.id, "human/ann")
  sheet.export(function(piece) out[#out + 1] = piece end, store, record,
    { name = "ann", entries = made.entries, reviews = reviews })
  t.write_file(path, table.concat(out))
  local reader = assert(require("evalua.native.csv").open(path))
  for cells in function() return (reader:next()) end do
    for _, cell in ipairs(cells) do t.ok(tonumber(cell) or not cell:find("^%s*[=+@-]"), cell) end
  end
  for position = 1, 40 do t.ok(store:answer_remove(record.id, position, "human/ann")) end
  local found = sheet.read(store, record.id, path, { name = "ann", choices = {} })
  t.equal(#found, 40)
  local _, none = queue.state(store, record.id, "human/ann")
  t.equal({ sheet.import(store, record.id, found, { name = "ann", choices = {}, reviews = reviews, answers = none }) },
    { 40, 0 })
  t.equal(json.encode(store:answers(record.id, "human/ann", "")), before)
  os.remove(path)
end)

t.test("agreement: what both said is compared, in the same terms", function()
  local function rater(key, rows) return { key = key, rows = rows } end
  local a = rater("a", { { passed = true, label = "x" }, { passed = false, label = "y" }, { passed = true } })
  local b = rater("b", { { passed = true, score = 0.9 }, { passed = true, score = 0.2 }, [7] = { passed = true } })
  local pair = agreement.pair(a, b)
  t.equal({ pair.n, pair.basis, pair.same, pair.agreement }, { 2, "passed", 1, 0.5 })
  local labels = agreement.pair(rater("a", { { label = "x" }, { label = "y" } }),
    rater("b", { { label = "x", score = 1 }, { label = "z", score = 0 } }))
  t.equal({ labels.basis, labels.same }, { "label", 1 })
  local scores = agreement.pair(rater("a", { { score = 1 }, { score = 3 }, { score = 5 }, { score = 2 } }),
    rater("b", { { score = 1.0 }, { score = 4 }, { score = 5 }, { score = 2 } }))
  t.equal({ scores.basis, scores.same, scores.weights }, { "score", 3, "quadratic" })
  t.ok(scores.kappa > 0.9)
  t.near(scores.spearman, 1, 1e-12)
  t.equal(agreement.pair(a, rater("c", {})).n, 0)
  local apart = agreement.pair(rater("a", { { label = "x" } }), rater("b", { { score = 1 } }))
  t.equal({ apart.n, apart.basis }, { 1, nil })
end)

t.test("REF@SET is taken apart, and names with an @ stay names", function()
  t.equal({ score_sets.split "12@rescored" }, { "12", "rescored" })
  t.equal({ score_sets.split "qa[m=a@b]@x-1.2" }, { "qa[m=a@b]", "x-1.2" })
  t.equal(score_sets.split "qa[m=a@b]", nil)
  t.equal(score_sets.split "12@", nil)
  t.equal(score_sets.is_name "attempt 1", false)
  local store <close>, record = run_of(2)
  local problem = t.raises(function() ref.resolve(store, "1@none", { sets = true }) end, "no score set none")
  t.equal(problem.exit, 2)
  t.ok(store:score_set_create(record.id, { name = "s", scorers = "[]", total = 2 }))
  local of_set = ref.resolve(store, "1@s", { sets = true })
  t.equal({ of_set.id, of_set.run_id, of_set.score_set }, { record.id .. "@s", record.id, "s" })
  t.equal(select(3, store:score_set_create(record.id, { name = "s", scorers = "[]", total = 2 })), "exists")
  t.equal(store:job_count(of_set.id, "unscored"), 2)
  t.equal(select(3, store:job_count(record.id, "unscored")), "argument")
end)
