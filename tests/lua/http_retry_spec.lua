-- Which answers are tried again, when, and which mean that no request will do.

local t = require "harness"
local message = require "evalua.http_message"
local retry = require "evalua.http_retry"
local template = require "evalua.template"

local NOW = 1445412480000 -- Wed, 21 Oct 2015 07:28:00 GMT

local function headers(text) return message.read_headers(text) end

t.test("dates in their three forms", function()
  t.equal(retry.parse_date "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000)
  t.equal(retry.parse_date "Sunday, 06-Nov-94 08:49:37 GMT", 784111777000)
  t.equal(retry.parse_date "Sun Nov  6 08:49:37 1994", 784111777000)
  t.equal(retry.parse_date "Wed, 21 Oct 2015 07:28:00 GMT", NOW)
  t.equal(retry.parse_date "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800000)
  t.equal(retry.parse_date "soon", nil)
end)

t.test("what the server asks for: milliseconds, seconds, a date", function()
  local function asked(text) return retry.server_delay_ms(headers(text), NOW) end
  t.equal(asked "Retry-After-Ms: 250.5\r\nRetry-After: 9\r\n", 250.5)
  t.equal(asked "retry-after: 1.5\r\n", 1500.0)
  t.equal(asked "Retry-After: Wed, 21 Oct 2015 07:28:03 GMT\r\n", 3000)
  t.equal(asked "Retry-After: Wed, 21 Oct 2015 07:27:00 GMT\r\n", nil)
  t.equal(asked "Retry-After: later\r\n", nil)
  t.equal(asked "Retry-After: 0\r\n", nil)
  t.equal(asked "Retry-After: nan\r\n", nil)
  t.equal(asked "Retry-After: 0x10\r\n", nil)
  t.equal(asked "Retry-After: 1, 2\r\n", nil)
  t.equal(asked "Retry-After: -5\r\n", nil)
  t.equal(asked "Retry-After: 1e3\r\n", 1e6)
  t.equal(asked "Retry-After: 1e400\r\n", math.huge)
  t.equal(asked "Retry-After-Ms: soon\r\nRetry-After: 2\r\n", 2000)
end)

t.test("statuses: 408, 409, 429 and from 500 are tried again, others not, unless the server says", function()
  for status, expected in pairs { [408] = true, [409] = true, [429] = true, [500] = true, [529] = true, [400] = false,
    [401] = false, [404] = false, [422] = false } do
    t.equal(retry.delay_after_answer(status, headers "", 0, NOW) ~= nil, expected, "status " .. status)
  end
  t.ok(retry.delay_after_answer(400, headers "x-should-retry: true\r\n", 0, NOW))
  t.equal(retry.delay_after_answer(500, headers "x-should-retry: false\r\n", 0, NOW), nil)
end)

t.test("up to 120 s are waited for, more is no further try", function()
  t.equal(retry.delay_after_answer(429, headers "retry-after: 120\r\n", 0, NOW), 120000)
  local delay, asked = retry.delay_after_answer(429, headers "retry-after: 121\r\n", 0, NOW)
  t.equal(delay, nil)
  t.equal(asked, 121000)
end)

t.test("backoff doubles from 0.5 s to 8 s, less up to a quarter", function()
  for retries, most in pairs { [0] = 500, [1] = 1000, [2] = 2000, [3] = 4000, [4] = 8000, [9] = 8000 } do
    for _ = 1, 20 do
      local ms = retry.backoff_ms(retries)
      t.ok(ms >= most * 0.75 and ms <= most, ("retry %d: %g"):format(retries, ms))
    end
  end
end)

t.test("failures: what may be chance is tried again", function()
  for code, expected in pairs { timeout = true, connect_failed = true, dns_failed = true, cut = true,
    tls_failed = false, too_large = false, bad_url = false, too_many_redirects = false } do
    t.equal(retry.delay_after_failure(code, 0) ~= nil, expected, code)
  end
end)

t.test("answers after which no request will do", function()
  local function stops(status, body) return retry.stops_run(status, retry.body_error(body)) end
  t.equal(stops(429, { error = { type = "insufficient_quota", message = "x" } }), "quota_exhausted")
  t.equal(stops(429, { error = { code = "organization_spend_limit_exceeded" } }), "quota_exhausted")
  t.equal(stops(429, { error = { details = { error_code = "enforced_spend_limit_reached" } } }), "quota_exhausted")
  t.equal(stops(429, { error = { code = "rate_limit_exceeded" } }), nil)
  t.equal(stops(400, { error = { code = "context_length_exceeded" } }), nil)
  t.equal(stops(401, nil), "bad_key")
  t.equal(stops(402, nil), "quota_exhausted")
  t.equal(stops(403, { error = "moderation" }), nil)
  t.equal(stops(529, { error = { type = "overloaded_error" } }), nil)
end)

t.test("what a body says of an error, in the forms that services have", function()
  t.equal(retry.body_error({ error = { message = "m", code = "c" } }), { message = "m", code = "c" })
  t.equal(retry.body_error({ error = "broken" }), { message = "broken" })
  for _, body in ipairs { { object = "error", message = "said", type = "invalid", code = 1 }, { detail = "said" } } do
    t.equal(retry.body_error(body), nil)
    t.equal(retry.body_error(body, true).message, "said")
  end
  t.equal(retry.body_error({ detail = { { msg = "field required" } } }, true), nil)
  local spent = retry.body_error({ message = "m", type = "insufficient_quota" }, true)
  t.equal(retry.stops_run(429, spent), "quota_exhausted")
end)

t.test("templates: places become text, JSON or the value itself", function()
  local item = { id = "a", input = { q = "x y", n = { 1, 2 } }, metadata = { lang = "de" } }
  t.equal(template.compile_text("{{id}}/{{ input.q }}?{{json input.n}}", message.escape)(item), "a/x%20y?%5B1%2C2%5D")
  t.equal(template.compile_text("{{input.q}}/{{input.q}}", message.escape, true)(item), "x y/x%20y")
  t.equal(template.compile_text("a{{input.q}}", message.escape, true)(item), "ax%20y")
  t.equal(template.compile({ a = "{{input.n}}", b = "q: {{input.q}}", c = 3, d = "{{item.metadata.lang}}" })(item),
    { a = { 1, 2 }, b = "q: x y", c = 3, d = "de" })
  t.equal(template.compile("{{input.n.2}}")(item), 2)
  local ok, problem = pcall(template.compile_text("{{input.p}}"), item)
  t.ok(not ok)
  t.equal(problem.code, "bad_template")
  t.matches(problem.message, "item a has no input.p")
  local problems = {}
  template.check({ x = "{{inptu}}" }, "body", problems)
  t.matches(problems[1], 'body.x: {{inptu}} begins with "inptu"')
end)
