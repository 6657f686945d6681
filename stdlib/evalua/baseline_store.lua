-- A store that also knows baseline files: what is asked of a file's run is answered from its sheet, all else is passed
-- on. So comparisons and reports take a baseline file wherever they take a run.

local json = require "evalua.json"
local run_sheet = require "evalua.run_sheet"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"

local baseline_store = {}

local GC_PAUSE, GC_SPEED = 120, 400 -- percent, from the first comparison with a file on

local records = {} -- of files, by their ids

local methods = {}

---Makes a file's record known, so that the stores answer for it.
---@param record table of evalua.baseline.record
---@return table record
function baseline_store.add(record)
  records[record.id] = record
  return record
end

-- One run ------------------------------------------------------------------------------------------------------------

function methods:experiment(id)
  if records[id] then return records[id] end
  return self.real:experiment(id)
end

local function counts_of(sheet, left_out)
  local counts = { ok = 0, error = 0, timeout = 0, limited = 0, skipped = 0, passed = 0, not_passed = 0, total = 0 }
  for _, row in ipairs(sheet.order) do
    if not (left_out and left_out[row.id]) then
      counts.total = counts.total + 1
      counts[row.status] = counts[row.status] + 1
      if row.passed == true then counts.passed = counts.passed + 1 end
      if row.passed == false then counts.not_passed = counts.not_passed + 1 end
    end
  end
  return counts
end

function methods:status_counts(id)
  local record = records[id]
  if not record then return self.real:status_counts(id) end
  return counts_of(record.baseline_entry.sheet)
end

function methods:item_counts(id, reduction, left_out)
  local record = records[id]
  if not record then return self.real:item_counts(id, reduction, left_out) end
  local counts = counts_of(record.baseline_entry.sheet, left_out)
  counts.trials = counts_of(record.baseline_entry.sheet)
  return counts
end

function methods:score_keys(id)
  if records[id] then return {} end -- its record defines every scorer
  return self.real:score_keys(id)
end

function methods:cache_counts(id)
  if records[id] then return nil end
  return self.real:cache_counts(id)
end

-- People review runs, not files.
function methods:reviewers(id)
  if records[id] then return {} end
  return self.real:reviewers(id)
end

function methods:latencies(id, left_out)
  if records[id] then return stats.vector {} end
  return self.real:latencies(id, left_out)
end

-- What a file keeps of the latencies; nil for runs of the store.
function methods.latency_summary(_, id) return records[id] and records[id].baseline_entry.latency_ms end

function methods:usage(id, left_out)
  if records[id] then return records[id].baseline_entry.usage end
  return self.real:usage(id, left_out)
end

local function definition_of(record, key)
  for _, scorer in ipairs(record.baseline_entry.scorers) do
    if summary.scorer_key(scorer.id, scorer.step_id) == key then return scorer end
  end
  return {}
end

local function contains(list, key)
  for _, value in ipairs(list or {}) do if value == key then return true end end
  return false
end

local function passes(scorer, score)
  if scorer.higher_is_better == false then return score <= scorer.pass end
  return score >= scorer.pass
end

