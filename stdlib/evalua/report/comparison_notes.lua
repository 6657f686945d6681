-- Sentences about one scorer of a comparison, which every report says in the same words.

local detectable = require "evalua.detectable"
local phrases = require "evalua.report.phrases"
local text = require "evalua.report.text"

local comparison_notes = {}

local MOVES_LISTED = 10 -- changes from one label to another
local LABELS_NAMED = 5  -- items beside each of them

local present = phrases.present

---What an inconclusive comparison could have found at all; nil for others.
---@param entry table a scorer's entry in a comparison
---@return string|nil
function comparison_notes.limits(entry)
  if entry.verdict ~= "inconclusive" then return nil end
  local needed, found = detectable.least_pairs(entry), detectable.difference(entry)
  if needed then
    return ("with n = %d no difference would be seen, however large: that takes %d pairs"):format(entry.n or 0, needed)
  end
  return found and ("with n = %d only a difference of %s or more would be seen"):format(entry.n or 0,
    text.number(found))
end

---What a comparison of labels came to, in lines: the agreement, then the labels that gave way to others.
---@param entry table a scorer's entry in a comparison
---@return string[] lines none for a scorer that gives scores
function comparison_notes.labels(entry)
  local labels = present(entry.labels)
  if not labels then return {} end
  local kappa = present(labels.kappa)
  local lines = { ("%d of %d labels alike (%s to %s%s)"):format(labels.same, labels.n, text.percent(labels.ci[1]),
    text.percent(labels.ci[2]), kappa and (", kappa %s"):format(text.number(kappa + 0.0)) or "") }
  local moves, order = {}, {}
  for _, change in ipairs(labels.changes) do
    local name = ("%s to %s"):format(text.clean(change.baseline), text.clean(change.candidate))
    if not moves[name] then
      moves[name] = { name = name, count = 0, ids = {} }
      order[#order + 1] = moves[name]
    end
    local move = moves[name]
    move.count = move.count + 1
    if #move.ids < LABELS_NAMED then move.ids[#move.ids + 1] = text.clean(change.item_id) end
  end
  table.sort(order, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.name < b.name
  end)
  for position = 1, math.min(#order, MOVES_LISTED) do
    local move = order[position]
    lines[#lines + 1] = ("%s: %s (%s%s)"):format(move.name, text.count(move.count, "item"),
      table.concat(move.ids, ", "), move.count > #move.ids and ", ..." or "")
  end
  return lines
end

---Which items success rate, latency and usage are of, where it is not simply all of both runs.
---@param result table a comparison
---@param of_scores boolean|nil for the success rate, which a baseline file knows of single items
---@return string text " of the 6 common items", " of the whole runs", or ""
function comparison_notes.of_common(result, of_scores)
  local items = result.items or {}
  local apart = #(items.changed or {}) + #(items.only_baseline or {}) + #(items.only_candidate or {})
  if apart == 0 then return "" end
  if result.whole_runs and not of_scores then return " of the whole runs" end
  return (" of the %s"):format(text.count((items.paired or 0) - #(items.changed or {}), "common item"))
end

return comparison_notes
