-- Reviews as CSV: out for a spreadsheet, and back. What a reviewer said comes back exactly as it went out; the columns
-- beside it (input, output, scores) are for reading and are not read back.
--
-- A cell that a spreadsheet would run as a formula gets an apostrophe, which is taken away again on the way back; one
-- that begins with apostrophes before such a character gets one more, so that nothing is ambiguous.

local answers_module = require "evalua.review.answers"
local csv_text = require "evalua.report.csv_text"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local parts = require "evalua.report.parts"
local pretty = require "evalua.report.pretty"
local queue = require "evalua.review.queue"
local report = require "evalua.report.json"
local strict = require "evalua.strict"
local text = require "evalua.report.text"

local sheet = {}

local PROBLEMS_MAX = 20
local CELL_BYTES_MAX = 32000 -- of a column for reading: what a cell of common spreadsheets holds

local ANSWER_COLUMNS = { "reviewer", "verdict", "score", "label", "comment", "reviewed_at", "state", "tags" }
local KEY_COLUMNS = { "item_id", "trial" }

-- Cells --------------------------------------------------------------------------------------------------------------

-- Characters that make a formula of a cell; the wide ones are taken for them by some programs.
local FORMULA = "^'*%s*[=+%-@\t\r\n]"
local WIDE = { "＝", "＋", "－", "＠" }

