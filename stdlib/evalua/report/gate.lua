-- What a person reads first after a change: which scorer moved by how much against the baseline, and the items that
-- show it best.

local json = require "evalua.json"
local text = require "evalua.report.text"

local gate = {}

local ITEMS_SHOWN = 3

local function present(value)
  if value == nil or value == json.null then return nil end
  return value
end

local function number(value) return value and text.number(value + 0.0) or "-" end

local function signed(value) return (value >= 0 and "+" or "") .. number(value) end

-- How much worse it got: positive where it fell (or rose, where lower is better).
local function loss(scorer)
  local delta = present(scorer.delta)
  if not delta then return -math.huge end
  return scorer.higher_is_better == false and delta or -delta
end

local RANKS = { regressed = 0, inconclusive = 1, incomparable = 2, no_worse = 3, improved = 4 }

-- The worst news first.
local function ordered(scorers)
  local keys = {}
  for key in pairs(scorers) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    local rank_a, rank_b = RANKS[scorers[a].verdict] or 5, RANKS[scorers[b].verdict] or 5
    if rank_a ~= rank_b then return rank_a < rank_b end
    local loss_a, loss_b = loss(scorers[a]), loss(scorers[b])
    if loss_a ~= loss_b then return loss_a > loss_b end
    return a < b
  end)
  return keys
end

-- `exact fell by 0.67: 1.00 to 0.33 over 3 items [-1.00 to +0.10], p 0.25; 2 worse, 0 better`
local function scorer_text(key, scorer)
  local name, delta = text.clean(key), present(scorer.delta)
  if not delta or (scorer.n or 0) == 0 then
    return name .. " cannot be compared: " .. (present(scorer.only_in) and ("it is only in the %s"):format(
      scorer.only_in == "baseline" and "baseline" or "new run") or "no item has a score in both runs")
  end
  local over = ("over %s"):format(text.count(scorer.n, "item"))
  if delta == 0 and scorer.regressed == 0 and scorer.improved == 0 then
    return ("%s is as it was: %s %s"):format(name, number(scorer.candidate_mean), over)
  end
  local moved = delta == 0 and "kept its mean" or ("%s by %s"):format(delta < 0 and "fell" or "rose",
    number(math.abs(delta)))
  local ci, p = present(scorer.ci), present(scorer.p_adjusted) or present(scorer.p_value)
  local interval = ci and (", interval %s to %s"):format(signed(ci[1]), signed(ci[2])) or ""
  local test = p and (", p %s"):format(p >= 0.001 and ("%.3f"):format(p) or ("%.2g"):format(p)) or ""
  local mde = scorer.verdict == "inconclusive" and present(scorer.mde)
  local found = mde and (" (so few show differences from %s on)"):format(number(mde)) or ""
  return ("%s %s: %s to %s %s%s%s; %d worse, %d better%s"):format(name, moved, number(scorer.baseline_mean),
    number(scorer.candidate_mean), over, interval, test, scorer.regressed, scorer.improved,
    found)
end

local function title(summary)
  local side = present(summary.baseline) or present(summary.previous)
  local name = present(side.file) and text.clean(side.file)
    or ("#%s"):format(tostring(present(side.number) or "?"))
  local when = present(side.completed_at)
  when = when and (" of " .. when:gsub("T", " "):gsub(":%d%d%.%d+Z$", " UTC")) or ""
  if not present(summary.baseline) then
    return ("against the previous run %s%s, which gates nothing"):format(name, when)
  end
  if side.source == "accepted" then return ("against the accepted run %s%s"):format(name, when) end
  return ("against the baseline %s%s"):format(name, when)
end

local function row_of(store, summary, item_id)
  local rows = store:results(summary.experiment_id, { item_id = item_id, after = 0, limit = 1 })
  return rows and rows[1]
end

-- The output that the item had in the baseline; files keep none.
local function output_before(store, summary, item_id)
  local side = present(summary.baseline) or present(summary.previous)
  local id = side and present(side.experiment_id)
  local rows = id and store:results(id, { item_id = item_id, after = 0, limit = 1 })
  return rows and rows[1] and text.preview(rows[1].output)
end

-- The items that fell most in the scorer that fell most, else in any.
local function worst_changes(comparison, keys)
  local list = {}
  for _, wanted in ipairs { keys[1] or false, false } do
    for _, change in ipairs(comparison.regressions or {}) do
      if #list < ITEMS_SHOWN and (not wanted or change.scorer_id == wanted) then list[#list + 1] = change end
    end
    if #list > 0 then return list end
  end
  return list
end

local function put_items(view, store, summary, keys)
  local pretty = require "evalua.report.pretty"
  local shown, rows, has_before = {}, {}, false
  for _, change in ipairs(worst_changes(summary.comparison, keys)) do
    local row = row_of(store, summary, change.item_id) or {}
    local before = output_before(store, summary, change.item_id)
    has_before = has_before or before ~= nil
    shown[change.item_id] = true
    rows[#rows + 1] = { text.clean(change.item_id):gsub("\n", "\\n") .. "", text.clean(change.scorer_id),
      ("%s to %s"):format(number(change.baseline), number(change.candidate)), text.preview(row.input),
      text.preview(row.ground_truth), text.preview(row.output), before or "" }
  end
  if #rows == 0 then return shown end
  local columns = {
    { title = "item", flexible = true }, { title = "scorer", flexible = true }, { title = "score" },
    { title = "input", flexible = true, drop = 2 }, { title = "ground truth", flexible = true, drop = 1 },
    { title = "output", flexible = true },
  }
  if has_before then columns[7] = { title = "output before", flexible = true, drop = 3 } end
  pretty.table(view, columns, rows)
  return shown
end

---The comparison of a run with its baseline, where it has one: scorers, warnings, and the items that fell most.
---@param view table of pretty.view
---@param store table
---@param summary table
---@return table<string, boolean> shown ids of the items that are in it
function gate.put(view, store, summary)
  local comparison = present(summary.comparison)
  if not comparison or not (present(summary.baseline) or present(summary.previous)) then return {} end
  local pretty = require "evalua.report.pretty"
  local keys = ordered(comparison.scorers or {})
  pretty.line(view, "")
  pretty.line(view, view.paint("bold", title(summary)), ": ", view.paint(text.verdict_colour(comparison.verdict),
    (comparison.verdict:gsub("_", " "))))
  for _, warning in ipairs(present(comparison.warnings) or {}) do
    pretty.line(view, view.paint("yellow", "warning"), ": ", text.clean(warning))
  end
  for _, key in ipairs(keys) do
    local scorer = comparison.scorers[key]
    pretty.line(view, "  ", view.paint(text.verdict_colour(scorer.verdict), (scorer.verdict:gsub("_", " "))), "  ",
      scorer_text(key, scorer))
  end
  local count = present(comparison.new_failure_count) or 0
  if count > 0 then
    local names = {}
    for position, failure in ipairs(comparison.new_failures) do
      if position > ITEMS_SHOWN then break end
      names[position] = ("%s (%s)"):format(text.clean(failure.item_id), failure.status)
    end
    pretty.line(view, ("  fine before, not now: %s: %s%s"):format(text.count(count, "item"), table.concat(names, ", "),
      count > #names and ", ..." or ""))
  end
  return put_items(view, store, summary, keys)
end

return gate
