local t = require "harness"
local dataset = require "evalua.dataset"
local datasets = require "evalua.datasets"
local json = require "evalua.json"
local store_context = require "evalua.store_context"
local suite = require "evalua.suite"

-- Runs a test with an empty store of its own.
local function with_store(name, action)
  t.test(name, function()
    store_context.close()
    store_context.use(assert(require("evalua.native.store").open(":memory:", { create = true })))
    action(store_context.current())
  end)
end

local function ids_of(items)
  local ids = {}
  for position, item in ipairs(items) do ids[position] = item.id end
  return ids
end

local function declare(items, name)
  local loaded = suite.load("d.eval.lua",
    { text = ("local eval = require 'evalua'\neval.dataset { name = %q, items = %s }")
    :format(name or "d", items) })
  return loaded.datasets[name or "d"]
end

with_store("a dataset is made, found by name and id, listed and deleted", function()
  local made = datasets.create { name = "tickets", description = "x", metadata = { a = 1 }, tags = { "de" } }
  t.equal(made.version, 0)
  t.equal(made.metadata, { a = 1 })
  t.equal(datasets.get("tickets").id, made.id)
  t.equal(datasets.get({ id = made.id }).name, "tickets")
  datasets.create { name = "other" }
  t.equal(#datasets.list(), 2)
  t.equal(#datasets.list { tags = { "de" } }, 1)
  t.equal(#datasets.list { name = "other" }, 1)
  datasets.delete("other")
  t.equal(#datasets.list(), 1)
end)

with_store("mistakes in names", function()
  datasets.create { name = "tickets" }
  t.raises(function() datasets.create { name = "tickets" } end, "tickets")
  t.raises(function() datasets.get("tikets") end, 'there is no dataset "tikets"; did you mean "tickets"?')
  t.raises(function() datasets.create { nam = "x" } end, 'unknown option "nam" of eval.datasets.create')
  t.raises(function() return datasets.get("tickets").versoin end,
    'unknown field "versoin" of a dataset; did you mean "version')
  t.raises(function() return datasets.api.creat end, 'did you mean "create"?')
end)

with_store("every change is one version, no change is none", function()
  local d = datasets.create { name = "d" }
  local result = d:add_items { { id = "a", input = 1 }, { id = "b", input = 2 }, message = "first" }
  t.equal({ result.version, result.changed, result.added }, { 1, true, 2 })
  t.equal(d:add_items({ { id = "a", input = 1 } }).changed, false)
  t.equal(d.version, 1)
  t.equal(d:update_item("b", { input = 3, ground_truth = "x" }).version, 2)
  t.equal(d:update_item("b", { ground_truth = json.null }).version, 3)
  t.equal(d:delete_items({ "a" }).version, 4)
  t.equal(ids_of(d:items()), { "b" })
  t.equal(ids_of(d:items { version = 1 }), { "a", "b" })
  t.equal(d:items({ version = 2 })[2].ground_truth, "x")
  t.equal(d:items()[1].ground_truth, nil)
  t.equal(#d:versions(), 4)
  t.equal(d:versions()[1].message, "first")
end)

with_store("history, differences and aliases", function()
  local d = datasets.create { name = "d" }
  d:add_items { { id = "a", input = 1 } }
  d:update_item("a", { input = 2 })
  d:add_items { { id = "b", input = 1 } }
  local history = d:history("a")
  t.equal({ history[1].valid_from, history[1].valid_to, history[1].item.input }, { 1, 2, 1 })
  t.equal({ history[2].valid_from, history[2].valid_to }, { 2, nil })
  t.equal(d:diff(1, 3), { added = { "b" }, removed = {}, changed = { "a" } })
  d:alias("stable", 1)
  t.equal(ids_of(d:items { version = "stable" }), { "a" })
  t.equal(d:diff("stable"), { added = { "b" }, removed = {}, changed = { "a" } })
  t.raises(function() d:alias("7", 1) end, "an alias is a name")
  t.raises(function() d:items { version = 99 } end, "99")
end)

with_store("pages, ids, search and where", function()
  local d = datasets.create { name = "d" }
  local list = {}
  for index = 1, 45 do
    list[index] = { id = ("i%02d"):format(index), input = "text " .. index, metadata = { even = index % 2 == 0 } }
  end
  d:add_items(list)
  t.equal(#d:items(), 45)
  t.equal(ids_of(d:items { page = 2 }), { "i41", "i42", "i43", "i44", "i45" })
  t.equal(ids_of(d:items { page = 1, per_page = 2 }), { "i03", "i04" })
  t.equal(ids_of(d:items { ids = { "i07", "i03" } }), { "i03", "i07" })
  t.equal(ids_of(d:items { search = "text 44" }), { "i44" })
  t.equal(#d:items { where = "metadata.even" }, 22)
  t.equal(#d:items { where = function(item) return item.metadata.even end, page = 1 }, 2)
end)

with_store("bad items change nothing and are all told", function()
  local d = datasets.create { name = "d" }
  local problem = t.raises(function()
    d:add_items { { id = "a", input = 1 }, { id = "b" }, { id = "a", input = 1 }, { inptu = 1 } }
  end)
  t.matches(problem, 'item 2, item "b": it has no input')
  t.matches(problem, 'the id "a" is also that of item 1')
  t.matches(problem, 'unknown field "inptu" of item; did you mean "input"?')
  t.equal(d.version, 0)
  t.raises(function() d:update_item("zz", { input = 1 }) end, 'dataset "d" has no item "zz"')
  t.raises(function() d:delete_items { "zz" } end, "zz")
  t.raises(function() d:add_items { { input = 1 }, nil, { input = 2 } } end, "element 2 is nil")
  t.raises(function() d:merge_records {} end, "not available yet")
end)

with_store("a CSV file is imported as one version", function()
  local path = t.write_file(t.temp_path("a.csv"), "key,text,team\na,hello,x\nb,world,y\n")
  local d = datasets.create { name = "d" }
  local mapping = { id = "key", input = "text", ground_truth = "team" }
  t.equal(d:import_csv(path, mapping).added, 2)
  t.equal(d:items()[2].ground_truth, "y")
  t.equal(d:import_csv(path, mapping).changed, false)
end)

with_store("tags", function()
  local d = datasets.create { name = "d" }
  d:set_tags { "a", "b" }
  t.equal(datasets.get("d").tags, { "a", "b" })
end)

with_store("a declared dataset brings the store in line: one version, or none", function(store)
  local result = dataset.sync(store, declare "{ { id = 'a', input = 1 }, { id = 'b', input = 2 } }")
  t.equal({ result.version, result.changed, result.item_count }, { 1, true, 2 })
  t.equal(dataset.sync(store, declare "{ { id = 'a', input = 1 }, { id = 'b', input = 2 } }").changed, false)
  result = dataset.sync(store, declare "{ { id = 'c', input = 1 }, { id = 'b', input = 3 } }")
  t.equal({ result.version, result.added, result.updated, result.removed }, { 2, 1, 1, 1 })
  t.equal(ids_of(datasets.get("d"):items()), { "c", "b" })
end)

with_store("equal inputs without ids are told apart and counted", function(store)
  local result = dataset.sync(store, declare "{ { input = 'x' }, { input = 'y' }, { input = 'x' } }")
  t.equal({ result.item_count, result.duplicates }, { 3, 1 })
  local ids = ids_of(datasets.get("d"):items())
  t.equal(ids[3], ids[1] .. "~2")
end)

with_store("a declared dataset with a mistake leaves no trace", function(store)
  local problem = t.raises(function()
    dataset.sync(store, declare "{ { id = 'a', input = 1 }, { id = 'a', input = 2 }, { id = 'c' } }")
  end, 'd.eval.lua:2: items[2]: the id "a" is also that of the item at d.eval.lua:2: items[1]')
  t.equal(problem.exit, 2)
  t.matches(problem.message, 'd.eval.lua:2: items[3], item "c": it has no input')
  t.equal(#datasets.list(), 0)
  t.raises(function() dataset.sync(store, declare "{}") end, 'd.eval.lua:2: dataset "d" has no items')
  t.equal(#datasets.list(), 0)
end)

with_store("a mistake far down leaves a known dataset as it was", function(store)
  dataset.sync(store, declare "{ { id = 'a', input = 1 } }")
  local generated = "function() local n = 0 return function() n = n + 1 if n > 5000 then return nil end "
    .. "return { id = n == 4000 and 7 or n, input = n > 4500 and 'x' or n } end end"
  local problem = t.raises(function() dataset.sync(store, declare(generated)) end, 'the id "7"')
  t.equal(problem.exit, 2)
  t.equal(datasets.get("d").version, 1)
  t.equal(ids_of(datasets.get("d"):items()), { "a" })
end)

with_store("a dataset belongs to the suite that filled it", function(store)
  dataset.sync(store, declare "{ { id = 'a', input = 1 } }")
  datasets.create({ name = "imported" }):add_items { { id = "a", input = 1 } }
  t.equal(dataset.sync(store, declare("{ { id = 'a', input = 1 } }", "imported")).changed, false)
  local problem = t.raises(function() dataset.sync(store, declare("{ { id = 'a', input = 2 } }", "imported")) end,
    'd.eval.lua:2: dataset "imported" was not made by a suite')
  t.equal(problem.exit, 2)
  local owner = t.write_file(t.temp_path("owner.eval.lua"), "")
  store:dataset_update(datasets.get("d").id, { owner = owner })
  t.raises(function() dataset.sync(store, declare "{ { id = 'a', input = 2 } }") end, "belongs to the suite " .. owner)
  os.remove(owner)
  t.equal(dataset.sync(store, declare "{ { id = 'a', input = 2 } }").version, 2)
end)

with_store("names of datasets that are only referred to", function(store)
  dataset.sync(store, declare "{ { id = 'a', input = 1 } }")
  t.equal(dataset.require(store, "d").name, "d")
  local problem = t.raises(function() dataset.require(store, "tikets", { "tickets" }, "x.lua:3") end,
    'x.lua:3: there is no dataset "tikets"; did you mean "tickets"?')
  t.equal(problem.exit, 2)
  local record = dataset.require(store, "d")
  t.equal(dataset.version_number(store, record, nil), 1)
  t.equal(dataset.version_number(store, record, 1), 1)
  t.raises(function() dataset.version_number(store, record, 5) end, "5")
  t.raises(function() dataset.version_number(store, record, "stable") end, "stable")
end)

store_context.close()
