-- A file of cases without a suite: writes the suite that `evalua run cases.jsonl --command ... -s ...` stands for.

local fail = require "evalua.cli.fail"
local secrets = require "evalua.secrets"
local strict = require "evalua.strict"
local shell_words = require "evalua.cli.shell_words"
local sys = require "evalua.native.sys"
local where = require "evalua.cli.where"

local cases = {}

local item_fields = { "id" }
for _, field in ipairs(where.item_fields) do if field ~= "id" then item_fields[#item_fields + 1] = field end end

-- The scorers of one -s: `exact`, `levenshtein{pass=0.8}` or several between commas. Checked by running them.
local function check_scorer(text, scorers)
  local names = {}
  for name in pairs(scorers) do names[#names + 1] = name end
  table.sort(names)
  local environment = setmetatable({}, {
    __index = function(_, name)
      local found = rawget(scorers, name)
      if found == nil then
        local ok, value = pcall(function() return scorers[name] end)
        found = ok and value or nil
      end
      if found ~= nil then return found end
      fail.usage("-s %s: there is no scorer %s%s", text, name, strict.hint(name, names, "scorers"))
    end,
    __metatable = false,
  })
  local chunk = where.compile_expression(text, "-s", environment)
  local values = table.pack(pcall(chunk))
  if not values[1] then
    if fail.is_failure(values[2]) then error(values[2], 0) end
    fail.usage("-s %s: %s", text, (tostring(values[2]):gsub("^%-s:%d+: ", "")))
  end
  if values.n < 2 or values[2] == nil then fail.usage("-s %s: is not a scorer", text) end
end

-- Prefixes the scorers of an expression: exact -> eval.scorers.exact, in the generated suite by locals of those names.
local function names_in(text, scorers)
  local names, seen = {}, {}
  local code = text:gsub("%b\"\"", '""'):gsub("%b''", "''")
  for before, name in (" " .. code):gmatch("([^%w_.])([%a_][%w_]*)") do
    local _ = before
    if not seen[name] and not where.keywords[name] then
      local ok, value = pcall(function() return scorers[name] end)
      if ok and value ~= nil then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  return names
end

-- Item fields that --map does not speak of, as `name = "name"`: columns of those names stay what they are. A CSV file
-- says which columns it has; a line of JSONL may have any.
local function unmapped(path, fields)
  local columns, used = item_fields, {}
  for _, names in pairs(fields) do for _, column in ipairs(names) do used[column] = true end end
  if path:match("%.csv$") then
    local reader = require("evalua.native.csv").open(path, { header = true })
    columns = reader and reader:header() or {} -- what is wrong with the file is told when it is read
  end
  local kept = {}
  for _, field in ipairs(item_fields) do
    if not fields[field] and not used[field] and strict.contains(columns, field) then kept[#kept + 1] = field end
  end
  return kept
end

-- `input=question,ground_truth=answer` as a mapping. The same field twice takes both columns; a column that has the
-- name of a field and is not mapped keeps it.
local function mapping_of(text, path)
  local fields, order = {}, {}
  for part in text:gmatch("[^,]+") do
    local field, column = part:match("^%s*([%w_]+)%s*=%s*(.-)%s*$")
    if not field or column == "" then fail.usage("--map %s: %q is not FIELD=COLUMN", text, part) end
    local known = false
    for _, name in ipairs(item_fields) do known = known or name == field end
    if not known then
      fail.usage("--map %s: there is no field %s of an item%s", text, field, strict.hint(field, item_fields, "fields"))
    end
    if not fields[field] then
      fields[field] = {}
      order[#order + 1] = field
    end
    table.insert(fields[field], column)
  end
  if #order == 0 then fail.usage("--map %s: names no field", text) end
  local parts = {}
  for position, field in ipairs(order) do
    local columns = {}
    for index, column in ipairs(fields[field]) do columns[index] = ("%q"):format(column) end
    local value = #columns == 1 and columns[1] or ("{ %s }"):format(table.concat(columns, ", "))
    parts[position] = ("%s = %s"):format(field, value)
  end
  for _, field in ipairs(unmapped(path, fields)) do parts[#parts + 1] = ("%s = %q"):format(field, field) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- The name of the environment variable that stands for a key on the command line: `--api-key X` gives API_KEY.
local function name_of_key(option, value)
  local base = option:upper():gsub("[^%w]+", "_")
  if not base:match("^%a%w%w") then base = "COMMAND_VALUE" end
  local name, count = base, 1
  while os.getenv(name) and os.getenv(name) ~= value do
    count = count + 1
    name = ("%s_%d"):format(base, count)
  end
  return name
end

-- Looks for a key in a word: `--api-key X`, `--api-key=X`, `API_KEY=X`, or what looks like one by itself.
local function find_key(word, previous)
  local option, value = word:match("^(%-*[%a_][%w_-]*)=(.+)$")
  if not option then option, value = previous and previous:match("^%-%-?%a[%w_-]*$") or "", word end
  if secrets.redact(value) ~= value then return nil end
  local name = name_of_key((option:gsub("^%-+", "")), value)
  secrets.consider(name, value)
  if secrets.redact(value) == value then return nil end
  require("evalua.param").give(name, value)
  sys.stderr_write(("evalua: the key in --command is not stored; `evalua resume` and `evalua retry` read it from the "
    .. "environment variable %s\n"):format(name))
  return name, value
end

-- A word of the command as Lua: keys are read from the environment, so that the suite holds none.
local function word_expression(word, previous)
  local name, value = find_key(word, previous)
  local parts, at = {}, 1
  local function add_text(text) if text ~= "" then parts[#parts + 1] = ("%q"):format(text) end end
  local function add_key(key, first, last)
    add_text(word:sub(at, first - 1))
    parts[#parts + 1] = ("eval.env %q"):format(key)
    at = last + 1
  end
  if name then add_key(name, #word - #value + 1, #word) end
  for key in (name and "" or secrets.redact(word)):gmatch("%[([%w_]+)%]") do
    local known = os.getenv(key)
    local first, last = word:find(known or "\0", at, true)
    if first then add_key(key, first, last) end
  end
  add_text(word:sub(at))
  return #parts > 0 and table.concat(parts, " .. ") or '""'
end

local function target_lines(command)
  local argv, problem = shell_words.split(command)
  if not argv then fail.usage("--command %s: %s", command, problem) end
  local quoted = {}
  for position, word in ipairs(argv) do quoted[position] = word_expression(word, argv[position - 1]) end
  return ("  target = eval.command { id = %q, argv = { %s }, cwd = %q },\n"):format(
    (argv[1]:match("([^/]+)$") or "command"), table.concat(quoted, ", "), sys.cwd())
end

-- The name of the experiment, and that of the dataset: c.csv and c.jsonl are two datasets.
local function names_of(path)
  local file = path:match("([^/]+)$") or path
  return file:match("^(.+)%.%w+$") or file, file
end

---The text of the suite that runs a file of cases.
---@param path string the .jsonl or .csv file
---@param options table parsed options of run: command, scorer, map
---@param scorers table eval.scorers
---@return string text
function cases.suite_text(path, options, scorers)
  local name, dataset = names_of(path)
  local kind = path:match("%.csv$") and "csv" or "jsonl"
  local absolute = sys.realpath(path) or path
  local lines = { "local eval = require \"evalua\"\n" }
  local seen = {}
  for _, text in ipairs(options.scorer or {}) do
    check_scorer(text, scorers)
    for _, scorer in ipairs(names_in(text, scorers)) do
      if not seen[scorer] then
        seen[scorer] = true
        lines[#lines + 1] = ("local %s = eval.scorers.%s\n"):format(scorer, scorer)
      end
    end
  end
  lines[#lines + 1] = ("\neval.dataset {\n  name = %q,\n  items = eval.%s(%q%s),\n}\n"):format(dataset, kind, absolute,
    options.map and (", " .. mapping_of(table.concat(options.map, ","), path)) or "")
  lines[#lines + 1] = ("\neval.experiment {\n  name = %q,\n  dataset = %q,\n"):format(name, dataset)
  if options.command then lines[#lines + 1] = target_lines(options.command) end
  lines[#lines + 1] = ("  scorers = { %s },\n}\n"):format(table.concat(options.scorer or {}, ", "))
  return table.concat(lines)
end

---Raises (exit 2) where options for cases are given without a file of cases, or where there is nothing to do.
---@param options table
---@param case_paths string[]
function cases.check(options, case_paths)
  if #case_paths == 0 then
    for _, name in ipairs { "command", "scorer", "map", "save" } do
      if options[name] then
        fail.usage("--%s is for a file of cases (*.jsonl, *.csv); a suite says it itself", name)
      end
    end
  elseif options.save then
    if #case_paths > 1 then fail.usage("--save %s: wants one file of cases, not %d", options.save, #case_paths) end
    if not options.save:match("%.eval%.lua$") then fail.usage("--save %s: name it *.eval.lua", options.save) end
    if sys.exists(options.save) then fail.usage("--save %s: it exists; nothing is overwritten", options.save) end
  end
end

return cases
