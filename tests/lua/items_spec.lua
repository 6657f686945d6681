-- The reader of JSONL files: what it packs itself is what item.check makes of the same values, and everything else is
-- left to item.check; datasets come out the same whichever way a line goes.

local t = require "harness"
local dataset = require "evalua.dataset"
local item = require "evalua.item"
local json = require "evalua.json"
local native = require "evalua.native.items"
local suite = require "evalua.suite"

local function file(text) return t.write_file(t.temp_path("items.jsonl"), text) end
local function open(text) return assert(native.open(file(text))) end

local LINES = {
  '{"id":"a","input":"x","ground_truth":null,"metadata":{"b":[1,1.0,-0.0],"a":{}},"tags":["t"]}',
  '{"input":{"z":1e2,"a":[]}}', '{"id":"a","input":null}', '{"id":7,"input":1}', '{"id":"\\u0061","input":1}',
  '{"id":null,"input":1}', '{"id":"","input":1}', '{"id":"a\\u0000","input":1}', '{"id":"a"}', '{}', '[]', '1', '{',
  '{"id":"a\127","input":1}', '{"id":"\195\164","input":"\240\159\152\128"}',
  '{"id":"' .. ("x"):rep(1000) .. '","input":1}',
  '{"id":"' .. ("x"):rep(1001) .. '","input":1}', '{"input":1,"inptu":2}', '{"input":1,"tags":3}',
  '{"input":1,"tags":{}}',
  '{"input":1,"scorers":["a",{"id":"b"}]}', '{"input":1,"expect":[{"contains":"refund"}]}',
  '{"input":1,"expect":[{"contians":"refund"}]}', '{"input":1,"input":2}', '{"input":"\255"}',
  '{"input":1,"source":{"type":"csv"},"output":"\\ud83d\\ude00 \\u00e9","context":9007199254740993}',
  '{"input":1,"metadata":[1]}', '{"input":1,"metadata":[]}', '{"input":1,"metadata":"x"}',
  '{"input":1,"metadata":null,"tags":null,"steps":[],"tool_mocks":{"a":1},"expected_trajectory":[1]}',
}

t.test("a packed line is what its values pack to", function()
  local by_reader = 0
  for _, line in ipairs(LINES) do
    local found, where = open(line .. "\n"):next(true)
    t.ok(where:find("items.jsonl:1$"), where)
    if type(found) == "table" then
      by_reader = by_reader + 1
      t.identical(item.check(found), (item.check(assert(json.decode(line)))), line)
    else
      t.equal(found, line .. "\n")
    end
  end
  t.equal(by_reader, 6, "packed by the reader")
end)

