-- Which items a command speaks of: --items a,b|@FILE and its absent ids.

local fail = require "evalua.cli.fail"
local sys = require "evalua.native.sys"

local filters = {}

local PROBLEMS_SHOWN = 20
local ID_FILE_BYTES_MAX = 64 * 1024 * 1024

local function add(ids, seen, id)
  if id ~= "" and not seen[id] then
    seen[id] = true
    ids[#ids + 1] = id
  end
end

---The ids that --items names, each once, in the order given.
---@param values string[]? the values of --items: ids between commas, or @FILE with one id per line
---@return string[]? ids, nil where the option was not given
function filters.ids(values)
  if not values then return nil end
  local ids, seen = {}, {}
  for _, value in ipairs(values) do
    if value:sub(1, 1) == "@" then
      local path = value:sub(2)
      require("evalua.files_read").add(path)
      local text, problem = sys.read_file(path, ID_FILE_BYTES_MAX)
      if not text then fail.usage("--items %s: %s", value, tostring(problem)) end
      for line in text:gsub("^\239\187\191", ""):gmatch("[^\r\n]+") do add(ids, seen, (line:match("^%s*(.-)%s*$"))) end
    else
      for id in value:gmatch("[^,]+") do add(ids, seen, (id:match("^%s*(.-)%s*$"))) end
    end
  end
  if #ids == 0 then fail.usage("--items %s: names no item", table.concat(values, " ")) end
  return ids
end

---Up to 20 names and a count of the rest: `"a", "b" and 3 more`.
---@param names string[]
---@return string
function filters.name_list(names)
  local shown = {}
  for position = 1, math.min(#names, PROBLEMS_SHOWN) do shown[position] = ("%q"):format(names[position]) end
  local more = #names - #shown
  return table.concat(shown, ", ") .. (more > 0 and (" and %d more"):format(more) or "")
end

---Raises (exit 2) where some of `ids` are not among `found`.
---@param ids string[]
---@param found table<string, boolean>
---@param place string where they were looked for: `dataset "tickets" version 3`
function filters.require_all(ids, found, place)
  local absent = {}
  for _, id in ipairs(ids) do if not found[id] then absent[#absent + 1] = id end end
  if #absent > 0 then
    fail.usage("--items: %s %s no item %s", place, "has", filters.name_list(absent))
  end
end

return filters
