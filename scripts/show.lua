-- evalua show: an experiment with its results, or one result in full.

local baseline_store = require "evalua.baseline_store"
local fail = require "evalua.cli.fail"
local formats = require "evalua.report.formats"
local items = require "evalua.report.items"
local json = require "evalua.json"
local strict = require "evalua.strict"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local records = require "evalua.cli.records"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local text = require "evalua.report.text"
local where = require "evalua.cli.where"

local PRETTY_LIMIT = 20

local parsed = options.begin("show", ...)
if not parsed then return 0 end
local format = parsed.format or "pretty"
local file_formats = output.formats_of(parsed.output)
if parsed[2] and (formats.has(format) or parsed.output) then
  fail.usage("show: one ITEM is printed pretty, json or jsonl; leave out ITEM for %s",
    parsed.output and "-o" or "--format " .. format)
end
local stdout = output.stdout()
local view = pretty.view(stdout.write)
view.full = parsed.full
local found_store = store_context.open(parsed.store, { read_only = true, optional = parsed[1] ~= nil })
local store = baseline_store.over(found_store)
local record = ref.resolve(found_store, parsed[1] or "latest", { files = true, sets = true, set = parsed.set })
local summary = records.summary(store, record)
summary.score_sets = records.score_sets(store, record)
if parsed.by then
  if record.baseline_file then fail.usage("show --by: a baseline file has no fields of items; name a run") end
  local slices = require "evalua.slices"
  local built = slices.build(store, record, parsed.by,
    { metrics = require("evalua.measurement").stored(store, record) })
  for _, field in ipairs(parsed.by) do
    local is_known = false
    for value in pairs(built[field]) do is_known = is_known or value ~= slices.NONE end
    if not is_known then fail.usage("--by %s: no item has that field; write it as metadata.lang", field) end
  end
  summary.slices = built
end
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

-- Entries {position, score}: those without a score last.
local function by_score(left, right)
  local a, b = left[2], right[2]
  if a == b then return left[1] < right[1] end
  if a == nil or b == nil then return b == nil end
  if descending then return a > b end
  return a < b
end

-- Positions of the selected results in the order of the scorer, those without a score last; the rows are read again
-- when they are printed, so that only numbers are kept.
local function sorted_positions()
  local found = {}
  report.each_result(store, record.id, { failed = nil }, function(row)
    if selected(row) then found[#found + 1] = { row.position, score_of(row) } end
  end)
  table.sort(found, by_score)
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

-- Items with several trials, one row each: those of which a trial is selected.
local function merged_rows(reduction)
  local rows, count = {}, 0
  local all = not parsed.failed and not filter
  items.each(store, record.id, reduction, function(row, of_trials)
    local wanted = all
    for _, trial in ipairs(of_trials) do wanted = wanted or selected(trial) end
    if not wanted then return end
    count = count + 1
    if sort_id or count <= limit then rows[#rows + 1] = row end
    return not (all and not sort_id and count >= limit)
  end)
  if all and not sort_id then count = math.max(count, records.counts(store, record).done) end
  if sort_id then
    for position, row in ipairs(rows) do rows[position] = { position, score_of(row), row } end
    table.sort(rows, by_score)
    for position, entry in ipairs(rows) do rows[position] = position <= limit and entry[3] or nil end
  end
  return rows, count
end

-- Where people are with a result.
local reviews
local function put_review(row)
  if record.baseline_file then return end
  reviews = reviews or (require("evalua.review.queue").state(found_store, record.run_id or record.id, ""))
  local review = reviews[row.position]
  if not review then return end
  local said = { review.state:gsub("_", " ") .. "" }
  for _, tag in ipairs(require("evalua.review.queue").tags(review)) do said[#said + 1] = "#" .. text.clean(tag) end
  pretty.line(view, view.paint("bold", "review"), ": ", table.concat(said, " "))
end

local function show_item(item_id)
  local found, passed = 0, 0
  report.each_result(store, record.id, { item_id = item_id }, function(row)
    if row.item_id ~= item_id then return end
    found = found + 1
    passed = passed + ((row.status == "ok" and row.passed == true) and 1 or 0)
    if format == "pretty" then
      if found > 1 then stdout.write("\n") end
      pretty.result(view, row)
      put_review(row)
    else
      stdout.write(report.result(row) .. "\n")
    end
  end)
  if found == 0 then
    fail.usage("%s has no result of an item %s; `evalua show %s` lists them",
      record.number and ("experiment %d"):format(record.number) or parsed[1], item_id, record.number or parsed[1])
  end
  if found > 1 and format == "pretty" then stdout.write(("\npassed in %d of %d trials\n"):format(passed, found)) end
end

local function write_json(write)
  write(report.head(summary):sub(1, -2) .. ',"results":[')
  local first = true
  each_selected(function(row)
    write((first and "\n" or ",\n") .. report.result(row))
    first = false
  end)
  write("]}\n")
end

-- Every format but the pretty one.
local function write_as(wanted, write)
  if wanted == "json" then
    write_json(write)
  elseif wanted == "jsonl" then
    each_selected(function(row) write(report.result(row) .. "\n") end)
  else
    local document = formats.document(store, { summary }, summary.verdict)
    document.each = function(_, visit) each_selected(visit) end
    formats.runs(wanted, write, document)
  end
end

local function show_pretty()
  pretty.summary(view, store, summary, { worst = false, notes = true })
  local rows, count = {}
  local reduction = items.reduction_of(summary)
  if reduction then
    rows, count = merged_rows(reduction)
  else
    count = each_selected(function(row) rows[#rows + 1] = row end)
  end
  stdout.write("\n")
  if count == 0 then
    stdout.write((parsed.failed or filter) and "no such result\n" or "no results\n")
    return
  end
  pretty.results(view, rows)
  if count > #rows then stdout.write(("%d of %d; --limit N shows more\n"):format(#rows, count)) end
end

local stop_commands, go_commands
if format == "pretty" then stop_commands, go_commands = require("evalua.report.github").guard() end
if stop_commands then stdout.write(stop_commands) end
if parsed[2] then
  show_item(parsed[2])
elseif format == "pretty" then
  show_pretty()
else
  write_as(format, stdout.write)
end
if go_commands then stdout.write(go_commands) end
stdout.flush()
limit = parsed.limit or math.maxinteger -- what is printed pretty is a part; a file has all
output.write_files(parsed.output, file_formats, write_as)
where.tell_absent(filter, "results")
return 0
