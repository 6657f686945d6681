-- evalua review: people walk through results in the terminal (or line by line on a pipe), or by way of a CSV file.

local agreement = require "evalua.review.agreement"
local answers = require "evalua.review.answers"
local fail = require "evalua.cli.fail"
local filters = require "evalua.cli.filters"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local queue = require "evalua.review.queue"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"
local where = require "evalua.cli.where"

local parsed = options.begin("review", ...)
if not parsed then return 0 end

-- What is asked for: a walk, the queue, a report, or a file out or in.
local action = "walk"
if (parsed[1] == "export" or parsed[1] == "import") and parsed[2] then
  action = parsed[1]
  table.remove(parsed, 1)
elseif parsed[2] then
  fail.usage("review: %s? There are `review export REF`, `review import REF FILE.csv --as NAME` and `review REF`",
    parsed[1])
elseif parsed.report then
  action = "report"
elseif parsed.queue then
  action = "queue"
end
if action == "import" and not parsed[2] then fail.usage("review import: which file? review import REF FILE.csv") end
if action ~= "import" and parsed[2] then fail.usage("review %s: too many arguments", action) end
options.check_action("review", parsed, action)
if (action == "walk" or action == "import") or parsed.as then answers.check_name(parsed.as) end

local reads_only = action == "report" or action == "export"
local store = store_context.open(parsed.store, { read_only = reads_only, create = false })
local record = ref.resolve(store, parsed[1], { sets = true })
local run_id = record.run_id or record.id
local stdout = output.stdout()
local view = pretty.view(stdout.write)
view.full = parsed.full

local function put_report()
  local made = agreement.report(store, record)
  if parsed.format == "json" then
    stdout.write(report.harmless(json.encode(report.mark_lists(made))) .. "\n")
  else
    agreement.put(view, made)
  end
  stdout.flush()
end

if action == "report" then
  put_report()
  return 0
end

local function stored_reviewer(name)
  for _, reviewer in ipairs(fail.check(fail.codes.incomplete, store:reviewers(run_id))) do
    if reviewer.name == name then return reviewer end
  end
end

local scorer_id = answers.scorer_id(parsed.as or "")
local choices = answers.choices(parsed, answers.stored_choices(parsed.as and stored_reviewer(parsed.as)))
local reviews, given = queue.state(store, run_id, scorer_id)
local ids = filters.ids(parsed.items)
local tags_wanted = parsed.tag
if action == "queue" then parsed.tag = nil end

local function selection()
  local entries, filter = queue.select(store, record, parsed, { reviews = reviews, answers = given, ids = ids })
  where.tell_absent(filter, "results")
  return entries
end

local function import()
  local sheet = require "evalua.review.sheet"
  local found, others = sheet.read(store, run_id, parsed[2], { name = parsed.as, choices = choices })
  local changed, unchanged = sheet.import(store, run_id, found,
    { name = parsed.as, choices = choices, reviews = reviews, answers = given })
  stdout.write(("%d imported as human/%s, %d unchanged%s\n"):format(changed, text.clean(parsed.as), unchanged,
    others > 0 and (", %s of other reviewers left alone"):format(text.count(others, "line")) or ""))
  stdout.flush()
end

if action == "import" then
  import()
  return 0
elseif action == "export" then
  local file = parsed.output and output.file(parsed.output) or nil
  local count = require("evalua.review.sheet").export(file and file.write or stdout.write, store, record, {
    name = parsed.as, blind = parsed.blind, entries = selection(), reviews = reviews,
    clean = not file and sys.isatty(1),
  })
  if file then
    file.close()
    sys.stderr_write(("wrote %s to %s\n"):format(text.count(count, "line"), parsed.output))
  end
  stdout.flush()
  return 0
elseif action == "queue" then
  local entries = selection()
  local count = queue.add(store, run_id, entries, reviews, parsed.as, tags_wanted)
  stdout.write(("%s put into the queue of run %d, %d were there\n"):format(text.count(count, "result"), record.number,
    #entries - count))
  stdout.flush()
  return 0
end

local entries = selection()
if #entries == 0 then
  stdout.write(("no such result in run %d to review\n"):format(record.number))
  stdout.flush()
  return 0
end
-- What a walk over failures leaves undone stays in the queue.
if parsed.only == "failed" then queue.add(store, run_id, entries, reviews, parsed.as) end

local exit_code = require("evalua.review.walk").run {
  store = store, record = record, name = parsed.as, choices = choices, entries = entries, reviews = reviews,
  answers = given, view = view, stdout = stdout,
}
put_report()
return exit_code
