local t = require "harness"
local options = require "evalua.options"

local schema = options.schema("test.thing", {
  { "name", "text", required = true, help = "what it is called" },
  { "max_concurrency", "integer", default = 5, min = 1 },
  { "item_timeout", "duration" },
  { "mode", "string", enum = { "oneshot", "persistent" } },
  { "tags", "list", of = "string" },
  { "metadata", "map" },
  { "run", "function|text" },
  { "strict", "boolean" },
  { "cache", "any", later = true, accept = false },
})

-- No tail call: the frame that makes the mistake must be there to be named.
local function check(given)
  return function()
    local values = options.check(schema, given)
    return values
  end
end

t.test("values are checked, converted and completed", function()
  local values = options.check(schema,
    { name = "x", item_timeout = "2s", strict = false, run = "a", max_concurrency = 3.0 })
  t.identical(values, { name = "x", item_timeout = 2000, strict = false, run = "a", max_concurrency = 3 })
  t.equal(options.check(schema, { name = "x", cache = false }).name, "x")
end)

t.test("an unknown option is named with its line and the nearest right one", function()
  local problem = t.raises(check { name = "x", max_concurency = 2 },
    'unknown option "max_concurency" of test.thing; did you mean "max_concurrency"?')
  t.matches(problem, "options_spec.lua:%d+: unknown")
  t.raises(check { name = "x", "extra" }, 'test.thing takes named options; value 1 has no name')
end)

t.test("every mistake is told at once", function()
  local problem = t.raises(check { nam = "x", mode = "oneshoot", max_concurrency = 0 })
  t.matches(problem, 'unknown option "nam" of test.thing; did you mean "name"?')
  t.matches(problem, 'option "name" of test.thing is missing; it must be a string that is not empty')
  t.matches(problem, 'option "mode" of test.thing cannot be "oneshoot"; did you mean "oneshot"?')
  t.matches(problem, 'option "max_concurrency" of test.thing must be a whole number of at least 1, not 0')
end)

t.test("types", function()
  t.raises(check { name = "" }, "must be a string that is not empty")
  t.raises(check { name = "x", max_concurrency = "5" }, 'must be a whole number of at least 1, not "5"')
  t.raises(check { name = "x", max_concurrency = 1.5 }, "must be a whole number")
  t.raises(check { name = "x", item_timeout = "5" }, 'option "item_timeout" of test.thing is wrong: "5" has no unit')
  t.raises(check { name = "x", run = 3 }, "must be a function or a string that is not empty, not 3")
  t.raises(check { name = "x", metadata = { 1 } }, "must be a table with names, not a table")
  t.raises(check(nil), "test.thing takes a table of options, not nil")
end)

t.test("a nil hole in a list is named with its index", function()
  t.raises(check { name = "x", tags = { "a", nil, "b" } },
    'option "tags" of test.thing is not a proper list: its element 2 is nil')
  t.raises(check { name = "x", tags = { nil, "b" } }, "its element 1 is nil")
  t.raises(check { name = "x", tags = { "a", 2 } }, "element 2 is 2")
end)

t.test("a timeout of no time is no timeout, and refused; other durations may be 0", function()
  local timed = options.schema("test.timed", { { "first_timeout", "duration" }, { "delay", "duration" } })
  t.equal(options.check(timed, { delay = 0, first_timeout = 0.5 }), { delay = 0, first_timeout = 0.5 })
  t.raises(function() options.check(timed, { first_timeout = "0s" }) end,
    'option "first_timeout" of test.timed is 0, which is no time at all; leave it out')
end)

t.test("what comes later says so", function()
  t.raises(check { name = "x", cache = "use" }, 'option "cache" of test.thing is not available yet')
end)

t.test("length of lists", function()
  t.equal(options.length {}, 0)
  t.equal(options.length { 1, 2 }, 2)
  t.equal({ options.length { 1, nil, 3 } }, { nil, "its element 2 is nil" })
  t.matches(select(2, options.length { a = 1 }), 'it has the name "a"')
end)

t.test("help has a line per option", function()
  local help = options.help(schema)
  t.matches(help, "name             what it is called %(required%)")
  t.matches(help, "max_concurrency   %(default 5%)")
end)
