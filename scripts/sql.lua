-- evalua sql: one statement that reads, over the views and tables of the store.

local csv = require "evalua.report.csv"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local parts = require "evalua.report.parts"
local pretty = require "evalua.report.pretty"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local TABLE_LIMIT = 1000 -- a table is laid out whole; the other formats stream

local parsed = options.begin("sql", ...)
if not parsed then return 0 end
local format = parsed.format or "table"
local statement = parsed[1]
if statement == "-" then statement = io.read("a") end
local store = store_context.open(parsed.store, { read_only = true })
fail.check(fail.codes.incomplete, store:show_interrupted())
local limit = parsed.limit or (format == "table" and TABLE_LIMIT + 1) or math.maxinteger

local query, problem, code = store:query(statement, limit)
if not query then
  fail.raise(code == "argument" and fail.codes.usage or fail.codes.incomplete, tostring(problem))
end
local columns = query:columns()
local stdout = output.stdout()

-- The next row, or nil at the end. A store that fails on the way is an error, not an end.
local function next_row()
  local row, message = query:next()
  if not row and message then
    stdout.flush()
    fail.incomplete("%s", tostring(message))
  end
  return row
end

-- Columns of the same name get a number, so that none hides another.
local function distinct(names)
  local used, out = {}, {}
  for position, name in ipairs(names) do
    local unique, number = name, 2
    while used[unique] do unique, number = ("%s_%d"):format(name, number), number + 1 end
    used[unique], out[position] = true, unique
  end
  return out
end

local function cell_text(value)
  if value == json.null then return "" end
  if math.type(value) == "float" then return ("%.6g"):format(value) end
  if type(value) == "number" then return tostring(value) end
  return parts.one_line(text.clean(value))
end

local function put_table()
  local rows, shape, numeric = {}, {}, {}
  local more = false
  for row in next_row do
    if not parsed.limit and #rows == TABLE_LIMIT then
      more = true
      break
    end
    local cells = {}
    for position, value in ipairs(row) do
      if type(value) == "number" then
        if numeric[position] == nil then numeric[position] = true end
      elseif value ~= json.null then
        numeric[position] = false
      end
      cells[position] = cell_text(value)
    end
    rows[#rows + 1] = cells
  end
  for position, name in ipairs(columns) do
    shape[position] = { title = parts.one_line(text.clean(name)), right = numeric[position] == true,
      flexible = numeric[position] ~= true }
  end
  pretty.table(pretty.view(stdout.write), shape, rows)
  stdout.flush()
  if more then sys.stderr_write(("the first %d rows; --limit N or --format csv shows more\n"):format(TABLE_LIMIT)) end
end

local function put_csv()
  csv.line(stdout.write, columns, #columns)
  for row in next_row do
    for position, value in ipairs(row) do if value == json.null then row[position] = "" end end
    csv.line(stdout.write, row, #columns)
  end
end

-- Keys in the order of the columns. What is not UTF-8 (a BLOB) shows U+FFFD.
local function put_objects(before, between, after)
  local keys, first = {}, true
  for position, name in ipairs(distinct(columns)) do keys[position] = report.harmless(json.encode(name)) .. ":" end
  stdout.write(before)
  for row in next_row do
    local fields = {}
    for position, value in ipairs(row) do
      if type(value) == "string" then value = json.repair(value) end
      if math.type(value) == "float" and (value ~= value or math.abs(value) == math.huge) then value = json.null end
      fields[position] = keys[position] .. report.harmless(json.encode(value))
    end
    stdout.write((first and "" or between) .. "{" .. table.concat(fields, ",") .. "}")
    first = false
  end
  if not first or before ~= "" then stdout.write(after) end
end

if format == "table" then
  put_table()
elseif format == "csv" then
  put_csv()
elseif format == "json" then
  put_objects("[", ",\n", "]\n")
else
  put_objects("", "\n", "\n")
end
query:close()
stdout.flush()
return 0
