-- The annotations for editors say what the schemas check, no more and no less.

local t = require "harness"
local options = require "evalua.options"
local strict = require "evalua.strict"

for _, name in ipairs {
  "command", "dataset", "datasets", "experiment", "experiments", "expect", "failure", "fetch", "http",
  "metrics", "limit", "mock", "model", "param", "rules", "source",
  "spawn", "target", "workflow",
} do
  require("evalua." .. name)
end
local scorer = require "evalua.scorer"
for _, name in ipairs(scorer.builtin_names) do scorer.describe(name) end

local annotations = ""
do
  local names = require("evalua.native.sys").list(t.root "stdlib/meta")
  table.sort(names)
  for _, name in ipairs(names) do annotations = annotations .. t.read_file(t.root("stdlib/meta/" .. name)) .. "\n" end
end

-- Fields of each class, by what follows "Options of" above it; and the fields of the classes by their names.
local documented, classes = {}, {}
do
  local schema_name, class
  for line in (annotations .. "\n"):gmatch("([^\n]*)\n") do
    local title = line:match("^%-%-%-Options of (.-)%.$")
    local name, parent = line:match("^%-%-%-@class ([%w_.]+)%s*:?%s*([%w_.]*)")
    local field = line:match("^%-%-%-@field ([%w_]+)")
    if title then
      schema_name = title
    elseif name then
      class = {}
      for inherited in next, classes[parent] or {} do class[inherited] = true end
      classes[name] = class
      if schema_name then documented[schema_name] = class end
      schema_name = nil
    elseif field and class then
      class[field] = true
    elseif line == "" then
      class = nil
    end
  end
end

t.test("every option of every schema is annotated, and nothing else is", function()
  local problems = {}
  for _, name in ipairs(strict.keys(options.schemas)) do
    local schema, class = options.schemas[name], documented[name]
    if not name:find("^test%.") then
      for _, option in ipairs(schema.names) do
        if not class or not class[option] then problems[#problems + 1] = ("%s: %s lacks"):format(name, option) end
      end
      for field in next, class or {} do
        if not schema.by_name[field] then problems[#problems + 1] = ("%s: %s is no option"):format(name, field) end
      end
    end
  end
  t.equal(problems, {})
end)

t.test("every class of options belongs to a schema", function()
  for name in next, documented do t.ok(options.schemas[name], name) end
end)

t.test("every name of eval is annotated", function()
  local eval = require "evalua"
  for name in pairs(eval) do
    t.ok(annotations:find("\nfunction eval%." .. name .. "%(") or annotations:find("\neval%." .. name .. " = "), name)
  end
  for _, group in ipairs { "scorers", "rules", "datasets", "experiments", "metrics", "reducers" } do
    for name in next, eval[group] do
      local full = group .. "%." .. name
      t.ok(annotations:find("\nfunction eval%." .. full .. "%(") or annotations:find("\neval%." .. full .. " = "),
        group .. "." .. name)
    end
  end
end)

t.test("the fields of items and runs are annotated", function()
  for _, name in ipairs(require("evalua.item").fields) do t.ok(classes["evalua.item"][name], name) end
  for _, name in ipairs(scorer.run_fields) do t.ok(classes["evalua.run"][name], name) end
end)
