-- Command targets: both modes, their protocols, and everything a program can do wrong.

local t = require "harness"
local command = require "evalua.command"
local json = require "evalua.json"
local process = require "evalua.native.process"

local item = { id = "one" }

local function shell(script, more)
  local given = { id = "probe", argv = { "sh", "-c", script } }
  for key, value in pairs(more or {}) do given[key] = value end
  return command.target(given)
end

-- The error that running the target raises, as a table.
local function failure_of(target, input)
  local ok, problem = pcall(target.run, input or "in", item)
  t.equal(ok, false)
  t.equal(type(problem), "table")
  return problem
end

local function contains(text, part)
  if not text:find(part, 1, true) then error(("%q is not in %q"):format(part, text), 2) end
end

-- Children of persistent targets that earlier tests left idle.
local function collect()
  collectgarbage()
  collectgarbage()
end

-- Looked at from inside: a child that looks may do so while the pipe that reported its start is still open.
local function count_fds() return #require("evalua.native.sys").list "/proc/self/fd" end

-- ---- oneshot ----

t.test("text in, text out, without the last newline", function()
  t.equal(shell("cat; echo; echo").run("hello", item), "hello\n")
  t.equal(shell("printf 'a\\r\\n'").run("", item), "a")
  t.equal(shell("true").run("", item), "")
end)

t.test("input that is not a string goes in as JSON", function()
  t.equal(shell("cat").run({ question = "why" }, item), '{"question":"why"}')
  t.equal(shell("cat", { stdin = "json" }).run("a\nb", item), '"a\\nb"')
end)

t.test("json out", function()
  local target = shell("cat", { stdout = "json" })
  t.equal(target.run('{"a": [1, 2.5, null]}', item), { a = json.array { 1, 2.5, json.null } })
  t.equal(target.run("null", item), json.null)
  t.equal(target.run(" false\n", item), false)
end)

t.test("result out", function()
  local output, info = shell([[echo '{"output": "x", "context": ["c"], "usage": {"input_tokens": 3}}']],
    { stdout = "result" }).run("", item)
  t.equal(output, "x")
  t.equal(info, { context = json.array { "c" }, usage = { input_tokens = 3 } })
end)

t.test("functions for stdin and stdout", function()
  local target = shell("cat", {
    stdin = function(input, of) return of.id .. ":" .. input end,
    stdout = function(output) return #output, { metadata = { raw = output } } end,
  })
  local output, info = target.run("abc", item)
  t.equal(output, 7)
  t.equal(info.metadata.raw, "one:abc")
  contains(failure_of(shell("cat", { stdin = function() return 5 end })).message, "a string")
end)

t.test("argv is never given to a shell", function()
  t.equal(command.target { id = "e", argv = { "echo", "$HOME; ls *", "" } }.run("", item), "$HOME; ls * ")
end)

t.test("env and cwd", function()
  t.equal(shell("echo $WORD-$HOME-; pwd", { env = { WORD = "blue", HOME = false }, cwd = "/usr" }).run("", item),
    "blue--\n/usr")
end)

