-- Server-sent events: whatever the bytes and however they are cut into pieces, the events are those of a plain reading
-- of the standard over the whole text. EVALUA_FUZZ_SEED=N begins elsewhere, EVALUA_FUZZ_MS=N runs longer.

local t = require "harness"
local event_stream = require "evalua.event_stream"
local json = require "evalua.json"
local sys = require "evalua.native.sys"

local seed = tonumber(sys.environ "EVALUA_FUZZ_SEED" or "1")
local time_ms = tonumber(sys.environ "EVALUA_FUZZ_MS" or "500")

local seeds = {
  ": hello\n\nevent: add\ndata: 1\ndata:  two\nid: 7\nretry: 50\nfoo: bar\n\ndata\n\n",
  "event: x\r\ndata: {\"a\":\"\u{e9}\u{1f600}\"}\r\n\r\ndata: b\rdata: c\r\r",
  "\u{feff}data: first\n\nid: a\0b\ndata: [DONE]\n\n", "data", "\n\r\r\n", "retry: 12x\ndata:\ndata:\n\n",
}
local words = { "\n", "\r", "\r\n", "\n\n", "data:", "data: ", "event:", "id:", "id", "retry: 9", ":", " ", "\0",
  "\xff", "\u{e9}", "\xEF\xBB\xBF", "data", "\xC3" }

-- A generator of its own: the sequence depends on the seed alone.
local state = seed
local function draw(below)
  state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
  return (state >> 33) % below
end

local function mutated(text)
  for _ = 1, draw(6) do
    local at, kind = draw(#text + 1), draw(4)
    if kind == 0 then text = text:sub(1, at) .. string.char(draw(256)) .. text:sub(at + 1)
    elseif kind == 1 then text = text:sub(1, at) .. text:sub(at + 1 + draw(6))
    elseif kind == 2 then text = text:sub(1, at) .. text:sub(draw(#text + 1), draw(#text + 1)) .. text:sub(at + 1)
    else text = text:sub(1, at) .. words[draw(#words) + 1] .. text:sub(at + 1) end
  end
  return text
end

local function expected(text)
  local list, data, event, last_id, retry = {}, {}, nil, nil, nil
  text = text:gsub("\r\n", "\n"):gsub("\r", "\n")
  if text:sub(1, 3) == "\xEF\xBB\xBF" then text = text:sub(4) end
  if text:sub(-1) ~= "\n" then text = text .. "\n" end
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    if line == "" then
      if #data > 0 then
        list[#list + 1] = { event = event or "message", data = table.concat(data, "\n"), id = last_id, retry = retry }
      end
      data, event, retry = {}, nil, nil
    elseif line:sub(1, 1) ~= ":" then
      local name, value = line:match "^([^:]*):? ?(.*)$"
      value = json.repair(value)
      if name == "data" then data[#data + 1] = value
      elseif name == "event" then event = value ~= "" and value or nil
      elseif name == "id" and not value:find("\0", 1, true) then last_id = value
      elseif name == "retry" and value:find "^%d+$" then retry = math.tointeger(tonumber(value)) end
    end
  end
  return list
end

local function in_pieces(text)
  local at, most = 1, draw(2) == 0 and 3 or #text + 1
  return function()
    if at > #text then return nil end
    local size = draw(most) -- an empty piece is one too
    local piece = text:sub(at, at + size - 1)
    at = at + size
    return piece
  end
end

local function found(text)
  local list = {}
  for event in event_stream.events(in_pieces(text)) do list[#list + 1] = event end
  return list
end

t.test("events: mutated streams in random pieces are read as the standard says", function()
  local until_ms, number = sys.monotonic_ms() + time_ms, 0
  repeat
    local text = mutated(seeds[number % #seeds + 1])
    local ok, list = pcall(found, text)
    local wanted = expected(text)
    if not ok or json.encode(list) ~= json.encode(wanted) then
      error(("EVALUA_FUZZ_SEED=%d, input %d: %q\nexpected %s\ngot      %s"):format(seed, number, text,
        json.encode(wanted), ok and json.encode(list) or tostring(list)), 0)
    end
    number = number + 1
  until sys.monotonic_ms() > until_ms
  t.ok(number > 50)
end)

t.test("lines: a body in one piece is read in time that grows with its length", function()
  local text = ("{\"n\":1}\n"):rep(200000)
  local read = false
  local begin, count = os.clock(), 0
  for _ in event_stream.json_lines(function()
    if read then return nil end
    read = true
    return text
  end) do count = count + 1 end
  t.equal(count, 200000)
  t.ok(os.clock() - begin < 10, "200,000 lines took " .. os.clock() - begin .. " s of processor time")
end)
