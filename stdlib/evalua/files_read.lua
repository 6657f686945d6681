-- The files that a run has read so far: suites, modules, prompts, data. `run --watch` starts again when one changes.

local sys = require "evalua.native.sys"

local files_read = {}

local stamps, report = {}, nil

local function absolute(path)
  local real = sys.realpath(path)
  if real or path:sub(1, 1) == "/" then return real or path end
  return sys.cwd() .. "/" .. path
end

---Notes that a file is about to be read, or was looked for.
---@param path string
function files_read.add(path)
  if not report then return end
  path = absolute(path)
  if stamps[path] ~= nil or path:find("\n", 1, true) then return end
  stamps[path] = sys.stamp(path) or ""
  report:write("file\t", stamps[path], "\t", path, "\n")
  report:flush()
end

---Notes a run that has ended.
---@param experiment_id string
function files_read.add_run(experiment_id)
  if report then
    report:write("run\t\t", experiment_id, "\n")
    report:flush()
  end
end

---From here on everything is written to a file, line by line, so that it is known however the run ends.
---@param path string
function files_read.report_to(path) report = io.open(path, "ab") end

return files_read
