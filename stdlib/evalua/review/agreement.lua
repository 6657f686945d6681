-- How far people agree with each other and with the scorers: raw agreement and Cohen's kappa, with intervals.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local metrics = require "evalua.native.metrics"
local pretty = require "evalua.report.pretty"
local queue = require "evalua.review.queue"
local report_text = require "evalua.report.text"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"

local agreement = {}

local CATEGORIES_MAX = 100 -- more distinct scores than that are no categories

---@class evalua.review.rater
---@field key string human/ann, exact, fetch-data/exact
---@field rows table<integer, table> answers by position

local function rater_of(store, run_id, key, scorer_id, step_id)
  local rows = {}
  for _, row in ipairs(fail.check(fail.codes.incomplete, store:answers(run_id, scorer_id, step_id or ""))) do
    if row.status == "ok" then rows[row.position] = row end
  end
  return { key = key, rows = rows }
end

-- What is compared, what both said of most results they share: whether it passes, its label, its score.
local BASES = { "passed", "label", "score" }

local function shared_positions(a, b)
  local positions = {}
  for position in next, a.rows do if b.rows[position] then positions[#positions + 1] = position end end
  table.sort(positions)
  return positions
end

-- The positions at which both raters said something of that kind.
local function positions_with(a, b, positions, name)
  local found = {}
  for _, position in ipairs(positions) do
    if a.rows[position][name] ~= nil and b.rows[position][name] ~= nil then found[#found + 1] = position end
  end
  return found
end

-- What they have in common on most results, the first of equals, and those results; one answer of another kind does not
-- hide the agreement of the others.
local function basis_of(a, b, positions)
  local basis, most = nil, {}
  for _, name in ipairs(BASES) do
    local found = positions_with(a, b, positions, name)
    if #found > #most then basis, most = name, found end
  end
  return basis, most
end

-- Numbers from 1 on for what occurs, in its order.
local function numbering(values_a, values_b)
  local seen, order = {}, {}
  for _, list in ipairs { values_a, values_b } do
    for _, value in ipairs(list) do
      if not seen[value] then
        seen[value] = true
        order[#order + 1] = value
      end
    end
  end
  table.sort(order, function(x, y)
    if type(x) == "number" and type(y) == "number" then return x < y end
    return tostring(x) < tostring(y)
  end)
  local numbers = {}
  for number, value in ipairs(order) do numbers[value] = number end
  return numbers, #order
end

local function numbered(values, numbers)
  local list = {}
  for index, value in ipairs(values) do list[index] = numbers[value] end
  return list
end

local function kappa_of(columns, n, count, weights)
  local metric = metrics.new { kind = "kappa", n = n, labels = columns, label_count = count, weights = weights }
  local found = metric:summary {}
  return found.value, found.ci
end

---How far two raters agree on the results that both rated.
---@param a evalua.review.rater
---@param b evalua.review.rater
---@return table pair { a, b, n, n_shared, basis, same, agreement, agreement_ci, kappa, kappa_ci, weights, spearman };
---  n_shared: the results that both rated, where they can be compared on n of them only
function agreement.pair(a, b)
  local shared = shared_positions(a, b)
  local pair = { a = a.key, b = b.key, n = #shared }
  local basis, positions = basis_of(a, b, shared)
  if not basis then return pair end
  pair.n, pair.n_shared = #positions, #positions < #shared and #shared or nil
  local left, right, same = {}, {}, 0
  for index, position in ipairs(positions) do
    local x, y = a.rows[position][basis], b.rows[position][basis]
    if basis == "passed" then x, y = x and "passed" or "not passed", y and "passed" or "not passed" end
    left[index], right[index] = x, y
    if x == y then same = same + 1 end
  end
  pair.basis, pair.same, pair.agreement = basis, same, same / #positions
  pair.agreement_ci = stats.wilson(same, #positions)
  local numbers, count = numbering(left, right)
  if count <= CATEGORIES_MAX then
    local columns = { numbered(left, numbers), numbered(right, numbers) }
    pair.weights = basis == "score" and count > 2 and "quadratic" or nil
    pair.kappa, pair.kappa_ci = kappa_of(columns, #positions, count, pair.weights)
  end
  if basis == "score" and count > 2 then
    pair.spearman = metrics.new { kind = "spearman", n = #positions, x = left, y = right }:summary {}.value
  end
  return pair
end

local function reviewer_summary(rater, reviewer)
  local found = { name = reviewer.name, scorer_id = rater.key, n = 0, passed = 0, not_passed = 0, labels = nil,
    mean = nil, first_at = reviewer.created_at }
  local sum, scored = 0, 0
  for _, row in next, rater.rows do
    found.n = found.n + 1
    if row.passed == true then found.passed = found.passed + 1 end
    if row.passed == false then found.not_passed = found.not_passed + 1 end
    if row.label then
      found.labels = found.labels or {}
      found.labels[row.label] = (found.labels[row.label] or 0) + 1
    end
    if row.score then sum, scored = sum + row.score, scored + 1 end
  end
  if scored > 0 then found.mean = sum / scored end
  return found
end

local function states_of(store, record, run_id)
  local states, total = { needs_review = 0, reviewed = 0, complete = 0 }, 0
  local tags = {}
  for _, review in ipairs(fail.check(fail.codes.incomplete, store:reviews(run_id))) do
    states[review.state] = (states[review.state] or 0) + 1
    total = total + 1
    for _, tag in ipairs(queue.tags(review)) do tags[tag] = (tags[tag] or 0) + 1 end
  end
  local counts = fail.check(fail.codes.incomplete, store:status_counts(run_id))
  states.none = math.max(0, counts.total - counts.skipped - total)
  return states, next(tags) and tags or nil, record
end

---Everything that is known of the review of a run.
---@param store table
---@param record table a run, or one with a score set, whose scorers are then compared with
---@return table report { experiment_id, number, name, states, tags, reviewers, between_reviewers, with_scorers, alpha }
function agreement.report(store, record)
  local run_id = record.run_id or record.id
  local states, tags = states_of(store, record, run_id)
  local made = { experiment_id = record.id, number = record.number, name = record.name, variant = record.variant,
    score_set = record.score_set, states = states, tags = tags, reviewers = json.array {},
    between_reviewers = json.array {}, with_scorers = json.array {} }
  local people, machines = {}, {}
  for _, reviewer in ipairs(fail.check(fail.codes.incomplete, store:reviewers(run_id))) do
    local rater = rater_of(store, run_id, "human/" .. reviewer.name, "human/" .. reviewer.name)
    if next(rater.rows) then
      people[#people + 1] = rater
      made.reviewers[#made.reviewers + 1] = reviewer_summary(rater, reviewer)
    end
  end
  for _, scorer in ipairs(#people > 0 and summary.scorers_of(store, record) or {}) do
    if not scorer.id:find("^human/") then
      machines[#machines + 1] = rater_of(store, record.id, scorer.key, scorer.id, scorer.step_id)
    end
  end
  for index, person in ipairs(people) do
    for other = index + 1, #people do
      made.between_reviewers[#made.between_reviewers + 1] = agreement.pair(person, people[other])
    end
    for _, machine in ipairs(machines) do
      made.with_scorers[#made.with_scorers + 1] = agreement.pair(person, machine)
    end
  end
  return made
end

-- For people ---------------------------------------------------------------------------------------------------------

local number = report_text.number

local function interval(ci)
  if not ci or not ci[1] or not ci[2] then return "" end
  return (" [%s, %s]"):format(number(ci[1]), number(ci[2]))
end

local function put_pairs(view, heading, pairs_of)
  local rows = {}
  for _, pair in ipairs(pairs_of) do
    local raw = pair.agreement and ("%s (%d of %d)%s"):format(report_text.percent(pair.agreement), pair.same, pair.n,
      pair.agreement_ci and (" [%s, %s]"):format(report_text.percent(pair.agreement_ci[1]),
        report_text.percent(pair.agreement_ci[2])) or "") or "-"
    local kappa = pair.kappa and (number(pair.kappa + 0.0) .. interval(pair.kappa_ci)) or "-"
    rows[#rows + 1] = { report_text.clean(pair.a), report_text.clean(pair.b),
      pair.n_shared and ("%d of %d"):format(pair.n, pair.n_shared) or tostring(pair.n), pair.basis or "-", raw,
      kappa .. (pair.weights and pair.kappa and " (quadratic)" or "") }
  end
  if #rows == 0 then return end
  view.write("\n")
  pretty.line(view, view.paint("bold", heading))
  pretty.table(view, { { title = "rater", flexible = true }, { title = "and", flexible = true },
    { title = "n", right = true }, { title = "by", drop = 1 }, { title = "agree [95%]" },
    { title = "kappa [95%]" } }, rows)
end

local function labels_text(labels)
  local names, shown = {}, {}
  for label in next, labels do names[#names + 1] = label end
  table.sort(names)
  for index, label in ipairs(names) do shown[index] = ("%s %d"):format(report_text.clean(label), labels[label]) end
  return table.concat(shown, ", ")
end

---Prints a report.
---@param view evalua.report.view
---@param made table of agreement.report
function agreement.put(view, made)
  local states = made.states
  pretty.line(view, ("review of #%d: %d complete, %d reviewed, %d need review, %d in no queue"):format(made.number,
    states.complete, states.reviewed, states.needs_review, states.none))
  if made.tags then pretty.line(view, "tags: ", labels_text(made.tags)) end
  for _, reviewer in ipairs(made.reviewers) do
    local parts = { report_text.count(reviewer.n, "answer") }
    if reviewer.passed + reviewer.not_passed > 0 then
      parts[#parts + 1] = ("%d accepted, %d rejected"):format(reviewer.passed, reviewer.not_passed)
    end
    if reviewer.labels then parts[#parts + 1] = labels_text(reviewer.labels) end
    if reviewer.mean then parts[#parts + 1] = "mean " .. number(reviewer.mean + 0.0) end
    pretty.line(view, report_text.clean(reviewer.scorer_id), ": ", table.concat(parts, ", "))
  end
  put_pairs(view, "between reviewers", made.between_reviewers)
  put_pairs(view, "with scorers", made.with_scorers)
end

return agreement