t.test("bytes pass unchanged, one megabyte both ways", function()
  local bytes = {}
  for value = 0, 255 do bytes[#bytes + 1] = string.char(value) end
  local input = table.concat(bytes):rep(4096)
  t.ok(shell("cat").run(input, item) == input, "NUL bytes and invalid UTF-8")
end)

t.test("a program that does not read its stdin", function()
  t.equal(shell("echo done").run(("x"):rep(1000000), item), "done")
  t.equal(shell("exec <&-; echo done").run(("x"):rep(1000000), item), "done")
end)

t.test("exit code and stderr are the error", function()
  local problem = failure_of(shell "echo out; echo 'first line' >&2; echo 'it broke' >&2; exit 3")
  t.equal(problem.code, "exit_3")
  contains(problem.message, "command 'probe' exited with code 3\nstderr: first line\nit broke")
  t.equal(tostring(problem), problem.message)
end)

t.test("stderr in the error is its tail, made printable", function()
  local problem = failure_of(shell "yes chatter | head -n 100000 >&2; printf '\\033[31mred\\377\\n' >&2; exit 1")
  contains(problem.message, "chatter\n\\x1B[31mred\\xFF")
  t.ok(#problem.message < 3000, "it is short")
end)

t.test("killed by a signal", function()
  local problem = failure_of(shell "kill -SEGV $$")
  t.equal(problem.code, "signal_SIGSEGV")
  contains(problem.message, "was killed by SIGSEGV")
end)

t.test("garbage instead of JSON", function()
  local problem = failure_of(shell("printf 'Loading\\033[0m model...\\n{'", { stdout = "json" }))
  t.equal(problem.code, "bad_output")
  contains(problem.message, [["Loading\x1B[0m model...\n{"]])
  contains(problem.message, 'stdout = "json" needs one JSON value')
  contains(failure_of(shell("true", { stdout = "json" })).message, "nothing")
end)

t.test("a result of the wrong shape", function()
  contains(failure_of(shell("echo '[1]'", { stdout = "result" })).message, "needs an object with the key output")
  contains(failure_of(shell([[echo '{"ouput": 1}']], { stdout = "result" })).message, "with the key output")
  contains(failure_of(shell([[echo '{"output": 1, "contxt": 2}']], { stdout = "result" })).message,
    "unknown field 'contxt'")
end)

t.test("too much output is a limit, and ends at once", function()
  local problem = failure_of(shell "head -c 100000000 /dev/zero; sleep 1000")
  t.equal(problem.status, "limited")
  t.equal(problem.code, "output_bytes")
  contains(problem.message, "limit output_bytes = 10485760, actual at least")
  contains(failure_of(shell("echo 12345", { max_output = 5 })).message, "limit output_bytes = 5, actual at least 6")
  t.equal(shell("printf 12345", { max_output = 5 }).run("", item), "12345")
end)

t.test("a timeout kills what ignores SIGTERM", function()
  local problem = failure_of(shell("trap '' TERM; echo started >&2; while :; do sleep 1; done", { timeout = "100ms" }))
  t.equal(problem.code, "timeout")
  contains(problem.message, "timeout of 100 ms; it was killed\nstderr: started")
end)

t.test("a grandchild that holds the pipe is killed with the group", function()
  local pid = shell("sleep 1000 & echo $!").run("", item)
  -- It dies a moment after its parent. A zombie, or no entry at all, is gone; the entry may go between two looks.
  local look = ("s=$(sed 's/.*) //' /proc/%s/stat 2>/dev/null); case $s in ''|[ZX]*) echo gone;; esac"):format(pid)
  local seen
  for _ = 1, 200 do
    seen = shell(look).run("", item)
    if seen == "gone" then break end
    require "evalua".sleep(10)
  end
  t.equal(seen, "gone")
end)

t.test("a missing command is found before anything runs", function()
  local target = command.target { id = "gone", argv = { "no-such-command-here" } }
  local problems = target.check()
  t.equal(#problems, 1)
  contains(problems[1], "command 'gone': command not found: 'no-such-command-here' is not in PATH")
  local problem = failure_of(target)
  t.equal(problem.code, "command_not_found")
  t.equal(problem.permanent, true)
  t.equal(#shell("true").check(), 0)
  contains(command.target { id = "x", argv = { "./nothing" }, cwd = "/usr" }.check()[1], "'./nothing' does not exist")
  contains(command.target { id = "x", argv = { "sh" }, cwd = "/no/where" }.check()[1], "/no/where")
  contains(command.target { id = "x", argv = { "sh" }, env = { PATH = "/usr/share" } }.check()[1], "(/usr/share)")
end)

t.test("wrong options", function()
  local function wrong(given, pattern)
    given.id = given.id or "w"
    given.argv = given.argv or { "true" }
    t.raises(function() command.target(given) end, pattern)
  end
  wrong({ argv = {} }, "argv.*empty")
  wrong({ argv = { "a\0b" } }, "NUL byte")
  wrong({ argv = { "echo", 5 } }, "element 2")
  wrong({ stdin = "yaml" }, '"text", "json"')
  wrong({ stdout = "xml" }, '"result"')
  wrong({ env = { A = 5 } }, "must be a string")
  wrong({ env = { ["A=B"] = "x" } }, "variable")
  wrong({ request = function() return "" end }, 'mode = "persistent"')
  wrong({ mode = "persistent", stdin = "json" }, "JSON lines")
  wrong({ mode = "persistent", request = function() return "" end }, '"response".*missing')
  wrong({ processes = 0 }, "processes")
  wrong({ timeout = "soon" }, "duration")
end)

t.test("the digest follows the definition", function()
  local first = shell("true").digest
  t.equal(#first, 64)
  t.equal(shell("true").digest, first)
  t.ok(shell("false").digest ~= first, "another argv")
  t.ok(shell("true", { env = { A = "1" } }).digest ~= first, "another env")
  local function one() return "1" end
  local function two() return "2" end
  t.ok(shell("true", { stdin = one }).digest ~= shell("true", { stdin = two }).digest, "another function")
end)

t.test("a thousand runs leave nothing behind", function()
  local target = command.target { id = "true", argv = { "true" } }
  target.run("", item)
  collect()
  local before = count_fds()
  for _ = 1, 1000 do target.run("x", item) end
  collect()
  t.ok(count_fds() <= before, "descriptors were left open")
  t.equal(process.live_count(), 0)
end)

-- ---- persistent ----

-- A JSON-lines program in awk-free shell: answers with its pid and the line it got.
local echo = [[
while read -r line; do
  id=${line#*\"id\":}; id=${id%%[,\}]*}
  case $line in
    *die*) echo 'going down' >&2; exit 7;;
    *crash*) kill -KILL $$;;
    *garbage*) echo 'not json';;
    *wrong*) echo '{"id": 999, "output": 1}';;
    *refuse*) echo "{\"id\": $id, \"error\": \"no thanks\"}";;
    *detail*) echo "{\"id\": $id, \"error\": {\"message\": \"too hot\", \"code\": \"heat\"}}";;
    *neither*) echo "{\"id\": $id}";;
    *info*) echo "{\"id\": $id, \"output\": 1, \"usage\": {\"input_tokens\": 2}}";;
    *sleep*) sleep 1000;;
    *) echo "{\"id\": $id, \"output\": $$}";;
  esac
