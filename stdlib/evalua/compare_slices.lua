-- A comparison by the values of fields of the items: every scorer and metric in each slice, with n.

local compare = require "evalua.compare"
local fail = require "evalua.cli.fail"
local slices = require "evalua.slices"

local compare_slices = {}

local PAGE = 500

-- The value of each field by item, from the run that has the items' fields.
local function read_values(context, fields)
  local record = context.candidate.baseline_file and context.baseline or context.candidate
  if record.baseline_file then
    fail.usage("by %s: baseline files keep no fields of items; name a run", table.concat(fields, ", "))
  end
  local values, after, within = {}, 0, context.options.within
  for _, field in ipairs(fields) do values[field] = {} end
  repeat
    local rows, problem = context.store:results(record.id, { after = after, limit = PAGE })
    if not rows then error(problem, 0) end
    for _, row in ipairs(rows) do
      after = row.position
      if row.status ~= "skipped" and (not within or within(row.item_id)) then
        for _, field in ipairs(fields) do
          if not values[field][row.item_id] then
            values[field][row.item_id] = slices.value_at(row, field) or slices.NONE
          end
        end
      end
    end
  until #rows < PAGE
  return values
end

-- The items of each value, those on one side only left out.
local function count_items(context, by_item)
  local counts, only = {}, {}
  for _, id in ipairs(context.comparison.items.only_candidate) do only[id] = true end
  for id, value in next, by_item do if not only[id] then counts[value] = (counts[value] or 0) + 1 end end
  return counts
end

-- The entries of one scorer over the slices share the error rate.
local function adjust(list)
  local tested = {}
  for _, entry in ipairs(list) do if entry.p_value then tested[#tested + 1] = entry end end
  if #tested > 1 then compare.adjust(tested) end
end

local function build_field(context, field, by_item)
  local counts, found = count_items(context, by_item), {}
  local values = compare.keys(counts)
  if #values == 0 or #values == 1 and values[1] == slices.NONE then
    fail.usage("by %s: no item has that field; write it as metadata.lang", field)
  end
  table.sort(values, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  if #values > slices.VALUES_MAX then
    local warnings = context.comparison.warnings
    warnings[#warnings + 1] = ("by %s: %d values; the %d largest slices are shown"):format(field, #values,
      slices.VALUES_MAX)
    values = table.move(values, 1, slices.VALUES_MAX, 1, {})
  end
  for _, value in ipairs(values) do found[value] = { n = counts[value], scorers = {} } end
  local function fill(kind, keys)
    for _, key in ipairs(keys) do
      local parts = compare.parts(context, key, values, function(id) return by_item[id] end)
      local entries = {}
      for position, value in ipairs(values) do
        found[value][kind] = found[value][kind] or {}
        found[value][kind][key] = parts[value]
        entries[position] = parts[value]
      end
      adjust(entries)
    end
  end
  fill("scorers", compare.scorer_keys(context.comparison))
  if context.comparison.metrics then fill("metrics", compare.keys(context.comparison.metrics)) end
  return found
end

---The slices of a comparison. Raises (exit 2) for a field that no item has.
---@param context table of compare.pair
---@param fields string[]
---@return table<string, table<string, { n: integer, scorers: table, metrics: table|nil }>> by field and value
function compare_slices.build(context, fields)
  local values, built = read_values(context, fields), {}
  for _, field in ipairs(fields) do built[field] = build_field(context, field, values[field]) end
  return built
end

return compare_slices
