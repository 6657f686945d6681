-- Markdown for pull requests and step summaries: compact tables under a hidden marker, by which a bot finds and
-- replaces its older comment. What a model wrote stands in code spans, where nothing of it is markup or a mention.

local parts = require "evalua.report.parts"
local pretty = require "evalua.report.pretty"
local text = require "evalua.report.text"

local markdown = {}

markdown.MARKER = "<!-- evalua report -->"

local ITEMS_SHOWN = 10   -- of one experiment or comparison
local CELL_BYTES_MAX = 160
local BYTES_MAX = 60000  -- a comment holds 65,536 characters

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["@"] = "&#64;", ["#"] = "&#35;", ["|"] = "&#124;",
  ["`"] = "&#96;", ["*"] = "&#42;", ["_"] = "&#95;", ["["] = "&#91;", ["]"] = "&#93;", ["\\"] = "&#92;",
  ["~"] = "&#126;", ["!"] = "&#33;", [":"] = "&#58;", ["$"] = "&#36;" }

-- A name or message: every character that Markdown knows as an entity.
local function plain(value)
  value = parts.one_line(text.clean(tostring(value)))
  return (value:gsub("[&<>@#|`*_%[%]\\~!:$]", entities))
end

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

local function counts_line(summary)
  local list = { text.count(summary.total_items or 0, "item") }
  local function add(count, word)
    count = parts.present(count) or 0
    if count > 0 then list[#list + 1] = ("%d %s"):format(count, word) end
  end
  add(summary.failed_count, "failed")
  add(summary.skipped_count, "skipped")
  add(summary.pending_count, "not run")
  add(next(summary.scorers or {}) and summary.passed_count, "passed")
  local latency = parts.present(summary.latency_ms)
  if latency and parts.present(latency.p50) then
    list[#list + 1] = ("latency p50 %s, p95 %s"):format(text.duration(latency.p50), text.duration(latency.p95))
  end
  return table.concat(list, ", ")
end

local function put_scorers(write, summary)
  local keys = parts.sorted_keys(summary.scorers)
  if #keys == 0 then return end
  write("\n| scorer | mean | 95% interval | pass rate |\n|---|---|---|--:|\n")
  for _, key in ipairs(keys) do
    local scorer = summary.scorers[key]
    row(write, { plain(key), plain(pretty.mean_text(scorer)), parts.interval_text(scorer.ci),
      text.percent(parts.present(scorer.pass_rate)) })
  end
end

local function put_rules(write, summary)
  local rules, reason = parts.present(summary.rules) or {}, parts.present(summary.reason)
  write("\n")
  if summary.verdict == "error" and reason then write("not judged: " .. plain(reason) .. "\n\n") end
  if #rules == 0 then write((pretty.without_rules(summary):gsub("^%l", string.upper)) .. ".\n") end
  for _, rule in ipairs(rules) do
    local message = parts.present(rule.message)
    write(("- %s: %s%s\n"):format(verdict_text(rule.status), plain(rule.name or ""),
      message and message ~= "" and (" (" .. plain(message) .. ")") or ""))
  end
end

local function put_worst(write, document, summary)
  local rows = pretty.worst(document.store, summary, ITEMS_SHOWN)
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

local function put_comparison_scorers(write, result)
  local keys = parts.sorted_keys(result.scorers)
  if #keys == 0 then return end
  write("\n| scorer | n | baseline | now | delta | 95% interval | p | improved / regressed | verdict |\n")
  write("|---|--:|--:|--:|--:|---|--:|--:|---|\n")
  for _, key in ipairs(keys) do
    local scorer = result.scorers[key]
    local low, high = parts.interval(scorer.ci)
    row(write, { plain(key), tostring(scorer.n or 0), text.number(parts.present(scorer.baseline_mean)),
      text.number(parts.present(scorer.candidate_mean)), parts.signed(scorer.delta),
      low and ("%s to %s"):format(parts.signed(low), parts.signed(high)) or "-", parts.p_text(scorer.p_value),
      ("%d / %d"):format(scorer.improved or 0, scorer.regressed or 0), verdict_text(scorer.verdict) })
  end
end

local function put_regressions(write, result)
  local list = parts.present(result.regressions) or {}
  if #list == 0 then return end
  local shown = math.min(#list, ITEMS_SHOWN)
  write(("\n<details><summary>regressed: %s</summary>\n\n"):format(#list > shown and ("%d of %d"):format(shown, #list)
    or text.count(#list, "item")))
  write("| item | scorer | baseline | now |\n|---|---|--:|--:|\n")
  for position = 1, shown do
    local change = list[position]
    row(write, { code(text.clean(change.item_id)), plain(change.scorer_id),
      text.number(parts.present(change.baseline)), text.number(parts.present(change.candidate)) })
  end
  write("\n</details>\n")
end

local function put_comparison(write, result, heading)
  local now, now_number = parts.side(result.candidate)
  local before, before_number = parts.side(result.baseline)
  write(("\n%s%s %s against %s %s: %s\n"):format(heading, plain(now), now_number, plain(before), before_number,
    verdict_text(result.verdict)))
  put_comparison_scorers(write, result)
  for _, warning in ipairs(parts.present(result.warnings) or {}) do write("\n⚠️ " .. plain(warning) .. "\n") end
  put_regressions(write, result)
end

-- Writes sections while they fit into `most` bytes; says how many did not. A section is never cut inside.
local function put_sections(write, sections, most)
  local used = 0
  for position, section in ipairs(sections) do
    local pieces = {}
    section(function(piece) pieces[#pieces + 1] = piece end)
    local whole = table.concat(pieces)
    used = used + #whole
    if used > most then
      write(("\n%d more sections did not fit.\n"):format(#sections - position + 1))
      return
    end
    write(whole)
  end
end

---Writes the report of runs.
---@param write fun(text: string)
---@param document evalua.report.document
---@param most integer? bytes; default fits a comment
function markdown.runs(write, document, most)
  write(markdown.MARKER .. "\n")
  local sections = {}
  for _, summary in ipairs(document.summaries) do
    sections[#sections + 1] = function(put)
      local verdict = summary.verdict ~= "none" and parts.present(summary.verdict) or nil
      put(("\n### %s #%s%s%s\n\n"):format(plain(parts.title(summary)), tostring(summary.number or "?"),
        verdict and (": " .. verdict_text(verdict)) or "", summary.status ~= "completed"
        and (" (%s)"):format(plain(summary.status or "?")) or ""))
      local dataset = parts.present(summary.dataset)
      put((dataset and parts.present(dataset.name) and ("%s version %s, "):format(plain(dataset.name),
        tostring(parts.present(dataset.version) or 0)) or "") .. counts_line(summary) .. "\n")
      put_scorers(put, summary)
      put_rules(put, summary)
      put_worst(put, document, summary)
    end
  end
  for _, result in ipairs(document.comparisons or {}) do
    sections[#sections + 1] = function(put) put_comparison(put, result, "#### ") end
  end
  put_sections(write, sections, most or BYTES_MAX)
end

---Writes comparisons alone.
---@param write fun(text: string)
---@param comparisons table[]
function markdown.comparisons(write, comparisons)
  write(markdown.MARKER .. "\n")
  local sections = {}
  for position, result in ipairs(comparisons) do
    sections[position] = function(put) put_comparison(put, result, "### ") end
  end
  put_sections(write, sections, BYTES_MAX)
end

return markdown
