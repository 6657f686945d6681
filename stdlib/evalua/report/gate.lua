-- What a person reads first after a change: which scorer moved by how much against the baseline, and the items that
-- show it best.

local detectable = require "evalua.detectable"
local notes = require "evalua.report.comparison_notes"
local phrases = require "evalua.report.phrases"
local text = require "evalua.report.text"
local views = require "evalua.report.view"

local gate = {}

local ITEMS_SHOWN = 3
local WARNINGS_SHOWN = 3
local LINES_FIRST = 4 -- scorers that stand above the items
local LABEL_LINES = 3 -- about a scorer of labels

local present = phrases.present

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
  local labels = notes.labels(scorer)
  if #labels > 0 then return ("%s: %s"):format(name, table.concat(labels, "; ", 1, math.min(#labels, LABEL_LINES))) end
  if not delta or (scorer.n or 0) == 0 then
    return name .. " cannot be compared: " .. (present(scorer.only_in) and ("it is only in the %s"):format(
      scorer.only_in == "baseline" and "baseline" or "new run") or "no item has a score in both runs")
  end
  local over = ("over %s"):format(text.count(scorer.n, "item"))
  if delta == 0 and (present(scorer.regressed) or 0) == 0 and (present(scorer.improved) or 0) == 0 then
    return ("%s is as it was: %s %s"):format(name, number(scorer.candidate_mean), over)
  end
  local moved = delta == 0 and "kept its mean" or ("%s by %s"):format(delta < 0 and "fell" or "rose",
    number(math.abs(delta)))
  local ci, p = present(scorer.ci), present(scorer.p_adjusted) or present(scorer.p_value)
  local interval = ci and (", interval %s to %s"):format(signed(ci[1]), signed(ci[2])) or ""
  local test = p and (", p %s"):format(p >= 0.001 and ("%.3f"):format(p) or ("%.2g"):format(p)) or ""
  local is_open = scorer.verdict == "inconclusive"
  local needed, mde = is_open and detectable.least_pairs(scorer), is_open and detectable.difference(scorer)
  -- Where no pair differs from another there is nothing to reckon it from.
  if mde and mde <= math.abs(delta) then mde = nil end
  local found = needed and (" (so few cannot show any difference: that takes %d)"):format(needed)
    or mde and (" (so few show differences from %s on)"):format(number(mde)) or ""
  local before, now = text.two_numbers(scorer.baseline_mean + 0.0, scorer.candidate_mean + 0.0)
  local counts = present(scorer.regressed) and ("; %d worse, %d better"):format(scorer.regressed, scorer.improved) or ""
  return ("%s %s: %s to %s %s%s%s%s%s"):format(name, moved, before, now, over, interval, test, counts, found)
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

-- The items that show it best, with what they got, had to get and got before.
local function put_items(view, store, summary, keys)
  local shown, rows, has_before = {}, {}, false
  for _, change in ipairs(worst_changes(summary.comparison, keys)) do
    local row = row_of(store, summary, change.item_id) or {}
    local before = output_before(store, summary, change.item_id)
    has_before = has_before or before ~= nil
    shown[change.item_id] = true
    local from, to = text.two_numbers(change.baseline + 0.0, change.candidate + 0.0)
    rows[#rows + 1] = { text.clean(change.item_id):gsub("\n", "\\n") .. "", text.clean(change.scorer_id),
      ("%s to %s"):format(from, to), text.preview(row.input), text.preview(row.ground_truth),
      text.preview(row.output), before or "" }
  end
  if #rows == 0 then return shown end
  local columns = {
    { title = "item", flexible = true, minimum = 12 }, { title = "scorer", flexible = true }, { title = "score" },
    { title = "input", flexible = true, drop = 2 }, { title = "ground truth", flexible = true, drop = 1 },
    { title = "output", flexible = true },
  }
  if has_before then columns[7] = { title = "output before", flexible = true, drop = 3 } end
  views.table(view, columns, rows)
  return shown
end

