-- The bindings of text metrics, regular expressions and CSV: shapes of results, failures, wrong arguments.

local t = require "harness"
local csv = require "evalua.native.csv"
local regex = require "evalua.native.regex"
local text = require "evalua.native.text"

t.test("text: kinds of results", function()
  t.identical(text.levenshtein("kitten", "sitting"), 3)
  t.identical(text.damerau("ca", "abc"), 2)
  t.identical(text.dice("night", "nacht"), 0.25)
  t.identical(text.lcs_ratio("abcde", "ace"), 0.75)
  t.identical(text.length "añ😀", 3)
  t.identical(text.words " two\u{A0}words\n", 2)
  t.equal(text.fold "ÄÉ ΣΑΣ ПРИВЕТ", "äé σασ привет")
  t.equal(text.sha256 "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  t.matches(text.uuid(), "^%x+%-%x+%-7%x+%-[89ab]%x+%-%x+$")
  t.ok(text.uuid() < text.uuid())
end)

t.test("text: limits and wrong arguments", function()
  t.equal({ text.damerau(("x"):rep(20001), "y") },
    { nil, "a text of 20001 characters is too long to compare (at most 20000)", "limit" })
  t.raises(function() text.levenshtein("a", 12) end, "string expected")
  t.raises(function() text.jaccard("a", "b", -1) end, "number of characters")
end)

t.test("regex: captures", function()
  local re = assert(regex.compile "(?<year>\\d{4})-(\\d\\d)(x)?")
  t.equal(re:match "on 2024-05", {
    [0] = "2024-05", "2024", "05", start = 4, stop = 10, named = { year = "2024" },
  })
  t.equal(re:match "nothing", nil)
  t.equal(re:match("2024-05 2025-06", 2)[1], "2025")
  t.equal(re:match("2024-05", 100), nil)
  t.equal(assert(regex.compile("É+", "i")):match("xéÉ")[0], "éÉ")
  t.equal(assert(regex.compile "\\d+"):find_last("a 12 b 345 c")[0], "345")
  t.equal(assert(regex.compile "z"):find_last "abc", nil)
  t.equal(assert(regex.compile ""):match "", { [0] = "", start = 1, stop = 0 })
end)

t.test("regex: failures", function()
  t.equal({ regex.compile "ab(c" }, { nil, "pattern offset 4: missing closing parenthesis", "parse" })
  t.equal(select(3, regex.compile("a", "g")), "argument")
  local _, message, code = assert(regex.compile "(a+)+$"):match(("a"):rep(5000) .. "!")
  t.equal(code, "limit")
  t.matches(message, "backtracks too")
  t.raises(function() assert(regex.compile "a"):match("a", 0) end, "count from 1")
  t.raises(function() regex.compile(nil) end, "string expected")
end)

t.test("csv: rows, lines and header", function()
  local reader = assert(csv.open { text = "a,b\n1,\"x\ny\"\n2,z\n" })
  t.equal(reader:header(), { "a", "b" })
  t.equal({ reader:next() }, { { "1", "x\ny" }, 2 })
  t.equal({ reader:next() }, { { "2", "z" }, 4 })
  t.equal(select("#", reader:next()), 1)
  t.equal(reader:next(), nil)
  reader:close()
  t.raises(function() reader:next() end, "closed")
  local plain = assert(csv.open({ text = "a;b" }, { header = false, delimiter = ";" }))
  t.equal(plain:header(), nil)
  t.equal(plain:next(), { "a", "b" })
  t.equal(assert(csv.open { text = "" }):next(), nil)
end)

t.test("csv: failures name the line and stay", function()
  local reader = assert(csv.open { text = "a,b\n1\n", name = "t.csv" })
  for _ = 1, 2 do
    t.equal({ reader:next() }, { nil, "t.csv:2: the row has 1 cells where the first row has 2", "parse" })
  end
  t.equal({ csv.open { text = "a,a\n", name = "t.csv" } },
    { nil, "t.csv: the header names the column 'a' twice (columns 1 and 2)", "parse" })
  t.equal(select(3, csv.open "/nonexistent/x.csv"), "not_found")
  t.raises(function() csv.open({ text = "" }, { headers = true }) end, "unknown option 'headers'")
  t.raises(function() csv.open({ text = "" }, { delimiter = "ab" }) end, "delimiter")
  t.raises(function() csv.open {} end, "path")
end)

t.test("csv: a file larger than a piece", function()
  local rows = { "id,text" }
  for i = 1, 20000 do rows[#rows + 1] = i .. ",some text" end
  local path = t.write_file(t.temp_path "large.csv", table.concat(rows, "\r\n"))
  local reader <close> = assert(csv.open(path))
  for i = 1, 20000 do t.equal({ reader:next() }, { { tostring(i), "some text" }, i + 1 }) end
  t.equal(reader:next(), nil)
end)
