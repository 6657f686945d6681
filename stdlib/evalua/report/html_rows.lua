-- The data of the HTML report: the items of runs and pairs as compact JSON, which the page's script draws.
--
-- A page stays usable and below 20 MB whatever the runs are: of very many items those that matter most are kept, and
-- long values are cut to what there is room for. A first pass over the results chooses and measures, a second writes.

local html = require "evalua.report.html_parts"
local json = require "evalua.json"
local parts = require "evalua.report.parts"
local phrases = require "evalua.report.phrases"
local text = require "evalua.report.text"

local rows = {}

local ROWS_MAX = 20000            -- items of a page
local FRAMES_BYTES_MAX = 5000000  -- ids and scores of a page: with many scorers there are fewer items
local VALUES_BYTES_MAX = 11000000 -- inputs, outputs and the like of a page
local PAGE_BYTES_MAX = 17000000   -- past this, whatever was measured, values are left out
local NOTE_BYTES_MAX = 500
local VALUE_CAPS = { 24, 40, 60, 90, 120, 180, 250, 350, 500, 700, 1000, 1400, 2000, 4000, 8000, 16000, 32000, 64000 }

local function or_null(value)
  if value == nil then return json.null end
  return value
end

-- Changes of a pair, as the script knows them; the first matter most.
local CHANGES = { failed = 1, regressed = 2, both = 3, improved = 4, recovered = 5, output = 6, same = 7, other = 8 }
local CHANGE_COUNT = 8
-- Classes of a run's items.
local FAILED, NOT_PASSED, FINE = 1, 2, 3

-- ==== What stands in a row ====

-- Scores by column: numbers, labels, or the word for what is missing; and the reasons.
local function score_cells(row, keys, with_notes)
  local by_key, values, notes, has_notes = {}, {}, {}, false
  for _, score in ipairs(row.scores or {}) do by_key[parts.score_key(score)] = score end
  for position, key in ipairs(keys) do
    local score = by_key[key]
    local value = score and (parts.present(score.score) or parts.present(score.label)
      or (score.status ~= "ok" and score.status or nil))
    values[position] = type(value) == "string" and text.clean(value) or or_null(value)
    local note = with_notes and score
      and (parts.present(score.reason) or (score.error and phrases.error_message(score.error)))
    notes[position] = note and parts.cut(text.clean(note), NOTE_BYTES_MAX) or json.null
    has_notes = has_notes or note and true or false
  end
  return json.array(values), has_notes and json.array(notes) or json.null
end

-- What happened to an item between two runs, and how far its scores fell.
local function change_of(pair, keys, directions)
  if pair.is_other then return CHANGES.other, 0 end
  local was_ok, is_ok = pair.before.status == "ok", pair.after.status == "ok"
  if was_ok ~= is_ok then return was_ok and CHANGES.failed or CHANGES.recovered, 0 end
  local better, worse, loss = false, false, 0
  local before = score_cells(pair.before, keys, false)
  local after = score_cells(pair.after, keys, false)
  for position, higher in ipairs(directions) do
    local from, to = before[position], after[position]
    if type(from) == "number" and type(to) == "number" and from ~= to then
      local gain = higher and to - from or from - to
      if gain > 0 then better = true else worse = true end
      loss = math.max(loss, -gain)
    end
  end
  local name = better and worse and "both" or better and "improved" or worse and "regressed"
    or pair.before.output ~= nil and pair.before.output ~= pair.after.output and "output" or "same"
  return CHANGES[name], loss
end

-- ==== Choosing and measuring ====

local function new_measure()
  local measure = { counts = {}, sums = {}, values = 0 }
  for position = 1, #VALUE_CAPS + 1 do measure.counts[position], measure.sums[position] = 0, 0 end
  return measure
end

local function measure_value(measure, raw)
  if raw == nil then return end
  local size, position = #raw, 1
  while position <= #VALUE_CAPS and size > VALUE_CAPS[position] do position = position + 1 end
  measure.counts[position] = measure.counts[position] + 1
  measure.sums[position] = measure.sums[position] + size
