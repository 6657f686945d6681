-- evalua show: an experiment with its results, or one result in full.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local strict = require "evalua.strict"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local records = require "evalua.cli.records"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local sys = require "evalua.native.sys"
local where = require "evalua.cli.where"

local PRETTY_LIMIT = 20

local parsed = options.parse("show", ...)
if parsed.help then
  sys.stdout_write(options.help("show"))
  return 0
end
local format = parsed.format or "pretty"
local stdout = output.stdout()
local view = pretty.view(stdout.write)
view.full = parsed.full
local store = store_context.open(parsed.store, { read_only = true })
local record = ref.resolve(store, parsed[1] or "latest")
local summary = records.summary(store, record)
local filter = parsed.where and where.compile(parsed.where, where.result_fields)

local known = {}
for id in pairs(summary.scorers or {}) do known[id] = true end
if records.decode(record.scorers) then
  for _, scorer in ipairs(records.decode(record.scorers)) do if scorer.id then known[scorer.id] = true end end
end

local function selected(row)
  if parsed.failed and row.status == "ok" and row.passed ~= false then return false end
  return not filter or filter.matches(records.result_scope(row, where, known), row.item_id)
end

local sort_id, descending
if parsed.sort then
  sort_id = parsed.sort:gsub("^%-", "")
  descending = parsed.sort:sub(1, 1) == "-"
  if not known[sort_id] then
    local ids = {}
    for id in pairs(known) do ids[#ids + 1] = id end
    table.sort(ids)
    fail.usage("--sort %s: the experiment has no scorer %s%s", parsed.sort, sort_id,
      strict.hint(sort_id, ids, "scorers"))
  end
end

local limit = parsed.limit or (format == "pretty" and PRETTY_LIMIT) or math.maxinteger

local function score_of(row)
  for _, score in ipairs(row.scores or {}) do
    if pretty.score_key(score) == sort_id and score.score ~= json.null then return score.score end
  end
end

-- Positions of the selected results in the order of the scorer, those without a score last; the rows are read again
-- when they are printed, so that only numbers are kept.
local function sorted_positions()
  local found = {}
  report.each_result(store, record.id, { failed = nil }, function(row)
    if selected(row) then found[#found + 1] = { row.position, score_of(row) } end
  end)
  table.sort(found, function(left, right)
    local a, b = left[2], right[2]
    if a == b then return left[1] < right[1] end
    if a == nil or b == nil then return b == nil end
    if descending then return a > b end
    return a < b
  end)
  return found
end

-- Calls each(row) for the results to print; returns how many there are in all.
local function each_selected(each)
  local count = 0
  if sort_id then
    local found = sorted_positions()
    for index = 1, math.min(#found, limit) do
      report.each_result(store, record.id, { after = found[index][1] - 1, upto = found[index][1] }, each)
    end
    return #found
  end
  local all = not parsed.failed and not filter
  report.each_result(store, record.id, {}, function(row)
    if selected(row) then
      count = count + 1
      if count <= limit then each(row) end
    end
    return not (all and count >= limit)
  end)
  return all and math.max(count, records.counts(store, record).done) or count
end

local function show_item(item_id)
  local found = 0
  report.each_result(store, record.id, { item_id = item_id }, function(row)
    if row.item_id ~= item_id then return end
    found = found + 1
    if format == "pretty" then
      if found > 1 then stdout.write("\n") end
      pretty.result(view, row)
    else
      stdout.write(report.result(row) .. "\n")
    end
  end)
  if found == 0 then
    fail.usage("experiment %d has no result of an item %s; `evalua show %d` lists them", record.number, item_id,
      record.number)
  end
end

local function show_json()
  stdout.write(report.head(summary):sub(1, -2) .. ',"results":[')
  local first = true
  each_selected(function(row)
    stdout.write((first and "\n" or ",\n") .. report.result(row))
    first = false
  end)
  stdout.write("]}\n")
end

local function show_pretty()
  pretty.summary(view, store, summary, { worst = false })
  local rows = {}
  local count = each_selected(function(row) rows[#rows + 1] = row end)
  stdout.write("\n")
  if count == 0 then
    stdout.write((parsed.failed or filter) and "no such result\n" or "no results\n")
    return
  end
  pretty.results(view, rows)
  if count > #rows then stdout.write(("%d of %d; --limit N shows more\n"):format(#rows, count)) end
end

if parsed[2] then
  show_item(parsed[2])
elseif format == "json" then
  show_json()
elseif format == "jsonl" then
  each_selected(function(row) stdout.write(report.result(row) .. "\n") end)
else
  show_pretty()
end
stdout.flush()
if filter and filter.absent > 0 then
  sys.stderr_write(("--where: %d results lack a value that it compares and were left out (the first: %s)\n"):format(
    filter.absent, tostring(filter.first_absent)))
end
return 0
