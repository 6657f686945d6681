-- How a result under review looks: what it was asked, what came out, what is known of it, and what can be said.

local answers_module = require "evalua.review.answers"
local parts = require "evalua.report.parts"
local pretty = require "evalua.report.pretty"
local queue = require "evalua.review.queue"
local text = require "evalua.report.text"

local screen = {}

local LINES_MAX = 30        -- of one value, unless it is viewed in full
local VALUE_BYTES_MAX = 6000

local present = parts.present

-- A value of any size: the beginning of it, and how much there is more.
local function put_value(view, name, raw, is_full)
  if raw == nil then return end
  local pieces = {}
  local inner = setmetatable({ write = function(piece) pieces[#pieces + 1] = piece end }, { __index = view })
  pretty.put_value(inner, name, raw)
  local shown = text.wrap(table.concat(pieces), view.width, "  ")
  if is_full or (#shown <= VALUE_BYTES_MAX and select(2, shown:gsub("\n", "")) <= LINES_MAX) then
    view.write(shown)
    return
  end
  local lines, size, cut = {}, 0, 0
  for line in shown:gmatch("[^\n]*\n") do
    if #lines < LINES_MAX and size < VALUE_BYTES_MAX then
      lines[#lines + 1] = #line > VALUE_BYTES_MAX and parts.cut(line, VALUE_BYTES_MAX) .. "\n" or line
      size = size + #line
    else
      cut = cut + 1
    end
  end
  view.write(table.concat(lines))
  pretty.line(view, view.paint("dim", cut > 0 and ("  … %s more; v shows all"):format(text.count(cut, "line"))
    or "  … v shows all"))
end

local function put_scores(view, row, own, is_blind)
  for _, score in ipairs(row.scores or {}) do
    local key = pretty.score_key(score)
    if key ~= own and not is_blind then
      local reason = present(score.reason)
      local passed = present(score.passed)
      pretty.line(view, view.paint("bold", text.clean(key)), ": ", parts.score_text(score),
        passed == true and "  passed" or passed == false and "  not passed" or "",
        reason and ("  " .. parts.cut(parts.one_line(text.clean(reason)), 500)) or "")
    end
  end
end

---One result.
---@param view evalua.report.view
---@param session evalua.review.session
---@param row table of store:results
---@param is_full boolean|nil
function screen.result(view, session, row, is_full)
  local review, answer = session.reviews[row.position], session.answers[row.position]
  local state = { review and review.state:gsub("_", " ") or nil }
  for _, tag in ipairs(queue.tags(review)) do state[#state + 1] = "#" .. text.clean(tag) end
  pretty.line(view, view.paint("dim", ("%d of %d"):format(session.at, #session.entries)), "  ",
    view.paint("bold", text.clean(row.item_id):gsub("\n", "\\n") .. ""), (row.trial or 1) > 1
      and (" trial " .. row.trial) or "", row.status ~= "ok" and ("  " .. view.paint("red", row.status)) or "",
    #state > 0 and ("  " .. view.paint("dim", table.concat(state, " "))) or "")
  for _, field in ipairs { "input", "context", "ground_truth", "output" } do
    put_value(view, field:gsub("_", " "), row[field], is_full)
  end
  if is_full then
    for _, field in ipairs { "metadata", "tags", "usage", "steps", "trajectory" } do
      put_value(view, field, row[field], true)
    end
  end
  local message = row.status ~= "ok" and pretty.error_message(row.error)
  if message then pretty.line(view, view.paint("red", "error"), ": ", (message:gsub("\n", "\n  "))) end
  put_scores(view, row, session.scorer_id, session.choices.blind)
  if answer then
    pretty.line(view, view.paint("cyan", ("your answer (%s)"):format(text.clean(session.name))), ": ",
      answers_module.text(answer))
  end
end

-- What can be answered, by keys.
local function answers_of(choices)
  local shown = {}
  if choices.labels then
    for position, label in ipairs(choices.labels) do
      shown[#shown + 1] = position <= 9 and ("%d %s"):format(position, text.clean(label)) or nil
    end
    if #choices.labels > 9 then shown[#shown + 1] = "l label" end
  elseif choices.high then
    shown[1] = ("%s..%s score"):format(text.number(choices.low), text.number(choices.high))
    shown[2], shown[3] = "a best", "r worst"
  else
    shown = { "a accept", "r reject", "s score", "l label" }
  end
  return table.concat(shown, "  ")
end

---The line of keys under a result.
---@param choices evalua.review.choices
---@return string
function screen.keys(choices)
  return answers_of(choices) .. "  |  c comment  t tag  d done  m needs review  k skip  b back  u undo  v all  q quit"
end

screen.help = [[
a accept        it is right: score 1 (the first of two labels, the best of a scale)
r reject        it is not: score 0
s score N       a number, within --scale (0 to 1 where none is given)
l label TEXT    a label, one of --label where there are; digits choose labels and scores, too
c comment TEXT  stored with the answer, or by itself
t tag TEXT      tags the result; -TEXT takes the tag away
d done          its review is complete
m mark          it needs review
k skip          nothing is stored
b back, u undo  to the one before; undo takes back what the last command did
v view          everything there is, uncut
q quit          every answer is stored already
On a pipe each line is one command, by its word or letter; after accept, reject, score and label may follow a comment.
]]

return screen
