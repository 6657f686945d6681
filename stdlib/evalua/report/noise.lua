-- What a person reads of noise runs: how far the means of runs of the same thing may lie apart, and whose doing it is.

local text = require "evalua.report.text"
local views = require "evalua.report.view"

local noise_report = {}

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function number(value) return value and text.number(value + 0.0) or "-" end

local function numbers_text(runs)
  local shown = {}
  for position, run in ipairs(runs) do shown[position] = "#" .. run end
  return table.concat(shown, ", ")
end

---One experiment's noise.
---@param view evalua.report.view
---@param report table of evalua.noise
function noise_report.put(view, report)
  local variant = report.variant and report.variant ~= "" and (" [%s]"):format(text.clean(report.variant)) or ""
  views.say(view, view.paint("bold", text.clean(report.name) .. variant), (": %s of %s%s, runs %s"):format(
    text.count(#report.runs, "run"), text.count(report.items or 0, "item"),
    report.trials > 1 and (", %d trials each"):format(report.trials) or "", numbers_text(report.runs)))
  local rows = {}
  for _, id in ipairs(sorted_keys(report.scorers)) do
    local scorer, means = report.scorers[id], {}
    for position, mean in ipairs(scorer.means or {}) do means[position] = number(mean) end
    rows[#rows + 1] = { text.clean(id), tostring(scorer.n), table.concat(means, ", "), number(scorer.floor),
      number(scorer.target_sd), number(scorer.scorer_sd), ("%d of %d"):format(scorer.differing, scorer.n) }
  end
  if #rows == 0 then
    views.say(view, "no scorer: nothing is scored, so there is no noise to measure")
    return
  end
  views.table(view, {
    { title = "scorer", flexible = true }, { title = "n", right = true }, { title = "means", flexible = true },
    { title = "noise floor", right = true }, { title = "target sd", right = true, drop = 3 },
    { title = "scorer sd", right = true, drop = 2 }, { title = "items that differ", right = true, drop = 1 },
  }, rows)
  for _, id in ipairs(sorted_keys(report.scorers)) do
    local scorer = report.scorers[id]
    if scorer.labels then
      views.say(view, ("%s: runs of the same target gave different labels to %d of %d items"):format(text.clean(id),
        scorer.labels.differing, scorer.labels.n))
    elseif scorer.problem then
      views.say(view, ("%s: %s"):format(text.clean(id), scorer.problem))
    elseif not scorer.floor then
      views.say(view, ("%s: no item has a score in every run"):format(text.clean(id)))
    elseif scorer.floor == 0 then
      views.say(view, ("%s: every run gave the same scores; there is no noise"):format(text.clean(id)))
    else
      views.say(view, ("%s: the means of two runs of the same target lie up to %s apart by chance (95%%); %.0f%% of it "
        .. "is the scorer's"):format(text.clean(id), number(scorer.floor),
        100 * scorer.scorer_variance / scorer.variance))
    end
  end
end

return noise_report
