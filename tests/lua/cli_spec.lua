-- Pieces of the command line: words, expressions, options, tables.

local t = require "harness"
local options = require "evalua.cli.options"
local shell_words = require "evalua.cli.shell_words"
local table_report = require "evalua.report.table"
local text = require "evalua.report.text"
local where = require "evalua.cli.where"

local function words(line)
  local found, problem = shell_words.split(line)
  return found and table.concat(found, "|") or problem
end

t.test("a command line is split as a shell would", function()
  t.equal(words "python3 app.py", "python3|app.py")
  t.equal(words [[a 'b c' "d \"e\" $x" f\ g '' h'i'j]], [[a|b c|d "e" $x|f g||hij]])
  t.ok(words("a 'b"):find("quote at character 3", 1, true))
  t.ok(words("a | b"):find("needs a shell", 1, true))
  t.ok(words("  "):find("empty", 1, true))
end)

local function matches(expression, record, fields)
  return where.compile(expression, fields or where.item_fields).matches(record, "x")
end

t.test("expressions see the fields, and absent tables are empty", function()
  t.equal(matches('metadata.lang == "de"', { metadata = { lang = "de" } }), true)
  t.equal(matches('metadata.lang == "de"', {}), false)
  t.equal(matches("#input > 2 and not ground_truth", { input = "abc" }), true)
  t.equal(matches('input:find("b") and tags[1] == nil', { input = "abc" }), true)
  t.equal(matches("string.len(input) == 3 and math.max(1, 2) == 2", { input = "abc" }), true)
end)

t.test("a comparison with what is absent is false, and counted", function()
  local filter = where.compile("score.exact < 1", where.result_fields)
  t.equal(filter.matches({ score = {} }, "a"), false)
  t.equal(filter.matches({ score = { exact = 0 } }, "b"), true)
  t.equal(filter.absent, 1)
  t.equal(filter.first_absent, "a")
end)

t.test("expressions cannot name unknown fields, loop, or leave the sandbox", function()
  for expression, pattern in pairs {
    ['metdata.lang == "de"'] = "metdata.*metadata", ["os.exit(0)"] = "no field os", ["input = 1"] = "==",
    ["(function() end)()"] = "function", ['input:rep(10)'] = "rep", ["1 +"] = "not an expression",
    ["true -- x"] = "comments", ["load('x')"] = "no field load", ["true end while true do x() "] = "while",
  } do
    t.raises(function() matches(expression, {}) end, pattern)
  end
end)

t.test("options are checked, with the nearest right name", function()
  local parsed = options.parse("run", "a.eval.lua", "-j8", "--limit=3", "-p", "x=1=2", "-p", "y=", "--", "-b")
  t.equal(parsed.max_concurrency, 8)
  t.equal(parsed.limit, 3)
  t.equal(parsed.param[1][2], "1=2")
  t.equal(parsed.param[2][2], "")
  t.equal(parsed[2], "-b")
  t.raises(function() options.parse("run", "--limt", "3") end, "%-%-limt.*%-%-limit")
  t.raises(function() options.parse("run", "--limit", "x") end, "whole number")
  t.raises(function() options.parse("run", "--limit", "0") end, "at least 1")
  t.raises(function() options.parse("run", "--limit") end, "wants N")
  t.raises(function() options.parse("run", "--dry-run=1") end, "takes no value")
  t.raises(function() options.parse("run", "--seed", "1", "--seed", "2") end, "twice")
  t.raises(function() options.parse("score", "1") end, "too few")
  t.equal(options.parse("exec", "s.lua", "--limit")[2], "--limit")
end)

t.test("text from outside is made safe", function()
  t.equal(text.clean "\27[31mred\27[0m \27]0;title\7x\8", "red x\\x08")
  t.equal(text.clean "a\194\15531mb", "ab")
  t.equal(text.clean "a\nb\tc", "a\nb\tc")
  t.equal(text.clean "rtl \u{202E}x", "rtl \\u{202e}x")
  t.equal(text.clean "bad \255 byte", "bad \u{FFFD} byte")
  t.equal(text.clean "日本 é", "日本 é")
  t.equal(text.preview '"two\\nlines"', "two\\nlines")
  t.equal(text.preview '""', '""')
  -- A long text is its beginning, wherever the cut falls.
  for pad = 4080, 4098 do
    for _, tail in ipairs { "😀😀😀😀", "\n\n\n\n", '\\\\""', "\1\1\1", "éééé", "    " } do
      local shown = text.preview(require("evalua.json").encode(("x"):rep(pad) .. tail .. ("y"):rep(50)))
      t.ok(utf8.len(shown) and shown:sub(1, pad - 20) == ("x"):rep(pad - 20) and shown:sub(-3) == "…", shown:sub(-40))
    end
  end
end)

t.test("widths and cuts count columns", function()
  t.equal(text.width "日本", 4)
  t.equal(text.width "e\u{301}", 1)
  t.equal(text.cut("abcdef", 4), "abc…")
  t.equal(text.cut("日本語", 5), "日本…")
end)

t.test("numbers never round to what they are not", function()
  t.equal(text.number(0.8213), "0.82")
  t.equal(text.number(0.9996), "0.9996")
  t.equal(text.number(0.0004), "0.0004")
  t.equal(text.number(1.0), "1.00")
  t.equal(text.number(0.0), "0.00")
  t.equal(text.percent(0.9999), "99.9%")
  t.equal(text.percent(1), "100%")
  t.equal(text.duration(245000), "4 min 05 s")
end)

t.test("tables fit the width", function()
  local lines = table_report.render({ { title = "item", flexible = true }, { title = "n", right = true } },
    { { ("x"):rep(50), "1" }, { "y", "22" } }, { width = 20, paint = function(_, value) return value end })
  for _, line in ipairs(lines) do t.ok(text.width(line) <= 20, line) end
  t.equal(lines[3], "y" .. (" "):rep(17) .. "22")
end)
