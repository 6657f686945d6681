-- GitLab's code quality report: a JSON array with an entry per failed item and per rule that does not hold.

local json = require "evalua.json"
local parts = require "evalua.report.parts"
local sha256 = require("evalua.native.text").sha256
local text = require "evalua.report.text"

local gitlab = {}

local severities = { error = "critical", failure = "major" }

local function relative(path)
  path = parts.present(path)
  if not path then return "evalua" end
  local root = require("evalua.native.sys").cwd()
  if root and path:sub(1, #root + 1) == root .. "/" then path = path:sub(#root + 2) end
  return (text.clean(path):gsub("^%./", ""))
end

---Writes the report. The fingerprints depend on names only, so they stay the same from run to run.
---@param write fun(text: string)
---@param document evalua.report.document
function gitlab.runs(write, document)
  local count, used = 0, {}
  write("[")
  local function entry(summary, severity, check, name, message)
    local key = table.concat({ relative(summary.suite), parts.title(summary), check, name }, "\0")
    used[key] = (used[key] or 0) + 1
    if used[key] > 1 then key = key .. "\0" .. used[key] end -- two rules of one name are two findings
    local value = { description = parts.cut(("%s, %s: %s"):format(parts.title(summary), name, message), 1000),
      check_name = check, severity = severity, location = { path = relative(summary.suite), lines = { begin = 1 } },
      fingerprint = sha256(key) }
    write((count > 0 and ",\n" or "\n") .. json.encode(value))
    count = count + 1
  end
  for _, summary in ipairs(document.summaries) do
    for _, rule in ipairs(parts.present(summary.rules) or {}) do
      if rule.status == "fail" or rule.status == "no_data" then
        entry(summary, "critical", "evalua-rule", "rule " .. text.clean(rule.name or ""),
          parts.one_line(text.clean(parts.present(rule.message) or rule.status)))
      end
    end
    parts.each_item(document, summary, function(row)
      local kind, code, message = parts.problem(row)
      if severities[kind] then
        entry(summary, severities[kind], "evalua-" .. code, "item " .. parts.result_name(row), message)
      end
    end)
  end
  write(count > 0 and "\n]\n" or "]\n")
end

return gitlab
