local t = require "harness"
local store_context = require "evalua.store_context"

t.test("a store is made where there is none, and opened once", function()
  store_context.close()
  local path = t.temp_path("a.db")
  os.remove(path)
  t.equal(store_context.open(path, { read_only = true, optional = true }), nil)
  local store = store_context.open(path, { create = true })
  t.ok(rawequal(store_context.open(path), store))
  t.ok(rawequal(store_context.current(), store))
  t.equal({ store_context.url(path) }, { path, false })
  store_context.close()
  os.remove(path)
end)

t.test("what is not a store is refused with the file's name", function()
  local path = t.write_file(t.temp_path("text.db"), ("this is not a database\n"):rep(50))
  local problem = t.raises(function() store_context.open(path) end, "text.db")
  t.equal(problem.exit, 4)
  store_context.close()
end)

t.test("the project's store lies in .evalua", function()
  store_context.close()
  if os.getenv("EVALUA_STORE") then t.skip("EVALUA_STORE is set") end
  local url, is_project = store_context.url()
  t.matches(url, "/%.evalua/evalua%.db$")
  t.equal(is_project, true)
end)

store_context.close()
