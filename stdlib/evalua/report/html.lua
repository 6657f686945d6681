-- One self-contained HTML file: verdicts, comparisons, distributions, trends, and the items in a table with filter and
-- sort.
--
-- No request leaves the page: its policy allows nothing but the one style and the one script in it, by their digests.
-- What came from outside is escaped, or stands as JSON in a script element that is never run, with every `<` as \u003c.

local comparison = require "evalua.report.html_comparison"
local parts = require "evalua.report.html_parts"
local report_parts = require "evalua.report.parts"
local rows = require "evalua.report.html_rows"
local run = require "evalua.report.html_run"
local sha256 = require("evalua.native.text").sha256

local script = require "evalua.report.html_script"
local style = require "evalua.report.html_style"

local html = {}

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Base64 of bytes given as hexadecimal digits: how a policy names a digest.
local function base64_of_hex(hex)
  local bytes = {}
  for pair in hex:gmatch("%x%x") do bytes[#bytes + 1] = tonumber(pair, 16) end
  local out = {}
  for position = 1, #bytes, 3 do
    local first, second, third = bytes[position], bytes[position + 1], bytes[position + 2]
    local all = first << 16 | (second or 0) << 8 | (third or 0)
    for digit = 0, 3 do
      local index = (all >> (18 - 6 * digit)) & 63
      local is_padding = digit == 2 and not second or digit == 3 and not third
      out[#out + 1] = is_padding and "=" or alphabet:sub(index + 1, index + 1)
    end
  end
  return table.concat(out)
end

local function policy_digest(content) return "'sha256-" .. base64_of_hex(sha256(content)) .. "'" end

local function put_head(write, title, badge)
  title = parts.escape(title)
  write('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
  write(([[<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src %s; script-src %s; ]] ..
    [[base-uri 'none'; form-action 'none'">]]):format(policy_digest(style), policy_digest(script)))
  write('\n<meta name="viewport" content="width=device-width, initial-scale=1">\n')
  write('<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n')
  write(("<title>%s - evalua</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n<h1>%s%s</h1>\n"):format(title, style,
    title, badge or ""))
end

local function put_foot(write, note, put_data)
  write(("</main>\n<footer>%s</footer>\n"):format(note))
  write('<script type="application/json" id="data">')
  put_data(write)
  write("</script>\n<script>" .. script .. "</script>\n</body>\n</html>\n")
end

local function title_of(document)
  local names = {}
  for _, summary in ipairs(document.summaries) do names[#names + 1] = report_parts.title(summary) end
  if #names == 0 then
    for _, result in ipairs(document.comparisons or {}) do names[#names + 1] = report_parts.title(result.candidate) end
    return "Comparison of " .. table.concat(names, ", ")
  end
  return #names <= 3 and table.concat(names, ", ") or ("%s and %d more"):format(names[1], #names - 1)
end

-- The comparisons by the run that they are of.
local function by_candidate(document)
  local found = {}
  for position, result in ipairs(document.comparisons or {}) do
    local id = result.candidate.experiment_id
    found[id] = found[id] or {}
    table.insert(found[id], { result = result, index = position - 1 })
  end
  return found
end

---Writes the page of runs and comparisons.
---@param write fun(text: string)
---@param document evalua.report.document
function html.runs(write, document)
  local verdict = document.verdict and document.verdict ~= "none" and #document.summaries > 1
  put_head(write, title_of(document), verdict and " " .. parts.badge(document.verdict) or nil)
  local of_run = by_candidate(document)
  if #document.summaries == 0 then
    for position, result in ipairs(document.comparisons or {}) do comparison.put(write, result, position - 1, "h2") end
  end
  for position, summary in ipairs(document.summaries) do
    run.put_head(write, summary)
    for _, entry in ipairs(of_run[summary.experiment_id] or {}) do
      comparison.put(write, entry.result, entry.index, "h3")
    end
    run.put_rest(write, document, summary, position - 1)
  end
  put_foot(write, "Long values are shortened; the store and the JSON report have them whole.", function(put)
    rows.write(put, document, rows.plan(document))
  end)
end

---Writes the page of a trend.
---@param write fun(text: string)
---@param groups table[] of evalua.report.history
function html.trend(write, groups)
  put_head(write, "Trend of " .. report_parts.title { name = groups[1] and groups[1].name })
  for _, group in ipairs(groups) do require("evalua.report.html_trend").put(write, group) end
  put_foot(write, "Each mean stands with its 95% interval.", function(put) put '{"runs":[],"pairs":[]}' end)
end

return html
