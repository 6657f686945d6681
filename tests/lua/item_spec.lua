local t = require "harness"
local item = require "evalua.item"
local json = require "evalua.json"

local function problems_of(raw) return table.concat(select(2, item.check(raw)) or {}, "\n") end

t.test("an item is packed into JSON texts", function()
  local packed = item.pack({
    id = "t1", input = { text = "hi", n = 9007199254740993 }, ground_truth = "x", metadata = { lang = "en" },
    tags = { "a" }, expect = { { contains = "refund" } }, source = { type = "csv", reference = "a.csv:1" },
  }, "here")
  t.identical(packed, {
    item_id = "t1", input = '{"n":9007199254740993,"text":"hi"}', ground_truth = '"x"', metadata = '{"lang":"en"}',
    tags = '["a"]', expect = '[{"contains":"refund"}]', source = '{"reference":"a.csv:1","type":"csv"}',
  })
end)

t.test("ids: strings, numbers as text, and the digest of the input", function()
  t.equal(item.pack({ id = 12, input = 1 }).item_id, "12")
  t.equal(item.pack({ id = 12.0, input = 1 }).item_id, "12")
  t.equal(item.pack({ id = 1.5, input = 1 }).item_id, "1.5")
  local packed = item.pack { input = { b = 1, a = 2.0 } }
  t.matches(packed.item_id, "^%x+$")
  t.equal(#packed.item_id, 16)
  t.equal(packed.auto_id, true)
  t.equal(item.pack({ input = { a = 2, b = 1.0 } }).item_id, packed.item_id, "1 and 1.0 are the same input")
  t.equal(item.pack({ input = "x" }).item_id, require("evalua.native.text").sha256('"x"'):sub(1, 16))
end)

t.test("wrong ids", function()
  t.matches(problems_of { id = "", input = 1 }, "id is empty")
  t.matches(problems_of { id = {}, input = 1 }, "id must be a string or a number, not a table")
  t.matches(problems_of { id = 0 / 0, input = 1 }, "finite")
  t.matches(problems_of { id = "a\nb", input = 1 }, "control character")
  t.matches(problems_of { id = "\xff", input = 1 }, "UTF-8")
  t.matches(problems_of { id = ("x"):rep(2000), input = 1 }, "id has 2000 bytes, the limit")
end)

t.test("input is required, null is a value, other nulls are absent", function()
  t.matches(problems_of { id = "a" }, "it has no input")
  t.equal(item.pack({ id = "a", input = json.null, ground_truth = json.null }),
    { item_id = "a", input = "null" })
  t.equal(item.pack({ id = "a", input = false }).input, "false")
end)

t.test("an unknown field is named with the nearest right one", function()
  t.matches(problems_of { input = 1, ground_thruth = 2 },
    'unknown field "ground_thruth" of item; did you mean "ground_truth"?')
  t.matches(problems_of { input = 1, 5 }, 'unknown field "1" of item')
end)

t.test("fields of the wrong shape", function()
  t.matches(problems_of { input = 1, metadata = "x" }, "metadata must be a table")
  t.matches(problems_of { input = 1, metadata = { 1 } }, "metadata must be a table with names")
  t.matches(problems_of { input = 1, tags = { 1 } }, "tags must be strings; tag 1 is a number")
  t.matches(problems_of { input = 1, expect = { {} } }, "expect[1]: it has no check")
  t.matches(problems_of { input = 1, expect = { { contain = "x" } } },
    'unknown check "contain"; did you mean "contains"?')
  t.matches(problems_of { input = 1, expect = { { a = 1 }, nil, { a = 1 } } },
    "expect is not a proper list: its element 2")
  t.matches(problems_of { input = 1, scorers = { print } }, "scorers of an item are ids; element 1 is a function")
  t.matches(problems_of { input = 1, source = { kind = "x" } }, 'unknown field "kind" of source')
  t.matches(problems_of { input = print }, "input: ")
  t.matches(problems_of { input = { a = { 1, print } } }, "a[2]")
  t.matches(problems_of "text", "an item is a table with an input, not a string")
end)

t.test("empty lists stay lists", function()
  local packed = item.pack { id = "a", input = {}, tags = {}, scorers = {}, expect = {}, metadata = {} }
  t.equal(packed, { item_id = "a", input = "{}", tags = "[]", scorers = "[]", expect = "[]", metadata = "{}" })
end)

t.test("pack raises with place and id", function()
  t.raises(function() item.pack({ id = "t7" }, "tickets.jsonl:7") end, 'tickets.jsonl:7, item "t7": it has no input')
end)

t.test("problems of many items: twenty, then a count", function()
  local problems = item.collector()
  for index = 1, 25 do problems:pack({ id = tostring(index) }, "f:" .. index) end
  t.equal(problems:pack({ id = "ok", input = 1 }, "f:26").item_id, "ok")
  local text = problems:text()
  t.matches(text, 'f:20, item "20": it has no input')
  t.ok(not text:find("f:21", 1, true))
  t.matches(text, "and 5 more problems$")
  t.equal(item.collector():text(), nil)
end)

t.test("unpacking gives a strict record; null at the top is nil", function()
  local record = item.unpack { item_id = "a", input = "null", ground_truth = '{"x":null}' }
  t.equal(record.id, "a")
  t.equal(record.input, nil)
  t.equal(record.ground_truth.x, json.null)
  t.raises(function() return record.groundtruth end,
    'unknown field "groundtruth" of item; did you mean "ground_truth"?')
end)

-- Lines of a file go a shorter way to the same packed item, or to the same problems.
t.test("an item of texts packs as its values do", function()
  local lines = {
    '{"id":"a","input":"x","ground_truth":null,"metadata":{"b":[1,1.0,-0.0],"a":{}},"tags":["t"]}',
    '{"input":{"z":1e2,"a":[]}}', '{"id":"a","input":null}', '{"id":7,"input":1}', '{"id":"\\u0061","input":1}',
    '{"id":null,"input":1}', '{"id":"","input":1}', '{"id":"a\\u0000","input":1}', '{"id":"a"}', '{}',
    '{"input":1,"inptu":2}', '{"input":1,"tags":3}', '{"input":1,"tags":{}}', '{"input":1,"scorers":["a",{"id":"b"}]}',
    '{"input":1,"expect":[{"contains":"refund"}]}', '{"input":1,"expect":[{"contians":"refund"}]}',
    '{"input":1,"source":{"type":"csv"},"output":"\\ud83d\\ude00 \\u00e9","context":9007199254740993}',
    '{"input":1,"metadata":[1]}', '{"input":1,"metadata":null,"tags":null}',
  }
  for _, line in ipairs(lines) do
    local value = assert(json.decode(line))
    local expected, problems = item.check(value)
    local fields, id = json.fields(line)
    if id or fields.id == nil then
      local packed, found = item.check(item.from_texts(fields, id))
      t.identical({ packed or false, found or false }, { expected or false, problems or false }, line)
    end
  end
end)

t.test("what is no object of single members has no fields", function()
  for _, text in ipairs { "1", "[]", '{"a":1,"a":2}', '{"a":{"b":1,"b":2}}', '{"a":1', '{"a":1} x', "" } do
    t.equal(json.fields(text), nil, text)
  end
  local many = {}
  for index = 1, 40 do many[index] = ('"k%d":%d'):format(index, index) end
  t.equal(json.fields("{" .. table.concat(many, ",") .. "}"), nil)
end)
