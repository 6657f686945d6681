-- The runs of an experiment from first to last, each variant by itself: what trends are drawn from.

local fail = require "evalua.cli.fail"
local gate = require "evalua.gate"
local json = require "evalua.json"
local parts = require "evalua.report.parts"
local records = require "evalua.cli.records"

local history = {}

local present = parts.present

local function scorer_of(scorer)
  local function value(name) return scorer[name] ~= nil and scorer[name] or json.null end
  return { mean = value("mean"), ci = value("ci"), n = scorer.n, stderr = value("stderr"),
    pass_rate = value("pass_rate") }
end

local function point_of(store, record)
  local summary = records.summary(store, record)
  local point = {
    number = record.number, experiment_id = record.id, started_at = record.started_at, status = record.status,
    verdict = record.verdict or "none", partial = gate.is_partial(record), total_items = record.total_items,
    accepted_at = record.accepted_at, git = records.decode(record.git), dataset_version = record.dataset_version,
    failed_count = summary.failed_count, latency_ms = present(summary.latency_ms), scorers = {},
  }
  for id, scorer in pairs(summary.scorers or {}) do point.scorers[id] = scorer_of(scorer) end
  return point
end

---@class evalua.history_group the runs of one variant
---@field name string
---@field variant string?
---@field runs table[] oldest first

---The runs of each variant, oldest first; variants in the order of their names.
---@param store table
---@param query { name: string, variant: string?, limit: integer, upto: integer? } `upto`: no run after this number
---@return evalua.history_group[]
function history.collect(store, query)
  local groups, order = {}, {}
  local found = fail.check(fail.codes.incomplete, store:experiments { name = query.name, variant = query.variant })
  for _, record in ipairs(found) do
    local variant = record.variant or ""
    local group = groups[variant]
    if not group then
      group = { name = record.name, variant = record.variant, runs = json.array {} }
      groups[variant] = group
      order[#order + 1] = group
    end
    if #group.runs < query.limit and not (query.upto and record.number > query.upto) then
      table.insert(group.runs, 1, point_of(store, record))
    end
  end
  table.sort(order, function(a, b) return (a.variant or "") < (b.variant or "") end)
  return order
end

---The ids of all scorers of some runs, sorted.
---@param runs table[]
---@return string[]
function history.scorer_ids(runs)
  local seen = {}
  for _, run in ipairs(runs) do for id in pairs(run.scorers) do seen[id] = true end end
  return parts.sorted_keys(seen)
end

---What is to be said of a run beside its figures: `interrupted, partial, accepted`.
---@param run table
---@return string
function history.notes(run)
  local notes = {}
  if run.status ~= "completed" then notes[#notes + 1] = run.status end
  if run.partial then notes[#notes + 1] = "partial" end
  if present(run.accepted_at) then notes[#notes + 1] = "accepted" end
  return table.concat(notes, ", ")
end

local COMMIT_CHARACTERS = 8

---The commit of a run, with a plus where the tree was not clean.
---@param git table?
---@return string
function history.commit(git)
  git = present(git)
  local commit = type(git) == "table" and present(git.commit)
  return commit and commit:sub(1, COMMIT_CHARACTERS) .. (git.dirty == true and "+" or "") or ""
end

---When a run started, to the minute.
---@param run table
---@return string
function history.started(run)
  return ((present(run.started_at) or ""):gsub("T", " "):gsub(":%d%d%.?%d*Z$", ""))
end

---The title of a group.
---@param group evalua.history_group
---@return string clean text
function history.title(group) return parts.title(group) end

return history
