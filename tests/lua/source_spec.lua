local t = require "harness"
local json = require "evalua.json"
local source = require "evalua.source"
local item = require "evalua.item"

local function file(name, text) return t.write_file(t.temp_path(name), text) end

local function collect(items)
  local list, places = {}, {}
  for raw, where in items:each() do
    list[#list + 1], places[#places + 1] = raw, where:match("([^/]+)$"):match(":(%d+)$")
  end
  return list, places
end

local function problems_of(items)
  local problems = item.collector()
  for raw, where in items:each() do problems:pack(raw, where) end
  return problems:text() or ""
end

t.test("jsonl: one object a line, with its line number, again and again", function()
  local path = file("a.jsonl", '{"id": 1, "input": "x"}\n\n{"input": [], "ground_truth": {"n": 2}}')
  local items = source.jsonl(path)
  local list, lines = collect(items)
  t.equal(list, { { id = 1, input = "x" }, { input = {}, ground_truth = { n = 2 } } })
  t.ok(json.is_array(list[2].input))
  t.equal(lines, { "1", "3" })
  t.equal((collect(items)), list, "a second pass")
end)

t.test("jsonl: a mapping by name, by list and by function", function()
  local path = file("a.jsonl", '{"question": "q", "a": 1, "b": 2, "n": "7"}\n')
  t.equal((collect(source.jsonl(path, { input = "question", metadata = { "a", "b" }, ground_truth = "n",
    number = { "n" } })))[1],
    { input = "q", metadata = { a = 1, b = 2 }, ground_truth = 7 })
  t.equal((collect(source.jsonl(path, { input = function(row) return row.a + row.b end })))[1], { input = 3 })
  t.equal((collect(source.jsonl(path, function(row) return { id = row.question, input = row } end)))[1].id, "q")
end)

t.test("jsonl: bad lines are told with their numbers, all of them", function()
  local text = problems_of(source.jsonl(file("bad.jsonl",
    '{"input": 1}\n{"input": \n[1]\n{"inptu": 2}\n{"input": 1, "input": 2}\n')))
  t.matches(text, "bad.jsonl:2: not JSON: ")
  t.matches(text, "bad.jsonl:3: a line is one JSON object")
  t.matches(text, 'bad.jsonl:4: unknown field "inptu" of item; did you mean "input"?')
  t.matches(text, "bad.jsonl:5: not JSON: ")
end)

t.test("csv: cells are strings unless listed", function()
  local path = file("a.csv", 'text,team,score,extra\n"I was, charged",billing,3,"{""k"":[1]}"\nsecond,bug,,\n')
  local items = source.csv(path, {
    input = "text", ground_truth = "team", metadata = { "score", "extra" }, number = { "score" }, json = { "extra" },
  })
  local list, lines = collect(items)
  t.equal(list[1], { input = "I was, charged", ground_truth = "billing", metadata = { score = 3,
    extra = { k = { 1 } } } })
  t.equal(list[2], { input = "second", ground_truth = "bug", metadata = {} })
  t.equal(lines, { "2", "3" })
  t.equal(#(collect(items)), 2, "a second pass")
end)

t.test("csv without a mapping takes columns named as the fields", function()
  local list = collect(source.csv(file("a.csv", "id,input,ground_truth\nx,1,2\n")))
  t.equal(list, { { id = "x", input = "1", ground_truth = "2" } })
  t.raises(function() collect(source.csv(file("a.csv", "id,question\nx,1\n"))) end,
    'a.csv:1: column "question" is no field of an item; write a mapping such as { input = "question" }')
end)

t.test("csv: absent and doubled columns", function()
  local path = file("a.csv", "text,team\nx,y\n")
  t.raises(function() collect(source.csv(path, { input = "txt" })) end,
    'a.csv:1: there is no column "txt"; did you mean "text"?')
  t.raises(function() collect(source.csv(path, { input = "text", number = { "temperature" } })) end,
    'there is no column "temperature"')
  t.raises(function() collect(source.csv(file("a.csv", "text,text\nx,y\n"), { input = "text" })) end, "twice")
end)

t.test("csv: cells that are not what the mapping says", function()
  local text = problems_of(source.csv(file("a.csv", "text,n\nx,five\ny,5\n"),
    { input = "text", ground_truth = "n", number = { "n" } }))
  t.matches(text, 'a.csv:2: column "n": "five" is not a number')
  t.ok(not text:find("a.csv:3", 1, true))
end)

t.test("csv: another delimiter", function()
  local list = collect(source.csv(file("a.csv", "input;id\nx,y;1\n"), nil, { delimiter = ";" }))
  t.equal(list, { { input = "x,y", id = "1" } })
end)

t.test("mistakes in a mapping name the script's line", function()
  local path = file("a.csv", "text\nx\n")
  local problem = t.raises(function()
    local items = source.csv(path, { inptu = "text" })
    return items
  end, 'the mapping names an unknown field "inptu"; did you mean "input"?')
  t.matches(problem, "source_spec.lua:%d+: ")
  t.raises(function() source.csv(path, { input = 5 }) end, "input must be a column")
  t.raises(function() source.csv(path, "text") end, "a mapping is a table")
  t.raises(function() source.csv(path, nil, { delimeter = ";" }) end, 'unknown option "delimeter" of eval.csv')
end)

t.test("a missing file is an error where it is named", function()
  t.raises(function() source.jsonl("no-such-file.jsonl") end, "no%-such%-file.jsonl")
  t.raises(function() source.csv(nil) end, "eval.csv takes the path of a file")
  t.raises(function() source.file("cases.xml") end, "items are read from .csv, .tsv, .jsonl or .ndjson")
end)

t.test("a mapping asks for columns: an empty list and keys that no line has are mistakes", function()
  local path = file("b.jsonl", '{"q": 1, "a": 2}\n{"q": 3, "note": "x"}\n')
  t.raises(function() source.jsonl(path, { input = {} }) end, "input is an empty list of columns")
  t.equal(problems_of(source.jsonl(path, { input = "q", ground_truth = "a", metadata = { "note" } })), "")
  t.matches(problems_of(source.jsonl(path, { input = "q", ground_truth = "answr" })),
    'b%.jsonl: no line has the key "answr", which the mapping names; the keys of the last line are note, q')
  t.equal(problems_of(source.jsonl(path, { input = "q", context = "context" })), "", "the field's own name")
end)
