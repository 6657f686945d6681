-- The store's binding: records in and out, errors as nil, message, code, and what closing does.

local t = require "harness"
local json = require "evalua.json"
local native = require "evalua.native.store"

local function open() return assert(native.open(":memory:", { create = true })) end

local function packed(id, input, ground_truth)
  return { item_id = id, input = json.encode(input), ground_truth = ground_truth and json.encode(ground_truth) }
end

local function sync(store, dataset, items)
  local running = assert(store:sync_begin(dataset.id, { message = "test" }))
  for position, item in ipairs(items) do assert(running:put(item, "spec:" .. position)) end
  return assert(running:finish())
end

local function ids_of(list)
  local ids = {}
  for position, item in ipairs(list) do ids[position] = item.item_id end
  return table.concat(ids, " ")
end

local function code_of(value, message, code)
  t.equal(value, nil)
  t.equal(type(message), "string")
  return code, message
end

t.test("opening says what is wrong", function()
  t.equal(code_of(native.open("/nowhere/at/all/a.db", { create = true })), "not_found")
  t.equal(code_of(native.open("/nowhere.db", {})), "not_found")
  t.equal(code_of(native.open("/", { create = true })), "argument")
  t.raises(function() native.open(":memory:", { create = "yes" }) end, "must be a boolean")
end)

t.test("the schema is at hand", function()
  t.ok(native.schema_sql():find("CREATE TABLE results", 1, true))
end)

t.test("a closed store says so", function()
  local store = open()
  t.equal(store:path(), ":memory:")
  store:close()
  store:close()
  t.raises(function() store:datasets() end, "the store is closed")
  t.equal(tostring(store), "store (closed)")
end)

