-- evalua.json: what goes in comes out the same, and what JSON cannot hold is named by its path.

local t = require "harness"
local json = require "evalua.json"

local function round_trip(value)
  local text = json.encode(value)
  t.identical(json.decode(text), value, text)
  t.equal(json.encode((json.decode(text))), text)
  return text
end

t.test("values survive exactly", function()
  for _, value in ipairs {
    9007199254740993, math.maxinteger, math.mininteger, 0, 1, 1.0, -0.0, 5e-324, 0.1 + 0.2, 1e300, 2.0 ^ 53, 1 / 3,
    "", "\0", "\u{1F600}", "a\"\\/\n\u{2028}\u{7f}", true, false, json.null, json.array {}, {},
    json.array { json.array {}, {}, json.array { {} } }, { a = { b = { c = {} } }, [""] = json.array { json.null } },
  } do
    round_trip(value)
  end
  round_trip(("x"):rep(1 << 20))
  local deep = json.array {}
  for _ = 2, 500 do deep = json.array { deep } end
  t.equal(round_trip(deep), ("["):rep(500) .. ("]"):rep(500))
end)

t.test("storage text keeps kinds of numbers apart, identity text does not", function()
  local value = json.array { 1, 1.0, -0.0, 1e300, 2.0 ^ 53, 0.5 }
  t.equal(json.encode(value), "[1,1.0,-0.0,1e300,9007199254740992.0,0.5]")
  t.equal(json.identity(value), "[1,1,0,1e300,9007199254740992,0.5]")
  t.equal(json.encode(value, { form = "identity" }), json.identity(value))
  t.equal(json.canonical("[1.0, -0.0]", "identity"), "[1,0]")
  t.equal(json.identity { b = 1, a = 2 }, json.identity { a = 2.0, b = 1.0 })
end)

t.test("arrays and objects stay apart", function()
  t.equal(json.encode {}, "{}")
  t.equal(json.encode(json.array()), "[]")
  t.equal(json.encode { 1, 2, 3 }, "[1,2,3]")
  t.equal(json.encode(json.decode "[[],{}]"), "[[],{}]")
  t.ok(json.is_array(json.decode "[]"))
  t.ok(not json.is_array(json.decode "{}"))
  t.ok(not json.is_array {})
  t.ok(not json.is_array "[]")
  t.raises(function() json.array(setmetatable({}, {})) end, "metatable")
  t.raises(function() json.array "x" end, "table expected")
end)

t.test("null is cjson's null", function()
  t.ok(json.decode "null" == require("cjson").null)
  t.ok(json.decode("[null]")[1] == json.null)
  t.equal(json.encode { a = json.null }, '{"a":null}')
end)

t.test("keys are sorted by bytes", function()
  t.equal(json.encode { b = 1, a = 2, B = 3, ["\u{E9}"] = 4, [""] = 5, aa = 6 },
    '{"":5,"B":3,"a":2,"aa":6,"b":1,"é":4}')
  local many, expected = {}, {}
  for i = 1, 300 do
    many[("k%03d"):format(i)] = i
    expected[i] = ('"k%03d":%d'):format(i, i)
  end
  t.equal(json.encode(many), "{" .. table.concat(expected, ",") .. "}")
end)

t.test("pretty text", function()
  t.equal(json.encode({ a = { 1, {} }, b = json.array {} }, { pretty = true }),
    '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}')
end)

t.test("what JSON cannot hold is named by its path", function()
  local function refused(value, message) t.raises(function() json.encode(value, { name = "output" }) end, message) end
  refused(print, "output: a function cannot be written")
  refused({ a = { 1, 2, print } }, "output.a[3]: a function")
  refused({ ["a b"] = 0 / 0 }, 'output["a b"]: JSON has no NaN')
  refused({ 1 / 0 }, "output[1]: JSON has no NaN and no infinities")
  refused({ a = { 1, nil, 3 } }, "output.a: the array has")
  refused({ [2] = true }, "output: the table has a key that is a number")
  refused({ 1, a = 2 }, "output: the array has the key 'a'")
  refused({ [true] = 1 }, "output: the table has a key that is a boolean")
  refused(json.array { a = 1 }, "output: the array has the key 'a'")
  refused({ a = coroutine.create(print) }, "output.a: a thread")
  refused({ "\xFF" }, "output[1]: the string is not UTF-8")
  refused({ ["\xFF"] = 1 }, "output[\"\u{FFFD}\"]: the string is not UTF-8")
  local cycle = {}
  cycle.self = { cycle }
  refused(cycle, "the table contains itself")
  local deep = {}
  for _ = 1, 1001 do deep = { deep } end
  refused(deep, "deeper than 1000 levels")
  t.raises(function() json.encode(print) end, "value: a function")
  t.raises(function() json.encode() end, "value expected")
  t.equal(json.encode { ok = true }, '{"ok":true}') -- works after failures
end)