local function is_formula(value)
  if value:find(FORMULA) then return true end
  local rest = value:gsub("^'*%s*", "")
  for _, character in ipairs(WIDE) do if rest:sub(1, #character) == character then return true end end
  return false
end

local function guarded(value)
  if is_formula(value) and not tonumber(value) then return "'" .. value end
  return value
end

-- The inverse of guarded.
local function unguarded(cell)
  if cell:sub(1, 1) == "'" and is_formula(cell) and not tonumber((cell:gsub("^'", "", 1))) then return cell:sub(2) end
  return cell
end

local function cell(value)
  if value == nil then return "" end
  if type(value) == "number" then return csv_text.number(value) end
  return csv_text.quoted(guarded(tostring(value)))
end

local function line(write, cells, count) write(csv_text.line(cells, count, cell) .. "\r\n") end

-- Out ----------------------------------------------------------------------------------------------------------------

local function verdict_text(answer)
  if answer.passed == nil then return nil end
  return answer.passed and "accept" or "reject"
end

-- The answers of the reviewers that are meant, by position: lists of {name, answer}.
local function answers_by_position(store, run_id, only)
  local found = {}
  for _, reviewer in ipairs(fail.check(fail.codes.incomplete, store:reviewers(run_id))) do
    if not only or reviewer.name == only then
      local rows = fail.check(fail.codes.incomplete, store:answers(run_id, answers_module.scorer_id(reviewer.name), ""))
      for _, row in ipairs(rows) do
        found[row.position] = found[row.position] or {}
        table.insert(found[row.position], { name = reviewer.name, answer = row })
      end
    end
  end
  return found
end

local function scorer_keys(store, record)
  local keys = {}
  for _, scorer in ipairs(require("evalua.summary").scorers_of(store, record)) do
    if not scorer.id:find("^human/") then keys[#keys + 1] = scorer.key end
  end
  return keys
end

local function readable(raw) return parts.text_of(raw, CELL_BYTES_MAX) end

---Writes the results of a run with what people said: a line a result and reviewer, one with empty cells where nobody
---said anything.
---@param write fun(text: string)
---@param store table
---@param record table
---@param options { name: string|nil, blind: boolean|nil, entries: table[], reviews: table, clean: boolean|nil } name:
---  only this reviewer's; entries: of queue.select; clean: for a terminal
---@return integer lines
function sheet.export(write, store, record, options)
  local run_id = record.run_id or record.id
  local answers = answers_by_position(store, run_id, options.name)
  local keys = options.blind and {} or scorer_keys(store, record)
  local titles = { "item_id", "trial", "status", "input", "ground_truth", "output", "error" }
  local first = #titles
  for _, key in ipairs(keys) do titles[#titles + 1] = "scorer:" .. key end -- any id is fine beside our own names
  for _, name in ipairs(ANSWER_COLUMNS) do titles[#titles + 1] = name end
  local function put(cells)
    for position = 1, #titles do
      if options.clean and type(cells[position]) == "string" then cells[position] = text.clean(cells[position]) end
    end
    line(write, cells, #titles)
  end
  put(table.move(titles, 1, #titles, 1, {}))
  local wanted, count = {}, 0
  for _, entry in ipairs(options.entries) do wanted[entry.position] = true end
  report.each_result(store, record.id, {}, function(row)
    if not wanted[row.position] then return end
    local scores = {}
    for _, score in ipairs(row.scores or {}) do scores[pretty.score_key(score)] = parts.score_text(score) end
    local review = options.reviews[row.position]
    for _, said in ipairs(answers[row.position] or { {} }) do
      local answer = said.answer or {}
      local cells = { row.item_id, row.trial, row.status, readable(row.input), readable(row.ground_truth),
        readable(row.output), row.error and pretty.error_message(row.error) or nil }
      for position, key in ipairs(keys) do cells[first + position] = scores[key] and text.clean(scores[key]) end
      local values = { said.name or options.name, verdict_text(answer), answer.score, answer.label, answer.reason,
        answer.scored_at, review and review.state, table.concat(queue.tags(review), ",") }
      for position = 1, #ANSWER_COLUMNS do cells[first + #keys + position] = values[position] end
      put(cells)
      count = count + 1
    end
  end)
  return count
end

-- Back ---------------------------------------------------------------------------------------------------------------

local VERDICTS = { accept = true, accepted = true, pass = true, yes = true, reject = false, rejected = false,
  fail = false, no = false }

local function is_time(value)
  return value:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$") ~= nil
end

-- What one line says: an answer or nil where it says nothing, and what is wrong with it.
local function read_answer(fields, choices)
  local answer, problems = {}, {}
  local function problem(...) problems[#problems + 1] = (...):format(select(2, ...)) end
  if fields.verdict ~= "" then
    answer.passed = VERDICTS[fields.verdict:lower()]
    if answer.passed == nil then
      problem("verdict %s: write accept or reject", text.clean(fields.verdict))
    end
  end
  if fields.score ~= "" then
    answer.score = tonumber(fields.score)
    if not answer.score or answer.score ~= answer.score or math.abs(answer.score) == math.huge then
      problem("score %s: not a number", text.clean(fields.score))
    elseif choices.high and (answer.score < choices.low or answer.score > choices.high) then
      problem("score %s: not from %s to %s", fields.score, text.number(choices.low), text.number(choices.high))
    end
  end
  if fields.label ~= "" then
    local made, wrong = answers_module.label(choices, fields.label)
    if made then
      answer.label = made.label
      if answer.passed == nil and fields.verdict == "" then answer.passed = made.passed end
      if answer.score == nil then answer.score = made.score end
    else
      problem("label: %s", wrong)
    end
  end
  if answer.passed ~= nil and answer.score == nil and not answer.label then
    answer.score = answer.passed and (choices.high or 1) or (choices.low or 0)
  end
  if fields.comment ~= "" then
    if #fields.comment > answers_module.COMMENT_BYTES_MAX then
      problem("comment: %d bytes, the limit (COMMENT_BYTES_MAX) is %d", #fields.comment,
        answers_module.COMMENT_BYTES_MAX)
    elseif not utf8.len(fields.comment) then
      problem("comment: not UTF-8")
    end
    answer.reason = fields.comment
  end
  if fields.reviewed_at ~= "" then
    if not is_time(fields.reviewed_at) then
      problem("reviewed_at %s: write it as 2026-01-31T12:00:00.000Z, or leave it empty", text.clean(fields.reviewed_at))
    end
    answer.scored_at = fields.reviewed_at
  end
  if answer.passed == nil and answer.score == nil and not answer.label and not answer.reason then
    return nil, problems
  end
  answer.status = (answer.passed ~= nil or answer.score ~= nil or answer.label) and "ok" or "unscored"
  return answer, problems
end

local function read_review(fields)
  local review, problems = {}, {}
  if fields.state ~= "" then
    review.state = fields.state
    if not strict.contains(queue.STATES, fields.state) then
      problems[1] = ("state %s: one of %s"):format(text.clean(fields.state), table.concat(queue.STATES, ", "))
    end
  end
  if fields.tags ~= "" then
    local tags = json.array {}
    for tag in fields.tags:gmatch("[^,]+") do
      tag = tag:match("^%s*(.-)%s*$")
      if tag ~= "" then tags[#tags + 1] = tag end
    end
    review.tags = #tags > 0 and json.encode(tags) or nil
  end
  return (review.state or review.tags) and review or nil, problems
end

local function columns_of(header, path)
  local columns = {}
  for position, name in ipairs(header) do
    columns[unguarded(name)] = position
  end
  if not columns.item_id then
    fail.usage("%s:1: there is no column item_id; `evalua review export` writes such a file", path)
  end
  local has_answer = false
  for _, name in ipairs { "verdict", "score", "label", "comment", "state", "tags" } do
    has_answer = has_answer or columns[name] ~= nil
  end
  if not has_answer then fail.usage("%s:1: there is no column verdict, score, label or comment", path) end
  return columns
end

local function fields_of(cells, columns)
  local fields = {}
  for _, list in ipairs { KEY_COLUMNS, ANSWER_COLUMNS } do
    for _, name in ipairs(list) do
      fields[name] = columns[name] and unguarded(cells[columns[name]] or "") or ""
    end
  end
  return fields
end

-- Positions of the results by item and trial.
local function positions_of(store, run_id)
  local positions = {}
  report.each_result(store, run_id, {}, function(row)
    if row.status ~= "skipped" then
      positions[row.item_id] = positions[row.item_id] or {}
      positions[row.item_id][row.trial] = row.position
    end
  end)
  return positions
end

-- The result that a line is about: nil and what is wrong.
local function find_position(fields, positions)
  local trials = positions[fields.item_id]
  if not trials then return nil, nil, ("the run has no result of an item %q"):format(text.clean(fields.item_id)) end
  local trial = fields.trial == "" and next(trials, next(trials)) == nil and next(trials)
    or math.tointeger(tonumber(fields.trial))
  if not trial or not trials[trial] then
    return nil, nil, ("item %s has no trial %q"):format(text.clean(fields.item_id), text.clean(fields.trial))
  end
  return trials[trial], trial
end

-- Spreadsheets of many countries write semicolons.
local function delimiter_of(path)
  local file = io.open(path, "rb")
  local first = file and file:read("l") or ""
  if file then file:close() end
  if first:find(",", 1, true) then return "," end
  return first:find(";", 1, true) and ";" or first:find("\t", 1, true) and "\t" or ","
end

---Reads a file that `sheet.export` wrote and somebody filled in. Raises (exit 2) with up to 20 problems, each with its
---line, and then nothing is to be stored.
---@param store table
---@param run_id string
---@param path string
---@param options { name: string, choices: evalua.review.choices }
---@return { position: integer, item_id: string, trial: integer, answer: table|nil, review: table|nil }[]
---@return integer others lines of other reviewers, which are left alone
function sheet.read(store, run_id, path, options)
  local reader, message = require("evalua.native.csv").open(path, { header = true, delimiter = delimiter_of(path) })
  if not reader then fail.usage("%s", tostring(message)) end
  local columns, positions = columns_of(reader:header() or {}, path), positions_of(store, run_id)
  local found, lines, problems, count, others = {}, {}, {}, 0, 0
  local function problem(where, said)
    count = count + 1
    if count <= PROBLEMS_MAX then problems[count] = ("%s:%s: %s"):format(path, tostring(where), said) end
  end
  while true do
    local cells, where = reader:next()
    if not cells then
      if where then
        count = count + 1
        problems[#problems + 1] = tostring(where)
      end
      break
    end
    local fields = fields_of(cells, columns)
    if fields.reviewer ~= "" and fields.reviewer ~= options.name then
      others = others + 1
    else
      local position, trial, wrong = find_position(fields, positions)
      local answer, of_answer = read_answer(fields, options.choices)
      local review, of_review = read_review(fields)
      if wrong then
        problem(where, wrong)
      elseif lines[position] then
        problem(where, ("item %s, trial %d, is on line %d already"):format(text.clean(fields.item_id), trial,
          lines[position]))
      end
      for _, list in ipairs { of_answer, of_review } do for _, said in ipairs(list) do problem(where, said) end end
      if position and not lines[position] then
        lines[position] = where
        if answer or review then
          found[#found + 1] = { position = position, item_id = fields.item_id, trial = trial, answer = answer,
            review = review }
        end
      end
    end
  end
  if count > 0 then
    if count > PROBLEMS_MAX then problems[#problems + 1] = ("and %d more problems"):format(count - PROBLEMS_MAX) end
    problems[#problems + 1] = "nothing was imported"
    fail.usage("%s", table.concat(problems, "\n"))
  end
  return found, others
end

local function same(a, b, names)
  for _, name in ipairs(names) do if a[name] ~= b[name] then return false end end
  return true
end

---Stores what was read, in one transaction. What is there already is left alone.
---@param store table
---@param run_id string
---@param found table[] of sheet.read
---@param options { name: string, choices: table, reviews: table, answers: table }
---@return integer changed
---@return integer unchanged
function sheet.import(store, run_id, found, options)
  local changed, unchanged = 0, 0
  local function must(value, message)
    if value == nil then fail.incomplete("%s", tostring(message)) end
  end
  must(store:begin())
  local ok, problem = pcall(function()
    must(store:reviewer_put(run_id, options.name, json.encode(options.choices)))
    for _, entry in ipairs(found) do
      local answer, review = entry.answer, entry.review
      local before, was = options.answers[entry.position], options.reviews[entry.position]
      local is_new = answer and not (before and same(before, answer, { "status", "score", "label", "passed", "reason" })
        and (not answer.scored_at or answer.scored_at == before.scored_at))
      if is_new then
        answer.position, answer.item_id, answer.trial = entry.position, entry.item_id, entry.trial
        answer.scorer_id = answers_module.scorer_id(options.name)
        must(store:answer_put(run_id, answer))
      end
      local state = review and review.state or (is_new and answer.status == "ok" and (was and was.state == "complete"
        and "complete" or "reviewed")) or was and was.state or "needs_review"
      local tags = review and review.tags or was and was.tags or nil
      local is_moved = (is_new or review) and not (was and was.state == state and was.tags == tags)
      if is_moved then
        must(store:review_put(run_id, { position = entry.position, item_id = entry.item_id, trial = entry.trial,
          state = state, tags = tags, updated_by = options.name }))
      end
      if is_new or is_moved then changed = changed + 1 else unchanged = unchanged + 1 end
    end
  end)
  if not ok then
    store:rollback()
    error(problem, 0)
  end
  must(store:commit())
  return changed, unchanged
end

return sheet
