-- The parts that reports share: trials merged as the store does it, numbers told apart, names of metrics, charts.

local chart = require "evalua.report.html_chart"
local items = require "evalua.report.items"
local phrases = require "evalua.report.phrases"
local t = require "harness"
local text = require "evalua.report.text"

local function trial(number, passed, score, status)
  return { item_id = "a", trial = number, status = status or "ok", passed = passed, latency_ms = 10 * number,
    scores = (status or "ok") == "ok" and { { scorer_id = "s", status = "ok", score = score, passed = passed } } or {} }
end

t.test("an item passes as its reducer says, and a failed trial counts where passes are counted", function()
  local rows = { trial(1, true, 1), trial(2, false, 0), trial(3, nil, nil, "error"), trial(4, true, 1) }
  local wanted = { mean = false, median = true, mode = true, max = true, pass_k = false, pass_at = true }
  for reducer, passed in pairs(wanted) do
    local merged = items.merge(rows, { reducer = reducer, k = 2, trials = 4 })
    t.equal(merged.passed, passed, reducer)
    t.equal(merged.consistency, "2 of 4")
    t.equal(merged.latency_ms, 25.0)
  end
  t.equal(items.merge(rows, { reducer = "at_least", k = 2, trials = 4 }).passed, true)
  t.equal(items.merge(rows, { reducer = "at_least", k = 3, trials = 4 }).passed, false)
  local failed = items.merge({ trial(1, nil, nil, "timeout"), trial(2, nil, nil, "timeout") }, { reducer = "mean" })
  t.equal(failed.status, "timeout")
  t.equal(failed.passed, nil)
  t.equal(failed.consistency, "0 ok of 2")
end)

t.test("trials are put together as they come, the last ones at the end", function()
  local seen = {}
  local group = items.grouping({ reducer = "mean" }, function(row, rows) seen[#seen + 1] = row.item_id .. #rows end)
  for _, id in ipairs { "a", "a", "b", "c", "c", "c" } do
    group.add { item_id = id, status = "ok", scores = {}, latency_ms = 1 }
  end
  t.equal(#seen, 2)
  group.finish()
  t.equal(table.concat(seen, " "), "a2 b1 c3")
end)

t.test("two numbers that differ are not shown alike", function()
  local function pair(a, b) return table.concat({ text.two_numbers(a, b) }, " ") end
  t.equal(pair(0.504, 0.497), "0.504 0.497")
  t.equal(pair(0.5, 0.75), "0.50 0.75")
  t.equal(pair(0.12345, 0.12349), "0.12345 0.12349")
  t.equal(pair(1, 1), "1 1")
  t.equal(pair(0.5, nil), "0.50 -")
end)

t.test("metrics show their value, interval and what is missing, or why there is none", function()
  local list = phrases.metrics { metrics = {
    f1 = { value = 0.812, ci = { 0.7, 0.9 }, n = 47, n_missing = 3 }, kappa = { problem = "one label only" },
    plain = 2.5,
  } }
  t.equal(list[1].name .. ": " .. list[1].text .. ", " .. list[1].interval, "f1: 0.81 over 47 of 50, 0.70 to 0.90")
  t.equal(list[2].text, "no value: one label only")
  t.equal(list[3].text, "2.50")
end)

t.test("a label is no missing score; a scorer without labels says what is missing", function()
  t.equal(phrases.mean_text { n = 0, n_without = 5, labels = { good = 3, bad = 2 } }, "bad 2, good 3 over 5 of 5")
  t.equal(phrases.mean_text { n = 0, n_without = 5, n_failed = 1, labels = { good = 3 } },
    "good 3 over 3 of 6 (1 failed, 2 without it)")
  t.equal(phrases.mean_text { n = 2, mean = 0.5, n_error = 1 }, "0.50 over 2 of 3 (1 scorer error)")
end)

-- The numbers of all attributes of that name.
local function numbers(svg, name)
  local found = {}
  for value in svg:gmatch(" " .. name .. '="([^"]*)"') do found[#found + 1] = tonumber(value) end
  return found
end

t.test("a trend draws every run within its picture, with whiskers, and leaves gaps", function()
  local points = {}
  for position = 1, 40 do
    local value = position / 40
    points[position] = position % 7 ~= 0 and { value = value, low = value - 0.1, high = value + 0.1,
      name = "#" .. position, title = "run <" .. position .. ">" } or { name = "#", title = "" }
  end
  local svg = chart.trend("exact <b>", points)
  t.equal(#numbers(svg, "cx"), 35)
  for _, value in ipairs(numbers(svg, "cx")) do t.ok(value >= 44 and value <= 628, value) end
  for _, name in ipairs { "cy", "y1", "y2" } do
    for _, value in ipairs(numbers(svg, name)) do t.ok(value >= 0 and value <= 190, name .. value) end
  end
  t.ok(not svg:find("<b>", 1, true) and svg:find("run &lt;1&gt;", 1, true))
  t.equal(select(2, svg:gsub("M%d", "")), 6)
  t.equal(chart.trend("none", { { name = "#1", title = "" } }), nil)
  for _, value in ipairs { 0, 0.5, -3, 1e9 } do
    t.ok(not chart.trend("flat", { { value = value, name = "#1", title = "x" } }):find("nan"), value)
  end
end)

t.test("a difference is drawn on the side of zero where it is", function()
  local svg = chart.difference(-0.5, -1, 0.25, 1, "bad")
  t.equal(numbers(svg, "cx")[1], 33.0)
  t.equal(numbers(svg, "x1")[2], 6.0)
  t.equal(numbers(svg, "x2")[2], 73.5)
end)
