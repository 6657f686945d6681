-- A walk through results: where it stands, what each command does to the store, and how it is undone. Every answer is
-- committed before the next result is shown. Nothing is printed here.

local answers_module = require "evalua.review.answers"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local queue = require "evalua.review.queue"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local session = {}

local TAG_BYTES_MAX = 100

---@class evalua.review.session
---@field store table
---@field run_id string
---@field name string of the reviewer
---@field choices evalua.review.choices
---@field entries table[] what is walked through
---@field at integer the result in hand; #entries + 1 at the end
---@field reviews table<integer, table> by position
---@field answers table<integer, table> of this reviewer, by position
---@field given integer answers of this session that stand
local Session = {}
Session.__index = Session

---Starts a walk at the first result that the reviewer has not answered.
---@param given { store: table, run_id: string, name: string, choices: table, entries: table[], reviews: table,
---  answers: table, known: boolean }
---@return evalua.review.session
function session.start(given)
  local made = setmetatable({
    store = given.store, run_id = given.run_id, name = given.name, choices = given.choices, entries = given.entries,
    reviews = given.reviews, answers = given.answers, at = 1, given = 0, done = {}, is_known = false,
    scorer_id = answers_module.scorer_id(given.name),
  }, Session)
  for index, entry in ipairs(made.entries) do
    local answer = made.answers[entry.position]
    if not answer or answer.status ~= "ok" then
      made.at = index
      break
    end
  end
  return made
end

---@return table|nil entry the result in hand
function Session:entry() return self.entries[self.at] end

-- Runs `change` in a transaction of its own.
function Session:commit(change)
  fail.check(fail.codes.incomplete, self.store:begin())
  local ok, problem = pcall(change)
  if not ok then
    self.store:rollback()
    error(problem, 0)
  end
  fail.check(fail.codes.incomplete, self.store:commit())
end

local must = fail.must

-- The reviewer appears with their first answer, with what they choose from.
function Session:introduce()
  if self.is_known then return end
  must(self.store:reviewer_put(self.run_id, self.name, json.encode(self.choices)))
  self.is_known = true
end

local function copy_of(row)
  if not row then return nil end
  local copy = {}
  for key, value in next, row do copy[key] = value end
  return copy
end

function Session:put_answer(entry, answer)
  if answer then
    answer.position, answer.item_id, answer.trial = entry.position, entry.item_id, entry.trial
    answer.scorer_id, answer.scored_at = self.scorer_id, answer.scored_at or sys.wall_text(sys.now_ms())
    must(self.store:answer_put(self.run_id, answer))
  else
    must(self.store:answer_remove(self.run_id, entry.position, self.scorer_id))
  end
  self.answers[entry.position] = answer
end

function Session:put_review(entry, review)
  if review then
    review.position, review.item_id, review.trial = entry.position, entry.item_id, entry.trial
    review.updated_at = review.updated_at or sys.wall_text(sys.now_ms())
    must(self.store:review_put(self.run_id, review))
  else
    must(self.store:review_remove(self.run_id, entry.position))
  end
  self.reviews[entry.position] = review
end

