-- A table of text that fits the terminal: columns are padded, flexible ones shrink; in a pipe nothing is cut by width.

local text = require "evalua.report.text"

local CELL_COLUMNS_MAX = 200 -- of a flexible cell where there is no terminal to fit
local GAP = "  "

---@class evalua.report.column
---@field title string
---@field right boolean? align to the right
---@field flexible boolean? may be cut to fit
---@field colour nil|fun(cell: string, row: table): string? colour of a cell

-- Takes from the widest flexible columns until the line fits.
local function shrink(columns, widths, available)
  local total = #GAP * (#columns - 1)
  for position = 1, #columns do total = total + widths[position] end
  while total > available do
    local widest
    for position, column in ipairs(columns) do
      if column.flexible and widths[position] > 8 and (not widest or widths[position] > widths[widest]) then
        widest = position
      end
    end
    if not widest then return end
    widths[widest] = widths[widest] - 1
    total = total - 1
  end
end

local function padded(value, width, right, last)
  local missing = width - text.width(value)
  if missing <= 0 or (last and not right) then return value, "" end
  return value, (" "):rep(missing)
end

local function line(columns, widths, cells, paint, row)
  local out = {}
  for position, column in ipairs(columns) do
    local cell = text.cut(cells[position] or "", widths[position])
    local value, fill = padded(cell, widths[position], column.right, position == #columns)
    local colour = row and (column.colour and column.colour(cells[position] or "", row)) or (not row and "dim") or nil
    value = paint(colour, value)
    out[position] = column.right and (fill .. value) or (value .. fill)
  end
  return (table.concat(out, GAP):gsub("%s+$", ""))
end

---Lines of a table.
---@param columns evalua.report.column[]
---@param rows string[][] clean text on one line per cell
---@param settings table width (integer?, nil: no limit), paint (text.painter), indent (string?), full (boolean?)
---@return string[] lines, the titles first
local function render(columns, rows, settings)
  local widths, indent = {}, settings.indent or ""
  for position, column in ipairs(columns) do
    widths[position] = text.width(column.title)
    for _, row in ipairs(rows) do
      local width = text.width(row[position] or "")
      if column.flexible and not settings.full and not settings.width then width = math.min(width, CELL_COLUMNS_MAX) end
      widths[position] = math.max(widths[position], width)
    end
  end
  if settings.width and not settings.full then shrink(columns, widths, settings.width - #indent) end
  local titles, lines = {}, {}
  for position, column in ipairs(columns) do titles[position] = column.title end
  lines[1] = indent .. line(columns, widths, titles, settings.paint, nil)
  for position, row in ipairs(rows) do
    lines[position + 1] = indent .. line(columns, widths, row, settings.paint, row)
  end
  return lines
end

return { render = render }
