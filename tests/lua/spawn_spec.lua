-- eval.spawn: one program to its end.

local t = require "harness"
local spawn = require "evalua.spawn"

local function failure_of(given)
  local ok, problem = pcall(spawn, given)
  t.equal(ok, false)
  t.equal(type(problem), "table")
  return problem
end

t.test("output, errors and exit code", function()
  local ended = spawn { argv = { "sh", "-c", "cat; echo bad >&2; exit 4" }, stdin = "hello" }
  t.equal(ended, { code = 4, stdout = "hello", stderr = "bad\n" })
end)

t.test("a signal instead of an exit code", function()
  t.equal(spawn { argv = { "sh", "-c", "kill -TERM $$" } }, { signal = "SIGTERM", stdout = "", stderr = "" })
end)

t.test("without stdin it reads an empty one", function()
  t.equal(spawn { argv = { "cat" } }.stdout, "")
end)

t.test("env and cwd", function()
  local ended = spawn { argv = { "sh", "-c", "echo $WORD; pwd" }, env = { WORD = "red" }, cwd = "/usr" }
  t.equal(ended.stdout, "red\n/usr\n")
end)

t.test("a megabyte both ways, any bytes", function()
  local bytes = ("\0\255\n\200x"):rep(200000)
  t.ok(spawn { argv = { "cat" }, stdin = bytes }.stdout == bytes, "unchanged")
  t.ok(spawn { argv = { "sh", "-c", "cat >&2" }, stdin = bytes }.stderr == bytes, "unchanged on stderr")
end)

t.test("a missing command", function()
  local problem = failure_of { argv = { "no-such-command-here" } }
  t.equal(problem.code, "command_not_found")
  t.ok(problem.message:find("'no-such-command-here' is not in PATH", 1, true), problem.message)
end)

t.test("a timeout", function()
  local problem = failure_of { argv = { "sleep", "1000" }, timeout = 50 }
  t.equal(problem.code, "timeout")
  t.ok(problem.message:find("program 'sleep' did not end within its timeout of 50 ms", 1, true), problem.message)
end)

t.test("too much output, on either stream", function()
  t.equal(failure_of { argv = { "yes" } }.status, "limited")
  local problem = failure_of { argv = { "sh", "-c", "yes >&2" }, max_output = "1kB" }
  t.ok(problem.message:find("too much to stderr: limit output_bytes = 1000", 1, true), problem.message)
end)

t.test("wrong options", function()
  t.raises(function() spawn { argv = {} } end, "empty")
  t.raises(function() spawn { "ls" } end, "argv")
  t.raises(function() spawn { argv = { "ls" }, timout = 5 } end, "timout")
  t.raises(function() spawn { argv = { "ls" }, stdin = {} } end, "stdin")
end)

t.test("a relative cwd is meant from the script's directory", function()
  local ended = spawn { argv = { "sh", "-c", "test -f harness.lua" }, cwd = "." }
  t.equal(ended.code, 0)
end)
