-- evalua accept: makes a run the baseline of its experiment, in the store and as a file to be kept in git.

local baseline = require "evalua.baseline"
local fail = require "evalua.cli.fail"
local gate = require "evalua.gate"
local noise = require "evalua.noise"
local options = require "evalua.cli.options"
local ref = require "evalua.cli.ref"
local store_context = require "evalua.store_context"
local summary = require "evalua.summary"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local parsed = options.begin("accept", ...)
if not parsed then return 0 end
local store = store_context.open(parsed.store, { create = false })

local function check(record)
  local title = ref.title(record)
  if noise.is_name(record.name) then
    fail.usage("accept: %s is a run of --noise, which is nobody's baseline", title)
  elseif record.status == "running" then
    fail.usage("accept: %s is still running", title)
  elseif record.status ~= "completed" then
    fail.usage("accept: %s is %s, not completed; a baseline needs every result%s", title, record.status,
      (record.status == "interrupted" or record.status == "cancelled")
      and (": `evalua resume %d` finishes it"):format(record.number) or "")
  elseif gate.is_partial(record) and not parsed.partial then
    fail.usage("accept: %s ran a selection of the items only; a baseline stands for all of them (--partial accepts it "
      .. "all the same)", title)
  end
end

-- Which runs are meant. A name alone, or nothing, means every variant; without a REF, runs of other variants that
-- cannot be accepted are left alone.
local function chosen()
  local name = parsed[1] or "latest"
  local record = ref.resolve(store, name)
  if parsed[1] and name ~= record.name then
    check(record)
    return { record }
  end
  local list = {}
  for _, found in ipairs(ref.newest_of_variants(store, record.name)) do
    if found.id == record.id or parsed[1] or found.status == "completed" and not gate.is_partial(found) then
      check(found)
      list[#list + 1] = found
    end
  end
  return list
end

-- The file that gates the experiment without being named.
local function file_beside(record)
  local stored = summary.decoded(record.options) or {}
  return gate.file_path(record.name, stored.suite_path or record.suite)
end

local function path_of(record)
  if parsed.output then
    local directory = parsed.output:match("^(.*)/[^/]*$")
    if directory and directory ~= "" and sys.exists(directory) ~= "directory" then
      fail.usage("accept: -o %s: there is no directory %s", parsed.output, directory)
    end
    return parsed.output
  end
  local path = file_beside(record)
  local here = sys.cwd() .. "/"
  if path:sub(1, #here) == here then path = path:sub(#here + 1) end
  local directory = path:match("^(.*)/[^/]*$")
  if directory and directory ~= "" and sys.exists(directory) ~= "directory" then
    fail.usage("accept: %s: the suite's directory is not there any more; name the file with -o", directory)
  end
  return path
end

local records = chosen()
local path = path_of(records[1])
local kept = baseline.write(store, records, path)
local now, failed = sys.wall_text(sys.now_ms()), {}
for _, record in ipairs(records) do
  fail.check(fail.codes.incomplete, store:experiment_update(record.id, { accepted_at = now }))
  local counts = fail.check(fail.codes.incomplete, require("evalua.trials").counts(store, record))
  failed[record] = (counts.error or 0) + (counts.timeout or 0) + (counts.limited or 0)
end
store:close()

for _, record in ipairs(records) do
  local verdict = record.verdict and record.verdict ~= "none" and (", verdict %s"):format(record.verdict) or ""
  local without = failed[record] > 0 and (" (%d failed: without scores they gate nothing)"):format(failed[record]) or ""
  sys.stdout_write(("accepted %s: %s%s%s\n"):format(ref.title(record), text.count(record.total_items or 0, "item"),
    without, verdict))
end

-- What the suite names gates before any file that it does not.
local function says_of_gate(record)
  local named = (summary.decoded(record.options) or {}).suite_baseline
  local directory = file_beside(record):match("^(.*/)[^/]*$") or ""
  if named and sys.realpath(path) ~= sys.realpath((named:sub(1, 1) == "/" and "" or directory) .. named) then
    return ("the suite says baseline = %q, which gates before this file; -o writes another one"):format(named)
  end
  if named or sys.realpath(path) == sys.realpath(file_beside(record)) then
    return "runs of this experiment are compared with it from now on"
  end
  return ("runs with --baseline %s, or baseline = %q in the suite, are compared with it"):format(path, path)
end

sys.stdout_write(("wrote %s%s; keep it in git: %s\n"):format(path,
  #kept > 0 and (" (%d other %s in it %s)"):format(#kept, #kept == 1 and "variant" or "variants",
    #kept == 1 and "stays" or "stay") or "",
  says_of_gate(records[1])))
return 0
