-- Lists as people read them: the variants of an experiment, experiments, datasets.

local phrases = require "evalua.report.phrases"
local text = require "evalua.report.text"
local views = require "evalua.report.view"

local lists = {}

local present = phrases.present

---Several variants of one experiment in one table, each beside the first.
---@param view table
---@param summaries table[]
function lists.variants(view, summaries)
  local ids, seen = {}, {}
  for _, summary in ipairs(summaries) do
    for _, id in ipairs(phrases.sorted_keys(summary.scorers)) do
      if not seen[id] then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
  end
  local columns = {
    { title = "variant", flexible = true }, { title = "#", right = true }, { title = "failed", right = true },
  }
  for position, id in ipairs(ids) do
    columns[#columns + 1] = views.score_column(id, position)
  end
  local rows = {}
  for position, summary in ipairs(summaries) do
    local row = { text.clean(present(summary.variant) or summary.name), tostring(summary.number),
      tostring(summary.failed_count or 0) }
    for _, id in ipairs(ids) do
      local scorer, first = summary.scorers[id], summaries[1].scorers[id]
      local mean, first_mean = scorer and present(scorer.mean), first and present(first.mean)
      local cell = mean and ("%s (n %d)"):format(text.number(mean + 0.0), scorer.n) or "-"
      if position > 1 and mean and first_mean then cell = ("%s %+.2f"):format(cell, mean - first_mean) end
      row[#row + 1] = cell
    end
    rows[position] = row
  end
  views.table(view, columns, rows)
end

-- A time; on a terminal to the minute.
local function time_text(view, time)
  if not time or not view.width or view.full then return time or "" end
  return (time:gsub("^(%d+%-%d+%-%d+)T(%d+:%d+).*$", "%1 %2"))
end

---Experiments, newest first.
---@param view table
---@param records table[] each with the fields of store:experiments and `counts`
function lists.experiments(view, records)
  local rows = {}
  for position, record in ipairs(records) do
    local counts = record.counts or {}
    rows[position] = { tostring(record.number), phrases.title(record), record.status, present(record.verdict) or "none",
      ("%d of %d"):format(counts.done or 0, record.total_items or counts.total or 0), tostring(counts.failed or 0),
      text.clean(present(record.dataset_name) or "-") .. (record.dataset_version and record.dataset_version > 0
        and ("@%d"):format(record.dataset_version) or ""), time_text(view, record.started_at or record.created_at) }
  end
  views.table(view, {
    { title = "#", right = true }, { title = "experiment", flexible = true },
    { title = "status", colour = text.verdict_colour }, { title = "verdict", colour = text.verdict_colour },
    { title = "items", right = true, drop = 2 }, { title = "failed", right = true },
    { title = "dataset", flexible = true, drop = 3 }, { title = "started", drop = 1 },
  }, rows)
end

---Datasets by name.
---@param view table
---@param records table[]
function lists.datasets(view, records)
  local rows = {}
  for position, record in ipairs(records) do
    rows[position] = { text.clean(record.name), tostring(record.version), tostring(record.item_count),
      time_text(view, record.updated_at), text.clean(present(record.description) or ""):gsub("\n.*", "") .. "" }
  end
  views.table(view, {
    { title = "dataset", flexible = true }, { title = "version", right = true }, { title = "items", right = true },
    { title = "changed", drop = 1 }, { title = "description", flexible = true, drop = 2 },
  }, rows)
end

return lists