function methods:score_values(id, scorer_id, step_id, reduction)
  local record = records[id]
  if not record then return self.real:score_values(id, scorer_id, step_id, reduction) end
  local key = summary.scorer_key(scorer_id, step_id)
  local scorer, values = definition_of(record, key), {}
  local counts = { ok = 0, unscored = 0, error = 0, passed = 0, not_passed = 0, labels = {} }
  for _, row in ipairs(record.baseline_entry.sheet.order) do
    local score, label = row.scores[key], row.labels and row.labels[key]
    if score then
      values[#values + 1] = score
      if type(scorer.pass) == "number" then
        local outcome = passes(scorer, score) and "passed" or "not_passed"
        counts[outcome] = counts[outcome] + 1
      end
    end
    if label then counts.labels[label] = (counts.labels[label] or 0) + 1 end
    if contains(row.unscored, key) then counts.unscored = counts.unscored + 1 end
    if contains(row.errors, key) then counts.error = counts.error + 1 end
  end
  counts.ok = #values
  return stats.vector(values), counts
end

local function result_of(record, row, position)
  local scores = {}
  for _, scorer in ipairs(record.baseline_entry.scorers) do
    local key = summary.scorer_key(scorer.id, scorer.step_id)
    local score, label = row.scores[key], row.labels and row.labels[key]
    local status = (score or label) and "ok" or contains(row.errors, key) and "error"
      or contains(row.unscored, key) and "unscored"
    if status then
      scores[#scores + 1] = { scorer_id = scorer.id, step_id = scorer.step_id or "", scorer_name = scorer.name,
        status = status, score = score, label = label }
    end
  end
  return { position = position, item_id = row.id, trial = 1, status = row.status, passed = row.passed, scores = scores,
    retry_count = 0 }
end

function methods:results(id, query)
  local record = records[id]
  if not record then return self.real:results(id, query) end
  query = query or {}
  local rows = {}
  for position, row in ipairs(record.baseline_entry.sheet.order) do
    local wanted = position > (query.after or 0) and (not query.item_id or query.item_id == row.id)
      and (not query.failed or row.status ~= "ok" or row.passed == false)
    if wanted then
      rows[#rows + 1] = result_of(record, row, position)
      if query.limit and query.limit > 0 and #rows == query.limit then break end
    end
  end
  return rows
end

-- Two runs -----------------------------------------------------------------------------------------------------------

local function is_of_file(first, second) return records[first] ~= nil or records[second] ~= nil end

local function sheet_of(self, id)
  if records[id] then return records[id].baseline_entry.sheet end
  local known = self.sheets[id]
  if not known then
    local record, problem = require("evalua.score_sets").experiment(self.real, id)
    if not record then error(problem, 0) end
    -- Two sheets are large and stay: what is thrown away while the second one is built is collected early.
    collectgarbage("setpause", GC_PAUSE)
    collectgarbage("setstepmul", GC_SPEED)
    known = run_sheet.of_run(self.real, record)
    self.sheets[id] = known
  end
  return known
end

local function is_changed(before, after) return before.digest ~= after.digest end

-- Calls each(before, after) for the items that ran in both, in the candidate's order.
local function each_pair(self, baseline_id, candidate_id, each)
  local before, after = sheet_of(self, baseline_id), sheet_of(self, candidate_id)
  for _, row in ipairs(after.order) do
    local other = before.by_id[row.id]
    if other and row.status ~= "skipped" and other.status ~= "skipped" then each(other, row) end
  end
end

local function one_sided(from, other)
  local ids = {}
  for _, row in ipairs(from.order) do
    local known = other.by_id[row.id]
    if row.status ~= "skipped" and (not known or known.status == "skipped") then ids[#ids + 1] = row.id end
  end
  return ids
end

function methods:paired_items(baseline_id, candidate_id)
  if not is_of_file(baseline_id, candidate_id) then return self.real:paired_items(baseline_id, candidate_id) end
  local before, after = sheet_of(self, baseline_id), sheet_of(self, candidate_id)
  local found = { paired = 0, changed = {}, only_baseline = one_sided(before, after),
    only_candidate = one_sided(after, before) }
  each_pair(self, baseline_id, candidate_id, function(old, new)
    found.paired = found.paired + 1
    if is_changed(old, new) then found.changed[#found.changed + 1] = new.id end
  end)
  return found
end

function methods:paired_scores(baseline_id, candidate_id, scorer_id, step_id, reductions)
  if not is_of_file(baseline_id, candidate_id) then
    return self.real:paired_scores(baseline_id, candidate_id, scorer_id, step_id, reductions)
  end
  local key = summary.scorer_key(scorer_id, step_id)
  local before, after, ids = {}, {}, {}
  each_pair(self, baseline_id, candidate_id, function(old, new)
    local old_score, new_score = old.scores[key], new.scores[key]
    if not old_score or not new_score or is_changed(old, new) then return end
    before[#before + 1], after[#after + 1], ids[#ids + 1] = old_score, new_score, new.id
  end)
  return stats.vector(before), stats.vector(after), ids
end

local function is_failing(row) return row.status ~= "ok" or row.passed == false end

function methods:new_failures(baseline_id, candidate_id, limit, reductions, read)
  if not is_of_file(baseline_id, candidate_id) then
    return self.real:new_failures(baseline_id, candidate_id, limit, reductions, read)
  end
  local list, count = {}, 0
  each_pair(self, baseline_id, candidate_id, function(old, new)
    if is_changed(old, new) or is_failing(old) or not is_failing(new) then return end
    count = count + 1
    if count <= (limit or math.huge) then
      list[count] = { item_id = new.id, status = new.status == "ok" and "not passed" or new.status }
    end
  end)
  return list, count
end

-- The store -----------------------------------------------------------------------------------------------------------

local function forward(real, name)
  return function(_, ...)
    if not real then error("there is no store here, only baseline files", 0) end
    return real[name](real, ...)
  end
end

---The store with the runs of baseline files beside its own.
---@param real table|nil an open store; nil where there are only files
---@return table
function baseline_store.over(real)
  local store = { real = real, sheets = {} }
  return setmetatable(store, {
    __index = function(_, name)
      if methods[name] then return methods[name] end
      if real and real[name] == nil then return nil end
      return forward(real, name)
    end,
  })
end

---How the digests of a baseline file and a run differ; nil where both are runs of stores.
---@param before table a record
---@param after table a record
---@param items table of paired_items
---@return table|nil mismatch { baseline, candidate, added, removed, changed }
---@return string|nil warning
function baseline_store.dataset_mismatch(before, after, items)
  if before.dataset_digest == after.dataset_digest and before.dataset_name == after.dataset_name then return nil end
  local file = before.baseline_file or after.baseline_file
  local function side(record)
    return ("%s version %s (%s)"):format(tostring(record.dataset_name), tostring(record.dataset_version or "?"),
      tostring(record.dataset_digest or "no digest"):sub(1, 12))
  end
  local common = items.paired - #items.changed
  local warning = ("the baseline %s is stale: it holds %s, the run %s; compared on the %d %s that both have alike")
    :format(file, side(before), side(after), common, common == 1 and "item" or "items")
  if common == 0 then warning = warning .. "; accept a new one with `evalua accept`" end
  return { baseline = before.dataset_version or json.null, candidate = after.dataset_version or json.null,
    added = items.only_candidate, removed = items.only_baseline, changed = items.changed }, warning
end

return baseline_store
