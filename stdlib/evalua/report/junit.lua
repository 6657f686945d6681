-- JUnit XML, as Jenkins, GitLab and GitHub actions read it: a suite per experiment, a case per item, and one per rule.
--
-- An item is one case, however many trials it had: it fails when they do not pass together, as its rules see it.
-- Names stay the same from run to run (no scores in them), so that reports can be compared. A target or scorer that
-- failed is an error, a result that did not pass is a failure.

local parts = require "evalua.report.parts"
local text = require "evalua.report.text"

local junit = {}

local VALUE_BYTES_MAX = 4096 -- of an input, output or ground truth in the text of a case
local CASE_BYTES_MAX = 65536 -- of the text of a case

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&apos;",
  ["\n"] = "&#10;", ["\t"] = "&#9;", ["\r"] = "&#13;" }

-- Text with what XML 1.0 forbids replaced: text.clean has done all but U+FFFE and U+FFFF.
local function legal(value)
  return (text.clean(value):gsub("\239\191[\190\191]", "\239\191\189"))
end

-- As the value of an attribute.
local function attribute(value)
  return (legal(tostring(value)):gsub("[&<>\"'\n\t\r]", entities):gsub("##%[", "&#35;&#35;["))
end

-- As content. `>` is escaped, so no `]]>` is left; `::` and `##[` are, so that a report that is printed into the log of
-- a workflow commands nothing.
local function content(value)
  return (legal(value):gsub("[&<>]", entities):gsub("::", "&#58;&#58;"):gsub("##%[", "&#35;&#35;["))
end

-- RFC 3339 to what the Ant schema has: seconds, without a zone (UTC).
local function timestamp(value)
  value = parts.present(value)
  return value and value:match("^%d+%-%d+%-%d+T%d+:%d+:%d+") or "1970-01-01T00:00:00"
end

local function seconds(milliseconds) return ("%.6f"):format((parts.present(milliseconds) or 0) / 1000) end

