-- Markdown for pull requests and step summaries: compact tables under a hidden marker, by which a bot finds and
-- replaces its older comment. What a model wrote stands in code spans, where nothing of it is markup or a mention.

local notes = require "evalua.report.comparison_notes"
local parts = require "evalua.report.parts"
local phrases = require "evalua.report.phrases"
local text = require "evalua.report.text"
local worst = require "evalua.report.worst"

local markdown = {}

markdown.MARKER = "<!-- evalua report -->"

local ITEMS_SHOWN = 10   -- of one experiment or comparison
local CELL_BYTES_MAX = 160
local WARNINGS_OPEN = 2  -- more than these are folded
local BYTES_MAX = 60000  -- a comment holds 65,536 characters

-- The last two are of `split`: control characters, which clean text has not.
local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["@"] = "&#64;", ["#"] = "&#35;", ["|"] = "&#124;",
  ["`"] = "&#96;", ["*"] = "&#42;", ["_"] = "&#95;", ["["] = "&#91;", ["]"] = "&#93;", ["\\"] = "&#92;",
  ["~"] = "&#126;", ["!"] = "&#33;", [":"] = "&#58;", ["$"] = "&#36;", ["\1"] = "&#8203;", ["\2"] = "&#46;" }

-- GitHub and GitLab look for mentions and references (@name, #12, !12) in the finished text, where an entity is its
-- character again: only something between the sign and what follows it, a space of no width, keeps them from it.
local function split(value)
  return (value:gsub("([@#!~$%%&])(%w)", "%1\1%2"):gsub("([wW][wW][wW])%.", "%1\2"))
end

---A name or message: every character that Markdown knows as an entity, and nothing that notifies or links.
---@param value any
---@return string
function markdown.plain(value)
  value = split(parts.one_line(text.clean(tostring(value))))
  return (value:gsub("[&<>@#|`*_%[%]\\~!:$\1\2]", entities))
end

local plain = markdown.plain

-- A value as code in a table cell: fenced by more backticks than it has, `|` escaped for the table.
local function code(value)
  if value == nil then return "" end
  value = parts.cut(parts.one_line(value), CELL_BYTES_MAX)
  if value == "" then return "` `" end
  local longest = 0
  for run in value:gmatch("`+") do longest = math.max(longest, #run) end
  local fence = ("`"):rep(longest + 1)
  local pad = (value:find("^[` ]") or value:find("[` ]$")) and " " or ""
  return fence .. pad .. value:gsub("|", "\\|") .. pad .. fence
end

local icons = { pass = "✅", fail = "❌", error = "❌", no_data = "❌", inconclusive = "⚠️", improved = "✅",
  regressed = "❌", no_worse = "✅", incomparable = "⚠️" }

local function verdict_text(verdict)
  if not verdict then return "" end
  return (icons[verdict] and icons[verdict] .. " " or "") .. verdict:gsub("_", " ")
end

local function row(write, cells) write("| " .. table.concat(cells, " | ") .. " |\n") end

---A table.
---@param write fun(text: string)
---@param columns evalua.report.column[]
---@param rows string[][] clean text
function markdown.table(write, columns, rows)
  local titles, rules = {}, {}
  for position, column in ipairs(columns) do
    titles[position], rules[position] = plain(column.title), column.right and "--:" or "---"
  end
  write "\n"
  row(write, titles)
  write("|" .. table.concat(rules, "|") .. "|\n")
  for _, cells in ipairs(rows) do
    local shown = {}
    for position = 1, #columns do shown[position] = plain(cells[position] or "") end
    row(write, shown)
  end
end

local function put_scorers(write, summary)
  local keys, metrics = parts.sorted_keys(summary.scorers), phrases.metrics(summary)
  if #keys + #metrics == 0 then return end
  write("\n| scorer | mean | 95% interval | pass rate |\n|---|---|---|--:|\n")
  for _, key in ipairs(keys) do
    local scorer = summary.scorers[key]
    row(write, { plain(key), plain(phrases.mean_text(scorer)), parts.interval_text(scorer.ci),
      text.percent(parts.present(scorer.pass_rate)) })
  end
  for _, metric in ipairs(metrics) do
    row(write, { plain(metric.name), plain(metric.text), metric.interval or "-", "-" })
  end
end

local function put_rules(write, summary)
  local rules, reason = parts.present(summary.rules) or {}, parts.present(summary.reason)
  write("\n")
  if summary.verdict == "error" and reason then write("not judged: " .. plain(reason) .. "\n\n") end
  if #rules == 0 then write((phrases.without_rules(summary):gsub("^%l", string.upper)) .. ".\n") end
  for _, rule in ipairs(rules) do
    local message = parts.present(rule.message)
    write(("- %s: %s%s\n"):format(verdict_text(rule.status), plain(rule.name or ""),
      message and message ~= "" and (" (" .. plain(message) .. ")") or ""))
  end
end

local function put_worst(write, document, summary)
  local rows = worst(document.store, summary, ITEMS_SHOWN)
  if #rows == 0 then return end
  write(("\n<details><summary>%s</summary>\n\n| item | | input | output | expected |\n|---|---|---|---|---|\n"):format(
    #rows == 1 and "the item that failed or did not pass" or ("%d worst items"):format(#rows)))
  for _, result in ipairs(rows) do
    local kind, _, message = parts.problem(result)
    row(write, { code(parts.result_name(result)), plain(parts.cut(message or result.status, CELL_BYTES_MAX)),
      code(parts.text_of(result.input, CELL_BYTES_MAX)),
      kind == "error" and result.status ~= "ok" and "" or code(parts.text_of(result.output, CELL_BYTES_MAX)),
      code(parts.text_of(result.ground_truth, CELL_BYTES_MAX)) })
  end
  write("\n</details>\n")
end

local function comparison_cells(entry)
  local low, high = parts.interval(entry.ci)
  local before, now = text.two_numbers(parts.present(entry.baseline_mean), parts.present(entry.candidate_mean))
  local changes = parts.present(entry.improved) and ("%d / %d"):format(entry.improved, entry.regressed or 0) or "-"
  return tostring(entry.n or 0), before, now, parts.signed(entry.delta),
    low and ("%s to %s"):format(parts.signed(low), parts.signed(high)) or "-", parts.p_of(entry), changes,
    verdict_text(entry.verdict)
end

local COMPARISON_TITLES = "scorer | n | baseline | now | delta | %s | p | improved / regressed | verdict |\n"
local COMPARISON_RULE = "---|--:|--:|--:|--:|---|--:|--:|---|\n"

local function put_comparison_scorers(write, result)
  local entries = parts.entries(result)
  if #entries == 0 then return end
  write("\n| " .. COMPARISON_TITLES:format(parts.interval_title(result)) .. "|" .. COMPARISON_RULE)
  for _, pair in ipairs(entries) do row(write, { plain(pair[1]), comparison_cells(pair[2]) }) end
end

local function put_comparison_slices(write, result)
  for _, slice in ipairs(parts.comparison_slices(result)) do
    write(("\n<details><summary>by %s</summary>\n\n| %s | %s|---|%s"):format(plain(slice.field), plain(slice.field),
      COMPARISON_TITLES:format(parts.interval_title(result)), COMPARISON_RULE))
    for _, value in ipairs(slice.values) do
      for _, pair in ipairs(parts.entries(value.part)) do
        row(write, { plain(value.value), plain(pair[1]), comparison_cells(pair[2]) })
      end
    end
    write("\n</details>\n")
  end
end

-- The result of an item in a run, or of its first trial.
local function result_of(store, side, item_id)
  local id = parts.present(side.experiment_id)
  local rows = id and store:results(id, { item_id = item_id, after = 0, limit = 1 })
  return rows and rows[1] and rows[1].item_id == item_id and rows[1] or {}
end

-- The items that fell most, with their outputs side by side.
local function put_regressions(write, store, result)
  local list = parts.present(result.regressions) or {}
  if #list == 0 then return end
  local shown = math.min(#list, ITEMS_SHOWN)
  write(("\n<details><summary>regressed: %s</summary>\n\n"):format(#list > shown and ("%d of %d"):format(shown, #list)
    or text.count(#list, "score")))
  local has_before = parts.present(result.baseline.file) == nil -- files keep no outputs
  write(("| item | scorer | baseline | now | input |%s output now |\n"):format(has_before and " output before |" or ""))
  write(("|---|---|--:|--:|---|%s---|\n"):format(has_before and "---|" or ""))
  for position = 1, shown do
    local change = list[position]
    local before = has_before and result_of(store, result.baseline, change.item_id)
    local now = result_of(store, result.candidate, change.item_id)
    local from, to = text.two_numbers(parts.present(change.baseline), parts.present(change.candidate))
    local cells = { code(text.clean(change.item_id)), plain(change.scorer_id), from, to,
      code(parts.text_of(now.input, CELL_BYTES_MAX)) }
    if before then cells[#cells + 1] = code(parts.text_of(before.output, CELL_BYTES_MAX)) end
    cells[#cells + 1] = code(parts.text_of(now.output, CELL_BYTES_MAX))
    row(write, cells)
  end
  write("\n</details>\n")
end

local function put_warnings(write, result)
  local warnings = parts.present(result.warnings) or {}
  local is_folded = #warnings > WARNINGS_OPEN
  if is_folded then write(("\n<details><summary>⚠️ %d warnings</summary>\n"):format(#warnings)) end
  for _, warning in ipairs(warnings) do write((is_folded and "\n- " or "\n⚠️ ") .. plain(warning) .. "\n") end
  if is_folded then write("\n</details>\n") end
end

-- Items that were fine in the baseline and are not now.
local function put_new_failures(write, result)
  local count = result.new_failure_count or 0
  if count == 0 then return end
  local names = {}
  for position = 1, math.min(count, ITEMS_SHOWN, #result.new_failures) do
    local failure = result.new_failures[position]
    names[position] = ("%s (%s)"):format(code(text.clean(failure.item_id)), plain(failure.status))
  end
  write(("\nFine before, not now: %d%s%s\n"):format(count, #names > 0 and ": " .. table.concat(names, ", ") or "",
    count > #names and ", ..." or ""))
end

-- What labels came to, which have no row of numbers.
local function put_labels(write, result)
  for _, pair in ipairs(parts.entries(result)) do
    local lines = notes.labels(pair[2])
    for position, line in ipairs(lines) do
      write(("%s%s\n"):format(position == 1 and ("\n%s: "):format(plain(pair[1])) or "- ", plain(line)))
    end
  end
end

local function put_comparison(write, store, result, heading)
  local now, now_number = parts.side(result.candidate)
  local before, before_number = parts.side(result.baseline)
  now_number, before_number = now_number:gsub("@.*$", plain), before_number:gsub("@.*$", plain)
  write(("\n%s%s %s against %s %s: %s\n"):format(heading, plain(now), now_number, plain(before), before_number,
    verdict_text(result.verdict)))
  put_comparison_scorers(write, result)
  put_labels(write, result)
  put_warnings(write, result)
  put_new_failures(write, result)
  put_comparison_slices(write, result)
  put_regressions(write, store, result)
end

-- Writes sections while they fit into `most` bytes; what is folded away of a section is left out before the section
-- itself is. Says how many did not fit. Nothing is cut inside.
local function put_sections(write, sections, most)
  local used, left_out = #markdown.MARKER, 0
  for _, section in ipairs(sections) do
    local pieces = {}
    section(function(piece) pieces[#pieces + 1] = piece end)
    local whole = table.concat(pieces)
    if used + #whole > most then
      whole = whole:gsub("\n<details>.-</details>\n", "\n(items left out: no room)\n") .. ""
    end
    if used + #whole > most then
      left_out = left_out + 1
    else
      used = used + #whole
      write(whole)
    end
  end
  if left_out > 0 then write(("\n%s did not fit.\n"):format(text.count(left_out, "more section"))) end
end

local function put_run(put, document, summary)
  local verdict = summary.verdict ~= "none" and parts.present(summary.verdict) or nil
  put(("\n### %s #%s%s%s\n\n"):format(plain(parts.title(summary)), tostring(summary.number or "?"),
    verdict and (": " .. verdict_text(verdict)) or "", summary.status ~= "completed"
    and (" (%s)"):format(plain(summary.status or "?")) or ""))
  local dataset = parts.present(summary.dataset)
  put((dataset and parts.present(dataset.name) and ("%s version %s, "):format(plain(dataset.name),
    tostring(parts.present(dataset.version) or 0)) or "") .. plain(phrases.count_text(summary)) .. "\n")
  put_scorers(put, summary)
  put_rules(put, summary)
  put_worst(put, document, summary)
end

---Writes the report of runs.
---@param write fun(text: string)
---@param document evalua.report.document
---@param most integer? bytes; default fits a comment
function markdown.runs(write, document, most)
  write(markdown.MARKER .. "\n")
  local sections = {}
  local comparisons = document.comparisons or {}
  for _, summary in ipairs(document.summaries) do
    sections[#sections + 1] = function(put) put_run(put, document, summary) end
    for _, result in ipairs(comparisons) do
      if result.candidate.experiment_id == summary.experiment_id then
        sections[#sections + 1] = function(put) put_comparison(put, document.store, result, "#### ") end
      end
    end
  end
  put_sections(write, sections, most or BYTES_MAX)
end

---Writes comparisons alone.
---@param write fun(text: string)
---@param store table
---@param comparisons table[]
---@param most integer? bytes; default fits a comment
function markdown.comparisons(write, store, comparisons, most)
  write(markdown.MARKER .. "\n")
  local sections = {}
  for position, result in ipairs(comparisons) do
    sections[position] = function(put) put_comparison(put, store, result, "### ") end
  end
  put_sections(write, sections, most or BYTES_MAX)
end

return markdown
