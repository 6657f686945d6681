-- eval.spawn: runs one program to its end and returns how it ended and what it wrote.

local process = require "evalua.native.process"
local failure = require "evalua.process_failure"
local limits = require "evalua.limits"
local options = require "evalua.options"
local place = require "evalua.place"

local OUTPUT_BYTES = 10 * 1024 * 1024

local schema = options.schema("eval.spawn", {
  { "argv", "list", of = "string", required = true, help = "program and arguments; no shell is involved" },
  { "stdin", "string", help = "text for its stdin (default: nothing)" },
  { "timeout", "duration", help = "then it is killed, and the call raises an error" },
  { "cwd", "text", help = "working directory, from the directory of the script that says it (default: ours)" },
  { "env", "map", help = "variables added to the environment; false removes one" },
  { "max_output", "size", default = OUTPUT_BYTES, help = "limit output_bytes for stdout and for stderr" },
})

---@class evalua.SpawnOptions
---@field argv string[]
---@field stdin? string
---@field timeout? number|string
---@field cwd? string
---@field env? table<string, string|false>
---@field max_output? integer|string

---@class evalua.SpawnResult
---@field code integer? exit code; nil when a signal ended it
---@field signal string? "SIGSEGV", ...
---@field stdout string
---@field stderr string

-- `return eval.spawn{...}` leaves no trace of the script that called: its directory cannot be known then.
local function resolve(cwd)
  if cwd:sub(1, 1) ~= "/" and not place.caller() and debug.getinfo(2, "t").istailcall then
    place.fail(('option "cwd" of eval.spawn: the script that "%s" is relative to is not known after `return eval.spawn'
      .. ' {...}`; write `local ended = eval.spawn {...}` and return that'):format(cwd))
  end
  return place.resolve(cwd)
end

--- Runs a program without a shell. A program that cannot be started, is over its timeout or over max_output raises;
--- any exit code is the caller's to judge. What the program leaves running in its process group is killed.
---@param given evalua.SpawnOptions
---@return evalua.SpawnResult
local function spawn(given)
  local checked = options.check(schema, given)
  if #checked.argv == 0 then
    place.fail 'option "argv" of eval.spawn is empty; its first element names the program'
  end
  local spec = {
    label = ("program '%s'"):format(checked.argv[1]), timeout_ms = checked.timeout, max_output = checked.max_output,
  }
  local held <close> = limits.open "processes" -- luacheck: ignore 211
  local child <close>, message, code = process.spawn {
    argv = checked.argv, cwd = checked.cwd and resolve(checked.cwd), env = checked.env,
    output_limit = checked.max_output, error_limit = checked.max_output, timeout_ms = checked.timeout,
  }
  if not child then
    failure.raise { message = message, code = failure.start_code(code), permanent = code == "not_found",
      status = code == "limit" and "limited" or nil }
  end
  local ended = child:finish(checked.stdin)
  failure.check_limits(spec, ended)
  return { code = ended.code, signal = ended.signal, stdout = ended.stdout, stderr = ended.stderr }
end

return spawn
