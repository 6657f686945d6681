-- Item sources: CSV and JSONL files that are read row by row, again and again, and never become a table.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local source = {}

local MAX_LINE_BYTES = 64 * 1024 * 1024 -- of a JSONL file

-- The options that stand beside the fields of a mapping.
local mapping_words = { "json", "number" }

local source_methods = {}
source_methods.__index = source_methods
source_methods.__name = "evalua.source"

local function text_list(values, name, what)
  if type(values) == "string" then return { [values] = true } end
  if type(values) ~= "table" or not options.length(values) then
    place.fail(("%s: %s must be a list of column names"):format(what, name))
  end
  local set = {}
  for index, column in ipairs(values) do
    if type(column) ~= "string" then
      place.fail(("%s: %s must be a list of column names; element %d is %s"):format(what, name, index,
        options.show(column)))
    end
    set[column] = true
  end
  return set
end

-- Checks a mapping and returns {fields = {name = column | {columns} | function}, json = set, number = set, whole = f}.
local function check_mapping(mapping, what)
  if mapping == nil then return { json = {}, number = {} } end
  if type(mapping) == "function" then return { whole = mapping, json = {}, number = {} } end
  if type(mapping) ~= "table" then
    place.fail(("%s: a mapping is a table { input = \"column\", ... } or a function of the row, not a %s"):format(what,
      type(mapping)))
  end
  local item = require "evalua.item"
  local names = table.move(mapping_words, 1, #mapping_words, #item.fields + 1, table.move(item.fields, 1, #item.fields,
    1, {}))
  local checked = { fields = nil, json = {}, number = {} }
  local keys = strict.keys(mapping)
  for key in next, mapping do
    if type(key) ~= "string" then
      place.fail(("%s: the mapping has a value without a name (%s)"):format(what, tostring(key)))
    end
  end
  for _, key in ipairs(keys) do
    local value = mapping[key]
    if key == "json" or key == "number" then
      checked[key] = text_list(value, key, what)
    else
      if not strict.contains(names, key) then
        place.fail(('%s: the mapping names an unknown field "%s"%s'):format(what, key,
          strict.hint(key, names, "the fields of an item")))
      end
      if type(value) == "table" then
        text_list(value, key, what)
        if #value == 0 then place.fail(("%s: %s is an empty list of columns"):format(what, key)) end
      elseif type(value) ~= "string" and type(value) ~= "function" then
        place.fail(("%s: %s must be a column, a list of columns or a function of the row, not %s"):format(what, key,
          options.show(value)))
      end
      checked.fields = checked.fields or {}
      checked.fields[key] = value
    end
  end
  return checked
end

-- One row (a table by column) as an item.
local function map_row(mapping, row)
  if mapping.whole then return mapping.whole(row) end
  if not mapping.fields then return row end
  local raw = {}
  for name, from in next, mapping.fields do
    if type(from) == "string" then
      raw[name] = rawget(row, from)
    elseif type(from) == "function" then
      raw[name] = from(row)
    else
      local object = {}
      for _, column in ipairs(from) do object[column] = rawget(row, column) end
      raw[name] = object
    end
  end
  return raw
end

-- Raises where a mapping or a conversion names columns that the file does not have.
local function check_columns(mapping, header, path)
  local item = require "evalua.item"
  local set, seen = {}, {}
  for _, column in ipairs(header) do
    if seen[column] then fail.usage('%s:1: two columns are called "%s"; rename one', path, column) end
    seen[column], set[column] = true, true
    if not mapping.fields and not mapping.whole and not strict.contains(item.fields, column) then
      fail.usage('%s:1: column "%s" is no field of an item; write a mapping such as { input = "%s" }', path, column,
        column)
    end
  end
  local function check(column)
    if not set[column] then
      fail.usage('%s:1: there is no column "%s"%s', path, column, strict.hint(column, header, "its columns"))
    end
  end
  for _, name in ipairs(strict.keys(mapping.fields or {})) do
    local from = mapping.fields[name]
    if type(from) == "string" then check(from) end
    if type(from) == "table" then for _, column in ipairs(from) do check(column) end end
  end
  for _, kind in ipairs(mapping_words) do
    for _, column in ipairs(strict.keys(mapping[kind])) do check(column) end
  end
end

