-- Which report formats there are, by name and by the ending of a file, and who writes them.

local baseline_store = require "evalua.baseline_store"
local parts = require "evalua.report.parts"

local formats = {}

---The format of a file by its ending.
formats.by_ending = {
  json = "json", jsonl = "jsonl", xml = "junit", md = "markdown", html = "html", csv = "csv", prom = "openmetrics",
  ["gitlab.json"] = "gitlab",
}

-- In the order in which messages list them.
formats.endings = { "json", "jsonl", "xml", "md", "html", "csv", "prom", "gitlab.json" }

local writers = {
  junit = "evalua.report.junit", markdown = "evalua.report.markdown", csv = "evalua.report.csv",
  html = "evalua.report.html", github = "evalua.report.github", openmetrics = "evalua.report.openmetrics",
  gitlab = "evalua.report.gitlab",
}

---Writes the report of runs. json and jsonl are written by evalua.report.json and .jsonl.
---@param format string
---@param write fun(text: string)
---@param document evalua.report.document
function formats.runs(format, write, document) require(writers[format]).runs(write, document) end

---True for a format that this module writes.
---@param format string
---@return boolean
function formats.has(format) return writers[format] ~= nil end

---Writes comparisons.
---@param format string markdown, html, csv or github
---@param write fun(text: string)
---@param store table
---@param comparisons table[]
function formats.comparisons(format, write, store, comparisons)
  if format == "csv" then
    require("evalua.report.csv").comparisons(write, store, comparisons)
  elseif format == "markdown" then
    require("evalua.report.markdown").comparisons(write, store, comparisons)
  elseif format == "html" then
    require("evalua.report.html").runs(write, { store = store, summaries = {}, comparisons = comparisons })
  else
    require("evalua.report.github").runs(write, { store = store, comparisons = comparisons })
  end
end

-- The run that another was compared with: of the store, or a baseline file that is still there; else nil.
local function baseline_of(store, side, variant)
  local id, file = parts.present(side.experiment_id), parts.present(side.file)
  if id then return (store:experiment(id)) end
  if not file then return nil end
  local found, record = pcall(require("evalua.cli.ref").resolve, store.real, file, { files = true, variant = variant })
  return found and record or nil
end

-- Each run with the one that gated it, or that it was shown beside.
local function comparisons_of(store, summaries)
  local list = {}
  for _, summary in ipairs(summaries) do
    local side = parts.present(summary.baseline) or parts.present(summary.previous)
    local before = type(side) == "table" and baseline_of(store, side, parts.present(summary.variant))
    local now = before and store:experiment(summary.experiment_id)
    if now then
      local result = require("evalua.compare").pair(store, before, now, { across_datasets = true })
      -- What gated the run is adjusted for several rules: the report says the same.
      local judged = parts.present(summary.comparison)
      if judged then
        result.scorers, result.verdict = judged.scorers, judged.verdict
        result.metrics = parts.present(judged.metrics) or result.metrics
        result.warnings = parts.present(judged.warnings) or result.warnings
      end
      list[#list + 1] = result
    end
  end
  return list
end

---Writes trends.
---@param format string json, markdown, html or csv
---@param write fun(text: string)
---@param groups evalua.history_group[]
function formats.trend(format, write, groups)
  if format == "json" then
    require("evalua.report.json").list(write, groups)
  elseif format == "html" then
    require("evalua.report.html").trend(write, groups)
  else
    require("evalua.report.trend")[format](write, groups)
  end
end

---What a report of runs is made of. The comparisons with the runs' baselines are made when a format asks for them.
---@param store table
---@param summaries table[]
---@param verdict string
---@return evalua.report.document
function formats.document(store, summaries, verdict)
  if type(store) == "userdata" then store = baseline_store.over(store) end
  return setmetatable(parts.document(store, summaries, verdict), {
    __index = function(document, key)
      if key ~= "comparisons" then return nil end
      document.comparisons = comparisons_of(store, summaries)
      return document.comparisons
    end,
  })
end

return formats
