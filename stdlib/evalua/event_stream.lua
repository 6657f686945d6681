-- Readers of streamed bodies: server-sent events and lines of JSON, from pieces of any size.

local json = require "evalua.json"
local process_failure = require "evalua.process_failure"

local event_stream = {}

event_stream.LINE_BYTES_MAX = 16 * 1024 * 1024  -- limit line_bytes
event_stream.EVENT_BYTES_MAX = 64 * 1024 * 1024 -- limit event_bytes: the data of one event

local function too_large(what, name, limit)
  process_failure.raise { message = ("%s of the stream is over the limit %s = %d"):format(what, name, limit),
    code = "too_large", status = "limited", permanent = true }
end

---An iterator over the lines of a stream, which end by LF, CR LF or (with `lone_cr`) CR. The last one
---needs no end.
---@param read fun(): string|nil gives the next piece, nil at the end
---@param lone_cr boolean
---@return fun(): string|nil
function event_stream.lines(read, lone_cr)
  local piece, from = "", 1     -- what is not read yet is piece:sub(from)
  local parts, held = {}, 0     -- the beginning of a line that has not ended
  local skip_lf, ended = false, false
  local stop = lone_cr and "[\r\n]" or "\n"
  return function()
    while not ended do
      if skip_lf and from <= #piece then
        skip_lf = false
        if piece:byte(from) == 10 then from = from + 1 end
      end
      local at = piece:find(stop, from)
      if held + (at or #piece + 1) - from > event_stream.LINE_BYTES_MAX then
        too_large("a line", "line_bytes", event_stream.LINE_BYTES_MAX)
      end
      if at then
        skip_lf = piece:byte(at) == 13
        parts[#parts + 1] = piece:sub(from, at - 1)
        local line = table.concat(parts)
        from, parts, held = at + 1, {}, 0
        if not lone_cr and line:sub(-1) == "\r" then line = line:sub(1, -2) end
        return line
      end
      if from <= #piece then
        parts[#parts + 1] = piece:sub(from)
        held = held + #piece - from + 1
      end
      piece, from = read(), 1
      if not piece then
        ended = true
        local line = table.concat(parts)
        if line ~= "" then return line end
      end
    end
    return nil
  end
end

---An iterator over server-sent events `{event, data, id, retry}`. The end of the stream ends the last event too: many
---servers leave out its empty line, and a connection that is cut raises an error in `read`.
---@param read fun(): string|nil gives the next piece of the body, nil at its end
---@return fun(): { event: string, data: string, id: string|nil, retry: integer|nil }|nil
function event_stream.events(read)
  local next_line, is_first, last_id = event_stream.lines(read, true), true, nil
  return function()
    local data, size, event, retry = {}, 0, nil, nil
    local function made()
      return { event = event or "message", data = table.concat(data, "\n"), id = last_id, retry = retry }
    end
    for line in next_line do
      if is_first then
        is_first = false
        line = line:gsub("^\xEF\xBB\xBF", "")
      end
      if line == "" then
        if #data > 0 then return made() end
        event, retry = nil, nil
      elseif line:sub(1, 1) ~= ":" then
        local name, value = line:match "^([^:]*): ?(.*)$"
        if not name then name, value = line, "" end
        if not utf8.len(value) then value = json.repair(value) end
        if name == "data" then
          data[#data + 1] = value
          size = size + #value + 1
          if size > event_stream.EVENT_BYTES_MAX then
            too_large("an event", "event_bytes", event_stream.EVENT_BYTES_MAX)
          end
        elseif name == "event" then
          event = value ~= "" and value or nil
        elseif name == "id" and not value:find("\0", 1, true) then
          last_id = value
        elseif name == "retry" and value:find "^%d+$" then
          retry = math.tointeger(tonumber(value))
        end
      end
    end
    return #data > 0 and made() or nil
  end
end

---An iterator over lines of JSON; empty lines are passed over. A line that is not JSON is an error.
---@param read fun(): string|nil
---@return fun(): any, string|nil value (eval.null for null) and its line; nil at the end
function event_stream.json_lines(read)
  local next_line, number = event_stream.lines(read, false), 0
  return function()
    for line in next_line do
      number = number + 1
      if line:find "%S" then
        local value, message = json.decode(line, { mode = "foreign" })
        if value == nil then
          process_failure.raise { code = "bad_json", message = ("line %d of the stream is not JSON: %s: %s"):format(
            number, tostring(message), process_failure.quoted(line)) }
        end
        return value, line
      end
    end
    return nil
  end
end

return event_stream
