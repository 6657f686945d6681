-- What two runs have in common beside their scores: datasets and versions, items on one side, failed ones, counts,
-- latency and usage.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"
local trials = require "evalua.trials"

local compare_items = {}

local RESULTS_PAGE = 500  -- results read at once
local IDS_SHOWN = 5       -- ids in a warning

compare_items.LISTED_MAX = 1000 -- failures that are listed by id; all are counted

local must = fail.must

---"1 item (t4)", "12 items (t1, t2, t3, t4, t5, ...)"
---@param ids string[]
---@param count integer|nil of which the list is the beginning
---@return string
function compare_items.text(ids, count)
  count = count or #ids
  local shown = table.concat(ids, ", ", 1, math.min(#ids, IDS_SHOWN))
  return ("%d %s (%s%s)"):format(count, count == 1 and "item" or "items", shown, count > IDS_SHOWN and ", ..." or "")
end

-- Datasets -------------------------------------------------------------------------------------------------------

---Whether the two runs are over datasets of different names, which have no item in common but by chance.
---@param baseline table
---@param candidate table
---@return boolean
function compare_items.is_across(baseline, candidate)
  return baseline.dataset_name ~= nil and candidate.dataset_name ~= nil
    and baseline.dataset_name ~= candidate.dataset_name
end

---How the versions of the two runs' datasets differ; adds to the warnings.
---@param store table
---@param baseline table
---@param candidate table
---@param comparison table
---@return table|nil mismatch { baseline, candidate, added, removed, changed }
function compare_items.version_mismatch(store, baseline, candidate, comparison)
  local warnings = comparison.warnings
  if baseline.baseline_file or candidate.baseline_file then -- versions of another store: digests tell
    local mismatch, warning = require("evalua.baseline_store").dataset_mismatch(baseline, candidate, comparison.items)
    warnings[#warnings + 1] = warning
    return mismatch
  end
  if baseline.dataset_id ~= candidate.dataset_id then
    warnings[#warnings + 1] = ("the runs are over different datasets, %s and %s; items are paired by id alone"):format(
      tostring(baseline.dataset_name), tostring(candidate.dataset_name))
    return nil
  end
  if baseline.dataset_version == candidate.dataset_version or baseline.dataset_id == nil then return nil end
  local difference = must(store:diff(baseline.dataset_id, baseline.dataset_version, candidate.dataset_version))
  warnings[#warnings + 1] = ("dataset %s: version %d against version %d (%d added, %d removed, %d changed)"):format(
    tostring(baseline.dataset_name), baseline.dataset_version, candidate.dataset_version, #difference.added,
    #difference.removed, #difference.changed)
  return { baseline = baseline.dataset_version, candidate = candidate.dataset_version, added = difference.added,
    removed = difference.removed, changed = difference.changed }
end

-- Items ------------------------------------------------------------------------------------------------------------

local function kept(ids, within)
  if not within then return ids end
  local list = {}
  for _, id in ipairs(ids) do if within(id) then list[#list + 1] = id end end
  return list
end

-- How many of the items that ran in both are in the part: all ids of the candidate less those that only it has.
local function count_paired(store, candidate, items, within)
  local only, seen, count, after = {}, {}, 0, 0
  for _, id in ipairs(items.only_candidate) do only[id] = true end
  repeat
    local rows = must(store:results(candidate.id, { after = after, limit = RESULTS_PAGE }))
    for _, row in ipairs(rows) do
      after = row.position
      if row.status ~= "skipped" and not seen[row.item_id] and not only[row.item_id] and within(row.item_id) then
        count = count + 1
      end
      seen[row.item_id] = true
    end
  until #rows < RESULTS_PAGE
  return count
end

---The items of two runs, paired by id.
---@param store table
---@param baseline table
---@param candidate table
---@param within nil|fun(item_id: string): boolean only these
---@return table items { paired, only_baseline, only_candidate, changed }
---@return userdata|nil pairs what the store has read, for put_new_failures
function compare_items.paired(store, baseline, candidate, within)
  local items, read = must(store:paired_items(baseline.id, candidate.id))
  if not within then return items, read end
  local paired = count_paired(store, candidate, items, within)
  return { paired = paired, only_baseline = kept(items.only_baseline, within),
    only_candidate = kept(items.only_candidate, within), changed = kept(items.changed, within) }, read
end

---Says which items are on one side only or changed.
---@param items table
---@param warnings string[]
function compare_items.warn(items, warnings)
  if #items.changed > 0 then
    warnings[#warnings + 1] = compare_items.text(items.changed) ..
      " changed between the versions; left out of the statistics"
  end
  if #items.only_baseline > 0 then
    warnings[#warnings + 1] = compare_items.text(items.only_baseline) .. " only in the baseline"
  end
  if #items.only_candidate > 0 then
    warnings[#warnings + 1] = compare_items.text(items.only_candidate) .. " only in the candidate"
  end
  if items.paired == 0 then warnings[#warnings + 1] = "the runs have no item in common" end
end

---The items whose target failed in a run, in item order; of several trials all must have failed.
---@param store table
---@param record table
---@param count integer how many there are
---@param within nil|fun(item_id: string): boolean
---@return string[] ids at most LISTED_MAX
function compare_items.failed(store, record, count, within)
  local ids, after, reduction = {}, 0, trials.of_record(record)
  local needed = reduction and not record.baseline_file and reduction.trials or 1
  local failed = {}
  count = math.min(count, compare_items.LISTED_MAX)
  while #ids < count do
    local rows = must(store:results(record.id, { after = after, limit = RESULTS_PAGE, failed = true }))
    for _, row in ipairs(rows) do
      after = row.position
      if row.status ~= "ok" and row.status ~= "skipped" then
        failed[row.item_id] = (failed[row.item_id] or 0) + 1
        if failed[row.item_id] == needed and #ids < count and (not within or within(row.item_id)) then
          ids[#ids + 1] = row.item_id
        end
      end
    end
    if #rows < RESULTS_PAGE then break end
  end
  return ids
end

-- Ids of the results of a run that failed or did not pass, in item order; skipped ones are no failures.
local function failing_items(store, record)
  local list, by_id, after = {}, {}, 0
  repeat
    local rows = must(store:results(record.id, { after = after, limit = RESULTS_PAGE, failed = true }))
    for _, row in ipairs(rows) do
      if row.status ~= "skipped" and not by_id[row.item_id] then
        by_id[row.item_id] = row.status
        list[#list + 1] = row.item_id
      end
      after = row.position
    end
  until #rows < RESULTS_PAGE
  return list, by_id
end

-- Of a store that cannot tell by itself.
local function new_failures_by_rows(context)
  local left_out, found = {}, {}
  for _, name in ipairs { "only_candidate", "changed" } do
    for _, id in ipairs(context.comparison.items[name]) do left_out[id] = true end
  end
  local failing, status_of = failing_items(context.store, context.candidate)
  local _, failed_before = failing_items(context.store, context.baseline)
  for _, id in ipairs(failing) do
    if not failed_before[id] and not left_out[id] then
      local status = status_of[id]
      found[#found + 1] = { item_id = id, status = status == "ok" and "not passed" or status }
    end
  end
  return found, #found
end

---The items that were fine in the baseline and fail, or do not pass, in the candidate.
---@param context table of evalua.compare
---@param counts table of the candidate
---@param reductions table|nil how the trials of both runs are reduced
function compare_items.put_new_failures(context, counts, reductions)
  local comparison, within = context.comparison, context.options.within
  comparison.new_failures, comparison.new_failure_count = {}, 0
  if counts.total == counts.passed or comparison.items.paired == 0 then return end
  local list, count
  if context.store.new_failures then -- one statement of the store instead of two passes over the failures
    list, count = must(context.store:new_failures(context.baseline.id, context.candidate.id,
      within and math.maxinteger or compare_items.LISTED_MAX, reductions, not reductions and context.pairs or nil))
  else
    list, count = new_failures_by_rows(context)
  end
  if within then
    local kept_ones = {}
    for _, failure in ipairs(list) do if within(failure.item_id) then kept_ones[#kept_ones + 1] = failure end end
    list, count = kept_ones, #kept_ones
  end
  comparison.new_failures = table.move(list, 1, math.min(#list, compare_items.LISTED_MAX), 1, {})
  comparison.new_failure_count = count
end

-- Counts, latency and usage ------------------------------------------------------------------------------------------

local STATUSES = { "ok", "error", "timeout", "limited", "skipped", "passed" }

-- Of a part of the items: from their rows. An item counts once, with its best status.
local function part_facts(store, record, within)
  local latencies, usages, statuses, passed, after = {}, {}, {}, {}, 0
  repeat
    local rows = must(store:results(record.id, { after = after, limit = RESULTS_PAGE }))
    for _, row in ipairs(rows) do
      after = row.position
      if within(row.item_id) then
        if statuses[row.item_id] ~= "ok" then statuses[row.item_id] = row.status end
        if passed[row.item_id] ~= false then passed[row.item_id] = row.passed end
        if row.status ~= "skipped" then latencies[#latencies + 1] = row.latency_ms end
        if row.usage then usages[#usages + 1] = row.usage end
      end
    end
  until #rows < RESULTS_PAGE
  local counts = { total = 0 }
  for _, name in ipairs(STATUSES) do counts[name] = 0 end
  for id, status in next, statuses do
    counts[status], counts.total = counts[status] + 1, counts.total + 1
    if passed[id] and status == "ok" then counts.passed = counts.passed + 1 end
  end
  return { counts = counts, latency = summary.of_latencies(stats.vector(latencies)), usage = summary.of_usages(usages) }
end

local function counts_of(store, record)
  local found = must(trials.counts(store, record))
  local counts = {}
  for _, name in ipairs(STATUSES) do counts[name] = found[name] or 0 end
  local seen = counts.ok + counts.error + counts.timeout + counts.limited + counts.skipped
  counts.total = math.max(found.total or 0, record.total_items or 0, seen)
  return counts
end

---What a run, or a part of it, came to.
---@param store table
---@param record table
---@param within nil|fun(item_id: string): boolean
---@return { counts: table, latency: table|nil, usage: table|nil }
function compare_items.facts(store, record, within)
  if within then return part_facts(store, record, within) end
  return { counts = counts_of(store, record), latency = summary.latencies(store, record.id),
    usage = store.usage and store:usage(record.id) or nil }
end

-- Of the items that both runs have alike: what is not among them is left out, and a skipped item has no outcome.
local function common_facts(store, record, left_out)
  local reduction = trials.of_record(record) or { trials = 1, reducer = "mean" }
  local found = must(store:item_counts(record.id, reduction, left_out))
  local counts = {}
  for _, name in ipairs(STATUSES) do counts[name] = found[name] or 0 end
  counts.total = (found.total or 0) - counts.skipped
  return { counts = counts, latency = summary.of_latencies(must(store:latencies(record.id, left_out))),
    usage = store:usage(record.id, left_out) }
end

---What the two runs came to on the items that both have alike, so that a run over more of them does not seem slower or
---dearer. A baseline file keeps latency and usage of its whole run; then those of both runs are whole.
---@param context table of evalua.compare
---@param whole { baseline: table, candidate: table } facts of the whole runs, or of the part that is compared
---@return { baseline: table, candidate: table }
function compare_items.common_facts(context, whole)
  local items, within = context.comparison.items, context.options.within
  if #items.changed + #items.only_baseline + #items.only_candidate == 0 then return whole end
  local found, has_file = {}, context.baseline.baseline_file or context.candidate.baseline_file
  for side, only in next, { baseline = items.only_baseline, candidate = items.only_candidate } do
    local left_out = {}
    for _, ids in ipairs { only, items.changed } do for _, id in ipairs(ids) do left_out[id] = true end end
    if within then
      found[side] = part_facts(context.store, context[side], function(id) return within(id) and not left_out[id] end)
    elseif context.store.item_counts then
      found[side] = common_facts(context.store, context[side], left_out)
    else
      return whole
    end
    if has_file then found[side].latency, found[side].usage = whole[side].latency, whole[side].usage end
  end
  context.comparison.whole_runs = has_file and not within or nil
  return found
end

local function difference(before, after)
  local delta = {}
  for name, value in next, before or {} do
    if type(value) == "number" and after and type(after[name]) == "number" then
      local change = after[name] - value
      if math.abs(change) < math.huge then delta[name] = change end
    end
  end
  return delta
end

local function both(before, after)
  if not before and not after then return nil end
  return { baseline = before, candidate = after, delta = difference(before, after) }
end

---The success rates, latencies and usage of the two sides.
---@param comparison table gets success_rate, latency_ms and usage
---@param before table of facts
---@param after table
function compare_items.put_facts(comparison, before, after)
  local rate = {}
  for side, facts in next, { baseline = before, candidate = after } do
    if facts.counts.total > 0 then rate[side] = facts.counts.ok / facts.counts.total end
  end
  if rate.baseline and rate.candidate then rate.delta = rate.candidate - rate.baseline end
  comparison.success_rate = rate
  comparison.latency_ms = both(before.latency, after.latency)
  comparison.usage = both(before.usage, after.usage)
end

local SIDES = { "baseline", "candidate", "delta" }

---Both sides and their difference for JSON: what is not known is null.
---@param both_sides table
---@return table
function compare_items.sides_for_json(both_sides)
  local copy = {}
  for _, side in ipairs(SIDES) do
    copy[side] = both_sides[side]
    if copy[side] == nil then copy[side] = json.null end
  end
  return copy
end

---Usage for JSON: what is not known is null.
---@param usage table|nil
---@return table|userdata
function compare_items.usage_for_json(usage)
  if usage == nil then return json.null end
  local copy = {}
  for _, side in ipairs(SIDES) do
    local found = usage[side]
    if found == nil then
      copy[side] = json.null
    else
      copy[side] = {}
      for _, name in ipairs(summary.USAGE_FIELDS) do
        if found[name] == nil then copy[side][name] = json.null else copy[side][name] = found[name] end
      end
    end
  end
  return copy
end

return compare_items
