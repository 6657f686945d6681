-- coroutine.*: ours let waits pass, and otherwise behave as those of stock Lua 5.4. Every expectation here holds under
-- plain lua5.4 too (`lua5.4 tests/lua/run.lua tests/lua/coroutines_spec.lua`), except the waits at the end.

local t = require "harness"

local function pack(...) return { n = select("#", ...), ... } end

-- A value whose __close notes the error that it was closed with, and may raise one of its own.
local function closing(log, name, problem)
  return setmetatable({}, { __close = function(_, cause)
    log[#log + 1] = name .. ":" .. tostring(cause)
    if problem then error(problem, 0) end
  end })
end

local function failing_after(level, message)
  return function() error(message, level) end
end

t.test("values pass both ways, nils and all, in resume and in wrap", function()
  local function body(...)
    local first = pack(...)
    local second = pack(coroutine.yield(table.unpack(first, 1, first.n)))
    local third = pack(coroutine.yield())
    return first.n, second.n, third.n, nil
  end
  local co = coroutine.create(body)
  t.equal(pack(coroutine.resume(co, nil, 2, nil)), pack(true, nil, 2, nil))
  t.equal(pack(coroutine.resume(co, "a", nil)), pack(true))
  t.equal(pack(coroutine.resume(co)), pack(true, 3, 2, 0, nil))
  local wrapped = coroutine.wrap(body)
  t.equal(pack(wrapped(nil, 2, nil)), pack(nil, 2, nil))
  t.equal(pack(wrapped("a", nil)), pack())
  t.equal(pack(wrapped()), pack(3, 2, 0, nil))
end)

t.test("many values pass", function()
  local count = coroutine.wrap(function(...) return select("#", ...), ... end)
  t.equal(count(table.unpack({}, 1, 100000)), 100000)
  local co = coroutine.create(function(...) return ... end)
  t.equal(select("#", coroutine.resume(co, table.unpack({}, 1, 100000))), 100001)
end)

t.test("more arguments than a coroutine's stack holds are an error, not a crash", function()
  local co = coroutine.create(function(...) return select("#", ...) end)
  local ok, message = coroutine.resume(co, table.unpack({}, 1, 600000)) -- a vararg function holds them twice
  t.equal(ok, false)
  t.matches(message, "stack overflow")
  t.equal(coroutine.status(co), "dead")
end)

t.test("a C function is a body too", function()
  t.equal(pack(coroutine.resume(coroutine.create(string.rep), "x", 3)), pack(true, "xxx"))
  t.equal(coroutine.wrap(math.max)(3, 9, 4), 9)
  t.equal(pack(coroutine.wrap(coroutine.yield)(1, 2)), pack(1, 2))
end)

t.test("status through a life", function()
  local co
  local outer = coroutine.create(function() coroutine.resume(co) end)
  co = coroutine.create(function()
    t.equal(coroutine.status(co), "running")
    t.equal(coroutine.status(outer), "normal")
    coroutine.yield()
  end)
  t.equal(coroutine.status(co), "suspended")
  t.equal(coroutine.resume(outer), true)
  t.equal(coroutine.status(co), "suspended")
  t.equal(coroutine.status(outer), "dead")
  coroutine.resume(co)
  t.equal(coroutine.status(co), "dead")
end)

t.test("running and isyieldable", function()
  local main, is_main = coroutine.running()
  t.equal(type(main), "thread")
  t.equal(is_main, true)
  t.equal(coroutine.isyieldable(), false)
  local co
  co = coroutine.create(function()
    local running, inner_is_main = coroutine.running()
    return running == co, inner_is_main, coroutine.isyieldable()
  end)
  t.equal(coroutine.isyieldable(co), true)
  t.equal(pack(coroutine.resume(co)), pack(true, true, false, true))
  local inside_comparator
  coroutine.wrap(function()
    table.sort({ 2, 1 }, function(a, b) inside_comparator = coroutine.isyieldable() return a < b end)
  end)()
  t.equal(inside_comparator, false)
end)

t.test("an error: resume returns it as it is, with its place", function()
  local co = coroutine.create(function() error "bad" end)
  local ok, message = coroutine.resume(co)
  t.equal(ok, false)
  t.matches(message, "^[^:]*coroutines_spec.lua:%d+: bad$")
  t.equal(coroutine.status(co), "dead")
  local object = { "an object" }
  local _, raised = coroutine.resume(coroutine.create(function() error(object) end))
  t.ok(rawequal(raised, object), "the same object")
  t.equal(pack(coroutine.resume(coroutine.create(function() error() end))), pack(false, nil))
end)

t.test("an error through wrap gets the caller's place in front, when it is text", function()
  local line = debug.getinfo(1, "l").currentline
  local wrapped = coroutine.wrap(failing_after(0, "bad"))
  local function call() local x = wrapped() return x end -- line + 2
  local ok, message = pcall(call)
  t.equal(ok, false)
  t.matches(message, ("^[^:]*coroutines_spec.lua:%d: bad$"):format(line + 2))
  -- Called straight from C (pcall) there is no place.
  t.equal(pack(pcall(coroutine.wrap(failing_after(0, "bad")))), pack(false, "bad"))
  local nested = coroutine.wrap(function() local x = coroutine.wrap(failing_after(0, "deep"))() return x end)
  local _, deep = pcall(function() local x = nested() return x end)
  t.matches(deep, "^[^:]*coroutines_spec.lua:%d+: [^:]*coroutines_spec.lua:%d+: deep$")
  local object = setmetatable({}, { __tostring = function() return "an object" end })
  local _, raised = pcall(coroutine.wrap(failing_after(1, object)))
  t.ok(rawequal(raised, object), "objects stay as they are")
  t.equal(pack(pcall(coroutine.wrap(function() error(nil) end))), pack(false, nil))
end)

t.test("dead coroutines", function()
  local co = coroutine.create(function() return 1 end)
  coroutine.resume(co)
  t.equal(pack(coroutine.resume(co)), pack(false, "cannot resume dead coroutine"))
  t.equal(pack(coroutine.resume(co, 1, 2)), pack(false, "cannot resume dead coroutine"))
  local failed = coroutine.create(error)
  coroutine.resume(failed, "x")
  t.equal(pack(coroutine.resume(failed)), pack(false, "cannot resume dead coroutine"))
  t.equal(pack(coroutine.resume(failed, 1)), pack(false, "cannot resume dead coroutine"))
  local wrapped = coroutine.wrap(function() return 1 end)
  wrapped()
  local _, message = pcall(function() local x = wrapped() return x end)
  t.matches(message, "^[^:]*coroutines_spec.lua:%d+: cannot resume dead coroutine$")
end)

t.test("coroutines that are not suspended cannot be resumed", function()
  t.equal(pack(coroutine.resume((coroutine.running()))), pack(false, "cannot resume non-suspended coroutine"))
  local co
  co = coroutine.create(function() return coroutine.resume(co) end)
  t.equal(pack(coroutine.resume(co)), pack(true, false, "cannot resume non-suspended coroutine"))
  local wrapped
  wrapped = coroutine.wrap(function() return pcall(wrapped) end)
  t.equal(pack(wrapped()), pack(false, "cannot resume non-suspended coroutine"))
  local main = coroutine.running()
  local inner = coroutine.create(function() return coroutine.resume(main) end)
  t.equal(pack(coroutine.resume(inner)), pack(true, false, "cannot resume non-suspended coroutine"))
end)

t.test("one that resumed another by resume is normal, and cannot be resumed", function()
  local outer
  outer = coroutine.create(function()
    return coroutine.resume(coroutine.create(function() return coroutine.resume(outer) end))
  end)
  t.equal(pack(coroutine.resume(outer)), pack(true, true, false, "cannot resume non-suspended coroutine"))
end)

t.test("one that resumed another by wrap is normal, and cannot be resumed", function()
  local outer
  outer = coroutine.create(function()
    local inner = coroutine.wrap(function() return coroutine.resume(outer) end)
    return inner()
  end)
  t.equal(pack(coroutine.resume(outer)), pack(true, false, "cannot resume non-suspended coroutine"))
end)

t.test("wrong arguments", function()
  t.raises(function() coroutine.resume(1) end, "bad argument #1 to '")
  t.raises(function() coroutine.resume() end, "bad argument #1 to '")
  t.raises(function() coroutine.wrap(1) end, "function expected, got number")
  t.raises(function() coroutine.wrap() end, "function expected, got no value")
  t.raises(function() coroutine.create {} end, "function expected, got table")
  t.raises(function() coroutine.status() end, "bad argument #1 to '")
  t.raises(function() coroutine.close(coroutine.running()) end, "cannot close a running coroutine")
end)

t.test("yields pass pcall, xpcall and metamethods", function()
  local object = setmetatable({}, {
    __index = function(_, key) return coroutine.yield("index " .. key) end,
    __add = function() return coroutine.yield "add" end,
    __call = function(_, x) return coroutine.yield("call " .. x) end,
    __lt = function() return coroutine.yield "lt" end,
    __concat = function() return coroutine.yield "concat" end,
    __eq = function() return coroutine.yield "eq" end,
  })
  local wrapped = coroutine.wrap(function()
    local results = {}
    results[1] = pack(pcall(function() return coroutine.yield "pcall" end))
    results[2] = pack(pcall(function() coroutine.yield "then" error("raised", 0) end))
    results[3] = pack(xpcall(function() coroutine.yield "xpcall" error("x", 0) end, function(e) return e .. "!" end))
    results[4] = { object.key, object + 1, object(7), object < object, object .. "", object == setmetatable({},
      getmetatable(object)) }
    return results
  end)
  local seen = {}
  local value = wrapped()
  while type(value) == "string" do
    seen[#seen + 1] = value
    value = wrapped(#seen)
  end
  t.equal(seen, { "pcall", "then", "xpcall", "index key", "add", "call 7", "lt", "concat", "eq" })
  t.equal(value, { pack(true, 1), pack(false, "raised"), pack(false, "x!"), { 4, 5, 6, true, 8, true } })
end)

t.test("a for-in iterator made by wrap", function()
  local function range(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, i * i) end end) end
  local sum, squares = 0, 0
  for i, square in range(5) do sum, squares = sum + i, squares + square end
  t.equal({ sum, squares }, { 15, 55 })
end)

t.test("where Lua cannot yield, yield says so, and the coroutine is dead after it", function()
  local co = coroutine.create(function() table.sort({ 2, 1 }, function() coroutine.yield() end) end)
  t.equal(pack(coroutine.resume(co)), pack(false, "attempt to yield across a C-call boundary"))
  t.equal(coroutine.status(co), "dead")
  t.raises(coroutine.yield, "attempt to yield from outside a coroutine")
end)

t.test("a light userdata or any other value that scripts yield is theirs", function()
  local cjson_ok, cjson = pcall(require, "cjson")
  local values = { cjson_ok and cjson.null or 0, io.stdout, print, false }
  local wrapped = coroutine.wrap(function() for _, value in ipairs(values) do coroutine.yield(value) end end)
  for _, value in ipairs(values) do t.ok(rawequal(wrapped(), value), "the same value") end
end)

t.test("close: suspended, with to-be-closed variables", function()
  local log = {}
  local co = coroutine.create(function()
    local _ <close> = closing(log, "a")
    local _ <close> = closing(log, "b")
    coroutine.yield(1)
  end)
  coroutine.resume(co)
  t.equal(pack(coroutine.close(co)), pack(true))
  t.equal(log, { "b:nil", "a:nil" })
  t.equal(coroutine.status(co), "dead")
  t.equal(pack(coroutine.close(co)), pack(true))
  t.equal(pack(coroutine.resume(co)), pack(false, "cannot resume dead coroutine"))
  t.equal(pack(coroutine.close(coroutine.create(print))), pack(true))
end)

t.test("close: an error in __close is what it returns, and the other variables are closed with it", function()
  local log = {}
  local co = coroutine.create(function()
    local _ <close> = closing(log, "a")
    local _ <close> = closing(log, "b", "from b")
    coroutine.yield(1)
  end)
  coroutine.resume(co)
  t.equal(pack(coroutine.close(co)), pack(false, "from b"))
  t.equal(log, { "b:nil", "a:from b" })
end)

t.test("close: of one that failed returns its error", function()
  local log = {}
  local co = coroutine.create(function()
    local _ <close> = closing(log, "a")
    error("first", 0)
  end)
  t.equal(pack(coroutine.resume(co)), pack(false, "first"))
  t.equal(log, {}, "resume leaves the variables open")
  t.equal(pack(coroutine.close(co)), pack(false, "first"))
  t.equal(log, { "a:first" })
  t.equal(pack(coroutine.close(co)), pack(true))
end)

t.test("wrap closes the variables of a coroutine that failed; an error in __close replaces the first", function()
  local log = {}
  local ok, message = pcall(coroutine.wrap(function()
    local _ <close> = closing(log, "a")
    error("first", 0)
  end))
  t.equal({ ok, message, log }, { false, "first", { "a:first" } })
  log = {}
  ok, message = pcall(coroutine.wrap(function()
    local _ <close> = closing(log, "a")
    local _ <close> = closing(log, "b", "second")
    error("first", 0)
  end))
  t.equal({ ok, message, log }, { false, "second", { "b:first", "a:second" } })
end)

t.test("to-be-closed variables in a coroutine that ends by itself, and around a yield", function()
  local log = {}
  local wrapped = coroutine.wrap(function()
    do
      local _ <close> = closing(log, "a")
      coroutine.yield(#log)
    end
    return #log
  end)
  t.equal(wrapped(), 0)
  t.equal(wrapped(), 1)
end)

t.test("__close may yield", function()
  local wrapped = coroutine.wrap(function()
    local _ <close> = setmetatable({}, { __close = function() coroutine.yield "closing" end })
    return "done"
  end)
  t.equal(wrapped(), "closing")
  t.equal(wrapped(), "done")
end)

t.test("the fourth value of a for-in loop is closed when the loop is left", function()
  local log = {}
  for i in function(_, i) return (i or 0) + 1 end, nil, nil, closing(log, "loop") do if i == 3 then break end end
  t.equal(log, { "loop:nil" })
end)

t.test("a recursion of coroutines ends with an error, not with a crash", function()
  local function deeper(n) return coroutine.wrap(function() return deeper(n + 1) end)() end
  local ok, message = pcall(deeper, 1)
  t.equal(ok, false)
  t.ok(message:find("C stack overflow", 1, true), message:sub(-200))
  local depth = 0
  local function resume_deeper()
    depth = depth + 1
    local inner_ok, inner = coroutine.resume(coroutine.create(resume_deeper))
    if not inner_ok then error(inner, 0) end
  end
  ok, message = pcall(resume_deeper)
  t.equal(ok, false)
  t.ok(message:find("C stack overflow", 1, true), message:sub(-200))
  t.ok(depth > 100, "at a depth that nobody reaches by intent")
end)

t.test("ten thousand coroutines alive at once, and collected", function()
  local all = {}
  for i = 1, 10000 do
    all[i] = coroutine.wrap(function() local x = coroutine.yield(i) return x + i end)
    all[i]()
  end
  local sum = 0
  for i = 1, 10000 do sum = sum + all[i](1) end
  t.equal(sum, 10000 + 10000 * 10001 // 2)
end)

t.test("symmetric hand-over and a recursive generator", function()
  local function permutations(list, n)
    if n <= 1 then
      coroutine.yield(table.concat(list))
      return
    end
    for i = 1, n do
      list[n], list[i] = list[i], list[n]
      permutations(list, n - 1)
      list[n], list[i] = list[i], list[n]
    end
  end
  local found = {}
  for text in coroutine.wrap(function() permutations({ "a", "b", "c" }, 3) end) do found[#found + 1] = text end
  t.equal(found, { "bca", "cba", "cab", "acb", "bac", "abc" })
end)

t.test("debug.traceback of a suspended coroutine shows its lines", function()
  local co = coroutine.create(function() coroutine.yield() end)
  coroutine.resume(co)
  t.matches(debug.traceback(co), "coroutines_spec.lua:%d+: in function")
end)

-- ==== Waits: outside of an item they block ====

local function need_evalua()
  if not pcall(require, "evalua.native.task") then t.skip "the waits are evalua's" end
  return require "evalua"
end

t.test("a wait outside of an item blocks, in coroutines too, and is no yield", function()
  local eval = need_evalua()
  local co = coroutine.create(function(x) eval.sleep(5) return coroutine.yield(x + 1) end)
  local begin = os.time()
  t.equal(pack(coroutine.resume(co, 1)), pack(true, 2))
  t.equal(coroutine.status(co), "suspended")
  t.equal(pack(coroutine.resume(co, "end")), pack(true, "end"))
  t.ok(os.time() - begin < 5)
  t.equal(coroutine.wrap(function() return pcall(function() eval.sleep(1) return 7 end) end)(), true)
end)

t.test("outside of an item a wait is possible in a sort comparator", function()
  local eval = need_evalua()
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b) eval.sleep(0) return a < b end)
  t.equal(list, { 1, 2, 3 })
  t.equal((("abc"):gsub(".", function(c) eval.sleep(0) return c:upper() end)), "ABC")
end)
