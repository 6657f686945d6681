-- The grammar of CSV that is written: numbers that read back as they were, quotes where a cell needs them. How a cell
-- is kept from being a formula is for its writer: a report may change a value, a sheet that is read back may not.

local csv_text = {}

---A number as text, the shortest that reads back the same; empty for what is no finite number.
---@param value number
---@return string
function csv_text.number(value)
  if math.type(value) == "integer" then return tostring(value) end
  if value ~= value or math.abs(value) == math.huge then return "" end
  for _, format in ipairs { "%.15g", "%.16g" } do
    local short = format:format(value)
    if tonumber(short) == value then return short end
  end
  return ("%.17g"):format(value)
end

---A text as a cell.
---@param value string
---@return string
function csv_text.quoted(value)
  if value:find('[",\r\n]') or value:find("^%s") or value:find("%s$") then
    return '"' .. value:gsub('"', '""') .. '"'
  end
  return value
end

---A line of cells, without its end.
---@param cells table<integer, any>
---@param count integer how many, as some may be nil
---@param cell fun(value: any): string
---@return string
function csv_text.line(cells, count, cell)
  local out = {}
  for position = 1, count do out[position] = cell(cells[position]) end
  return table.concat(out, ",")
end

return csv_text