-- Items that failed or do not pass, and were fine before.
local function put_new_failures(view, comparison)
  local count = present(comparison.new_failure_count) or 0
  if count == 0 then return end
  local names = {}
  for position, failure in ipairs(comparison.new_failures) do
    if position > ITEMS_SHOWN then break end
    names[position] = ("%s (%s)"):format(text.clean(failure.item_id), failure.status)
  end
  views.say(view, ("  fine before, not now: %s: %s%s"):format(text.count(count, "item"), table.concat(names, ", "),
    count > #names and ", ..." or ""))
end

local function put_warnings(view, comparison)
  local warnings = present(comparison.warnings) or {}
  local most = #warnings > WARNINGS_SHOWN + 1 and not view.full and WARNINGS_SHOWN or #warnings
  for position = 1, most do
    views.say(view, view.paint("yellow", "warning"), ": ", text.clean(warnings[position]))
  end
  if #warnings > most then
    views.say(view, view.paint("yellow", "warning"), (": %d more of the comparison; --format json has all"):format(
      #warnings - most))
  end
end

-- A line for each scorer that moved, and each metric, the worst news first; one for all that are as they were.
local function scorer_lines(view, comparison, keys)
  local lines, same = {}, {}
  local function add(verdict, line)
    lines[#lines + 1] = ("  %s  %s"):format(view.paint(text.verdict_colour(verdict), (verdict:gsub("_", " "))), line)
  end
  local metrics = present(comparison.metrics) or {}
  local all, tested = table.move(keys, 1, #keys, 1, {}), {}
  for key, metric in pairs(metrics) do if present(metric.test) then tested[key] = metric end end
  table.move(ordered(tested), 1, #ordered(tested), #all + 1, all)
  for _, key in ipairs(all) do
    local scorer = comparison.scorers[key] or tested[key]
    local line = scorer_text(key, scorer)
    if scorer.verdict == "no_worse" and line:find(" is as it was: ", 1, true) then
      same[#same + 1] = line
    else
      add(scorer.verdict, line)
    end
  end
  if #same > 0 then add("no_worse", table.concat(same, "; ")) end
  return lines
end

---The comparison of a run with its baseline, where it has one: scorers, warnings, and the items that fell most.
---@param view evalua.report.view
---@param store table
---@param summary table
---@return table<string, boolean> shown ids of the items that are in it
function gate.put(view, store, summary)
  local comparison = present(summary.comparison)
  if not comparison or not (present(summary.baseline) or present(summary.previous)) then return {} end
  local keys = ordered(comparison.scorers or {})
  local lines = scorer_lines(view, comparison, keys)
  views.put(view, "")
  views.say(view, view.paint("bold", title(summary)), ": ", view.paint(text.verdict_colour(comparison.verdict),
    (comparison.verdict:gsub("_", " "))))
  -- The items stand where they are seen without scrolling.
  for position = 1, math.min(#lines, LINES_FIRST) do views.say(view, lines[position]) end
  put_new_failures(view, comparison)
  local shown = put_items(view, store, summary, keys)
  for position = LINES_FIRST + 1, #lines do views.say(view, lines[position]) end
  put_warnings(view, comparison)
  return shown
end

---What a run that did not hold comes down to, as the last line of its report: the scorer that fell, by how much, and
---the items that show it best. nil where nothing fell.
---@param summary table
---@return string?
function gate.last_line(summary)
  local comparison = present(summary.comparison)
  if not comparison or summary.verdict ~= "fail" or not present(summary.baseline) then return nil end
  local keys = ordered(comparison.scorers or {})
  local scorer = keys[1] and comparison.scorers[keys[1]]
  if not scorer or scorer.verdict ~= "regressed" and loss(scorer) <= 0 then return nil end
  local ids = {}
  for position, change in ipairs(worst_changes(comparison, keys)) do ids[position] = text.clean(change.item_id) end
  return ("%s %s by %s%s"):format(text.clean(keys[1]), scorer.delta < 0 and "fell" or "rose",
    number(math.abs(scorer.delta)), #ids > 0 and ("; see %s"):format(table.concat(ids, ", ")) or "")
end

return gate