-- Makes one change of the result in hand that can be undone.
function Session:change(what, change)
  local entry = self:entry()
  local undo = { at = self.at, what = what, answer = copy_of(self.answers[entry.position]),
    review = copy_of(self.reviews[entry.position]), given = self.given }
  self:commit(function() change(entry) end)
  self.done[#self.done + 1] = undo
end

function Session:review_with(entry, changes)
  local review = copy_of(self.reviews[entry.position]) or {}
  review.state, review.tags = changes.state or review.state or "needs_review", changes.tags or review.tags
  review.updated_at, review.updated_by = nil, self.name
  return review
end

-- What is told of a result that is no longer in hand.
function Session:said_of(entry, said) -- luacheck: no self
  return ("%s: %s"):format((text.clean(entry.item_id):gsub("\n", "\\n")), said)
end

-- Stores an answer; a comment that was there stays where none comes with it.
function Session:answer(answer, comment)
  local entry = self:entry()
  local before = self.answers[entry.position]
  answer.reason = comment or (before and before.reason) or nil
  self:change("answer", function()
    self:introduce()
    self:put_answer(entry, answer)
    local review = self.reviews[entry.position]
    local state = review and review.state == "complete" and "complete" or "reviewed"
    self:put_review(entry, self:review_with(entry, { state = state }))
  end)
  if not before or before.status ~= "ok" then self.given = self.given + 1 end
  self.at = self.at + 1
  return self:said_of(entry, answers_module.text(answer))
end

-- An answer may carry a comment: `reject too long`.
local function with_comment(argument)
  if not argument or argument == "" then return nil end
  return answers_module.comment(argument)
end

local commands = {}

local function answering(make)
  return function(self, argument)
    local answer, problem = make(self.choices)
    if not answer then return nil, problem end
    local comment, wrong = with_comment(argument)
    if wrong then return nil, wrong end
    return self:answer(answer, comment)
  end
end

commands.accept = answering(answers_module.accept)
commands.reject = answering(answers_module.reject)

function commands.score(self, argument)
  local number, comment = (argument or ""):match("^%s*(%S+)%s*(.-)%s*$")
  if not number then return nil, "score: which? Write score 4" end
  local answer, problem = answers_module.score(self.choices, number)
  if not answer then return nil, problem end
  return self:answer(answer, comment ~= "" and answers_module.comment(comment) or nil)
end

-- The longest label that the text begins with; what follows is a comment.
local function known_label(labels, written)
  local best
  for _, label in ipairs(labels or {}) do
    local follows = written:sub(#label + 1, #label + 1)
    if written:sub(1, #label) == label and (follows == "" or follows:find("%s")) and (not best or #label > #best) then
      best = label
    end
  end
  return best
end

function commands.label(self, argument)
  local written = (argument or ""):match("^%s*(.-)%s*$")
  if written == "" then return nil, "label: which? Write label good" end
  local known = known_label(self.choices.labels, written)
  local answer, problem = answers_module.label(self.choices, known or written)
  if not answer then return nil, problem end
  local comment = known and written:sub(#known + 1):match("^%s*(.-)%s*$") or ""
  return self:answer(answer, comment ~= "" and answers_module.comment(comment) or nil)
end

function commands.comment(self, argument)
  local comment, problem = answers_module.comment(argument or "")
  if not comment then return nil, problem end
  local entry = self:entry()
  self:change("comment", function()
    self:introduce()
    local answer = copy_of(self.answers[entry.position]) or { status = "unscored" }
    answer.reason, answer.scored_at = comment, nil
    self:put_answer(entry, answer)
    if not self.reviews[entry.position] then
      self:put_review(entry, self:review_with(entry, { state = "needs_review" }))
    end
  end)
  return "commented"
end

function commands.tag(self, argument)
  local written = (argument or ""):match("^%s*(.-)%s*$")
  local is_removed, tag = written:sub(1, 1) == "-", written:gsub("^%-%s*", "")
  if tag == "" or #tag > TAG_BYTES_MAX or not utf8.len(tag) or tag:find("[%c,]") then
    return nil, ("a tag is one line of 1 to %d bytes without commas; -TAG takes it away"):format(TAG_BYTES_MAX)
  end
  local entry = self:entry()
  local tags = json.array {}
  for _, known in ipairs(queue.tags(self.reviews[entry.position])) do
    if known ~= tag then tags[#tags + 1] = known end
  end
  if not is_removed then tags[#tags + 1] = tag end
  self:change("tag", function()
    local review = self:review_with(entry, {})
    review.tags = #tags > 0 and json.encode(tags) or nil
    self:put_review(entry, review)
  end)
  return (is_removed and "untagged " or "tagged ") .. text.clean(tag)
end

local function state_command(state, said)
  return function(self)
    local entry = self:entry()
    self:change("state", function() self:put_review(entry, self:review_with(entry, { state = state })) end)
    self.at = self.at + 1
    return self:said_of(entry, said)
  end
end

commands.complete = state_command("complete", "complete")
commands.flag = state_command("needs_review", "needs review")

function commands.skip(self)
  local entry = self:entry()
  self.done[#self.done + 1] = { at = self.at, what = "skip", given = self.given }
  self.at = self.at + 1
  return self:said_of(entry, "skipped")
end

function commands.back(self)
  if self.at == 1 then return nil, "this is the first one" end
  self.at = self.at - 1
  return "back"
end

function commands.undo(self)
  local undo = table.remove(self.done)
  if not undo then return nil, "there is nothing to undo in this session" end
  local entry = self.entries[undo.at]
  if undo.what ~= "skip" then
    self:commit(function()
      self:put_answer(entry, undo.answer)
      self:put_review(entry, undo.review)
    end)
  end
  self.at, self.given = undo.at, undo.given
  return ("undone: %s of %s"):format(undo.what, text.clean(entry.item_id))
end

local words = {
  a = "accept", r = "reject", s = "score", l = "label", c = "comment", t = "tag", d = "complete", done = "complete",
  m = "flag", mark = "flag", needs_review = "flag", k = "skip", n = "skip", next = "skip", u = "undo", b = "back",
  q = "quit", quit = "quit", v = "view", view = "view", h = "help", ["?"] = "help", help = "help", exit = "quit",
}

---The commands that take a text: on a terminal it is asked for.
session.WITH_TEXT = { score = "score", label = "label", comment = "comment", tag = "tag" }

---The command that a word or a key means: its name, `quit`, `view` or `help`; a digit is a label or a score.
---@param word string
---@return string|nil command
---@return integer|nil digit
function session.command(word)
  if word:match("^%d$") then return "digit", math.tointeger(tonumber(word)) end
  if commands[word] then return word end
  return words[word]
end

---Whether a line is a label by itself, maybe with a comment after it.
---@param line string
---@return boolean
function Session:is_label(line) return known_label(self.choices.labels, line) ~= nil end

---The names that an unknown word may have meant.
---@param word string
---@return string hint
function session.hint(word)
  local names = strict.keys(commands)
  names[#names + 1] = "quit"
  return strict.hint(word, names, "commands")
end

---Does one command to the result in hand.
---@param command string
---@param argument string|integer|nil
---@return string|nil said what to tell
---@return string|nil problem
function Session:apply(command, argument)
  if command ~= "undo" and command ~= "back" and not self:entry() then
    return nil, "there is no result left; undo, back or quit"
  end
  if command == "digit" then
    local answer, problem = answers_module.digit(self.choices, argument)
    if not answer then return nil, problem end
    return self:answer(answer, nil)
  end
  return commands[command](self, argument)
end

return session
