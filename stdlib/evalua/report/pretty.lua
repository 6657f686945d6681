-- What a person reads of a run: what changed against its baseline first, then the summary with its worst items and
-- rules. Lists and single results are in modules of their own, and are reached from here.

local gate = require "evalua.report.gate"
local lists = require "evalua.report.pretty_lists"
local parts = require "evalua.report.parts"
local phrases = require "evalua.report.phrases"
local results = require "evalua.report.pretty_results"
local text = require "evalua.report.text"
local views = require "evalua.report.view"
local worst = require "evalua.report.worst"

local pretty = {
  view = views.new, table = views.table, line = views.say,
  mean_text = phrases.mean_text, without_rules = phrases.without_rules, score_key = phrases.score_key,
  error_message = phrases.error_message, metrics = phrases.metrics, count_text = phrases.count_text,
  worst = worst, results = results.list, result = results.full, problems = results.problems,
  put_value = results.put_value,
  variants = lists.variants, experiments = lists.experiments, datasets = lists.datasets,
}

local WORST_SHOWN = 5
local WORST_BESIDE = 3 -- where the items that changed most are shown already

local present, put, say, sorted_keys = phrases.present, views.put, views.say, phrases.sorted_keys

local function put_scorers(view, summary)
  local rows = {}
  for _, id in ipairs(sorted_keys(summary.scorers)) do
    local scorer = summary.scorers[id]
    rows[#rows + 1] = { text.clean(id), phrases.mean_text(scorer), phrases.interval_text(scorer.ci),
      text.percent(present(scorer.pass_rate)) }
  end
  if #rows == 0 then
    say(view, "no scorer: outputs are stored, nothing is scored")
    return
  end
  views.table(view, {
    { title = "scorer", flexible = true }, { title = "mean", flexible = true, minimum = 24, last = true },
    { title = "95% interval", drop = 2 }, { title = "pass rate", right = true, drop = 1 },
  }, rows)
end

local function put_head(view, summary)
  local verdict = present(summary.verdict)
  local states = {}
  if summary.status and summary.status ~= "completed" then
    states[#states + 1] = view.paint(text.verdict_colour(summary.status), summary.status)
  end
  if verdict and verdict ~= "none" then states[#states + 1] = view.paint(text.verdict_colour(verdict), verdict) end
  local set = present(summary.score_set)
  put(view, view.paint("bold", phrases.title(summary)), present(summary.number) and (" #%d"):format(summary.number)
    or "", set and ("@" .. set) or "", #states > 0 and ("  " .. table.concat(states, ", ")) or "")
  local dataset = present(summary.dataset)
  local counts = phrases.count_text(summary)
  if dataset then
    say(view, ("%s version %s, "):format(text.clean(dataset.name or "inline items"), tostring(dataset.version or 0)),
      counts, phrases.selection_text(summary))
  else
    say(view, counts)
  end
end

local function put_rules(view, summary)
  local rules, reason = present(summary.rules), present(summary.reason)
  if summary.verdict == "error" and reason then
    say(view, view.paint("red", "not judged"), ": ", text.clean(reason))
  end
  if not rules or #rules == 0 then
    say(view, phrases.without_rules(summary))
    return
  end
  for _, rule in ipairs(rules) do
    local message = present(rule.message)
    local status = view.paint(text.verdict_colour(rule.status), rule.status)
    say(view, "  ", status, "  ", text.clean(rule.name or ""), message and message ~= ""
      and (": " .. text.clean(message)) or "")
  end
end

local function put_metrics(view, summary)
  for _, metric in ipairs(phrases.metrics(summary)) do
    say(view, metric.name, ": ", metric.text, metric.interval and metric.interval ~= "-"
      and (" [%s]"):format(metric.interval) or "")
  end
end

-- The sets of scores that the run has beside its own.
local function put_score_sets(view, summary)
  for _, set in ipairs(present(summary.score_sets) or {}) do
    say(view, ("score set %s: %s, %d of %d results by %s"):format(set.name, set.status, set.scored_count,
      set.total_count, text.clean(table.concat(set.scorers, ", "))))
  end
end

-- `kind 3, rude 1`, the labels of a categorical scorer; nil where it has none.
local function labels_text(scorer)
  local list = {}
  for position, label in ipairs(sorted_keys(scorer.labels)) do
    list[position] = ("%s %d"):format(text.clean(tostring(label)), scorer.labels[label])
  end
  return #list > 0 and table.concat(list, ", ") or nil
end

local function put_slices(view, summary)
  for _, name in ipairs(sorted_keys(summary.slices)) do
    local rows, ids = {}, sorted_keys(summary.scorers)
    local columns = { { title = text.clean(name), flexible = true }, { title = "items", right = true } }
    for position, id in ipairs(ids) do
      columns[#columns + 1] = views.score_column(id, position)
    end
    for _, value in ipairs(sorted_keys(summary.slices[name])) do
      local slice = summary.slices[name][value]
      local row = { text.clean(tostring(value)), tostring(slice.n or "") }
      for _, id in ipairs(ids) do
        local scorer = slice.scorers and slice.scorers[id]
        local mean = scorer and present(scorer.mean)
        row[#row + 1] = mean and ("%s (n %d)"):format(text.number(mean + 0.0), scorer.n or 0)
          or scorer and labels_text(scorer) or "-"
      end
      rows[#rows + 1] = row
    end
    put(view, "")
    views.table(view, columns, rows)
  end
end

-- The worst items, without those that the comparison has shown.
local function put_worst(view, store, summary, shown)
  local found, ranked = worst(store, summary, WORST_SHOWN)
  local rows, most = {}, next(shown) and WORST_BESIDE or WORST_SHOWN
  for _, row in ipairs(found) do if not shown[row.item_id] and #rows < most then rows[#rows + 1] = row end end
  if #rows == 0 then return end
  put(view, "")
  local heading = next(shown) and "other items that did worst" or "worst items"
  put(view, view.paint("bold", ranked and heading or "first items that failed or did not pass"))
  results.list(view, rows)
  for _, line in ipairs(results.problem_lines(rows, false)) do say(view, line) end
end

-- What somebody noted of the run (or the suite says of the experiment), and its tags.
local function put_notes(view, summary)
  local note, tags = present(summary.description), present(summary.tags)
  if note then say(view, "note: ", parts.one_line(text.clean(tostring(note)))) end
  if type(tags) ~= "table" or next(tags) == nil then return end
  local list = {}
  for position, tag in ipairs(tags) do list[position] = text.clean(tostring(tag)) end
  for _, name in ipairs(#list == 0 and sorted_keys(tags) or {}) do
    list[#list + 1] = ("%s=%s"):format(text.clean(name), text.clean(tostring(tags[name])))
  end
  say(view, "tags: ", parts.one_line(table.concat(list, ", ")))
end

---The summary of one experiment.
---@param view evalua.report.view
---@param store table
---@param summary table
---@param options {worst: boolean?, notes: boolean?}? worst: false leaves the worst items out; notes: with note and tags
function pretty.summary(view, store, summary, options)
  put_head(view, summary)
  if options and options.notes then put_notes(view, summary) end
  local shown = gate.put(view, store, summary)
  put(view, "")
  put_scorers(view, summary)
  local clusters = phrases.cluster_text(summary)
  if clusters then say(view, clusters) end
  put_metrics(view, summary)
  put_slices(view, summary)
  if not options or options.worst ~= false then put_worst(view, store, summary, shown) end
  put(view, "")
  put_rules(view, summary)
  put_score_sets(view, summary)
  local last = gate.last_line(summary)
  if last then say(view, view.paint("bold", last)) end
end

return pretty
