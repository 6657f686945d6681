-- What went wrong with a program, in words: how it ended, what it wrote to stderr, and what it printed instead.

local process_failure = {}

local STDERR_SHOWN_BYTES = 2000
local QUOTED_BYTES = 120

local failure_meta = {
  __name = "evalua.failure",
  __tostring = function(failure) return failure.message end,
}

--- Raises an error that carries more than its message.
---@param failure { message: string, code: string?, status: string?, permanent: boolean?, limit: integer?,
---  actual: integer? }
function process_failure.raise(failure) error(setmetatable(failure, failure_meta), 0) end

--- Text of a foreign program made fit for a message: control characters and bytes that are not UTF-8 are written as
--- \xNN (a newline and a tab stay when `keep_layout`), at most `limit` bytes.
---@param text string
---@param limit integer
---@param keep_layout? boolean
---@return string
function process_failure.printable(text, limit, keep_layout)
  local cut = #text > limit
  if cut then
    text = text:sub(1, limit)
    local tail = text:match "[\xC2-\xF4][\x80-\xBF]*$" -- do not halve a character
    if tail and not utf8.len(tail) then text = text:sub(1, -#tail - 1) end
  end
  local function escape(byte) return ("\\x%02X"):format(byte:byte()) end
  if not utf8.len(text) then text = text:gsub("[\x80-\xFF]", escape) end
  text = text:gsub("\xC2[\x80-\x9F]", function(pair) return (pair:gsub(".", escape)) end) -- C1 controls
  text = text:gsub("[\0-\31\127]", function(byte)
    if keep_layout and (byte == "\n" or byte == "\t") then return nil end
    if byte == "\n" then return "\\n" end
    if byte == "\t" then return "\\t" end
    if byte == "\r" then return "\\r" end
    return escape(byte)
  end)
  return cut and text .. "..." or text
end

--- The first bytes of what a program printed, in quotes.
---@param text string
---@return string
function process_failure.quoted(text)
  if text == "" then return "nothing" end
  return '"' .. process_failure.printable(text, QUOTED_BYTES) .. '"'
end

--- "\nstderr: ..." with the last of what was written there, or "".
---@param stderr string
---@return string
function process_failure.stderr_note(stderr)
  local text = stderr:gsub("%s+$", "")
  if text == "" then return "" end
  local lead = ""
  if #text > STDERR_SHOWN_BYTES then
    text = text:sub(-STDERR_SHOWN_BYTES)
    text = text:match "^[^\n]*\n(.+)$" or text:gsub("^[\x80-\xBF]+", "") -- from the next whole line on
    lead = "..."
  end
  return "\nstderr: " .. lead .. process_failure.printable(text, STDERR_SHOWN_BYTES, true)
end

--- The error code for a program that did not start.
---@param code string of the native call
---@return string
function process_failure.start_code(code)
  if code == "limit" then return "processes" end
  return code == "not_found" and "command_not_found" or "command_failed"
end

--- Raises when the time or output limit was met: these are failures whatever the caller makes of exit codes.
---@param spec { label: string, timeout_ms: number?, max_output: integer }
---@param ended table what native wait() returns
function process_failure.check_limits(spec, ended)
  local note = process_failure.stderr_note(ended.stderr)
  if ended.timed_out then
    process_failure.raise {
      message = ("%s did not end within its timeout of %g ms; it was killed%s"):format(
        spec.label, spec.timeout_ms, note),
      code = "timeout", status = "timeout",
    }
  end
  if ended.over then
    process_failure.raise {
      message = ("%s wrote too much to %s: limit output_bytes = %d, actual at least %d; it was killed"
        .. " (max_output sets the limit)"):format(spec.label, ended.over, spec.max_output, ended.over_bytes),
      code = "output_bytes", status = "limited", limit = spec.max_output, actual = ended.over_bytes,
    }
  end
end

--- Raises unless the program ended by itself with exit code 0.
---@param spec { label: string, timeout_ms: number?, max_output: integer }
---@param ended table what native wait() returns
function process_failure.check_end(spec, ended)
  process_failure.check_limits(spec, ended)
  if ended.code == 0 then return end
  local note = process_failure.stderr_note(ended.stderr)
  if ended.signal then
    process_failure.raise {
      message = ("%s was killed by %s%s"):format(spec.label, ended.signal, note),
      code = "signal_" .. ended.signal:gsub("%W", "_"),
    }
  end
  process_failure.raise {
    message = ("%s exited with code %d%s"):format(spec.label, ended.code, note),
    code = "exit_" .. ended.code,
  }
end

return process_failure
