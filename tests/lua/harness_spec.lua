-- The harness checks itself: what it must catch, it catches.

local t = require "harness"

t.test("equal is deep and ignores number types", function()
  t.equal({ 1, { a = "x" } }, { 1.0, { a = "x" } })
  t.raises(function() t.equal({ 1, { a = "x" } }, { 1, { a = "y" } }) end, 'at [2]["a"] expected "y", got "x"')
  t.raises(function() t.equal({ 1, 2 }, { 1 }) end, "expected nil, got 2")
  t.equal(0 / 0, 0 / 0)
end)

t.test("identical tells 1 from 1.0 and 0.0 from -0.0", function()
  t.identical({ 1, 1.5, -0.0 }, { 1, 1.5, -0.0 })
  t.raises(function() t.identical(1, 1.0) end, "expected")
  t.raises(function() t.identical(0.0, -0.0) end, "expected -0.0")
end)

t.test("raises wants an error with the right text", function()
  t.raises(function() t.raises(function() end) end, "none was raised")
  t.raises(function() t.raises(function() error("one") end, "two") end, 'matching "two"')
  t.raises(function() error({ message = "as a table" }) end, "as a table")
end)

t.test("near and matches", function()
  t.near(0.1 + 0.2, 0.3)
  t.raises(function() t.near(1, 2, 0.5) end, "within 0.5")
  t.raises(function() t.near(0 / 0, 1) end, "within")
  t.matches("a.b", "a.b")
  t.raises(function() t.matches(nil, "a") end, "got nil")
end)
