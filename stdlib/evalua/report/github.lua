-- GitHub Actions: annotations on stdout within what a step may have, the step summary, and a guard that keeps what a
-- model wrote from acting as a workflow command.

local markdown = require "evalua.report.markdown"
local parts = require "evalua.report.parts"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"
local trials = require "evalua.trials"
local worst = require "evalua.report.worst"

local github = {}

local ANNOTATIONS_MAX = 10           -- errors of one step; more are dropped unseen, so the last one counts the rest
local MESSAGE_BYTES_MAX = 1000
local SUMMARY_BYTES_MAX = 1024 * 1024 - 16384 -- of a step; a larger one is refused whole

---True where this is a GitHub workflow.
---@return boolean
function github.is_here() return text.is_set("GITHUB_ACTIONS") end

local function data(value)
  value = parts.cut(text.clean(value), MESSAGE_BYTES_MAX)
  return (value:gsub("%%", "%%25"):gsub("\r", "%%0D"):gsub("\n", "%%0A"))
end

local function property(value) return (data(value):gsub(":", "%%3A"):gsub(",", "%%2C")) end

local function relative(path)
  path = parts.present(path)
  if not path then return nil end
  local root = sys.environ("GITHUB_WORKSPACE") or sys.cwd()
  if root and path:sub(1, #root + 1) == root .. "/" then return path:sub(#root + 2) end
  return (path:gsub("^%./", ""))
end

---One annotation as a line.
---@param level string error, warning or notice
---@param file string? of the suite
---@param title string
---@param message string
---@return string
function github.annotation(level, file, title, message)
  file = relative(file)
  return ("::%s %stitle=%s::%s\n"):format(level, file and ("file=%s,line=1,"):format(property(file)) or "",
    property(title), data(message))
end

local rule_levels = { fail = "error", no_data = "error", inconclusive = "warning" }

-- How many items of a run failed or did not pass, beyond those of `rows`.
local function unlisted(store, summary, rows)
  local record = store:experiment(summary.experiment_id)
  if not record or record.baseline_file then return 0 end
  local seen, count = {}, 0
  for _, row in ipairs(rows) do seen[row.item_id] = true end
  for _, id in ipairs(store:failing_items(record.id, trials.of_record(record)) or {}) do
    if not seen[id] then count = count + 1 end
  end
  return count
end

-- Everything worth an annotation: {level, file, title, message}, rules first, then comparisons, then items; and how
-- many items more there are.
local function collect(document)
  local list, more = {}, 0
  for _, summary in ipairs(document.summaries or {}) do
    local title, file = parts.title(summary), summary.suite
    local reason = parts.present(summary.reason)
    if summary.verdict == "error" and reason then
      list[#list + 1] = { "error", file, title, "not judged: " .. reason }
    end
    for _, rule in ipairs(parts.present(summary.rules) or {}) do
      local level = rule_levels[rule.status]
      if level then
        list[#list + 1] = { level, file, ("%s: %s"):format(title, tostring(rule.name)),
          parts.present(rule.message) or rule.status }
      end
    end
  end
  for _, result in ipairs(document.comparisons or {}) do
    for _, pair in ipairs(parts.entries(result)) do
      local key, entry = pair[1], pair[2]
      if entry.verdict == "regressed" then
        local before, now = text.two_numbers(parts.present(entry.baseline_mean), parts.present(entry.candidate_mean))
        list[#list + 1] = { "error", nil, ("%s: %s regressed"):format(parts.title(result.candidate), key),
          ("%s, was %s (delta %s, p %s, n %d)"):format(now, before, parts.signed(entry.delta), parts.p_of(entry),
            entry.n or 0) }
      end
    end
  end
  for _, summary in ipairs(document.summaries or {}) do
    local rows = worst(document.store, summary, ANNOTATIONS_MAX)
    more = more + unlisted(document.store, summary, rows)
    for _, row in ipairs(rows) do
      local kind, _, message = parts.problem(row)
      if kind == "error" or kind == "failure" then
        list[#list + 1] = { kind == "error" and "error" or "warning", summary.suite,
          ("%s: item %s"):format(parts.title(summary), parts.result_name(row)), message }
      end
    end
  end
  return list, more
end

---Writes annotations: at most so many that none is dropped unseen; the last one says how many are left out.
---@param write fun(text: string)
---@param document evalua.report.document
---@return integer count
function github.runs(write, document)
  local by_level, count = { error = {}, warning = {} }, 0
  local list, more = collect(document)
  for _, entry in ipairs(list) do table.insert(by_level[entry[1]], entry) end
  -- What no annotation tells is counted in the last one, of the level that most of the told ones have.
  local counted_in = #by_level.error > #by_level.warning and "error" or "warning"
  for _, level in ipairs { "error", "warning" } do
    local entries, left = by_level[level], level == counted_in and more or 0
    local shown = #entries + left > ANNOTATIONS_MAX and math.min(#entries, ANNOTATIONS_MAX - 1) or #entries
    left = left + #entries - shown
    for position = 1, shown do write(github.annotation(table.unpack(entries[position], 1, 4))) end
    if left > 0 then write(github.annotation(level, nil, "evalua", ("%d more; the report has all"):format(left))) end
    count = count + shown + (left > 0 and 1 or 0)
  end
  return count
end

---Appends the Markdown report to the step summary, within its size.
---@param put fun(write: fun(text: string), most: integer) writes the report
---@return boolean|nil written nil where there is no step summary
---@return string|nil problem
function github.step_summary(put)
  local path = sys.environ("GITHUB_STEP_SUMMARY")
  if not path or path == "" then return nil end
  local handle, problem = io.open(path, "ab")
  if not handle then return false, tostring(problem) end
  local room = SUMMARY_BYTES_MAX - handle:seek("end")
  local pieces, size = {}, 0
  put(function(piece)
    pieces[#pieces + 1] = piece
    size = size + #piece
  end, room)
  local done = size <= room + 1024
  if done then
    done, problem = handle:write("\n", require("evalua.secrets").redact(table.concat(pieces)))
  else
    problem = "it is full"
  end
  handle:close()
  return done and true or false, problem and tostring(problem) or nil
end

---What happens by itself in a workflow: annotations and the step summary, with a line about it on stderr.
---@param document evalua.report.document
---@param annotated boolean true where the annotations are printed already
function github.automatic(document, annotated)
  local lines, said = {}, {}
  if github.is_here() and not annotated then
    local count = github.runs(function(piece) lines[#lines + 1] = piece end, document)
    said[#said + 1] = text.count(count, "annotation")
  end
  local written, problem = github.step_summary(function(write, most)
    if document.summaries then
      markdown.runs(write, document, most)
    else
      markdown.comparisons(write, document.store, document.comparisons, most)
    end
  end)
  if written then said[#said + 1] = "the step summary" end
  if written == false then sys.stderr_write(("the step summary cannot be written: %s\n"):format(problem)) end
  -- On stderr, which the runner reads as well: stdout carries results only.
  if #lines > 0 then sys.stderr_write(table.concat(lines)) end
  if #said > 0 then sys.stderr_write(("GitHub Actions: wrote %s\n"):format(table.concat(said, " and "))) end
end

---Text that stops workflow commands in a step's log and text that lets them act again; nil outside of workflows.
---@return string? stop
---@return string? go
function github.guard()
  if not github.is_here() then return nil end
  local token = "evalua-" .. require("evalua.native.text").uuid()
  return ("::stop-commands::%s\n"):format(token), ("::%s::\n"):format(token)
end

return github
