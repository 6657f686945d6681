-- EXPR of --where and --scorer: Lua expressions in a sandbox, with the fields of an item or a result in scope.
--
-- An expression cannot define functions or loop, so it always ends. What is missing does not match: a table that is
-- absent is empty, and a comparison with a value that is absent is false (counted, so that it can be said aloud).

local fail = require "evalua.cli.fail"
local strict = require "evalua.strict"
local json = require "evalua.json"

local where = {}

local EXPRESSION_BYTES_MAX = 10000

where.item_fields = {
  "id", "input", "ground_truth", "context", "expected_trajectory", "steps", "output", "metadata", "tags", "expect",
  "source",
}
where.result_fields = {
  "item_id", "item_version", "trial", "status", "passed", "input", "output", "ground_truth", "metadata", "tags",
  "error", "latency_ms", "retry_count", "usage", "steps", "trajectory", "score", "label", "reason", "started_at",
  "completed_at",
}

-- Fields that read as an empty table where they are absent.
local table_fields = {
  metadata = true, tags = true, error = true, usage = true, steps = true, trajectory = true, score = true,
  label = true, reason = true, expected_trajectory = true, expect = true, source = true, context = true,
}

local library = {
  math = math, string = string, utf8 = utf8, tonumber = tonumber, tostring = tostring, type = type,
  ipairs = ipairs, pairs = pairs, select = select, null = json.null, next = next,
}
library.table = { concat = table.concat, unpack = table.unpack }

-- Words outside of strings that would let an expression run on for ever or reach out of the sandbox.
local refused_words = { ["function"] = true, ["goto"] = true, ["while"] = true, ["for"] = true, ["repeat"] = true }
local refused_methods = { rep = true, dump = true }

