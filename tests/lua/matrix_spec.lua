local t = require "harness"
local matrix = require "evalua.matrix"

local function texts(given)
  local list = {}
  for v in matrix.each(given) do list[#list + 1] = matrix.text(v) end
  return list
end

t.test("every combination, keys sorted, the last changing fastest", function()
  t.equal(texts { prompt = { "a", "b" }, model = { "m", "n" } }, {
    "model=m,prompt=a", "model=m,prompt=b", "model=n,prompt=a", "model=n,prompt=b",
  })
  t.equal(texts { n = { 5, 7.5 }, on = { true, false } }, { "n=5,on=true", "n=5,on=false", "n=7.5,on=true",
    "n=7.5,on=false" })
end)

t.test("values with names", function()
  local seen = {}
  for v in matrix.each { prompt = { short = "Be brief, please.", long = "Explain at length." } } do
    seen[#seen + 1] = { matrix.text(v), v.prompt }
  end
  t.equal(seen, { { "prompt=long", "Explain at length." }, { "prompt=short", "Be brief, please." } })
end)

t.test("the record is strict", function()
  for v in matrix.each { model = { "m" } } do
    t.raises(function() return v.modle end, 'unknown field "modle" of the matrix record; did you mean "model"?')
  end
end)

t.test("mistakes", function()
  t.raises(function() matrix.each { model = "m" } end, 'model must be a list of values, not "m"')
  t.raises(function() matrix.each { model = {} } end, "model has no values")
  t.raises(function() matrix.each { model = { "a", nil, "b" } } end, "its element 2 is nil")
  t.raises(function() matrix.each { model = { "a", "a" } } end, "has the value a twice")
  t.raises(function() matrix.each { prompt = { "Be brief, please." } } end, "cannot be part of a variant's name")
  t.raises(function() matrix.each { run = { print } } end, "has no text; give it a name")
  t.raises(function() matrix.each {} end, "no names")
  t.raises(function() matrix.each { { 1 } } end, "lists by name")
end)
