-- Reports in Lua: harmless text, annotations, and queries of a store.
local t = require "harness"
local github = require "evalua.report.github"
local json = require "evalua.json"
local native = require "evalua.native.store"
local parts = require "evalua.report.parts"

t.test("a value is cut at a character and says so", function()
  t.equal(parts.cut("äöü", 3), "ä…")
  t.equal(parts.cut("abc", 3), "abc")
  t.equal(parts.text_of('"a\\u0000b\\u001b[31mred"', 100), "a\\x00bred")
  t.equal(parts.text_of('{"a":1}', 100), '{"a":1}')
  t.equal(parts.text_of(nil, 100), nil)
  local long = parts.text_of(json.encode(("ö"):rep(100000)), 64)
  t.ok(#long <= 67 and utf8.len(long))
end)

t.test("what is wrong with a result has a kind, a code and one line", function()
  t.equal(parts.problem { status = "ok", passed = true, scores = {} }, nil)
  local kind, code, message = parts.problem { status = "error",
    error = '{"message":"a\\nb ##[error]c","code":"broken"}' }
  t.equal({ kind, code, message }, { "error", "broken", "a\\nb # #[error]c" })
  kind, code = parts.problem { status = "ok", passed = false,
    scores = { { scorer_id = "exact", status = "ok", score = 0.0, passed = false } } }
  t.equal({ kind, code }, { "failure", "not_passed" })
  kind, code = parts.problem { status = "ok", passed = false,
    scores = { { scorer_id = "judge", status = "error", error = '{"message":"no"}' } } }
  t.equal({ kind, code }, { "error", "scorer_error" })
  t.equal((parts.problem { status = "skipped" }), "skipped")
end)

t.test("an annotation is one line whose parts cannot be left", function()
  t.equal(github.annotation("error", nil, "a,b: c", "50%\n::error::x"),
    "::error title=a%2Cb%3A c::50%25%0A::error::x\n")
end)

local function store() return assert(native.open(":memory:", { create = true })) end

t.test("a query gives its columns and rows, null as json.null", function()
  local query = assert(store():query("select 1 as a, 2.5 as b, 'x' as c, null as d union all select 2, 3.5, 'y', 4"))
  t.equal(query:columns(), { "a", "b", "c", "d" })
  t.equal(query:next(), { 1, 2.5, "x", json.null })
  t.equal(query:next(), { 2, 3.5, "y", 4 })
  t.equal(query:next(), nil)
  t.equal(query:next(), nil)
  t.raises(function() query:columns() end, "ended")
end)

t.test("a query gives at most its limit", function()
  local query = assert(store():query("select name from meta union select 'zz'", 1))
  t.ok(query:next())
  t.equal(query:next(), nil)
  t.equal(assert(store():query("select 1", 0)):next(), nil)
end)

t.test("a query that does more than read is refused", function()
  local open = store()
  for _, sql in ipairs { "delete from results", "begin", "attach ':memory:' as x", "pragma user_version = 3",
    "create temp table x (y)", "select 1; select 2", "", "select 1 from nowhere", "select '\0'" } do
    local query, message, code = open:query(sql)
    t.equal(query, nil)
    t.equal(code, "argument")
    t.ok(#message > 10, message)
  end
  t.ok(open:query("pragma table_info(results)"))
  t.ok(open:query("with t as (select 1 as a) select * from t;  "))
  t.ok(open:begin()) -- nothing that was refused is left behind
  open:rollback()
end)

t.test("a query outlives its store without harm", function()
  local open = store()
  local query = assert(open:query("select 1"))
  open:close()
  t.raises(function() query:next() end, "closed")
  query:close()
end)

t.test("the views hold what the tables do", function()
  local open = store()
  for _, view in ipairs { "v_experiments", "v_results", "v_scores" } do
    local query = assert(open:query("select * from " .. view))
    t.ok(#query:columns() > 10)
    t.equal(query:next(), nil)
  end
end)
