-- A table of text that fits the terminal: columns are padded, flexible ones shrink, the least needed are left out; in
-- a pipe nothing is cut by width.

local text = require "evalua.report.text"

local CELL_COLUMNS_MAX = 200 -- of a flexible cell where there is no terminal to fit
local GAP = "  "
local FLEXIBLE_COLUMNS_MIN = 8
local NARROW_COLUMNS_MIN = 4

---@class evalua.report.column
---@field title string
---@field right boolean? align to the right
---@field flexible boolean? may be cut to fit
---@field narrow boolean? its title may be cut to fit, its cells are not
---@field minimum integer? columns that a flexible one keeps; default 8
---@field last boolean? shrinks when no other can
---@field drop integer|false|nil may be left out where there is no room: the lowest number first
---@field colour nil|fun(cell: string, row: table): string? colour of a cell

local function total_of(widths)
  local total = #GAP * (#widths - 1)
  for _, width in ipairs(widths) do total = total + width end
  return total
end

-- The columns that there is room for, and the titles of the others. least: the widths that they cannot go below.
local function choose(columns, least, available)
  local kept, widths, left_out = {}, {}, {}
  for position = 1, #columns do kept[position], widths[position] = position, least[position] end
  while total_of(widths) > available do
    local first
    for index, position in ipairs(kept) do
      local rank = columns[position].drop
      if rank and (not first or rank < columns[kept[first]].drop) then first = index end
    end
    if not first then break end
    left_out[#left_out + 1] = columns[table.remove(kept, first)].title
    table.remove(widths, first)
  end
  return kept, left_out
end

-- Takes from the widest columns that may shrink until the line fits.
local function shrink(columns, widths, least, available)
  local total = total_of(widths)
  for _, last in ipairs { false, true } do
    while total > available do
      local widest
      for position, column in ipairs(columns) do
        if (column.last or false) == last and widths[position] > least[position]
          and (not widest or widths[position] > widths[widest]) then
          widest = position
        end
      end
      if not widest then break end
      widths[widest] = widths[widest] - 1
      total = total - 1
    end
  end
end

local function pick(list, positions)
  local picked = {}
  for index, position in ipairs(positions) do picked[index] = list[position] or "" end
  return picked
end

-- Leaves out and cuts what does not fit.
local function fit(columns, rows, widths, cell_widths, available)
  local least = {}
  for position, column in ipairs(columns) do
    least[position] = column.flexible and math.min(widths[position], column.minimum or FLEXIBLE_COLUMNS_MIN)
      or column.narrow and math.min(widths[position], math.max(cell_widths[position] or 0, NARROW_COLUMNS_MIN))
      or widths[position]
  end
  local kept, left_out = choose(columns, least, available)
  if #left_out > 0 then
    local picked = {}
    for position, row in ipairs(rows) do picked[position] = pick(row, kept) end
    columns, rows, widths, least = pick(columns, kept), picked, pick(widths, kept), pick(least, kept)
  end
  shrink(columns, widths, least, available)
  return columns, rows, widths, left_out
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
  local widths, cell_widths, left_out, indent = {}, {}, {}, settings.indent or ""
  for position, column in ipairs(columns) do
    widths[position] = text.width(column.title)
    for _, row in ipairs(rows) do
      local width = text.width(row[position] or "")
      if column.flexible and not settings.full and not settings.width then width = math.min(width, CELL_COLUMNS_MAX) end
      widths[position] = math.max(widths[position], width)
      cell_widths[position] = math.max(cell_widths[position] or 0, width)
    end
  end
  if settings.width and not settings.full then
    columns, rows, widths, left_out = fit(columns, rows, widths, cell_widths, settings.width - #indent)
  end
  local titles, lines = {}, {}
  for position, column in ipairs(columns) do titles[position] = column.title end
  lines[1] = indent .. line(columns, widths, titles, settings.paint, nil)
  for position, row in ipairs(rows) do
    lines[position + 1] = indent .. line(columns, widths, row, settings.paint, row)
  end
  if #left_out > 0 then
    local note = ("(no room for: %s)"):format(table.concat(left_out, ", "))
    lines[#lines + 1] = indent .. settings.paint("dim", text.cut(note, settings.width - #indent))
  end
  return lines
end

return { render = render }