local function detail(row, message)
  local lines = { message }
  local function add(name, raw)
    local value = parts.text_of(raw, VALUE_BYTES_MAX)
    if value then lines[#lines + 1] = name .. ": " .. value end
  end
  add("input", row.input)
  add("ground truth", row.ground_truth)
  add("output", row.output)
  add("error", row.error)
  for _, score in ipairs(row.scores or {}) do
    local reason = parts.present(score.reason)
    lines[#lines + 1] = ("score %s: %s%s"):format(parts.score_key(score), parts.score_text(score),
      reason and (", " .. parts.cut(reason, VALUE_BYTES_MAX)) or "")
  end
  return table.concat(lines, "\n")
end

-- What an item's trials did, those that went wrong in full.
local function trial_detail(of_trials, message)
  local lines = { message }
  for _, row in ipairs(of_trials) do
    local _, _, problem = parts.problem(row)
    lines[#lines + 1] = ("trial %d: %s"):format(row.trial or 1, problem and detail(row, problem) or "ok")
  end
  return parts.cut(table.concat(lines, "\n"), CASE_BYTES_MAX)
end

local function case_head(class, name, time, file)
  return ('    <testcase classname="%s" name="%s" time="%s"%s'):format(attribute(class), attribute(name), time,
    file and (' file="%s"'):format(attribute(file)) or "")
end

local function put_problem(write, kind, code, message, body)
  if kind == "skipped" then
    write(('>\n      <skipped message="%s"/>\n    </testcase>\n'):format(attribute(message)))
  else
    write(('>\n      <%s message="%s" type="%s">%s</%s>\n    </testcase>\n'):format(kind,
      attribute(parts.cut(message, 1000)), attribute(code), content(body), kind))
  end
end

-- Titles that two experiments share are told apart by their suite, else by a number.
local function class_names(summaries)
  local names, used = {}, {}
  for position, summary in ipairs(summaries) do
    local name = parts.title(summary)
    local suite = parts.present(summary.suite)
    if used[name] and suite then name = ("%s (%s)"):format(name, text.clean(suite)) end
    local base, number = name, 2
    while used[name] do
      name, number = ("%s #%d"):format(base, number), number + 1
    end
    used[name] = true
    names[position] = name
  end
  return names
end

local rule_kinds = { fail = "failure", no_data = "error", inconclusive = "skipped" }

local function count_all(document)
  local suites, total = {}, { tests = 0, failure = 0, error = 0, skipped = 0, time = 0 }
  local function add(counts, kind, time)
    for _, into in ipairs { counts, total } do
      into.tests, into.time = into.tests + 1, into.time + time
      if kind then into[kind] = into[kind] + 1 end
    end
  end
  for position, summary in ipairs(document.summaries) do
    local items = { tests = 0, failure = 0, error = 0, skipped = 0, time = 0 }
    local rules = { tests = 0, failure = 0, error = 0, skipped = 0, time = 0 }
    parts.each_item(document, summary, function(row)
      add(items, parts.problem(row), parts.present(row.latency_ms) or 0)
    end)
    for _, rule in ipairs(parts.present(summary.rules) or {}) do add(rules, rule_kinds[rule.status], 0) end
    suites[position] = { items = items, rules = rules }
  end
  return suites, total
end

local function put_suite_head(write, name, counts, summary, id)
  write(('  <testsuite name="%s" tests="%d" failures="%d" errors="%d" skipped="%d" time="%s" timestamp="%s" ' ..
    'hostname="localhost" id="%d" package="%s">\n'):format(attribute(name), counts.tests, counts.failure, counts.error,
    counts.skipped, seconds(counts.time), timestamp(summary.started_at), id, attribute(name)))
end

local function put_properties(write, summary)
  write("    <properties>\n")
  local function property(name, value)
    if value == nil then return end
    write(('      <property name="%s" value="%s"/>\n'):format(attribute(name), attribute(value)))
  end
  local dataset, target = parts.present(summary.dataset) or {}, parts.present(summary.target) or {}
  property("experiment", parts.present(summary.number))
  property("status", parts.present(summary.status))
  property("verdict", parts.present(summary.verdict))
  property("dataset", parts.present(dataset.name))
  property("dataset_version", parts.present(dataset.version))
  property("target", parts.present(target.id))
  for _, key in ipairs(parts.sorted_keys(summary.scorers)) do
    property("score." .. key, (require("evalua.report.phrases").mean_text(summary.scorers[key])))
  end
  write("    </properties>\n")
end

local function put_rules(write, class, rules)
  local used = {}
  for _, rule in ipairs(rules) do
    local name = tostring(rule.name or "rule")
    used[name] = (used[name] or 0) + 1
    if used[name] > 1 then name = ("%s #%d"):format(name, used[name]) end
    write(case_head(class, name, "0.000000"))
    local kind, message = rule_kinds[rule.status], parts.present(rule.message) or rule.status
    if kind then
      put_problem(write, kind, rule.status, message, message)
    else
      write("/>\n")
    end
  end
end

---Writes the report.
---@param write fun(text: string)
---@param document evalua.report.document
function junit.runs(write, document)
  local suites, total = count_all(document)
  local classes, id = class_names(document.summaries), 0
  write('<?xml version="1.0" encoding="UTF-8"?>\n')
  write(('<testsuites name="evalua" tests="%d" failures="%d" errors="%d" skipped="%d" time="%s">\n'):format(total.tests,
    total.failure, total.error, total.skipped, seconds(total.time)))
  for position, summary in ipairs(document.summaries) do
    local class, file = classes[position], parts.present(summary.suite)
    put_suite_head(write, class, suites[position].items, summary, id)
    put_properties(write, summary)
    parts.each_item(document, summary, function(row, of_trials)
      write(case_head(class, parts.result_name(row), seconds(row.latency_ms), file))
      local kind, code, message = parts.problem(row)
      if kind then
        put_problem(write, kind, code, message, of_trials and trial_detail(of_trials, message) or detail(row, message))
      else
        write("/>\n")
      end
    end)
    write("    <system-out/>\n    <system-err/>\n  </testsuite>\n")
    id = id + 1
    local rules = parts.present(summary.rules) or {}
    if #rules > 0 then
      put_suite_head(write, class .. " rules", suites[position].rules, summary, id)
      write("    <properties/>\n")
      put_rules(write, class .. " rules", rules)
      write("    <system-out/>\n    <system-err/>\n  </testsuite>\n")
      id = id + 1
    end
  end
  write("</testsuites>\n")
end

return junit
