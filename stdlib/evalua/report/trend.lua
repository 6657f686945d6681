-- What a person reads of a trend: a line of bars for each scorer, and a table of the runs with their intervals.

local json = require "evalua.json"
local pretty = require "evalua.report.pretty"
local text = require "evalua.report.text"

local trend = {}

local BARS = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
local NOTHING = "·" -- a run without a mean
local COMMIT_CHARACTERS = 8

local function present(value)
  if value == nil or value == json.null then return nil end
  return value
end

local function number(value) return value and text.number(value + 0.0) or "-" end

---Numbers as a line of bars from the least to the greatest; equal ones are in the middle, false is a dot.
---@param values (number|false)[]
---@return string
function trend.sparkline(values)
  local low, high
  for _, value in ipairs(values) do
    if value then low, high = math.min(low or value, value), math.max(high or value, value) end
  end
  local out = {}
  for position, value in ipairs(values) do
    if not value then
      out[position] = NOTHING
    elseif low == high then
      out[position] = BARS[#BARS // 2]
    else
      out[position] = BARS[1 + math.floor((value - low) / (high - low) * (#BARS - 1) + 0.5)]
    end
  end
  return table.concat(out)
end

local function scorer_ids(runs)
  local ids, seen = {}, {}
  for _, run in ipairs(runs) do
    for id in pairs(run.scorers) do
      if not seen[id] then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
  end
  table.sort(ids)
  return ids
end

local function mean_of(run, id)
  local scorer = run.scorers[id]
  return scorer and present(scorer.mean) or nil
end

local function put_bars(view, group, ids)
  local rows = {}
  for _, id in ipairs(ids) do
    local values, first, last, low, high = {}, nil, nil, nil, nil
    for position, run in ipairs(group.runs) do
      local mean = mean_of(run, id)
      values[position] = mean or false
      if mean then
        first, last = first or mean, mean
        low, high = math.min(low or mean, mean), math.max(high or mean, mean)
      end
    end
    rows[#rows + 1] = { text.clean(id), trend.sparkline(values), number(first), number(last), number(low),
      number(high) }
  end
  pretty.table(view, { { title = "scorer", flexible = true }, { title = "trend" }, { title = "first", right = true },
    { title = "last", right = true }, { title = "lowest", right = true }, { title = "highest", right = true } }, rows)
end

-- `0.82 [0.75, 0.88] n 50`
local function cell_of(run, id)
  local mean = mean_of(run, id)
  if not mean then return "-" end
  local scorer = run.scorers[id]
  local ci = present(scorer.ci)
  local low, high = ci and present(ci[1]), ci and present(ci[2])
  return ("%s%s n %d"):format(number(mean), low and high and (" [%s, %s]"):format(number(low), number(high)) or "",
    scorer.n or 0)
end

local function commit_text(git)
  git = present(git)
  local commit = git and present(git.commit)
  return commit and commit:sub(1, COMMIT_CHARACTERS) .. (git.dirty == true and "+" or "") or ""
end

local function notes_of(run)
  local notes = {}
  if run.status ~= "completed" then notes[#notes + 1] = run.status end
  if run.partial then notes[#notes + 1] = "partial" end
  if present(run.accepted_at) then notes[#notes + 1] = "accepted" end
  return table.concat(notes, ", ")
end

---One variant's runs.
---@param view table of pretty.view
---@param group { name: string, variant: string|nil, runs: table[] }
function trend.put(view, group)
  local variant = group.variant and group.variant ~= "" and (" [%s]"):format(text.clean(group.variant)) or ""
  pretty.line(view, view.paint("bold", text.clean(group.name) .. variant), ": ", text.count(#group.runs, "run"))
  local ids = scorer_ids(group.runs)
  if #ids > 0 then
    pretty.line(view, "")
    put_bars(view, group, ids)
  end
  local columns, rows = { { title = "#", right = true }, { title = "started" } }, {}
  for _, id in ipairs(ids) do columns[#columns + 1] = { title = text.clean(id) } end
  columns[#columns + 1] = { title = "verdict", colour = text.verdict_colour }
  columns[#columns + 1] = { title = "commit" }
  columns[#columns + 1] = { title = "notes", flexible = true }
  for position, run in ipairs(group.runs) do
    local row = { tostring(run.number), ((present(run.started_at) or ""):gsub("T", " "):gsub(":%d%d%.?%d*Z$", "")) }
    for _, id in ipairs(ids) do row[#row + 1] = cell_of(run, id) end
    row[#row + 1] = present(run.verdict) or "none"
    row[#row + 1] = commit_text(run.git)
    row[#row + 1] = notes_of(run)
    rows[position] = row
  end
  pretty.line(view, "")
  pretty.table(view, columns, rows)
end

return trend
