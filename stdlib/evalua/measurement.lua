-- The metrics of a run that has ended: measured over all its results, with the slices that rules and summary speak of.

local clusters = require "evalua.clusters"
local metric_rows = require "evalua.metric_rows"
local metric_values = require "evalua.metric_values"
local result_record = require "evalua.result_record"

local measurement = {}

local GC_PAUSE, GC_SPEED = 120, 400 -- percent

local function of_function(store, record, entry)
  local done, value = xpcall(metric_values.of_function, tostring, entry.id, entry.metric,
    result_record.list(store, record.id))
  if done then return value end
  return { kind = "function", n = 0, n_missing = 0, higher_is_better = true, problem = value }, value
end

local function measure(store, record, list)
  local declared, values, problem = {}, {}, nil
  for position, entry in ipairs(list) do declared[position] = entry.metric end
  local ok, rows = xpcall(metric_rows.read, tostring, store, record, metric_rows.accessors(declared))
  if not ok then return values, nil, "a metric's function failed: " .. rows end
  local field = clusters.field_of(record)
  local by_item = field and clusters.by_item(store, record, field) or nil
  for _, entry in ipairs(list) do
    if entry.metric.kind == "function" then
      local failed
      values[entry.id], failed = of_function(store, record, entry)
      if failed then problem = problem or ("metric %s failed: %s"):format(entry.id, failed) end
    else
      values[entry.id] = metric_values.of_rows(entry.metric, rows, { by_item = by_item })
    end
  end
  return values, { list = list, rows = rows }, problem
end

---Measures the metrics of a run.
---@param store table
---@param record table of the store
---@param list { id: string, metric: evalua.metric }[]|nil as evalua.metrics resolves them
---@return table<string, table>|nil values by id; nil where there are no metrics
---@return { list: table[], rows: evalua.metric_rows }|nil measured what slices are measured from
---@return string|nil problem a function of the suite failed
function measurement.run(store, record, list)
  if not list then return nil end
  -- Reading all results throws away much: it is collected early, so that what stays decides the size.
  local pause, speed = collectgarbage("setpause", GC_PAUSE), collectgarbage("setstepmul", GC_SPEED)
  local values, measured, problem = measure(store, record, list)
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", speed)
  return values, measured, problem
end

---What the metrics of a stored run are measured from, as far as its definitions tell without the suite.
---@param store table
---@param record table of the store
---@return { list: table[], rows: evalua.metric_rows }|nil nil where there is none
function measurement.stored(store, record)
  local metrics, list, declared = require "evalua.metrics", {}, {}
  for _, definition in ipairs(require("evalua.summary").decoded(record.metrics) or {}) do
    local metric = metrics.of_definition(definition)
    if metric then
      list[#list + 1] = { id = definition.id, metric = metric }
      declared[#declared + 1] = metric
    end
  end
  if #list == 0 then return nil end
  return { list = list, rows = metric_rows.read(store, record, metric_rows.accessors(declared)) }
end

return measurement