-- A cell as the value that the mapping wants; nil and the problem where it is not one.
local function convert(mapping, column, value)
  if type(value) ~= "string" or not (mapping.number[column] or mapping.json[column]) then return value end
  if value == "" then return nil end
  local decoded, problem = json.decode(value)
  if mapping.number[column] and type(decoded) ~= "number" then
    return nil, ('column "%s": %s is not a number'):format(column, options.show(value))
  end
  if decoded == nil then return nil, ('column "%s" is not JSON: %s'):format(column, problem) end
  return decoded
end

-- Opens the CSV file and returns its reader and header.
local function open_csv(self)
  local reader, problem = require("evalua.native.csv").open(self.path, { delimiter = self.delimiter, header = true })
  if not reader then
    fail.usage("%s", problem:find(self.path, 1, true) and problem or ("%s: %s"):format(self.path, problem))
  end
  local header = reader:header() or {}
  if #header > 0 then check_columns(self.mapping, header, self.path) end
  return reader, header
end

local function each_csv(self)
  local item = require "evalua.item"
  local reader, header = open_csv(self)
  return function()
    local cells, line = reader:next()
    if not cells then
      if line ~= nil then
        fail.usage("%s", line:find(self.path, 1, true) and line or ("%s: %s"):format(self.path, line))
      end
      return nil
    end
    local where, row = ("%s:%d"):format(self.path, line), {}
    for position, column in ipairs(header) do
      local value, problem = convert(self.mapping, column, cells[position])
      if problem then return item.unreadable(problem), where end
      row[column] = value
    end
    return map_row(self.mapping, row) or item.unreadable("the mapping function returned nil, not an item"), where
  end
end

-- The keys that the mapping of a JSONL file names, or nil: those that no line has are a mistake, as an absent column
-- is. One that is called as its field is asks for no more than an item without a mapping does.
local function wanted_keys(mapping)
  if not mapping.fields then return nil end
  local wanted = {}
  for name, from in next, mapping.fields do
    if type(from) == "string" and from ~= name then wanted[from] = true end
    if type(from) == "table" then for _, key in ipairs(from) do wanted[key] = true end end
  end
  return wanted
end

-- The item that tells, after the last line, which of the keys no line had.
local function unmet(wanted, seen_keys)
  local key = wanted and seen_keys and strict.keys(wanted)[1]
  return key and require("evalua.item").unreadable(('no line has the key "%s", which the mapping names%s'):format(key,
    strict.hint(key, seen_keys, "the keys of the last line"))) or nil
end

-- What the decoder says of a line, which is always the first and has no end.
local function line_problem(line)
  local _, wrong = json.decode((line:gsub("[\r\n]+$", "")))
  return "not JSON: " .. tostring(wrong):gsub("^line 1 (column %d+: )", "%1")
end

