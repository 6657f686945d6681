-- Text metrics against the vectors of jellyfish and autoevals.

local t = require "harness"
local csv = require "evalua.native.csv"
local json = require "evalua.json"
local text = require "evalua.native.text"

--- Calls check(cells) for every row of a file of vectors; returns their number.
local function each_row(name, check)
  local reader = assert(csv.open(t.shared("data/metric_vectors/jellyfish/" .. name .. ".csv"), { header = false }))
  local count = 0
  while true do
    local cells, message = reader:next()
    if not cells then
      t.equal(message, nil)
      return count
    end
    check(cells)
    count = count + 1
  end
end

for name, metric in pairs { levenshtein = "levenshtein", damerau_levenshtein = "damerau", hamming = "hamming" } do
  t.test(name, function()
    local count = each_row(name, function(cells)
      t.equal(text[metric](cells[1], cells[2]), tonumber(cells[3]), cells[1] .. " and " .. cells[2])
      t.equal(text[metric](cells[2], cells[1]), tonumber(cells[3]), cells[2] .. " and " .. cells[1])
    end)
    t.ok(count >= 6)
  end)
end

-- The vectors are rounded to three digits.
for name, metric in pairs {
  jaro_distance = text.jaro,
  jaro_winkler = text.jaro_winkler,
  jaro_winkler_longtol = function(a, b) return text.jaro_winkler(a, b, true) end,
} do
  t.test(name, function()
    local count = each_row(name, function(cells)
      t.near(metric(cells[1], cells[2]), tonumber(cells[3]), 0.0006, cells[1] .. " and " .. cells[2])
    end)
    t.ok(count >= 5)
  end)
end

t.test("jaccard", function()
  local count = each_row("jaccard", function(cells)
    local size = math.tointeger(tonumber(cells[4]))
    t.near(text.jaccard(cells[1], cells[2], size), tonumber(cells[3]), 0.00001, cells[1] .. " and " .. cells[2])
  end)
  t.equal(count, 16)
end)

t.test("autoevals levenshtein score", function()
  local vectors = assert(json.decode(t.read_file(t.shared "data/metric_vectors/autoevals.json")))
  for _, vector in ipairs(vectors.levenshtein_score) do
    local a, b, expected = table.unpack(vector)
    local longer = math.max(text.length(a), text.length(b))
    local score = longer == 0 and 1 or 1 - text.levenshtein(a, b) / longer
    t.near(score, expected, vectors.tolerance, a .. " and " .. b)
  end
end)
