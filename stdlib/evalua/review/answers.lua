-- What a reviewer can say of a result: accept or reject, a score, a label; and what the store keeps of it.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local strict = require "evalua.strict"
local text = require "evalua.report.text"

local answers = {}

answers.NAME_BYTES_MAX = 64
answers.COMMENT_BYTES_MAX = 10000
answers.LABEL_BYTES_MAX = 200
local LABELS_MAX = 50

---@class evalua.review.choices
---@field labels string[]|nil the labels there are, the best first; nil: any
---@field low number|nil the lowest score; nil: 0
---@field high number|nil the highest; nil: 1
---@field blind boolean|nil

---@class evalua.review.answer
---@field status "ok"|"unscored" unscored: only a comment
---@field score number|nil
---@field label string|nil
---@field passed boolean|nil
---@field reason string|nil the comment

---Checks the name of a reviewer. Raises (exit 2) with what is wrong.
---@param name string|nil
---@return string name
function answers.check_name(name)
  if not name then fail.usage("review: who reviews? Name yourself with --as NAME") end
  local is_name = #name <= answers.NAME_BYTES_MAX and utf8.len(name) and not name:find("[%c/,]")
    and not name:match("^%s") and not name:match("%s$")
  if not is_name then
    fail.usage("--as %s: a name is one line of at most %d bytes without / and ,", text.clean(name),
      answers.NAME_BYTES_MAX)
  end
  return name
end

---The scorer that a reviewer's answers are stored as.
---@param name string
---@return string
function answers.scorer_id(name) return "human/" .. name end

local function trimmed(value) return (value:match("^%s*(.-)%s*$")) end

