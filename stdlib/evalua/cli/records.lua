-- Records of the store as reports print them: experiments and datasets with their JSON fields decoded.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local strict = require "evalua.strict"

local records = {}

---A JSON field of a record as a value; nil stays nil.
---@param raw any
---@return any
function records.decode(raw)
  if type(raw) ~= "string" then return raw end
  local value = json.decode(raw)
  if value == json.null then return nil end
  return value
end

-- What people said after the summary was stored.
local function with_reviews(store, record, stored)
  if record.baseline_file then return stored end
  local reviewers = store.reviewers and store:reviewers(record.id) or {}
  if #reviewers == 0 then return stored end
  local built = require("evalua.summary").build(store, record)
  for _, reviewer in ipairs(reviewers) do
    local key = "human/" .. reviewer.name
    stored.scorers = stored.scorers or {}
    stored.scorers[key] = built.scorers[key]
  end
  return stored
end

---The summary of an experiment: the stored one, or, where it did not finish, one computed from its rows.
---@param store table
---@param record table of ref.resolve
---@return table summary
function records.summary(store, record)
  local stored = records.decode(record.summary)
  if type(stored) == "table" and next(stored) ~= nil and record.status ~= "interrupted"
    and record.status ~= "running" then
    return with_reviews(store, record, require("evalua.summary").from_json(stored))
  end
  return require("evalua.summary").build(store, record)
end

---The score sets of a run as reports show them; nil where there are none.
---@param store table
---@param record table
---@return table[]|nil
function records.score_sets(store, record)
  if record.baseline_file then return nil end
  local sets = store:score_sets(record.run_id or record.id) or {}
  if #sets == 0 then return nil end
  local shown = json.array {}
  for position, set in ipairs(sets) do shown[position] = require("evalua.score_sets").object(set) end
  return shown
end

---How far an experiment is: done, failed and total.
---@param store table
---@param record table
---@return {done: integer, failed: integer, total: integer}
function records.counts(store, record)
  local counts = require("evalua.trials").counts(store, record) or {}
  local failed = (counts.error or 0) + (counts.timeout or 0) + (counts.limited or 0)
  return {
    done = (counts.ok or 0) + failed, failed = failed, passed = counts.passed or 0,
    total = record.total_items or counts.total or 0,
  }
end

---The dataset of that name. Raises a failure (exit 2) with the nearest name where there is none.
---@param store table
---@param name string
---@return table
function records.dataset(store, name)
  local found = store:dataset(name)
  if found then return found end
  local names = {}
  for _, record in ipairs(store:datasets() or {}) do names[#names + 1] = record.name end
  fail.usage("there is no dataset %s%s", name, strict.hint(name, names, "datasets"))
end

---A dataset and the version that `NAME`, `NAME@3` or `NAME@stable` mean.
---@param store table
---@param text string
---@return table dataset
---@return table version record of store:version_get
function records.dataset_version(store, text)
  local name, wanted = text:match("^(.+)@([^@]+)$")
  if name and store:dataset(text) then name = nil end
  local dataset = records.dataset(store, name or text)
  return dataset, records.version(store, dataset, name and wanted or dataset.version)
end

---A version of a dataset by number or alias. Raises a failure (exit 2) where there is none.
---@param store table
---@param dataset table
---@param wanted string|integer
---@return table
function records.version(store, dataset, wanted)
  local number = math.tointeger(tonumber(wanted))
  local found = store:version_get(dataset.id, number or wanted)
  if found then return found end
  if number == 0 then
    return { version = 0, item_count = 0, digest = dataset.version == 0 and dataset.digest or nil }
  end
  local names = {}
  for name, alias in pairs(store:aliases(dataset.id) or {}) do
    names[#names + 1] = type(alias) == "table" and alias.name or name
  end
  table.sort(names)
  if number then
    fail.usage("dataset %s has no version %s; its newest is %d", dataset.name, tostring(wanted), dataset.version)
  end
  fail.usage("dataset %s has no version or alias %s%s; its newest version is %d", dataset.name, tostring(wanted),
    #names > 0 and strict.hint(tostring(wanted), names, "aliases") or "", dataset.version)
end

---A dataset as JSON prints it, without items: what is described but not given is null.
---@param dataset table
---@param version table
---@param aliases table?
---@return table
function records.dataset_object(dataset, version, aliases)
  return {
    name = dataset.name, id = dataset.id, version = version.version, digest = version.digest,
    item_count = version.item_count, description = dataset.description or json.null,
    metadata = records.decode(dataset.metadata) or json.null, tags = records.decode(dataset.tags) or json.null,
    owner = dataset.owner or json.null, created_at = dataset.created_at,
    updated_at = dataset.updated_at, message = version.message, aliases = aliases,
    input_schema = records.decode(dataset.input_schema),
    ground_truth_schema = records.decode(dataset.ground_truth_schema),
  }
end

---A result as an expression of --where sees it.
---@param row table of store:results
---@param where_module table evalua.cli.where
---@param known table<string, boolean> ids of scorers of the experiment
---@return table
function records.result_scope(row, where_module, known)
  local scope, scores, labels, reasons = {}, {}, {}, {}
  for _, field in ipairs { "item_id", "item_version", "trial", "status", "passed", "latency_ms", "retry_count",
    "started_at", "completed_at" } do
    scope[field] = row[field]
  end
  local decoded = {}
  for _, score in ipairs(row.scores or {}) do
    local id = (score.step_id and score.step_id ~= "" and score.step_id ~= json.null)
      and (score.step_id .. "/" .. score.scorer_id) or score.scorer_id
    known[id] = true
    if score.score ~= json.null then scores[id] = score.score end
    if score.label ~= json.null then labels[id] = score.label end
    if score.reason ~= json.null then reasons[id] = score.reason end
  end
  scope.score = where_module.strict_map(scores, known, "scorer")
  scope.label = where_module.strict_map(labels, known, "scorer")
  scope.reason = where_module.strict_map(reasons, known, "scorer")
  -- JSON fields are decoded when the expression asks for them.
  return setmetatable(scope, {
    __index = function(_, field)
      if decoded[field] == nil and type(row[field]) == "string" then decoded[field] = json.decode(row[field]) end
      return decoded[field]
    end,
  })
end

---An item as an expression of --where sees it.
---@param row table a packed item
---@return table
function records.item_scope(row)
  local decoded = { id = row.item_id }
  return setmetatable({}, {
    __index = function(_, field)
      if decoded[field] == nil and type(row[field]) == "string" then decoded[field] = json.decode(row[field]) end
      return decoded[field]
    end,
  })
end

return records
