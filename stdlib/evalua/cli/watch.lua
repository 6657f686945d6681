-- evalua run --watch: runs, waits until a file that the run has read changes, says which, and runs again.
--
-- Each run is a process of its own: whatever a suite does, the next run starts afresh. It reports the files that it
-- reads (evalua.files_read) with their stamps as it read them, so that a change during a run is not missed. Stamps are
-- compared by polling, which also works where a file is replaced by renaming, on network file systems, in containers.

local fail = require "evalua.cli.fail"
local native = require "evalua.native.watch"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local watch = {}

local REPORT = "EVALUA_WATCH_REPORT" -- in the environment of a run: the file that it reports to
local POLL_MS = 100
local LOOK_FOR_SUITES_EVERY = 10     -- polls
local QUIET_MS = 100                 -- without a further change, before the run starts
local QUIET_POLL_MS = 50
local GONE_MS = 500                  -- editors that replace a file take it away for a moment
local DIGEST_BYTES_MAX = 16 * 1024 * 1024
local FILES_NAMED = 5

local function say(message, ...) sys.stderr_write("evalua: " .. text.neutral(message:format(...)) .. "\n") end

---In a run that --watch has started: what it reads is reported. Returns whether it is one.
---@return boolean
function watch.is_inside()
  local path = native.take(REPORT)
  if not path then return false end
  require("evalua.files_read").report_to(path)
  return true
end

