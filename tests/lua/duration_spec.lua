local t = require "harness"
local duration = require "evalua.duration"

t.test("numbers are milliseconds and strings carry a unit", function()
  t.equal(duration.parse(250), 250)
  t.equal(duration.parse("500ms"), 500)
  t.equal(duration.parse("30s"), 30000)
  t.equal(duration.parse("2m"), 120000)
  t.equal(duration.parse("1h"), 3600000)
  t.equal(duration.parse("1.5s"), 1500)
  t.equal(duration.parse(" 2 s "), 2000)
  t.identical(duration.parse("2s"), 2000)
end)

t.test("what is no duration is refused with what would be right", function()
  local function problem(value) return select(2, duration.parse(value)) end
  t.matches(problem("30"), 'has no unit; write "30ms", "30s" or "30m"')
  t.matches(problem("3 weeks"), 'unknown unit "weeks"; units are ms, s, m and h')
  t.matches(problem("soon"), 'write for example "500ms", "30s" or "2m"')
  t.matches(problem(-1), "cannot be negative")
  t.matches(problem(0 / 0), "not a duration")
  t.matches(problem("9000h"), "longer than a year")
  t.matches(problem(true), "not a boolean")
end)

t.test("durations as people write them", function()
  t.equal(duration.text(12), "12ms")
  t.equal(duration.text(1500), "1.5s")
  t.equal(duration.text(120000), "2m")
  t.equal(duration.text(5400000), "1.5h")
end)
