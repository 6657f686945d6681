-- What built-in scorers compare: the text of an output, the value that is expected, whether two values are the same.
--
-- One rule each, for all of them. An output that is not a string is read as its JSON text. An output that is null has
-- no text, so it scores 0. An item without the ground truth that is needed is unscored, never 0 and never a pass.

local json = require "evalua.json"
local text = require "evalua.native.text"

local value = {}

value.NO_OUTPUT = "the output is null"
value.NO_TRUTH = "the item has no ground truth"

---The text of any value but nil: strings as they are, others as JSON.
---@param any any
---@return string
function value.text(any)
  if type(any) == "string" then return any end
  return json.encode(any)
end

---Without white space at its ends.
---@param subject string
---@return string
function value.trim(subject) return subject:match("^%s*(.-)%s*$") end

---A function that prepares texts for comparison as the options `ignore_case` and `trim` say, or nil for none.
---@param settings { ignore_case: boolean?, trim: boolean? }
---@return (fun(subject: string): string)|nil
function value.normaliser(settings)
  local fold, trim = text.fold, value.trim
  if settings.ignore_case and settings.trim then return function(subject) return fold(trim(subject)) end end
  if settings.ignore_case then return fold end
  if settings.trim then return trim end
  return nil
end

---Whether two values are the same, as `exact` means it: strings as they are (after `normalise`), others by their
---identity text, in which 1 and 1.0 are one number and the order of keys does not matter.
---@param left any
---@param right any
---@param normalise (fun(subject: string): string)|nil
---@return boolean
function value.same(left, right, normalise)
  if type(left) == "string" and type(right) == "string" then
    if left == right then return true end
    return normalise ~= nil and normalise(left) == normalise(right)
  end
  -- An output that is null reaches scorers as nil.
  if left == nil then left = json.null end
  if type(left) ~= type(right) then return false end
  if type(left) ~= "table" then return left == right end
  return json.identity(left) == json.identity(right)
end

---True for lists: tables that JSON writes as arrays.
---@param any any
---@return boolean
function value.is_list(any)
  if type(any) ~= "table" then return false end
  return json.is_array(any) or rawlen(any) > 0
end

---A list of values as texts, or what is wrong with it: nothing in it, or an empty text, which every text contains.
---@param any any a value or a list of values
---@return string[]|nil texts
---@return string|nil problem
function value.texts(any)
  if not value.is_list(any) then
    if type(any) == "table" then return nil, "it is an object; it must be a text or a list of texts" end
    any = { any }
  end
  local texts = {}
  for position = 1, #any do
    local element = any[position]
    if type(element) == "table" or element == json.null then
      return nil, ("its element %d is not a text"):format(position)
    end
    texts[position] = value.text(element)
    if texts[position] == "" then return nil, "it is an empty text, which everything contains" end
  end
  if #texts == 0 then return nil, "it is an empty list" end
  return texts
end

---The expected value of an item: the scorer's own `value` where it has one, else the ground truth.
---Returns nothing but a reason where there is neither.
---@param settings { value: any }
---@param run table
---@return any expected
---@return string|nil reason
function value.expected(settings, run)
  local own = settings.value
  if own ~= nil then return own end
  local truth = run.ground_truth
  if truth == nil then return nil, value.NO_TRUTH end
  return truth
end

---A value cut short, for reasons.
---@param any any
---@return string
function value.show(any)
  local shown = any == nil and "null" or json.encode(any, { repair = true })
  if #shown <= 80 then return shown end
  -- Not in the middle of a character.
  local cut = 77
  while cut > 0 and shown:byte(cut + 1) & 0xC0 == 0x80 do cut = cut - 1 end
  return shown:sub(1, cut) .. "..."
end

return value
