-- The datasets of a store, as `dataset list` and `list datasets` show them.

local fail = require "evalua.cli.fail"
local pretty = require "evalua.report.pretty"
local records = require "evalua.cli.records"
local report = require "evalua.report.json"
local text = require "evalua.report.text"

local dataset_list = {}

---Writes the datasets with their latest versions.
---@param store table
---@param view table of pretty.view
---@param is_json boolean|nil as a JSON list
---@param wanted { name: string|nil, limit: integer|nil }|nil only this one; at most so many
function dataset_list.put(store, view, is_json, wanted)
  wanted = wanted or {}
  local found = {}
  for _, record in ipairs(fail.check(fail.codes.incomplete, store:datasets())) do
    if (not wanted.name or record.name == wanted.name) and #found < (wanted.limit or math.maxinteger) then
      found[#found + 1] = record
    end
  end
  if is_json then
    local rows = {}
    for position, record in ipairs(found) do rows[position] = records.dataset_object(record, record) end
    report.list(view.write, rows)
  elseif #found == 0 then
    view.write(wanted.name and ("no dataset is called %s\n"):format(text.clean(wanted.name))
      or "no datasets yet; `evalua run` makes those that suites declare\n")
  else
    pretty.datasets(view, found)
  end
end

return dataset_list