done]]

local function persistent(script, more)
  local given = { mode = "persistent" }
  for key, value in pairs(more or {}) do given[key] = value end
  return shell(script, given)
end

t.test("one program answers request after request", function()
  local target = persistent(echo)
  local pid = target.run("a", item)
  for _ = 1, 200 do t.equal(target.run({ text = "b" }, item), pid) end
  t.equal(process.live_count(), 1)
  local output, info = target.run("info", item)
  t.equal(output, 1)
  t.equal(info, { usage = { input_tokens = 2 } })
end)

t.test("null reaches a persistent program as null", function()
  local target = persistent [[while IFS= read -r line; do
    case "$line" in
      *'"input":null'*) echo '{"id": 1, "output": "saw null"}';;
      *) echo '{"id": 1, "output": "no input"}';;
    esac
  done]]
  t.equal(target.run(nil, item), "saw null")
end)

t.test("no program is started before the first request", function()
  collect()
  local before = process.live_count()
  persistent(echo).check()
  t.equal(process.live_count(), before)
end)

t.test("a program that dies fails its item and is replaced", function()
  local target = persistent(echo)
  local first = target.run("a", item)
  local problem = failure_of(target, "die")
  t.equal(problem.code, "exit_7")
  contains(problem.message, "exited with code 7\nstderr: going down")
  local second = target.run("a", item)
  t.ok(first ~= second, "a new one")
  t.equal(failure_of(target, "crash").code, "signal_SIGKILL")
  t.ok(target.run("a", item) ~= second, "a new one again")
end)

