-- The sheet of a run: what each item came to, in item order. It is what baseline files keep, and what runs of different
-- stores are paired by.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local summary = require "evalua.summary"
local text = require "evalua.native.text"
local trials = require "evalua.trials"

local run_sheet = {}

local PAGE = 500
local DIGEST_CHARACTERS = 16

---@class evalua.sheet_row
---@field id string
---@field digest string|nil of input and ground truth: tells whether the item is the same in both runs
---@field status "ok"|"error"|"timeout"|"limited"|"skipped"
---@field passed boolean|nil of several trials: as the run's reducer says
---@field scores table<string, number> by the scorer's key; trials are reduced as the run says
---@field labels table<string, string>|nil
---@field values table<string, any>|nil what metrics measure, by accessor; of several trials a list, null where one has
---  none
---@field unscored string[]|nil keys of scorers that gave no score on purpose
---@field errors string[]|nil keys of scorers that failed

---@class evalua.run_sheet
---@field order evalua.sheet_row[]
---@field by_id table<string, evalua.sheet_row>

local STATUSES = { ok = true, error = true, timeout = true, limited = true, skipped = true }

local must = fail.must

local function add(list, value)
  list = list or {}
  list[#list + 1] = value
  return list
end

-- The first 16 characters of the SHA-256 over what an item asks and what is right.
local function digest_of(row)
  return text.sha256((row.input or "") .. "\n" .. (row.ground_truth or "")):sub(1, DIGEST_CHARACTERS)
end

local function add_scores(entry, scores)
  for _, score in ipairs(scores or {}) do
    local key = summary.scorer_key(score.scorer_id, score.step_id)
    if score.status == "error" then
      entry.errors = add(entry.errors, key)
    elseif score.score ~= nil then
      entry.scores[key] = score.score
    else
      entry.unscored = score.label == nil and add(entry.unscored, key) or entry.unscored
    end
    if score.label ~= nil then
      entry.labels = entry.labels or {}
      entry.labels[key] = score.label
    end
  end
end

-- The store reduces trials: a run paired with itself is its own values.
local function reduce_scores(store, record, sheet, reduction)
  for _, definition in ipairs(summary.scorers_of(store, record, true)) do
    for _, row in ipairs(sheet.order) do row.scores[definition.key] = nil end
    local given = trials.for_scorer(reduction, definition.applies)
    local values, _, ids = must(store:paired_scores(record.id, record.id, definition.id, definition.step_id or "",
      { given, given }))
    for position = 1, #values do sheet.by_id[ids[position]].scores[definition.key] = values:get(position) end
  end
end

---The sheet of a run of the store.
---@param store table
---@param record table
---@param each nil|fun(rows: table[], entry: evalua.sheet_row) sees the results of each item, one a trial
---@return evalua.run_sheet
function run_sheet.of_run(store, record, each)
  local sheet, after, reduction = { order = {}, by_id = {} }, 0, trials.of_record(record)
  local function add_item(row, rows)
    local entry = { id = row.item_id, digest = digest_of(row), status = row.status, passed = row.passed, scores = {} }
    add_scores(entry, row.scores)
    if each then each(rows, entry) end
    sheet.by_id[entry.id], sheet.order[#sheet.order + 1] = entry, entry
  end
  local group = reduction and require("evalua.report.items").grouping(reduction, add_item)
  repeat
    local rows = must(store:results(record.id, { after = after, limit = PAGE }))
    for _, row in ipairs(rows) do
      if group then group.add(row) else add_item(row, { row }) end
      after = row.position
    end
  until #rows < PAGE
  if group then
    group.finish()
    reduce_scores(store, record, sheet, reduction)
  end
  return sheet
end

local function check_row(row)
  if type(row) ~= "table" or type(row.id) ~= "string" then return "is no object with an id" end
  if not STATUSES[row.status or "ok"] then return ("(%s) has an unknown status"):format(row.id) end
  if row.passed ~= nil and type(row.passed) ~= "boolean" then
    return ("(%s): passed must be true or false"):format(row.id)
  end
  for _, name in ipairs { "scores", "labels", "values" } do
    if row[name] ~= nil and type(row[name]) ~= "table" then
      return ("(%s): %s must be an object"):format(row.id, name)
    end
  end
  if row.digest ~= nil and type(row.digest) ~= "string" then return ("(%s): digest must be a text"):format(row.id) end
  for key, value in next, row.scores or {} do
    if type(value) ~= "number" or value - value ~= 0 then
      return ("(%s): the score of %s must be a number"):format(row.id, tostring(key))
    end
  end
  for key, value in next, row.labels or {} do
    if type(value) ~= "string" then return ("(%s): the label of %s must be a text"):format(row.id, tostring(key)) end
  end
  for _, name in ipairs { "unscored", "errors" } do
    if row[name] ~= nil and not json.is_array(row[name]) then
      return ("(%s): %s must be a list"):format(row.id, name)
    end
  end
  return nil
end

---The sheet that a file's list of items is.
---@param list any
---@return evalua.run_sheet|nil
---@return string|nil problem what is wrong with the list
function run_sheet.of_list(list)
  if not json.is_array(list) then return nil, "has no list of items" end
  local sheet = { order = {}, by_id = {} }
  for position, row in ipairs(list) do
    local problem = check_row(row)
    if problem then return nil, ("has an item %d that %s"):format(position, problem) end
    if sheet.by_id[row.id] then return nil, ('has the item "%s" twice'):format(row.id) end
    row.status, row.scores = row.status or "ok", row.scores or {}
    sheet.order[position], sheet.by_id[row.id] = row, row
  end
  return sheet
end

local function row_text(row)
  local parts = { '{"id":' .. json.encode(row.id) }
  local function part(name, value)
    if value ~= nil then parts[#parts + 1] = ("%s:%s"):format(json.encode(name), json.identity(value)) end
  end
  part("digest", row.digest)
  if row.status ~= "ok" then part("status", row.status) end
  part("passed", row.passed)
  if next(row.scores) then part("scores", row.scores) end
  part("labels", row.labels)
  part("values", row.values)
  part("unscored", row.unscored)
  part("errors", row.errors)
  return table.concat(parts, ",") .. "}"
end

---The sheet as lines of JSON, one an item.
---@param sheet evalua.run_sheet
---@return string[]
function run_sheet.lines(sheet)
  local lines = {}
  for position, row in ipairs(sheet.order) do lines[position] = row_text(row) end
  return lines
end

return run_sheet
