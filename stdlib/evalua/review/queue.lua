-- Which results a reviewer walks through, and where the review of each stands.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local records = require "evalua.cli.records"
local report = require "evalua.report.json"
local where = require "evalua.cli.where"

local queue = {}

queue.STATES = { "needs_review", "reviewed", "complete" }
queue.ONLY = { "failed", "passed", "unreviewed", "needs_review", "reviewed", "complete" }

---The tags of a review.
---@param review table|nil of store:reviews
---@return string[]
function queue.tags(review)
  local tags = review and review.tags and json.decode(review.tags)
  return type(tags) == "table" and tags or {}
end

---The reviews of a run and one reviewer's answers, by position.
---@param store table
---@param run_id string
---@param scorer_id string
---@return table<integer, table> reviews
---@return table<integer, table> answers
function queue.state(store, run_id, scorer_id)
  local reviews, answers = {}, {}
  for _, review in ipairs(fail.check(fail.codes.incomplete, store:reviews(run_id))) do
    reviews[review.position] = review
  end
  for _, answer in ipairs(fail.check(fail.codes.incomplete, store:answers(run_id, scorer_id, ""))) do
    answers[answer.position] = answer
  end
  return reviews, answers
end

local function is_failed(row) return row.status ~= "ok" or row.passed == false end

local function has_tags(review, wanted)
  local known = {}
  for _, tag in ipairs(queue.tags(review)) do known[tag] = true end
  for _, tag in ipairs(wanted) do if not known[tag] then return false end end
  return true
end

-- Whether --only, --tag and --items let a result through.
local function matcher(parsed, reviews, answers, ids)
  local only, wanted = parsed.only, nil
  if ids then
    wanted = {}
    for _, id in ipairs(ids) do wanted[id] = true end
  end
  return function(row)
    local review = reviews[row.position]
    if row.status == "skipped" then return false end
    if wanted and not wanted[row.item_id] then return false end
    if parsed.tag and not has_tags(review, parsed.tag) then return false end
    if not only then return true end
    if only == "failed" then return is_failed(row) end
    if only == "passed" then return not is_failed(row) and row.passed == true end
    local answer = answers[row.position]
    if only == "unreviewed" then return answer == nil or answer.status ~= "ok" end
    return review ~= nil and review.state == only
  end
end

---The results to walk through, in item order: only what finds them again is kept.
---@param store table
---@param record table
---@param parsed table options of review: only, tag, where, sample, seed
---@param state { reviews: table, answers: table, ids: string[]|nil }
---@return { position: integer, item_id: string, trial: integer }[]
---@return table|nil filter of --where
function queue.select(store, record, parsed, state)
  local filter = parsed.where and where.compile(parsed.where, where.result_fields)
  local matches, known, found = matcher(parsed, state.reviews, state.answers, state.ids), {}, {}
  if filter then
    for _, scorer in ipairs(require("evalua.summary").scorers_of(store, record)) do known[scorer.key] = true end
  end
  report.each_result(store, record.id, {}, function(row)
    if not matches(row) then return end
    if filter and not filter.matches(records.result_scope(row, where, known), row.item_id) then return end
    found[#found + 1] = { position = row.position, item_id = row.item_id, trial = row.trial }
  end)
  if parsed.sample then
    found = require("evalua.sample").of(found, parsed.sample, parsed.seed or 0, function(entry)
      return ("%s\n%d"):format(entry.item_id, entry.trial)
    end)
  end
  return found, filter
end

---Puts results that are in no queue yet into it: state needs_review, with the tags.
---@param store table
---@param run_id string
---@param entries table[] of queue.select
---@param reviews table<integer, table> changed
---@param by string|nil
---@param tags string[]|nil added to what they have
---@return integer count
function queue.add(store, run_id, entries, reviews, by, tags)
  local count = 0
  fail.check(fail.codes.incomplete, store:begin())
  for _, entry in ipairs(entries) do
    local known = reviews[entry.position]
    local merged, has = json.array {}, {}
    for _, list in ipairs { queue.tags(known), tags or {} } do
      for _, tag in ipairs(list) do
        if not has[tag] then merged[#merged + 1] = tag end
        has[tag] = true
      end
    end
    if not known or (tags and #merged > #queue.tags(known)) then
      local review = { position = entry.position, item_id = entry.item_id, trial = entry.trial,
        state = known and known.state or "needs_review", tags = #merged > 0 and json.encode(merged) or nil,
        updated_by = by }
      local done, problem = store:review_put(run_id, review)
      if not done then
        store:rollback()
        fail.incomplete("%s", tostring(problem))
      end
      reviews[entry.position] = review
      count = count + 1
    end
  end
  fail.check(fail.codes.incomplete, store:commit())
  return count
end

return queue