t.test("garbage and wrong ids are errors, and end the program", function()
  local target = persistent(echo)
  local pid = target.run("a", item)
  local problem = failure_of(target, "garbage")
  t.equal(problem.code, "bad_output")
  contains(problem.message, '"not json", which is not JSON')
  t.ok(target.run("a", item) ~= pid, "a new one")
  contains(failure_of(target, "wrong").message, "does not carry the id of the request, 2")
  contains(failure_of(target, "neither").message, "neither output nor error")
end)

t.test("an error that the program reports leaves it alive", function()
  local target = persistent(echo)
  local pid = target.run("a", item)
  local problem = failure_of(target, "refuse")
  t.equal(problem.message, "no thanks")
  t.equal(failure_of(target, "detail").code, "heat")
  t.equal(target.run("a", item), pid)
end)

t.test("a request that takes too long ends the program", function()
  local target = persistent(echo, { timeout = "200ms" })
  local pid = target.run("a", item)
  t.equal(failure_of(target, "sleep").code, "timeout")
  t.ok(target.run("a", item) ~= pid, "a new one")
end)

t.test("a program that answers once is told apart", function()
  local target = persistent [[read -r line; echo '{"id": 1, "output": "once"}'; exec >&-; sleep 1000]]
  t.equal(target.run("a", item), "once")
  contains(failure_of(target).message, "a persistent program goes on until its stdin ends")
  contains(failure_of(persistent "true").message, "ended its output before it answered (after 0 answers)")
end)

t.test("other protocols, with a banner", function()
  local banner
  local target = persistent([[echo '@(#) speller 1'; while read -r w; do echo "* $w"; echo "+ 2"; echo; done]], {
    ready = function(read_line) banner = read_line() end,
    request = function(input) return "^" .. input end,
    response = function(read_line)
      local lines = {}
      for line in read_line do
        if line == "" then return lines, { metadata = { count = #lines } } end
        lines[#lines + 1] = line
      end
    end,
  })
  for _ = 1, 50 do
    local output, info = target.run("word", item)
    t.equal(output, { "* ^word", "+ 2" })
    t.equal(info.metadata.count, 2)
  end
  t.equal(banner, "@(#) speller 1")
end)

t.test("an error in a protocol function ends the program", function()
  local broken = true
  local target = persistent([[while read -r w; do echo "$$"; done]], {
    request = function(input) return input end,
    response = function(read_line)
      local line = read_line()
      if broken then error "cannot read this" end
      return line
    end,
  })
  local ok, problem = pcall(target.run, "x", item)
  t.equal(ok, false)
  contains(tostring(problem), "cannot read this")
  broken = false
  local pid = target.run("x", item)
  t.equal(target.run("x", item), pid)
end)

t.test("a dying program explains itself, not the function that read nil", function()
  local target = persistent("echo 'no dictionary' >&2; exit 2", {
    request = function(input) return input end,
    response = function(read_line) return read_line():upper() end,
  })
  local problem = failure_of(target)
  t.equal(problem.code, "exit_2")
  contains(problem.message, "no dictionary")
end)

t.test("a line that is too long", function()
  local problem = failure_of(persistent([[head -c 5000 /dev/zero; sleep 1000]], { max_output = 1000 }))
  t.equal(problem.status, "limited")
  contains(problem.message, "output_bytes: limit 1000")
end)

t.test("long lines go both ways", function()
  local target = persistent("exec cat", {
    request = function(input) return input end,
    response = function(read_line) return read_line() end,
  })
  local long = ("y"):rep(1000000)
  for _ = 1, 3 do t.ok(target.run(long, item) == long, "a megabyte came back") end
end)

t.test("collected targets leave no program", function()
  collect()
  for _ = 1, 100 do -- the loop sees their ends while it waits for another
    if process.live_count() == 0 then break end
    require "evalua.spawn" { argv = { "sleep", "0.01" } }
  end
  t.equal(process.live_count(), 0)
end)