t.test("blank lines, a byte order mark, a last line without an end, and the end again and again", function()
  local reader = open('\239\187\191{"input":1}\r\n\n \t\r\n{"input":2}\n\v\f\n{"input":3}')
  local wheres = {}
  for found, where in function() return reader:next(true) end do
    t.equal(found.input, tostring(#wheres + 1))
    wheres[#wheres + 1] = where:match(":(%d+)$")
  end
  t.equal(wheres, { "1", "4", "6" })
  t.equal(reader:next(true), nil)
  t.equal(open(""):next(), nil)
end)

t.test("without packing, lines come as they are", function()
  local reader = open('{"input":1}\n{"input":2}\n')
  t.equal(reader:next(), '{"input":1}\n')
  t.equal(reader:next(false), '{"input":2}\n')
end)

t.test("what cannot be read says so", function()
  local reader, message = native.open("/nowhere/at/all.jsonl")
  t.equal(reader, nil)
  t.matches(message, "/nowhere/at/all.jsonl: No such file")
  reader = assert(native.open("/"))
  local found, problem = reader:next(true)
  t.equal(found, nil)
  t.matches(problem, "/: Is a directory")
end)

t.test("the first lines are checked and read again", function()
  local good = open('{"id":"a","input":1}\n{"input":1}\n{"input":1}\n')
  t.equal(good:check(100, 1e6 // 1), 3)
  t.equal(good:next(true).item_id, "a")
  t.equal(open('{"input":1}\n{"input":2}\n'):check(1, 1000), 1)
  t.equal(open(""):check(10, 10), 0)
  for _, text in ipairs { '{"id":"a","input":1}\n{"id":"a","input":2}\n', '{"input":1,"tags":["x"]}\n', "{\n" } do
    local reader = open(text)
    t.equal(reader:check(100, 1000), nil, text)
    t.ok(reader:next(true), text)
  end
end)

-- More lines than are looked at in advance, some of each kind.
local function many_lines(count)
  local lines = {}
  for index = 1, count do
    local more = index % 97 == 0 and ',"tags":["t"]' or index % 89 == 0 and ',"metadata":{"n":1.0}' or ""
    local id = index % 83 == 0 and "" or ('"id":"item-%d",'):format(index)
    lines[index] = ('{%s"input":"question %d"%s}'):format(id, index % 83 == 0 and 0 or index, more)
  end
  return lines
end

local function sync(source)
  local store = assert(require("evalua.native.store").open(":memory:", { create = true }))
  local declared = suite.load("d.eval.lua", { text = ("local eval = require 'evalua'\neval.dataset { name = 'd', %s }")
    :format(source) }).datasets.d
  return store, declared, function() return dataset.sync(store, declared) end
end

t.test("a dataset of a file is the one of the same items in a table", function()
  local lines = many_lines(3500)
  local path = file(table.concat(lines, "\n"))
  local store, _, put = sync(("items = eval.jsonl(%q)"):format(path))
  local from_file = put()
  local _, _, put_values = sync(("items = function() local list = {} for line in io.lines(%q) do "
    .. "list[#list + 1] = require('evalua.json').decode(line) end return list end"):format(path))
  local from_values = put_values()
  t.equal({ from_file.added, from_file.item_count, from_file.version }, { 3500, 3500, 1 })
  t.equal(from_file.digest, from_values.digest)
  t.equal(from_file.duplicates, from_values.duplicates)
  t.equal(put().changed, false, "again")
  local ids = {}
  for packed in dataset.each_packed(store, from_file.dataset_id, 1) do ids[#ids + 1] = packed.item_id end
  t.equal({ #ids, ids[1], ids[82], ids[97], ids[3500] }, { 3500, "item-1", "item-82", "item-97", "item-3500" })
  lines[3000] = '{"id":"item-3000","input":"other"}'
  table.remove(lines, 2500)
  t.write_file(path, table.concat(lines, "\n"))
  local changed = put()
  t.equal({ changed.version, changed.added, changed.updated, changed.removed }, { 2, 0, 1, 1 })
end)

t.test("an id that comes twice far behind is told with both places, and nothing is stored", function()
  local lines = many_lines(3500)
  lines[3333] = '{"id":"item-2500","input":"x"}'
  local store, _, put = sync(("items = eval.jsonl(%q)"):format(file(table.concat(lines, "\n"))))
  t.raises(put, 'the id "item%-2500": item 2500 %(.*items.jsonl:2500%) and item 3333 %(.*items.jsonl:3333%)')
  t.equal(store:dataset("d"), nil)
end)

t.test("texts of any length stay what they are, beside others that wait with them", function()
  local lines, wanted = {}, {}
  local function add(length)
    local id = "n" .. #lines
    wanted[id] = length
    lines[#lines + 1] = ('{"id":"%s","input":"%s"}'):format(id, string.char(97 + #lines % 26):rep(length))
  end
  for index = 1, 2100 do add(index % 7) end -- what is looked at in advance
  for spare = 0, 400, 4 do -- pairs that fill the memory of the lines that wait to all but a few bytes
    add(65536 - 1000 - spare)
    add(700)
  end
  for _, length in ipairs { 65000, 65535, 65536, 70000, 1048576, 1500000, 10, 65500, 20 } do add(length) end
  local store, _, put = sync(("items = eval.jsonl(%q)"):format(file(table.concat(lines, "\n"))))
  local done = put()
  t.equal(done.item_count, #lines)
  for packed in dataset.each_packed(store, done.dataset_id, 1) do
    local number = tonumber(packed.item_id:sub(2))
    if packed.input ~= '"' .. string.char(97 + number % 26):rep(wanted[packed.item_id]) .. '"' then
      error("item " .. packed.item_id .. " has changed")
    end
  end
end)