local function relative(path)
  local here = sys.cwd() .. "/"
  return path:sub(1, #here) == here and path:sub(#here + 1) or path
end

local function digest_of(path)
  local content = sys.read_file(path, DIGEST_BYTES_MAX)
  return content and require("evalua.native.text").sha256(content) or nil
end

-- What a run reported: files {path = stamp}, and the ids of its experiments.
local function read_report(path)
  local files, runs = {}, {}
  local handle = io.open(path, "rb")
  if not handle then return files, runs end
  for line in handle:lines() do
    local kind, stamp, value = line:match "^(%w+)\t([^\t]*)\t(.*)$"
    if kind == "file" then files[value] = stamp end
    if kind == "run" then runs[#runs + 1] = value end
  end
  handle:close()
  os.remove(path)
  return files, runs
end

-- ==== Changes ====

local Watched = {}
Watched.__index = Watched

-- `files` are those of the last run; what it could not reach any more (an error came first) is watched on.
local function update(self, files)
  for path, stamp in next, files do
    self.stamps[path] = stamp
    self.digests[path] = (sys.stamp(path) or "") == stamp and stamp ~= "" and digest_of(path) or nil
  end
end

-- A file counts as changed when its content is another one, not when it was only touched.
local function has_changed(self, path)
  local now = sys.stamp(path) or ""
  if now == self.stamps[path] then return false end
  local digest = now ~= "" and digest_of(path) or nil
  if digest and digest == self.digests[path] then
    self.stamps[path] = now
    return false
  end
  return true
end

local function suites_of(arguments)
  local ok, suites, cases = pcall(require("evalua.cli.suites").find, { table.unpack(arguments) })
  local set = {}
  for _, path in ipairs(ok and suites or {}) do set[path] = true end
  for _, path in ipairs(ok and cases or {}) do set[path] = true end
  return set, ok
end

-- The lines that say what is other than at the last run; an empty list: nothing.
function Watched:changes(with_suites)
  local lines = {}
  for path, stamp in next, self.stamps do
    if has_changed(self, path) then
      local now = sys.stamp(path)
      lines[#lines + 1] = relative(path) .. (stamp == "" and " is new" or now and " changed" or " is gone")
    end
  end
  if with_suites then
    local now, ok = suites_of(self.arguments)
    if ok then
      for path in next, now do
        local known = self.stamps[sys.realpath(path) or path]
        if not self.suites[path] and not known then lines[#lines + 1] = path .. " is new" end
      end
    end
  end
  table.sort(lines)
  return lines
end

local function state(self)
  local parts = {}
  for path in next, self.stamps do parts[#parts + 1] = path .. "\0" .. (sys.stamp(path) or "") end
  table.sort(parts)
  return table.concat(parts, "\n")
end

-- Until nothing has changed for a moment: an editor may write several files, or take one away to replace it.
local function settle(self)
  local quiet, last, waited = 0, state(self), 0
  local function is_gone()
    for path, stamp in next, self.stamps do if stamp ~= "" and not sys.stamp(path) then return true end end
    return false
  end
  while quiet < QUIET_MS or is_gone() and waited < GONE_MS do
    if native.pause(QUIET_POLL_MS) then return false end
    local now = state(self)
    quiet, last, waited = now == last and quiet + QUIET_POLL_MS or 0, now, waited + QUIET_POLL_MS
  end
  return true
end

-- Waits for a change; nil when a signal came first.
local function wait(self)
  local polls = 0
  while true do
    polls = polls + 1
    local with_suites = polls % LOOK_FOR_SUITES_EVERY == 0
    if #self:changes(with_suites) > 0 then
      if not settle(self) then return nil end
      local lines = self:changes(with_suites)
      if #lines > 0 then return lines end
    end
    if native.pause(POLL_MS) then return nil end
  end
end

-- ==== What came of them ====

local function change_of(scorer, id)
  local number = require("evalua.report.text").number
  return ("%s %s to %s, %s%s"):format(id, number(scorer.baseline_mean + 0.0), number(scorer.candidate_mean + 0.0),
    (scorer.verdict:gsub("_", " ")), (scorer.improved or 0) + (scorer.regressed or 0) > 0
    and (" (%d better, %d worse)"):format(scorer.improved or 0, scorer.regressed or 0) or "")
end

-- Each experiment against the same one of the round before.
local function tell_differences(self, runs)
  if #runs == 0 then return end
  local store_context = require "evalua.store_context"
  local ok, problem = pcall(function()
    local store = store_context.open(self.store, { read_only = true, optional = true })
    for _, id in ipairs(store and runs or {}) do
      local record = store:experiment(id)
      local key = record and record.name .. "\0" .. (record.variant or "")
      local before = key and self.runs[key] and store:experiment(self.runs[key])
      if before and record.status == "completed" then
        local comparison = require("evalua.compare").pair(store, before, record)
        local parts = {}
        for _, name in ipairs(require("evalua.compare").scorer_keys(comparison)) do
          local scorer = comparison.scorers[name]
          if scorer.baseline_mean and scorer.candidate_mean then parts[#parts + 1] = change_of(scorer, name) end
        end
        say("%s, #%d against #%d: %s", record.name, record.number, before.number,
          #parts > 0 and table.concat(parts, "; ") or "nothing in common to compare")
      end
      if record and record.status == "completed" then self.runs[key] = id end
    end
  end)
  store_context.close()
  if not ok then say("the runs cannot be compared: %s", tostring(problem)) end
end

local function first_lines(lines)
  local rest = #lines - FILES_NAMED
  local shown = table.concat(lines, ", ", 1, math.min(#lines, FILES_NAMED))
  return shown .. (rest > 0 and (" and %d more"):format(rest) or "")
end

---Runs until Ctrl-C.
---@param parsed table the options of run, with its arguments in the list part
---@param ... string the arguments of the command line
---@return integer exit_code 0 when it was ended while waiting, 130 when a run was
function watch.run(parsed, ...)
  if parsed.dry_run then fail.usage("run: --watch and --dry-run exclude each other") end
  if require("evalua.store_context").url(parsed.store) == ":memory:" then
    fail.usage("run: --watch needs a store that outlives a run; :memory: does not")
  end
  local self = setmetatable({
    stamps = {}, digests = {}, suites = {}, runs = {}, arguments = { table.unpack(parsed) }, store = parsed.store,
  }, Watched)
  native.hold_signals()
  while true do
    local path = os.tmpname()
    self.suites = suites_of(self.arguments)
    local code, signal, was_signalled = native.run({ "evalua", "run", ... }, REPORT, path)
    local files, runs = read_report(path)
    update(self, files)
    if signal then say("the run was ended by signal %d", signal) end
    if was_signalled or code == fail.codes.interrupted then return fail.codes.interrupted end
    if not next(self.stamps) then return code or fail.codes.incomplete end -- there is nothing to wait for
    tell_differences(self, runs)
    local count = 0
    for _ in next, self.stamps do count = count + 1 end
    say("watching %s; Ctrl-C ends", text.count(count, "file"))
    local lines = wait(self)
    if not lines then return fail.codes.ok end
    say("%s; running again", first_lines(lines))
  end
end

return watch