t.test("dataset records", function()
  local store <close> = open()
  local made = assert(store:dataset_create { name = "tickets", tags = '["a"]', owner = "x.eval.lua" })
  t.equal(made.version, 0)
  t.equal(made.item_count, 0)
  t.equal(#made.digest, 64)
  t.equal(store:dataset("tickets").id, made.id)
  t.equal(store:dataset_by_id(made.id).owner, "x.eval.lua")
  t.equal(#store:datasets(), 1)
  t.equal(code_of(store:dataset("none")), "not_found")
  t.equal(code_of(store:dataset_create { name = "tickets" }), "exists")
  t.raises(function() store:dataset_create { name = "y", nmae = "x" } end, "unknown field 'nmae'")
  t.raises(function() store:dataset_create { name = 5 } end, "must be a string")
  local changed = assert(store:dataset_update(made.id, { tags = json.null, description = "about" }))
  t.equal(changed.tags, nil)
  t.equal(changed.description, "about")
  t.equal(changed.version, 0)
  t.equal(store:dataset_delete(made.id), true)
  t.equal(#store:datasets(), 0)
end)

t.test("items keep every field, and can be put back as they were read", function()
  local store <close> = open()
  local dataset = assert(store:dataset_create { name = "d" })
  local full = packed("a", { q = 1 }, "x")
  for _, field in ipairs { "context", "expected_trajectory", "steps", "output", "metadata", "tags", "scorers", "expect",
    "tool_mocks", "source" } do
    full[field] = json.encode { of = field }
  end
  local change = sync(store, dataset, { full, packed("b", false) })
  t.equal({ change.version, change.added, change.item_count }, { 1, 2, 2 })
  local items = assert(store:items(dataset.id, 1))
  t.equal(ids_of(items), "a b")
  for field, value in pairs(full) do t.equal(items[1][field], value) end
  t.equal(items[2].input, "false")
  t.equal(sync(store, dataset, items).changed, false)
  t.raises(function() store:sync_begin(dataset.id, {}):put({ item_id = "a", inptu = "1" }, "here") end, "inptu")
end)

t.test("reading by page, ids and search", function()
  local store <close> = open()
  local dataset = assert(store:dataset_create { name = "d" })
  sync(store, dataset, { packed("a", "Apple"), packed("b", "pear", "APPLE"), packed("c", "plum") })
  sync(store, dataset, { packed("c", "plum"), packed("a", "Apple") })
  for _, case in ipairs { { 1, "a b c" }, { 2, "c a" }, { nil, "c a" } } do
    t.equal(ids_of(store:items(dataset.id, case[1])), case[2])
  end
  local page = store:items(dataset.id, 1, { limit = 2 })
  t.equal(ids_of(page), "a b")
  t.equal(ids_of(store:items(dataset.id, 1, { limit = 2, after = page[2].position })), "c")
  t.equal(ids_of(store:items(dataset.id, 1, { search = "apple" })), "a b")
  t.equal(ids_of(store:items(dataset.id, 2, { ids = { "a", "zz", "c" } })), "c a")
  t.equal(code_of(store:items(dataset.id, 3)), "not_found")
  t.equal(store:item_count(dataset.id, 1), 3)
  t.equal(store:item_count(dataset.id), 2)
end)

t.test("a failed put ends the sync and changes nothing", function()
  local store <close> = open()
  local dataset = assert(store:dataset_create { name = "d" })
  local running = assert(store:sync_begin(dataset.id))
  assert(running:put(packed("a", 1), "f:1"))
  local code, message = code_of(running:put(packed("a", 2), "f:7"))
  t.equal(code, "exists")
  t.ok(message:find("f:1", 1, true) and message:find("f:7", 1, true), message)
  t.raises(function() running:finish() end, "has ended")
  running:abort()
  t.equal(store:dataset("d").version, 0)
  t.equal(#sync(store, dataset, {}).digest, 64)
  local left = assert(store:sync_begin(dataset.id))
  assert(left:put(packed("b", 1)))
  store:close() -- ends the sync too
  left:abort()
end)

t.test("single changes", function()
  local store <close> = open()
  local dataset = assert(store:dataset_create { name = "d" })
  local change = assert(store:change_items(dataset.id, { put = { packed("a", 1), packed("b", 2) }, message = "two" }))
  t.equal({ change.version, change.added }, { 1, 2 })
  change = assert(store:change_items(dataset.id, { put = { packed("a", 3) }, delete = { "b" } }))
  t.equal({ change.version, change.updated, change.removed, change.item_count }, { 2, 1, 1, 1 })
  t.equal(code_of(store:change_items(dataset.id, { delete = { "b" }, must_exist = true })), "not_found")
  t.equal(assert(store:change_items(dataset.id, {})).changed, false)
  t.equal(store:diff(dataset.id, 1, 2), { added = {}, removed = { "b" }, changed = { "a" } })
  local history = assert(store:item_history(dataset.id, "a"))
  t.equal({ #history, history[1].valid_to, history[2].valid_from, history[2].valid_to }, { 2, 2, 2 })
  t.equal(code_of(store:item_history(dataset.id, "never")), "not_found")
  local versions = assert(store:versions(dataset.id))
  t.equal({ #versions, versions[1].message, versions[2].removed }, { 2, "two", 1 })
end)

t.test("versions by number and alias", function()
  local store <close> = open()
  local dataset = assert(store:dataset_create { name = "d" })
  sync(store, dataset, { packed("a", 1) })
  t.equal(store:alias_set(dataset.id, "stable", 1), true)
  t.equal(store:version_get(dataset.id, "stable").version, 1)
  t.equal(store:version_get(dataset.id, "latest").item_count, 1)
  t.equal(store:version_get(dataset.id, 0).item_count, 0)
  t.equal(#store:version_get(dataset.id, 1).digest, 64)
  t.equal(store:aliases(dataset.id)[1].name, "stable")
  t.equal(code_of(store:version_get(dataset.id, 2)), "not_found")
  t.equal(code_of(store:version_get(dataset.id, "other")), "not_found")
  t.equal(code_of(store:alias_set(dataset.id, "7", 1)), "argument")
end)

t.test("experiments and their selection", function()
  local store <close> = open()
  local dataset = assert(store:dataset_create { name = "d" })
  sync(store, dataset, { packed("a", 1), packed("b", 2), packed("c", 3) })
  local run = assert(store:experiment_create { name = "qa", variant = "x", seed = 42, options = "{}" })
  t.equal(run.number, 1)
  t.equal(store:experiment(run.id).seed, 42)
  t.equal(store:experiment_by_number(1).status, "interrupted")
  t.equal(store:lock(1), true)
  t.equal(store:experiment_by_number(1).status, "running")
  t.equal(#store:experiments { status = "running" }, 1)
  t.equal(#store:experiments { status = "completed" }, 0)
  t.equal(store:experiments_by_prefix(run.id:sub(1, 13))[1].id, run.id)
  t.equal(store:selection_fill(run.id, dataset.id, 1, { trials = 2, limit = 2 }), 4)
  local few = assert(store:experiment_create { name = "qa" })
  t.equal(store:selection_fill(few.id, dataset.id, 1, { ids = { "c", "a" } }), 2)
  local code, message = code_of(store:selection_fill(few.id, dataset.id, 1, { ids = { "c", "zz" } }))
  t.equal(code, "not_found")
  t.ok(message:find('"zz"', 1, true))
  t.equal(store:experiment_finish(run.id, { status = "completed", verdict = "pass", summary = "{}" }), true)
  t.equal(store:experiment(run.id).verdict, "pass")
  t.raises(function() store:experiment_update(run.id, { name = "y" }) end, "cannot be changed")
  t.equal(code_of(store:experiment("none")), "not_found")
  t.equal(store:status_counts(run.id).total, 0)
  t.equal(#store:results(run.id), 0)
  t.equal(store:usage(run.id), nil)
end)

t.test("transactions", function()
  local store <close> = open()
  t.equal(store:begin(), true)
  t.equal(store:in_transaction(), true)
  t.equal(code_of(store:begin()), "state")
  assert(store:dataset_create { name = "d" })
  store:rollback()
  t.equal(#store:datasets(), 0)
end)
