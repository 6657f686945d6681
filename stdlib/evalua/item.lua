-- Dataset items: checks what users wrote and packs it into the JSON texts that the store keeps.

local json = require "evalua.json"
local is_packed = require("evalua.native.items").packed -- the metatable of items that the reader of files has packed
local printable = require("evalua.process_failure").printable
local secrets = require "evalua.secrets"
local strict = require "evalua.strict"

local item = {}
local json_encode = json.encode

item.MAX_BYTES = 64 * 1024 * 1024 -- of all fields of one item as JSON
item.MAX_ID_BYTES = 1000
item.MAX_PROBLEMS = 20 -- problems shown at once; the rest is counted
local AUTO_ID_DIGITS = 16
local ID_BYTES_SHOWN = 100 -- in messages

---What an item may contain.
item.fields = {
  "id", "input", "ground_truth", "context", "expected_trajectory", "steps", "output", "metadata", "tags", "scorers",
  "expect", "tool_mocks", "source",
}
-- The fields that are kept as JSON.
local json_fields = table.move(item.fields, 2, #item.fields, 1, {})
local is_json_field = {}
for _, name in ipairs(json_fields) do is_json_field[name] = true end

-- A list without holes; an empty table counts as one.
local function list_problem(value, what)
  if type(value) ~= "table" then return ("%s must be a list, not %s"):format(what, type(value)) end
  local length, problem = require("evalua.options").length(value)
  if not length then return ("%s is not a proper list: %s"):format(what, problem) end
  return nil
end

local shape = {}

function shape.metadata(value)
  if type(value) ~= "table" or json.is_array(value) and #value > 0 or rawget(value, 1) ~= nil then
    return nil, "metadata must be a table with names"
  end
  return value
end

function shape.tags(value)
  if type(value) ~= "table" then return nil, "tags must be a list of strings, or a table of them" end
  for key, tag in next, value do
    if type(tag) ~= "string" then
      return nil, ("tags must be strings; tag %s is a %s"):format(tostring(key), type(tag))
    end
  end
  if next(value) == nil then return json.array {} end
  return value
end

function shape.scorers(value)
  local problem = list_problem(value, "scorers")
  if problem then return nil, problem .. "; items name scorers by their ids" end
  local ids = {}
  for index, entry in ipairs(value) do
    local id = entry
    if type(entry) == "table" then id = rawget(entry, "id") end
    if type(id) ~= "string" then
      return nil, ("scorers of an item are ids; element %d is a %s"):format(index, type(entry))
    end
    ids[index] = id
  end
  return json.array(ids)
end

function shape.expect(value)
  local problem = list_problem(value, "expect")
  if problem then return nil, problem .. '; write for example { { contains = "refund" } }' end
  if #value == 0 then return json.array {} end
  local problems = require("evalua.expect").problems(value)
  if #problems > 0 then return nil, table.concat(problems, "; ") end
  return value
end

function shape.source(value)
  if type(value) ~= "table" then return nil, "source must be { type = ..., reference = ... }" end
  for key in next, value do
    if key ~= "type" and key ~= "reference" then
      return nil, ('unknown field "%s" of source; its fields are type and reference'):format(tostring(key))
    end
  end
  return value
end

-- JSON of one field, or nil and the problem with the path of the value.
local function encode(name, value)
  local ok, text = pcall(json_encode, value)
  if ok then return text end
  local problem = tostring(text):gsub("^[^\n]-%.lua:%d+: ", "")
  return nil, ("%s: %s"):format(name, problem)
end

-- The id as text; nil and a problem; or nil alone where the item has none.
local function id_text(id)
  if id == nil or id == json.null then return nil end
  if type(id) == "number" then
    if id ~= id or id == math.huge or id == -math.huge then return nil, "id must be a finite number or a string" end
    local whole = math.tointeger(id)
    return whole and ("%d"):format(whole) or json.encode(id)
  end
  if type(id) ~= "string" then return nil, ("id must be a string or a number, not a %s"):format(type(id)) end
  if id == "" then return nil, "id is empty; give it a name or leave it out" end
  if #id > item.MAX_ID_BYTES then
    return nil, ("id has %d bytes, the limit (item.MAX_ID_BYTES) is %d"):format(#id, item.MAX_ID_BYTES)
  end
  if not utf8.len(id) then return nil, "id is not valid UTF-8" end
  if id:find("%c") then return nil, "id contains a control character" end
  return id
end

---The id that an item with this one has in the store; nil and a problem where it cannot be one, nil alone for none.
---@param id any
---@return string|nil text
---@return string|nil problem
function item.id_text(id) return id_text(id) end

---The id of an item that states none: the beginning of the SHA-256 of its input's identity text.
---@param input any
---@return string
function item.auto_id(input)
  return require("evalua.native.text").sha256(json.identity(input)):sub(1, AUTO_ID_DIGITS)
end

local function auto_id_of_text(input)
  return require("evalua.native.text").sha256(json.canonical(input, "identity")):sub(1, AUTO_ID_DIGITS)
end

-- What stands for a row that could not be read, so that its problem is told among those of the other items.
local unreadable = { __name = "evalua.unreadable_item" }

---An item that is nothing but a problem.
---@param problem string
---@return table
function item.unreadable(problem) return setmetatable({ problem = problem }, unreadable) end

-- An item whose fields are JSON texts already, as read from a file; `id` is a string.
local of_texts = { __name = "evalua.item_of_texts" }

---An item whose fields are storage texts. `item.check` uses the table up.
---@param fields table<string, string> JSON text by name
---@param id string|nil
---@return table
function item.from_texts(fields, id)
  fields.id = id
  return setmetatable(fields, of_texts)
end

-- One field as JSON text; nil and a problem where it is not one, nil alone where it is absent.
local function pack_field(name, value)
  if not is_json_field[name] then
    return nil, ('unknown field "%s" of item%s'):format(tostring(name), strict.hint(name, item.fields, "its fields"))
  end
  if value == json.null and name ~= "input" then return nil end
  if shape[name] then
    local problem
    value, problem = shape[name](value)
    if problem then return nil, problem end
  end
  return encode(name, value)
end

-- The check of an item of texts: where all is well the table itself becomes the packed item.
local function check_texts(raw)
  local bytes, id = 0, raw.id
  for name, text in next, raw do
    bytes = bytes + #text
    if name == "id" then
      if not id_text(text) then return nil end
    elseif not is_json_field[name] then
      return nil
    elseif text == "null" and name ~= "input" then
      raw[name] = nil
    elseif shape[name] then
      raw[name] = pack_field(name, json.decode(text))
      if raw[name] == nil then raw[name] = text return nil end
    end
  end
  if not raw.input or bytes > item.MAX_BYTES then return nil end
  setmetatable(raw, nil)
  raw.id, raw.item_id = nil, id
  if not id then
    raw.item_id = auto_id_of_text(raw.input)
    raw.auto_id = true
  end
  return raw
end

-- A key in an item never reaches the store: the item is what it is without it, also to its digest and its target.
local function without_secrets(packed)
  if not packed or secrets.count() == 0 then return packed end
  local input = packed.input
  for name, text in next, packed do
    if type(text) == "string" then packed[name] = secrets.redact(text) end
  end
  if packed.auto_id and packed.input ~= input then packed.item_id = auto_id_of_text(packed.input) end
  return packed
end

---Checks an item and packs it; tells every problem it has.
---@param raw any what the user wrote
---@return table|nil packed item_id, auto_id and the fields as JSON texts
---@return string[]|nil problems
function item.check(raw)
  if type(raw) ~= "table" then
    return nil, { ("an item is a table with an input, not a %s"):format(type(raw)) }
  end
  local kind = getmetatable(raw)
  if kind == is_packed then return setmetatable(raw, nil) end
  if kind == unreadable then return nil, { raw.problem } end
  if kind == of_texts then
    local packed = without_secrets(check_texts(raw))
    if packed then return packed end
    local values = {}
    for name, text in next, raw do if name == "id" then values.id = text else values[name] = json.decode(text) end end
    raw = values
  end
  local packed, bytes, problems = {}, 0, nil
  local function add(problem)
    problems = problems or {}
    problems[#problems + 1] = problem
  end
  for name, value in next, raw do -- a hot loop: only what is there is looked at
    local text, problem
    if name == "id" then
      text, problem = id_text(value)
      packed.item_id = text
    else
      text, problem = pack_field(name, value)
      packed[name] = text
    end
    if problem then add(problem) end
    bytes = bytes + (text and #text or 0)
  end
  if rawget(raw, "input") == nil then add("it has no input (eval.null is a value, nil is none)") end
  if bytes > item.MAX_BYTES then
    add(("it has %d bytes as JSON, the limit (item_bytes) is %d"):format(bytes, item.MAX_BYTES))
  end
  if problems then
    table.sort(problems) -- the order of the fields is that of chance
    return nil, problems
  end
  if not packed.item_id then
    packed.item_id, packed.auto_id = item.auto_id(raw.input), true
  end
  return without_secrets(packed)
end

-- What an item is called in messages: its place, and its id where it has one.
local function name_of(raw, where)
  local id = type(raw) == "table" and rawget(raw, "id")
  if type(id) == "string" or type(id) == "number" then
    return ('%s, item "%s"'):format(where, printable(tostring(id), ID_BYTES_SHOWN))
  end
  return where
end

---Checks an item and packs it. Raises every problem it has.
---@param raw any
---@param where string|nil where it came from: "tickets.jsonl:12"
---@return table packed
function item.pack(raw, where)
  local packed, problems = item.check(raw)
  if packed then return packed end
  local name = name_of(raw, where or "item")
  for position, problem in ipairs(problems) do problems[position] = name .. ": " .. problem end
  error(table.concat(problems, "\n"), 0)
end

---@class evalua.item_problems
local collector_methods = {}
collector_methods.__index = collector_methods

---Packs an item; keeps its problems for later instead of raising them.
---@return table|nil packed
function collector_methods:pack(raw, where)
  local packed, problems = item.check(raw)
  if packed then return packed end
  for _, problem in ipairs(problems) do self:add(name_of(raw, where) .. ": " .. problem) end
  return nil
end

---Keeps one problem.
---@param message string
function collector_methods:add(message)
  self.count = self.count + 1
  if self.count <= item.MAX_PROBLEMS then self.messages[self.count] = message end
end

---The problems as text: up to 20, then a count. nil where there are none.
---@return string|nil
function collector_methods:text()
  if self.count == 0 then return nil end
  local text = table.concat(self.messages, "\n")
  local more = self.count - #self.messages
  return more > 0 and ("%s\nand %d more problems"):format(text, more) or text
end

---Collects the problems of many items.
---@return evalua.item_problems
function item.collector()
  return setmetatable({ count = 0, messages = {} }, collector_methods)
end

---The strict item record of a packed one, as targets and predicates see it. null at the top is nil.
---@param packed table
---@return table
function item.unpack(packed)
  local record = { id = packed.item_id }
  for _, name in ipairs(json_fields) do
    local text = packed[name]
    if text then
      local value = json.decode(text)
      if value ~= json.null then record[name] = value end
    end
  end
  return strict.record(record, item.fields, "item")
end

return item
