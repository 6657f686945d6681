-- Sizes, the limits of an experiment, and usage outside of items.

local t = require "harness"
local limits = require "evalua.limits"
local size = require "evalua.size"
local usage = require "evalua.usage"

t.test("sizes: numbers are bytes, units are decimal or binary", function()
  t.equal(size.parse(1024), 1024)
  t.equal(size.parse("64KB"), 64000)
  t.equal(size.parse("64 KiB"), 65536)
  t.equal(size.parse("1.5mb"), 1500000)
  t.equal(size.parse("1GiB"), 1024 ^ 3 // 1)
  for _, wrong in ipairs { "12", "x", "5 XB", "-1KB", 0, -1, 0.5, 0 / 0, 1 / 0, true } do
    local value, problem = size.parse(wrong)
    t.equal(value, nil)
    t.ok(problem:find "size")
  end
  t.equal(size.text(1024 ^ 3 // 1), "1 GiB")
  t.equal(size.text(1000), "1000 bytes")
end)

t.test("limits have defaults; a larger memory_per_worker raises rss_per_worker", function()
  local found = limits.resolve(nil, nil, "here")
  t.equal(found.memory_per_worker, 1024 ^ 3 // 1)
  t.equal(found.rss_per_worker, 2 * 1024 ^ 3 // 1)
  t.equal(found.output_bytes, 64 * 1024 * 1024)
  t.equal(found.tokens, nil)
  t.equal(limits.resolve({ memory_per_worker = "4GiB" }, nil, "here").rss_per_worker, 8 * 1024 ^ 3 // 1)
  t.equal(limits.resolve({}, 5000000, "here").memory_per_worker, 5000000)
  t.equal(limits.stated { tokens = 5, cost = 0.5 }, { tokens = 5, cost = 0.5 })
  t.equal(limits.stated(nil), nil)
end)

t.test("outside of items usage and open things are not counted", function()
  usage.add { input_tokens = 1e9, cost = 1e9 }
  usage.settle { usage = { input_tokens = 5 } }
  t.equal(usage.spent(), nil)
  t.equal(limits.open "processes", nil)
end)