-- Blanks out strings and comments, so that the words left are code.
local function code_only(text)
  local out, position = {}, 1
  while position <= #text do
    local character = text:sub(position, position)
    local level = text:match("^%[(=*)%[", position)
    if character == "'" or character == '"' then
      local finish = position + 1
      while finish <= #text and text:sub(finish, finish) ~= character do
        finish = finish + (text:sub(finish, finish) == "\\" and 2 or 1)
      end
      out[#out + 1], position = '""', finish + 1
    elseif level then
      local _, finish = text:find("]" .. level .. "]", position, true)
      out[#out + 1], position = '""', (finish or #text) + 1
    else
      out[#out + 1], position = character, position + 1
    end
  end
  return table.concat(out)
end

local function check_code(text, option)
  if #text > EXPRESSION_BYTES_MAX then
    fail.usage("%s: the expression has %d bytes, the limit (EXPRESSION_BYTES_MAX) is %d", option, #text,
      EXPRESSION_BYTES_MAX)
  end
  local code = code_only(text)
  if code:find("--", 1, true) then fail.usage("%s %s: comments have no place in an expression", option, text) end
  for word in code:gmatch("[%a_][%w_]*") do
    if refused_words[word] then
      fail.usage("%s %s: an expression cannot contain %s; it is one value such as metadata.lang == \"de\"", option,
        text, word)
    end
  end
  for method in code:gmatch("[.:]%s*([%a_][%w_]*)") do
    if refused_methods[method] then fail.usage("%s %s: %s is not offered here", option, text, method) end
  end
end

---Compiles `text` as one expression whose globals come from `environment`.
---@param text string
---@param option string the option it came from, for messages
---@param environment table
---@return function
function where.compile_expression(text, option, environment)
  check_code(text, option)
  local chunk, problem = load("return " .. text .. "\n", "=" .. option, "t", environment)
  if not chunk then
    local reason = tostring(problem):gsub("^" .. option:gsub("%p", "%%%0") .. ":%d+: ", "")
    local assigned = code_only(text):match("[^=~<>]=[^=]") and "; to compare write ==" or ""
    fail.usage("%s %s: not an expression: %s%s", option, text, reason, assigned)
  end
  return chunk
end

-- A value of the record as the expression sees it: null and absent tables of the top level are gone.
local function visible(value, field)
  if value == nil or value == json.null then return table_fields[field] and {} or nil end
  return value
end

-- True for errors that only say that a value is not there.
local function is_absence(problem)
  local text = tostring(problem)
  if text:find("attempt to call", 1, true) then return false end
  return text:find("a nil value", 1, true) or text:find("nil with", 1, true) or text:find("with nil", 1, true)
    or text:find("two nil values", 1, true) or text:find("a userdata value", 1, true)
    or text:find("userdata with", 1, true) or text:find("with userdata", 1, true)
    or text:find("got nil", 1, true) or text:find("got no value", 1, true) or text:find("got userdata", 1, true)
end

---Compiles EXPR over records with the given fields.
---@param text string
---@param fields string[] the names in scope (where.item_fields, where.result_fields)
---@param option string? the option it came from (default "--where")
---@return table filter: `filter.matches(record, id)` and `filter.absent` (records that lack what is compared)
function where.compile(text, fields, option)
  option = option or "--where"
  local known, record = {}, nil
  for _, field in ipairs(fields) do known[field] = true end
  local environment = setmetatable({}, {
    __index = function(_, name)
      if known[name] then return visible(record and record[name], name) end
      if library[name] ~= nil then return library[name] end
      fail.usage("%s %s: there is no field %s%s", option, text, tostring(name),
        strict.hint(tostring(name), fields, "fields"))
    end,
    __newindex = function() fail.usage("%s %s: an expression cannot assign", option, text) end,
    __metatable = false,
  })
  local chunk = where.compile_expression(text, option, environment)
  -- Unknown names are found now, before anything runs, not at the first item that reaches them.
  for name in code_only(text):gsub("[.:]%s*[%a_][%w_]*", " "):gmatch("%f[%w_][%a_][%w_]*") do
    if not (where.keywords[name]) then
      local is_key = code_only(text):find("[{,]%s*" .. name .. "%s*=[^=]")
      if not is_key then local _ = environment[name] end
    end
  end
  local filter = { text = text, absent = 0 }
  function filter.matches(candidate, id)
    record = candidate
    local ok, value = pcall(chunk)
    record = nil
    if ok then return value and value ~= json.null and true or false end
    if fail.is_failure(value) then error(value, 0) end
    if is_absence(value) then
      filter.absent = filter.absent + 1
      filter.first_absent = filter.first_absent or id
      return false
    end
    local reason = tostring(value):gsub("^%-%-[%w-]+:%d+: ", "")
    fail.usage("%s %s: %s%s", option, text, reason, id and (" (at %s)"):format(id) or "")
  end
  return filter
end

---Says on stderr how many records a filter left out because they lack a value that it compares.
---@param filter table|nil of where.compile
---@param what string what they are: "items" or "results"
function where.tell_absent(filter, what)
  if not filter or filter.absent == 0 then return end
  local text = require "evalua.report.text"
  require("evalua.native.sys").stderr_write(text.neutral(
    ("--where: %d %s lack a value that it compares and were left out (the first: %s)\n"):format(filter.absent, what,
      text.clean(tostring(filter.first_absent)))))
end

where.keywords = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true "
  .. "until while"):gmatch("%a+") do
  where.keywords[word] = true
end

---A map of scores that refuses names of scorers that the run does not have.
---@param values table<string, any>
---@param known table<string, boolean> ids of the run's scorers
---@param what string "scorer", for messages
---@return table
function where.strict_map(values, known, what)
  return setmetatable(values, {
    __index = function(_, name)
      if known[name] then return nil end
      local names = {}
      for id in pairs(known) do names[#names + 1] = id end
      table.sort(names)
      fail.usage("--where: there is no %s %s%s", what, tostring(name), strict.hint(tostring(name), names, what .. "s"))
    end,
  })
end

return where
