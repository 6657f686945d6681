-- Samples are the same for the same seed, whatever else is in the list; cells of CSV read back as they were.

local t = require "harness"
local csv_text = require "evalua.report.csv_text"
local sample = require "evalua.sample"

local function itself(entry) return entry end

t.test("a sample keeps the order of the list and depends on the seed alone", function()
  local ids = {}
  for number = 1, 100 do ids[number] = "i" .. number end
  local first = sample.of(ids, 10, 7, itself)
  t.equal(#first, 10)
  t.equal(sample.of(ids, 10, 7, itself), first)
  t.ok(table.concat(sample.of(ids, 10, 8, itself), " ") ~= table.concat(first, " "))
  local last = 0
  for _, id in ipairs(first) do
    local number = math.tointeger(tonumber(id:sub(2)))
    t.ok(number > last, id)
    last = number
  end
  local backwards = {}
  for number = 100, 1, -1 do backwards[#backwards + 1] = "i" .. number end
  local turned, picked = sample.of(backwards, 10, 7, itself), {}
  for position, id in ipairs(turned) do picked[11 - position] = id end
  t.equal(picked, first)
  t.equal(sample.of(ids, 1000, 7, itself), ids)
  t.equal(sample.of({}, 5, 7, itself), {})
end)

t.test("cells of CSV: numbers read back as they were, quotes only where they are needed", function()
  for _, number in ipairs { 1, -7, 0.1, 1 / 3, 1e300, 5e-324, math.maxinteger } do
    t.equal(tonumber(csv_text.number(number)), number)
  end
  t.equal(csv_text.number(0.1), "0.1")
  t.equal(csv_text.number(0 / 0), "")
  t.equal(csv_text.number(math.huge), "")
  t.equal(csv_text.line({ "a", nil, 'say "x", y', "two\nlines", " b" }, 5, function(value)
    return value and csv_text.quoted(value) or ""
  end), 'a,,"say ""x"", y","two\nlines"," b"')
end)