end

-- The longest that values may be so that `share` of all that was measured fits.
local function cap_of(measure, share)
  for chosen = #VALUE_CAPS, 2, -1 do
    local total = 0
    for position = 1, #VALUE_CAPS + 1 do
      total = total + (position <= chosen and measure.sums[position] or measure.counts[position] * VALUE_CAPS[chosen])
    end
    if total * share <= VALUES_BYTES_MAX then return VALUE_CAPS[chosen] end
  end
  return VALUE_CAPS[1]
end

-- Which of the items are kept: the first classes whole, of the class at the limit the greatest losses. nil: all.
local function choose(set, most)
  if set.count <= most then return nil end
  local kept, left = {}, most
  for class = 1, CHANGE_COUNT do
    local list = set.classes[class] or {}
    if #list > left then
      table.sort(list, function(a, b)
        local loss_a, loss_b = set.losses[a] or 0, set.losses[b] or 0
        if loss_a ~= loss_b then return loss_a > loss_b end
        return a < b
      end)
    end
    for position = 1, math.min(#list, left) do kept[list[position]] = true end
    left = left - math.min(#list, left)
    if left == 0 then break end
  end
  return kept
end

local function add_to(set, class, loss)
  set.count = set.count + 1
  local list = set.classes[class]
  if not list then
    list = {}
    set.classes[class] = list
  end
  list[#list + 1] = set.count
  if loss > 0 then set.losses[set.count] = loss end
end

local function run_class(row)
  if row.status ~= "ok" then return row.status == "skipped" and FINE or FAILED end
  return row.passed == false and NOT_PASSED or FINE
end

local function walk_pairs(document, result, visit)
  local changed = {}
  for _, id in ipairs(result.items.changed or {}) do changed[id] = true end
  local set = { keys = parts.sorted_keys(result.scorers), directions = {} }
  for position, key in ipairs(set.keys) do
    set.directions[position] = result.scorers[key].higher_is_better ~= false
  end
  parts.each_pair(document.store, result.baseline.experiment_id, result.candidate.experiment_id, function(before, after)
    local pair = { before = before, after = after, is_other = changed[after.item_id] }
    local change, loss = change_of(pair, set.keys, set.directions)
    visit(pair, change, loss)
  end)
end

local function new_set(scorers) return { count = 0, classes = {}, losses = {}, scorers = scorers } end

---Chooses the items of a page and how long values may be.
---@param document evalua.report.document
---@return table plan for rows.write
function rows.plan(document)
  local measure, sets, cells = new_measure(), { runs = {}, pairs = {} }, 0
  for position, summary in ipairs(document.summaries) do
    local set = new_set(#parts.sorted_keys(summary.scorers))
    sets.runs[position] = set
    parts.each_item(document, summary, function(row, of_trials)
      add_to(set, run_class(row), 0)
      for _, field in ipairs { "input", "ground_truth", "output" } do measure_value(measure, row[field]) end
      for _, trial in ipairs(of_trials or {}) do measure_value(measure, trial.output) end
    end)
    cells = cells + set.count * (60 + 24 * set.scorers)
  end
  for position, result in ipairs(document.comparisons or {}) do
    local set = new_set(2 * #parts.sorted_keys(result.scorers))
    sets.pairs[position] = set
    walk_pairs(document, result, function(pair, change, loss)
      add_to(set, change, loss)
      for _, field in ipairs { "input", "ground_truth", "output" } do measure_value(measure, pair.after[field]) end
      measure_value(measure, pair.before.output)
    end)
    cells = cells + set.count * (60 + 24 * set.scorers)
  end
  local total = 0
  for _, list in pairs(sets) do for _, set in ipairs(list) do total = total + set.count end end
  local share = math.min(1, ROWS_MAX / math.max(1, total), FRAMES_BYTES_MAX / math.max(1, cells))
  for _, list in pairs(sets) do
    for _, set in ipairs(list) do
      set.kept = choose(set, math.max(1, math.ceil(set.count * share)))
      set.classes, set.losses = nil, nil
    end
  end
  sets.most, sets.written = cap_of(measure, share), 0
  return sets
end

-- ==== Writing ====

-- A value as it is cut to; nothing where the page is full.
local function value_of(plan, raw)
  if raw == nil or plan.written > PAGE_BYTES_MAX then return json.null end
  return or_null(parts.text_of(raw, plan.most))
end

local passed_codes = { [true] = 1, [false] = 0 }

local function trial_list(plan, of_trials, keys)
  if not of_trials then return json.null end
  local list = {}
  for position, trial in ipairs(of_trials) do
    local _, _, problem = parts.problem(trial)
    list[position] = json.array { trial.status, or_null(passed_codes[parts.present(trial.passed)]),
      or_null(parts.present(trial.latency_ms)), (score_cells(trial, keys, false)), value_of(plan, trial.output),
      or_null(problem and parts.cut(problem, NOTE_BYTES_MAX)) }
  end
  return json.array(list)
end

local function run_row(plan, row, of_trials, keys)
  local scores, notes = score_cells(row, keys, true)
  local _, _, problem = parts.problem(row)
  return json.array { parts.result_name(row), row.status, or_null(passed_codes[parts.present(row.passed)]),
    or_null(parts.present(row.latency_ms)), scores, value_of(plan, row.input), value_of(plan, row.ground_truth),
    value_of(plan, row.output), or_null(problem and parts.cut(problem, 2 * NOTE_BYTES_MAX)), notes,
    or_null(row.consistency), trial_list(plan, of_trials, keys) }
end

local function pair_row(plan, pair, change, keys)
  local before, after = pair.before, pair.after
  local function problem(row)
    if row.status == "ok" then return json.null end
    return or_null(parts.cut(select(3, parts.problem(row)) or row.status, 2 * NOTE_BYTES_MAX))
  end
  return json.array { parts.result_name(after), before.status, after.status, (score_cells(before, keys, false)),
    (score_cells(after, keys, false)), value_of(plan, after.input), value_of(plan, after.ground_truth),
    value_of(plan, before.output), value_of(plan, after.output), change, problem(before), problem(after),
    or_null(before.consistency), or_null(after.consistency) }
end

-- Writes a set: `walk(visit)` visits every item, `make` makes a row of one.
local function put_set(write, plan, set, head, walk, make)
  local first, position = true, 0
  write("{" .. head .. (',"total":%d,"rows":['):format(set.count))
  walk(function(...)
    position = position + 1
    if set.kept and not set.kept[position] then return end
    local line = (first and "\n" or ",\n") .. html.data(make(...))
    plan.written = plan.written + #line
    write(line)
    first = false
  end)
  write("]}")
end

---Writes the data of a page as one JSON value, safe inside of a script element.
---@param write fun(text: string)
---@param document evalua.report.document
---@param plan table of rows.plan
function rows.write(write, document, plan)
  write('{"runs":[')
  for position, summary in ipairs(document.summaries) do
    local keys = parts.sorted_keys(summary.scorers)
    if position > 1 then write(",\n") end
    put_set(write, plan, plan.runs[position], '"scorers":' .. html.data(json.array(keys)), function(visit)
      parts.each_item(document, summary, visit)
    end, function(row, of_trials) return run_row(plan, row, of_trials, keys) end)
  end
  write('],"pairs":[')
  for position, result in ipairs(document.comparisons or {}) do
    local keys, higher = parts.sorted_keys(result.scorers), {}
    for index, key in ipairs(keys) do higher[index] = result.scorers[key].higher_is_better ~= false end
    if position > 1 then write(",\n") end
    put_set(write, plan, plan.pairs[position], ('"scorers":%s,"higher":%s'):format(html.data(json.array(keys)),
      html.data(json.array(higher))), function(visit) walk_pairs(document, result, visit) end,
      function(pair, change) return pair_row(plan, pair, change, keys) end)
  end
  write("]}")
end

return rows
