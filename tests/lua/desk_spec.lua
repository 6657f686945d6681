-- The desk as scripts outside of an experiment use it; workers are in tests/cli/limits.bats.

local desk = require "evalua.native.desk"
local t = require "harness"

t.test("an ask is answered by the handler of its service, whatever the bytes", function()
  desk.serve("spec.echo", function(request) return request end)
  t.equal(desk.ask("spec.echo", "a\0b\xff"), "a\0b\xff")
  t.equal(desk.ask("spec.echo", ""), "")
end)

t.test("a handler may refuse with a message and a code", function()
  desk.serve("spec.refuse", function() return nil, "there is none", "missing" end)
  t.equal({ desk.ask("spec.refuse", "x") }, { nil, "there is none", "missing" })
  desk.serve("spec.refuse", function() return nil end)
  t.equal({ desk.ask("spec.refuse", "x") }, { nil, "no answer", "no_answer" })
end)

t.test("an error in a handler is an answer, not an error of who asks", function()
  desk.serve("spec.broken", function() error "it broke" end)
  local answer, message, code = desk.ask("spec.broken", "x")
  t.equal(answer, nil)
  t.matches(message, "spec%.broken: .*it broke")
  t.equal(code, "handler_failed")
  desk.serve("spec.broken", function() return { "a table" } end)
  answer, message = desk.ask("spec.broken", "x")
  t.equal(answer, nil)
  t.matches(message, "returned a table")
end)

t.test("an unknown service is said so", function()
  local answer, message, code = desk.ask("spec.nobody", "x")
  t.equal({ answer, code }, { nil, "not_found" })
  t.matches(message, 'nobody serves "spec.nobody"')
  desk.tell("spec.nobody", "x")
end)

t.test("serving a name again replaces its handler", function()
  desk.serve("spec.again", function() return "first" end)
  desk.serve("spec.again", function() return "second" end)
  t.equal(desk.ask("spec.again", "x"), "second")
end)

t.test("a tell reaches the handler", function()
  local heard
  desk.serve("spec.tell", function(message) heard = message end)
  desk.tell("spec.tell", "news")
  t.equal(heard, "news")
end)

t.test("a service may ask another one", function()
  desk.serve("spec.inner", function(request) return request:upper() end)
  desk.serve("spec.outer", function(request) return "<" .. desk.ask("spec.inner", request) .. ">" end)
  t.equal(desk.ask("spec.outer", "x"), "<X>")
end)

t.test("requests are texts", function()
  t.raises(function() desk.ask("spec.echo", {}) end, "string expected")
  t.raises(function() desk.ask("spec.echo", 1) end, "string expected")
end)