t.test("holes name the index", function()
  local holey = { 1, 2, 3, 4 }
  holey[2] = nil
  t.raises(function() json.encode(holey) end, "hole at index 2")
end)

t.test("shared tables are no cycle", function()
  local shared = { 1 }
  t.equal(json.encode { shared, shared }, "[[1],[1]]")
end)

t.test("text that is not UTF-8 is repaired on request", function()
  local text, repaired = json.encode({ a = "x\xFFy" }, { repair = true })
  t.equal(text, '{"a":"x\u{FFFD}y"}')
  t.equal(repaired, true)
  t.equal(select("#", json.encode({ a = "x" }, { repair = true })), 1)
  t.equal({ json.repair "a\xC3" }, { "a\u{FFFD}", true })
  t.equal({ json.repair "aé" }, { "aé", false })
end)

t.test("decoding fails with place and code", function()
  t.equal({ json.decode '{"a":1,\n"a":2}' },
    { nil, 'line 2 column 1: the key "a" stands twice in one object', "parse" })
  t.equal(json.decode('{"a":1,"a":2}', { mode = "foreign" }), { a = 2 })
  t.equal(select(3, json.decode(("["):rep(100000))), "limit")
  t.equal(select(3, json.decode("[[1]]", { max_depth = 1 })), "limit")
  t.equal({ json.canonical("[1,]", "storage") }, { nil, "line 1 column 4: ']' where a value should be", "parse" })
  t.identical(json.decode("18446744073709551616", { mode = "foreign" }), 2.0 ^ 64)
  t.equal(json.decode '{"1":"a"}', { ["1"] = "a" })
end)

t.test("wrong arguments are raised", function()
  t.raises(function() json.decode(12) end, "string expected")
  t.raises(function() json.decode("1", { mod = "strict" }) end, "unknown option 'mod'")
  t.raises(function() json.decode("1", { mode = "lax" }) end, "mode is 'lax'")
  t.raises(function() json.decode("1", { max_depth = 2000 }) end, "max_depth")
  t.raises(function() json.encode(1, { pretty = 1 }) end, "pretty is a number")
  t.raises(function() json.encode(1, { form = "x" }) end, "form is 'x'")
  t.raises(function() json.canonical("1", "x") end, "invalid option 'x'")
end)

t.test("a finalizer may use it in the middle of another call", function()
  local broken = 0
  for _ = 1, 200 do
    setmetatable({}, { __gc = function()
      local ok, text = pcall(function() return json.encode(json.decode '{"b":[1,2],"a":"x\\n"}') end)
      if not ok or text ~= '{"a":"x\\n","b":[1,2]}' then broken = broken + 1 end
    end })
    local rows = {}
    for i = 1, 50 do rows[i] = ('{"z":"v\\n%d","a":[%d]}'):format(i, i) end
    local text = "[" .. table.concat(rows, ",") .. "]"
    local value = json.decode(text)
    t.equal(value[50].z, "v\n50")
    t.equal(#json.encode(value), #text)
  end
  collectgarbage()
  t.equal(broken, 0)
end)

t.test("agrees with cjson where cjson is right", function()
  local cjson = require "cjson"
  for _, text in ipairs {
    '{"a":[1,2,{"b":null}],"c":"x\\u00e9\\n"}', '[true,false,"\\ud83d\\ude00"]', "[0.5,-2.25,1e10]",
  } do
    t.equal(json.decode(text), cjson.decode(text), text)
    t.equal(cjson.decode(json.encode(json.decode(text))), cjson.decode(text), text)
  end
end)
