-- What the sections of the HTML report are made of: escaped text, badges, tables, and data inside of a script element.

local json = require "evalua.json"
local text = require "evalua.report.text"

local html = {}

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

---Text from outside as HTML. Nor is a line a command of a workflow's runner, should the page be printed into its log.
---@param value any
---@return string
function html.escape(value)
  local escaped = text.clean(tostring(value)):gsub("[&<>\"']", entities)
  return (escaped:gsub("::", "&#58;&#58;"):gsub("##(%a*)%[", "#&#35;%1["))
end

local escape = html.escape

---JSON that is safe inside of a script element. `<` is only ever inside of a string.
---@param value any
---@return string
function html.data(value)
  local encoded = json.encode(value)
  if encoded:find("##", 1, true) then encoded = encoded:gsub("##(%a*)%[", "\\u0023\\u0023%1[") end
  return (encoded:gsub("<", "\\u003c"):gsub("\226\128\168", "\\u2028"):gsub("\226\128\169", "\\u2029"))
end

local tones = { pass = "good", improved = "good", no_worse = "good", fail = "bad", regressed = "bad", error = "bad",
  no_data = "bad", failed = "bad", inconclusive = "warn", incomparable = "warn", interrupted = "warn",
  cancelled = "warn" }

---The class of a verdict: good, bad, warn or none.
---@param word string?
---@return string
function html.tone(word) return tones[word] or "" end

---A verdict or status as a coloured word.
---@param word string
---@return string
function html.badge(word)
  return ('<span class="badge %s">%s</span>'):format(html.tone(word), escape(tostring(word):gsub("_", " ") .. ""))
end

---Writes a table.
---@param write fun(text: string)
---@param caption string what a reader that cannot see it is told
---@param columns { [1]: string, [2]: string? }[] title and class
---@param rows string[][] cells are HTML already
---@param is_small boolean? as wide as its cells ask for
function html.table(write, caption, columns, rows, is_small)
  write(('<div class="scroll" tabindex="0" role="region" aria-label="%s"><table class="facts%s"><thead><tr>'):format(
    escape(caption), is_small and " small" or ""))
  for _, column in ipairs(columns) do
    write(('<th scope="col" class="%s">%s</th>'):format(column[2] or "", escape(column[1])))
  end
  write("</tr></thead><tbody>\n")
  for _, row in ipairs(rows) do
    write("<tr>")
    for position, column in ipairs(columns) do
      local name = position == 1 and 'th scope="row"' or "td"
      write(('<%s class="%s">%s</%s>'):format(name, column[2] or "", row[position], name:match("%w+")))
    end
    write("</tr>\n")
  end
  write("</tbody></table></div>\n")
end

return html
