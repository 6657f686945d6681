-- Results as people read them: a table of some, one in full, and what failed in them.

local json = require "evalua.json"
local phrases = require "evalua.report.phrases"
local text = require "evalua.report.text"
local views = require "evalua.report.view"
local worst = require "evalua.report.worst"

local results = {}

local PROBLEMS_SHOWN = 5

local present, put = phrases.present, views.put

-- The scorers that the rows carry, in the order of their first appearance.
local function scorers_of(rows)
  local ids, seen = {}, {}
  for _, row in ipairs(rows) do
    for _, score in ipairs(row.scores or {}) do
      local id = phrases.score_key(score)
      if not seen[id] then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
  end
  return ids
end

local function score_cell(row, id)
  for _, score in ipairs(row.scores or {}) do
    if phrases.score_key(score) == id then
      if score.status == "error" then return "error" end
      if score.status == "unscored" then return "unscored" end
      local value, label = present(score.score), present(score.label)
      return value and text.number(value + 0.0) or (label and text.clean(tostring(label))) or "-"
    end
  end
  return row.status == "ok" and "-" or ""
end

---A table of results: id, status, a column per scorer, input, output or error.
---@param view table
---@param rows table[]
function results.list(view, rows)
  local ids, repeated = scorers_of(rows), rows[1] and rows[1].trial_count ~= nil
  local columns = { { title = "item", flexible = true }, { title = "status", colour = function(cell)
    return cell ~= "ok" and "red" or nil
  end } }
  if repeated then columns[#columns + 1] = { title = "passed" } end
  for position, id in ipairs(ids) do
    columns[#columns + 1] = views.score_column(id, position)
  end
  columns[#columns + 1] = { title = "input", flexible = true, drop = 1 }
  columns[#columns + 1] = { title = "ground truth", flexible = true, drop = 2 }
  columns[#columns + 1] = { title = "output", flexible = true }
  local cells = {}
  for position, row in ipairs(rows) do
    local trial = (row.trial or 1) > 1 and (" trial " .. row.trial) or ""
    local line = { text.clean(row.item_id):gsub("\n", "\\n") .. trial, row.status }
    if repeated then line[#line + 1] = row.consistency end
    for _, id in ipairs(ids) do line[#line + 1] = score_cell(row, id) end
    line[#line + 1] = text.preview(row.input)
    line[#line + 1] = text.preview(row.ground_truth)
    local message = row.status ~= "ok" and phrases.error_message(row.error)
    line[#line + 1] = message and phrases.brief(message) or text.preview(row.output)
    cells[position] = line
  end
  views.table(view, columns, cells)
end

---What failed in these results, a line each: the error of the target, or those of scorers.
---@param rows table[]
---@param with_targets boolean also errors of targets
---@return string[] clean text
function results.problem_lines(rows, with_targets)
  local lines = {}
  local function add(row, what, raw)
    if #lines < PROBLEMS_SHOWN then
      local message = phrases.error_message(raw) or "failed"
      lines[#lines + 1] = ("item %s: %s%s"):format(text.clean(row.item_id), what, phrases.brief(message))
    end
  end
  for _, row in ipairs(rows) do
    if with_targets and row.status ~= "ok" and row.status ~= "skipped" then add(row, "", row.error) end
    for _, score in ipairs(row.scores or {}) do
      if score.status == "error" then
        add(row, ("scorer %s: "):format(text.clean(phrases.score_key(score))), score.error)
      end
    end
  end
  return lines
end

---What a run that is printed as JSON says on stderr: why it was not judged, and the first items that failed.
---@param store table
---@param summary table
---@return string[] lines
function results.problems(store, summary)
  local lines, errors = {}, 0
  for _, scorer in pairs(summary.scorers or {}) do errors = errors + (present(scorer.n_error) or 0) end
  if (summary.failed_count or 0) + errors > 0 then
    lines = results.problem_lines(worst(store, summary, PROBLEMS_SHOWN), true)
  end
  local reason = present(summary.reason)
  if summary.verdict ~= "pass" and summary.verdict ~= "none" and reason then
    table.insert(lines, 1, ("%s: %s"):format(phrases.title(summary), text.clean(reason)))
  end
  return lines
end

---A value in full: text as lines, anything else as indented JSON.
---@param view evalua.report.view
---@param name string
---@param raw string? JSON text
function results.put_value(view, name, raw)
  if raw == nil then return end
  local value = json.decode(raw)
  local shown
  if type(value) == "string" then
    shown = value
  else
    shown = value ~= nil and json.encode(value, { pretty = true }) or raw
  end
  shown = text.clean(shown)
  if shown:find("\n", 1, true) then
    put(view, view.paint("bold", name), ":")
    put(view, "  ", (shown:gsub("\n$", ""):gsub("\n", "\n  ")))
  else
    put(view, view.paint("bold", name), ": ", type(value) == "string" and shown == "" and '""' or shown)
  end
end

---One result in full, with every score and its reason.
---@param view table
---@param row table of store:results
function results.full(view, row)
  put(view, view.paint("bold", text.clean(row.item_id)), (" (version %s, trial %s)  "):format(
    tostring(row.item_version or "-"), tostring(row.trial or 1)), view.paint(row.status ~= "ok" and "red" or "green",
    row.status), ", ", text.duration(row.latency_ms), (row.retry_count or 0) > 0
    and (", " .. text.count(row.retry_count, "retry"):gsub("retrys", "retries")) or "")
  for _, field in ipairs { "input", "ground_truth", "context", "output", "metadata", "tags", "usage", "steps",
    "trajectory" } do
    results.put_value(view, field:gsub("_", " "), row[field])
  end
  local problem = row.error and json.decode(row.error)
  if type(problem) == "table" then
    put(view, view.paint("red", "error"), ": ", text.clean(tostring(problem.message)), problem.code
      and (" (%s)"):format(text.clean(tostring(problem.code))) or "")
    if present(problem.stack) then put(view, "  ", (text.clean(problem.stack):gsub("\n", "\n  "))) end
  end
  for _, score in ipairs(row.scores or {}) do
    local value, label = present(score.score), present(score.label)
    local shown = score.status ~= "ok" and score.status or (value and text.number(value + 0.0)) or ""
    if label then shown = (shown .. " " .. text.clean(tostring(label))):match("^%s*(.*)") end
    local passed = score.passed == true and "  passed" or score.passed == false and "  not passed" or ""
    local message = phrases.error_message(score.error) or present(score.reason)
    put(view, view.paint("bold", text.clean(phrases.score_key(score))), ": ", shown, passed, message
      and ("  " .. text.clean(tostring(message)):gsub("\n", "\n  ")) or "")
  end
end

return results