-- One line of a JSONL file as an item. `wanted` loses the keys that it has.
local function read_line(self, line, as_texts, wanted)
  local item = require "evalua.item"
  if #line > MAX_LINE_BYTES then
    return item.unreadable(("the line has %d bytes, the limit (line_bytes) is %d"):format(#line, MAX_LINE_BYTES))
  end
  if as_texts then -- the values are never looked at: their texts will do
    local fields, id = json.fields(line)
    if fields and (id or fields.id == nil) then return item.from_texts(fields, id) end
  end
  local row = json.decode(line)
  if row == nil then return item.unreadable(line_problem(line)) end
  if type(row) ~= "table" or json.is_array(row) then return item.unreadable("a line is one JSON object, an item") end
  for key in next, wanted or {} do if rawget(row, key) ~= nil then wanted[key] = nil end end
  for _, kind in ipairs(mapping_words) do
    for column in next, self.mapping[kind] do
      local value, problem = convert(self.mapping, column, rawget(row, column))
      if problem then return item.unreadable(problem) end
      row[column] = value
    end
  end
  local keys = wanted and next(wanted) and strict.keys(row) or nil
  return map_row(self.mapping, row) or item.unreadable("the mapping function returned nil, not an item"), keys
end

local function each_jsonl(self, as_texts)
  local reader, problem = require("evalua.native.items").open(self.path)
  if not reader then fail.usage("cannot read items: %s", problem) end
  local wanted, keys = wanted_keys(self.mapping), nil
  return function()
    local found, where = reader:next(as_texts)
    if type(found) == "string" then
      local raw, found_keys = read_line(self, found, as_texts, wanted)
      keys = found_keys or keys
      return raw, where
    end
    if found == nil and where then fail.usage("cannot read items: %s", where) end
    if found == nil then
      local missing = unmet(wanted, keys)
      wanted = nil
      return missing, missing and self.path
    end
    return found, where
  end, as_texts and reader or nil
end

---Iterates over the rows as (raw item, "file:line"); every call starts from the beginning.
---@param for_packing boolean|nil the items are only packed (item.check): some are packed already, or item.from_texts
---@return fun(): table|nil, string|nil
---@return userdata|nil reader with for_packing, of a file whose lines may be put as they stand (sync:put_lines)
function source_methods:each(for_packing)
  if self.kind == "csv" then return each_csv(self) end
  return each_jsonl(self, for_packing and self.is_plain)
end

local function make(kind, path, mapping, delimiter)
  local is_plain = not (mapping.whole or mapping.fields)
  for _, word in ipairs(mapping_words) do is_plain = is_plain and next(mapping[word]) == nil end
  return setmetatable({ kind = kind, path = path, mapping = mapping, delimiter = delimiter, is_plain = is_plain },
    source_methods)
end

---True for what eval.csv and eval.jsonl return.
---@param value any
---@return boolean
function source.is(value) return getmetatable(value) == source_methods end

-- The path as it can be opened; raises at once where there is no such file.
local function readable(path, what)
  if type(path) ~= "string" or path == "" then
    place.fail(("%s takes the path of a file, not %s"):format(what, options.show(path)))
  end
  local resolved = place.resolve(path)
  require("evalua.files_read").add(resolved)
  local file, problem = io.open(resolved, "rb")
  if not file then place.fail(("%s: %s"):format(what, problem)) end
  local _, unreadable = file:read(0)
  file:close()
  if unreadable then place.fail(("%s: %s: %s"):format(what, resolved, unreadable)) end
  return resolved
end

local csv_options = options.schema("eval.csv", {
  { "delimiter", "text", help = "one character between the cells (default: as the header shows, a comma)" },
})

local HEADER_BYTES_MAX = 65536 -- that are looked at for the delimiter

-- What stands between the cells of a file: a comma, unless its header has none and has semicolons or tabs, as where
-- spreadsheets use the comma for decimals.
local function delimiter_of(path)
  local file = io.open(path, "rb")
  local header = file and file:read(HEADER_BYTES_MAX) or ""
  if file then file:close() end
  header = header:gsub('"[^"]*"', ""):match("^[\r\n]*([^\r\n]*)") or ""
  if header:find(",", 1, true) then return "," end
  local _, semicolons = header:gsub(";", "")
  local _, tabs = header:gsub("\t", "")
  if semicolons + tabs == 0 then return "," end
  return semicolons >= tabs and ";" or "\t"
end

---Items from a CSV file with a header line; lazy, and read again at every pass.
---@param path string taken from the directory of the script that wrote it
---@param mapping table|fun(row: table): table|nil which columns make which fields
---@param given table|nil options: delimiter
---@return table source
function source.csv(path, mapping, given)
  local values = options.check(csv_options, given or {})
  if values.delimiter and #values.delimiter ~= 1 then
    place.fail("eval.csv: delimiter must be one byte, such as ; or \"\\t\"")
  end
  local resolved = readable(path, "eval.csv")
  return make("csv", resolved, check_mapping(mapping, "eval.csv"), values.delimiter or delimiter_of(resolved))
end

---Items from a file with one JSON object per line; lazy, and read again at every pass.
---@param path string taken from the directory of the script that wrote it
---@param mapping table|fun(row: table): table|nil which keys make which fields
---@return table source
function source.jsonl(path, mapping)
  return make("jsonl", readable(path, "eval.jsonl"), check_mapping(mapping, "eval.jsonl"))
end

---The source of a file by its ending, for `file = "tickets.csv"` and cases on the command line.
---@param path string
---@param mapping table|function|nil
---@return table source
function source.file(path, mapping)
  local ending = path:lower():match("%.(%w+)$")
  if ending == "csv" then return source.csv(path, mapping) end
  if ending == "tsv" then return source.csv(path, mapping, { delimiter = "\t" }) end
  if ending == "jsonl" or ending == "ndjson" then return source.jsonl(path, mapping) end
  place.fail(("file %s: items are read from .csv, .tsv, .jsonl or .ndjson files"):format(options.show(path)))
end

return source
