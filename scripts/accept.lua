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

local RUNS_LOOKED_THROUGH = 1000 -- for the newest one of each variant

local parsed = options.parse("accept", ...)
if parsed.help then
  sys.stdout_write(options.help("accept"))
  return 0
end
local store = store_context.open(parsed.store, { create = false })

-- A name alone, or nothing, means every variant.
local function newest_of_each_variant(name)
  local found, seen = {}, {}
  for _, record in ipairs(store:experiments { name = name, limit = RUNS_LOOKED_THROUGH }) do
    local variant = record.variant or ""
    if not seen[variant] then
      seen[variant] = true
      found[#found + 1] = record
    end
  end
  return found
end

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

-- Which runs are meant. Without a REF, runs of other variants that cannot be accepted are left alone.
local function chosen()
  local text = parsed[1] or "latest"
  local record = ref.resolve(store, text)
  if parsed[1] and text ~= record.name then
    check(record)
    return { record }
  end
  local list = {}
  for _, found in ipairs(newest_of_each_variant(record.name)) do
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
local now = sys.wall_text(sys.now_ms())
for _, record in ipairs(records) do
  fail.check(fail.codes.incomplete, store:experiment_update(record.id, { accepted_at = now }))
end
store:close()

for _, record in ipairs(records) do
  local verdict = record.verdict and record.verdict ~= "none" and (", verdict %s"):format(record.verdict) or ""
  sys.stdout_write(("accepted %s: %d items%s\n"):format(ref.title(record), record.total_items or 0, verdict))
end
local is_beside = sys.realpath(path) == sys.realpath(file_beside(records[1]))
sys.stdout_write(("wrote %s%s; keep it in git: %s\n"):format(path,
  #kept > 0 and (" (%d other %s in it %s)"):format(#kept, #kept == 1 and "variant" or "variants",
    #kept == 1 and "stays" or "stay") or "",
  is_beside and "runs of this experiment are compared with it from now on"
    or ("runs with --baseline %s, or baseline = %q in the suite, are compared with it"):format(path, path)))
return 0
