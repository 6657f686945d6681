-- CSV for spreadsheets: one line an item and trial (newlines inside a value are written \n), a column per scorer.
--
-- Cells that a spreadsheet would run as a formula get a leading apostrophe; control characters are shown, not sent.
-- For values without any change there is JSON.

local csv_text = require "evalua.report.csv_text"
local parts = require "evalua.report.parts"
local summaries = require "evalua.summary"
local text = require "evalua.report.text"
local trials = require "evalua.trials"

local csv = {}

local CELL_BYTES_MAX = 32000 -- what a cell of common spreadsheets holds

local function cell(value)
  if value == nil then return "" end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) == "number" then return csv_text.number(value) end -- the difference of two huge scores is empty
  value = parts.one_line(parts.cut(text.clean(value), CELL_BYTES_MAX))
  -- Formulas of spreadsheets, and commands of a workflow's runner where the file is printed into its log.
  if (value:find("^%s*[=+@-]") and not tonumber(value)) or value:find("^%s*::") then value = "'" .. value end
  return csv_text.quoted(value)
end

local function line(write, cells, count) write(csv_text.line(cells, count, cell) .. "\n") end

-- A side of a comparison: its number, or its file.
local function name_of(side) return parts.present(side.number) or parts.present(side.file) or "" end

local function value_of(raw) return parts.text_of(raw, CELL_BYTES_MAX) end

---Writes the results of runs.
---@param write fun(text: string)
---@param document evalua.report.document
function csv.runs(write, document)
  local keys = parts.scorer_keys(document.summaries)
  local titles = { "experiment", "variant", "item_id", "trial", "status", "passed" }
  local first = #titles
  for _, key in ipairs(keys) do titles[#titles + 1] = key end
  local last = #titles
  for _, name in ipairs { "latency_ms", "retry_count", "input", "ground_truth", "output", "error", "reasons" } do
    titles[#titles + 1] = name
  end
  line(write, titles, #titles)
  for _, summary in ipairs(document.summaries) do
    document.each(summary, function(row)
      local cells = { summary.name, parts.present(summary.variant), row.item_id, row.trial, row.status, row.passed }
      local by_key, reasons = {}, {}
      for _, score in ipairs(row.scores or {}) do
        local key, reason = parts.score_key(score), parts.present(score.reason)
        local value = parts.present(score.score)
        if value == nil then value = parts.present(score.label) end
        if value == nil and score.status ~= "ok" then value = score.status end
        by_key[key] = value
        if reason then reasons[#reasons + 1] = ("%s: %s"):format(key, reason) end
      end
      for position, key in ipairs(keys) do cells[first + position] = by_key[key] end
      cells[last + 1], cells[last + 2] = parts.present(row.latency_ms), row.retry_count
      cells[last + 3], cells[last + 4] = value_of(row.input), value_of(row.ground_truth)
      cells[last + 5] = value_of(row.output)
      if row.error then cells[last + 6] = select(3, parts.problem(row)) end
      if #reasons > 0 then cells[last + 7] = table.concat(reasons, "; ") end
      line(write, cells, #titles)
    end)
  end
end

-- How the scorers of a run reduce its trials, by key; empty where each item ran once.
local function reductions_of(store, side)
  local record = store:experiment(side.experiment_id)
  local reduction = record and trials.of_record(record)
  local found = {}
  for _, definition in ipairs(record and summaries.scorers_of(store, record, true) or {}) do
    found[definition.key] = trials.for_scorer(reduction, definition.applies)
  end
  return found
end

---Writes the paired scores of comparisons: one line an item and scorer, trials reduced.
---@param write fun(text: string)
---@param store table
---@param comparisons table[]
function csv.comparisons(write, store, comparisons)
  line(write, { "baseline", "candidate", "scorer", "item_id", "baseline_score", "candidate_score", "delta" }, 7)
  for _, result in ipairs(comparisons) do
    local of_before, of_after = reductions_of(store, result.baseline), reductions_of(store, result.candidate)
    local baseline, candidate = name_of(result.baseline), name_of(result.candidate)
    for _, key in ipairs(parts.sorted_keys(result.scorers)) do
      local scorer = result.scorers[key]
      local reductions = (of_before[key] or of_after[key]) and { of_before[key] or {}, of_after[key] or {} } or nil
      local before, after, ids = store:paired_scores(result.baseline.experiment_id, result.candidate.experiment_id,
        scorer.scorer_id, scorer.step_id or "", reductions)
      if not before then require("evalua.cli.fail").incomplete("scores cannot be read: %s", tostring(after)) end
      for position = 1, #before do
        local from, to = before:get(position), after:get(position)
        line(write, { baseline, candidate, key, ids[position], from, to, to - from }, 7)
      end
    end
  end
end

csv.line = line

return csv
