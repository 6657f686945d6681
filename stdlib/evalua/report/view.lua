-- Where and how wide people read: lines and tables through a `write`, with colours on a terminal only.

local table_report = require "evalua.report.table"
local text = require "evalua.report.text"

local view = {}

---@class evalua.report.view
---@field write fun(text: string)
---@field paint fun(colour: string?, value: string): string
---@field width integer? nil in a file or pipe
---@field full boolean? nothing is cut

---Text goes through `write`, colours only to a terminal.
---@param write fun(text: string)
---@param descriptor integer? 1 by default
---@return evalua.report.view
function view.new(write, descriptor)
  return { write = function(value) write(text.neutral(value)) end, paint = text.painter(descriptor or 1),
    width = text.terminal_width(descriptor or 1) }
end

---A line as it is.
---@param to evalua.report.view
---@param ... string
function view.put(to, ...) to.write(table.concat({ ... }) .. "\n") end

---A line of words, broken where the terminal is narrower.
---@param to evalua.report.view
---@param ... string
function view.say(to, ...) to.write(text.wrap(table.concat({ ... }), to.width) .. "\n") end

---A table that fits.
---@param to evalua.report.view
---@param columns evalua.report.column[]
---@param rows string[][]
---@param indent string?
function view.table(to, columns, rows, indent)
  local lines = table_report.render(columns, rows,
    { width = to.width, paint = to.paint, indent = indent, full = to.full })
  view.put(to, table.concat(lines, "\n"))
end

---A column of scores: its title may be cut. Where there is no room the last are left out; the first stays.
---@param id string
---@param position integer among the columns of scores
---@return evalua.report.column
function view.score_column(id, position)
  return { title = text.clean(id), right = true, narrow = true, drop = position > 1 and 1000 - position }
end

return view