-- --label good,bad
local function labels_of(written)
  local labels, seen = {}, {}
  for part in (written .. ","):gmatch("([^,]*),") do
    local label = trimmed(part)
    if label == "" then fail.usage("--label %s: an empty label; write them as good,bad", written) end
    if seen[label] then fail.usage("--label %s: %s is there twice", written, label) end
    if #label > answers.LABEL_BYTES_MAX then
      fail.usage("--label: a label has at most %d bytes (LABEL_BYTES_MAX)", answers.LABEL_BYTES_MAX)
    end
    seen[label] = true
    labels[#labels + 1] = label
  end
  if #labels < 2 then fail.usage("--label %s: two labels or more, such as good,bad", written) end
  if #labels > LABELS_MAX then fail.usage("--label: at most %d labels", LABELS_MAX) end
  return labels
end

-- --scale 1..5
local function scale_of(written)
  local low, high = written:match("^%s*(-?[%d.]-)%.%.(-?[%d.]+)%s*$")
  low, high = tonumber(low), tonumber(high)
  if not low or not high or low >= high then
    fail.usage("--scale %s: write it as LOW..HIGH, such as 1..5", written)
  end
  return low, high
end

---What a reviewer chooses from: what the options say, else what they chose from before.
---@param parsed table options of review
---@param stored evalua.review.choices|nil
---@return evalua.review.choices
function answers.choices(parsed, stored)
  if parsed.label and parsed.scale then fail.usage("review: --label and --scale exclude each other") end
  if not parsed.label and not parsed.scale then
    local kept = stored or {}
    return { labels = kept.labels, low = kept.low, high = kept.high, blind = parsed.blind or nil }
  end
  local choices = { blind = parsed.blind or nil }
  if parsed.label then choices.labels = labels_of(parsed.label) end
  if parsed.scale then choices.low, choices.high = scale_of(parsed.scale) end
  return choices
end

---The choices of a stored reviewer.
---@param reviewer table|nil of store:reviewers
---@return evalua.review.choices|nil
function answers.stored_choices(reviewer)
  local found = reviewer and reviewer.options and json.decode(reviewer.options, { mode = "foreign" })
  return type(found) == "table" and found or nil
end

local function accepted(choices, is_good)
  if choices.labels then
    if #choices.labels ~= 2 then
      return nil, ("with %d labels there is no accept and reject; give one of them: %s"):format(#choices.labels,
        table.concat(choices.labels, ", "))
    end
    return answers.label(choices, choices.labels[is_good and 1 or 2])
  end
  return { status = "ok", score = is_good and (choices.high or 1) or (choices.low or 0), passed = is_good }
end

---@param choices evalua.review.choices
---@return evalua.review.answer|nil answer
---@return string|nil problem
function answers.accept(choices) return accepted(choices, true) end

---@param choices evalua.review.choices
---@return evalua.review.answer|nil answer
---@return string|nil problem
function answers.reject(choices) return accepted(choices, false) end

---A score within the scale (0 to 1 where none was given).
---@param choices evalua.review.choices
---@param written string
---@return evalua.review.answer|nil answer
---@return string|nil problem
function answers.score(choices, written)
  if choices.labels then
    return nil, "answers are labels here: " .. table.concat(choices.labels, ", ")
  end
  local score, low, high = tonumber(written), choices.low or 0, choices.high or 1
  if not score or score ~= score or score < low or score > high then
    return nil, ("%s is no score from %s to %s"):format(text.clean(written), text.number(low), text.number(high))
  end
  return { status = "ok", score = score }
end

---A label. Of two labels the first passes and is worth 1, the second 0; of more none is worth a number.
---@param choices evalua.review.choices
---@param written string
---@return evalua.review.answer|nil answer
---@return string|nil problem
function answers.label(choices, written)
  local label = trimmed(written)
  if label == "" or #label > answers.LABEL_BYTES_MAX or not utf8.len(label) or label:find("%c") then
    return nil, ("a label is one line of 1 to %d bytes"):format(answers.LABEL_BYTES_MAX)
  end
  if not choices.labels then return { status = "ok", label = label } end
  for position, known in ipairs(choices.labels) do
    if known == label then
      local answer = { status = "ok", label = label }
      if #choices.labels == 2 then answer.passed, answer.score = position == 1, position == 1 and 1 or 0 end
      return answer
    end
  end
  return nil, ("%s is none of the labels%s"):format(text.clean(label), strict.hint(label, choices.labels, "they"))
end

---The digit N: the N-th label, or the score N of a scale of whole numbers.
---@param choices evalua.review.choices
---@param digit integer
---@return evalua.review.answer|nil answer
---@return string|nil problem
function answers.digit(choices, digit)
  if choices.labels then
    local label = choices.labels[digit]
    if label then return answers.label(choices, label) end
    return nil, ("there are %d labels"):format(#choices.labels)
  end
  if choices.high then return answers.score(choices, tostring(digit)) end
  return nil, "digits choose labels (--label) or scores of a scale (--scale)"
end

---A comment, as it is stored.
---@param written string
---@return string|nil comment
---@return string|nil problem
function answers.comment(written)
  local comment = json.repair((trimmed(written):gsub("%z", "")))
  if comment == "" then return nil, "the comment is empty" end
  if #comment > answers.COMMENT_BYTES_MAX then
    return nil, ("the comment has %d bytes, the limit (COMMENT_BYTES_MAX) is %d"):format(#comment,
      answers.COMMENT_BYTES_MAX)
  end
  return comment
end

---An answer for people: `accepted`, `rejected, label bad`, `4: too long`.
---@param answer table an answer or a row of store:answers
---@return string clean text on one line
function answers.text(answer)
  local parts = {}
  if answer.label then
    parts[1] = text.clean(answer.label)
  elseif answer.passed ~= nil then
    parts[1] = answer.passed and "accepted" or "rejected"
    if answer.score and answer.score ~= 0 and answer.score ~= 1 then
      parts[1] = parts[1] .. " " .. text.number(answer.score)
    end
  elseif answer.score then
    parts[1] = text.number(answer.score)
  end
  local comment = answer.reason and (text.clean(answer.reason):gsub("\n", "\\n"))
  if comment then parts[#parts + 1] = comment end
  return table.concat(parts, ": ")
end

return answers
