-- Values that must never be shown or stored: what eval.env read, and environment variables that look like keys. The
-- store, stdout, stderr and reports replace them by themselves; this is for texts that are compared or hashed before.

local native = require "evalua.native.secrets"

local secrets = {}

---True for names of variables and options that look like those of keys.
---@param name string
---@return boolean
function secrets.is_name(name) return native.is_name(name) end

---Remembers a value that came from the environment. Values of fewer than 4 bytes would blank out ordinary text.
---@param name string the variable
---@param value string
function secrets.add(name, value) native.add(name, value) end

---Remembers the value of a variable if its name or the value itself looks like a key.
---@param name string
---@param value string
function secrets.consider(name, value) native.consider(name, value) end

---How many there are.
---@return integer
function secrets.count() return native.count() end

---`text` with every secret replaced by the name of its variable: `[API_KEY]`.
---@param text string
---@return string
function secrets.redact(text) return native.redact(text) end

---A stored text with `[NAME]` replaced by the value again, where this environment has it.
---@param text string
---@param is_code boolean|nil it is Lua, and the values stand in strings
---@return string
function secrets.restore(text, is_code)
  return (text:gsub("%[([%w_][%w_%-. ]*)%]", function(name)
    local value = native.value(name)
    return value and is_code and ("%q"):format(value):sub(2, -2) or value
  end))
end

return secrets
