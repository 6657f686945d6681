-- What contains, excludes and starts_with share: one text or several, looked for in the text of the output.

local native = require "evalua.native.text"
local value = require "evalua.scorer.value"

local search = {}

search.plain_options = {
  { "value", "any", help = "a text or a list of texts; the ground truth where absent" },
  { "ignore_case", "boolean", help = "compare without regard to case" },
}
search.options = {
  search.plain_options[1], search.plain_options[2],
  { "any", "boolean", help = "one of several texts is enough" },
  { "all", "boolean", help = "all of several texts are needed (this is the default)" },
}

---@alias evalua.search fun(subject: string, texts: string[], settings: table): boolean, string?

---@type evalua.search
function search.contains(subject, texts, settings)
  local any = settings.any
  for _, text in ipairs(texts) do
    local found = subject:find(text, 1, true) ~= nil
    if any and found then return true end
    if not any and not found then return false, "missing: " .. value.show(text) end
  end
  if any then return false, "none of the texts is in the output" end
  return true
end

---@type evalua.search
function search.excludes(subject, texts)
  for _, text in ipairs(texts) do
    if subject:find(text, 1, true) then return false, "found: " .. value.show(text) end
  end
  return true
end

---@type evalua.search
function search.starts_with(subject, texts)
  for _, text in ipairs(texts) do
    if subject:sub(1, #text) == text then return true end
  end
  return false
end

local function folded(texts)
  local list = {}
  for position, text in ipairs(texts) do list[position] = native.fold(text) end
  return list
end

---A score function that looks for the scorer's own texts, or for those of each item.
---@param settings { value: any, ignore_case: boolean?, any: boolean?, all: boolean? }
---@param problem fun(message: string)
---@param look evalua.search
---@return fun(run: table): boolean?, string?
function search.prepare(settings, problem, look)
  if settings.any and settings.all then problem("`any` and `all` exclude each other") end
  local own, ignore_case = nil, settings.ignore_case
  if settings.value ~= nil then
    local why
    own, why = value.texts(settings.value)
    if not own then problem("the value is wrong: " .. why) end
    if ignore_case then own = folded(own) end
  end
  return function(run)
    local texts = own
    if not texts then
      local truth = run.ground_truth
      if truth == nil then return nil, value.NO_TRUTH end
      local why
      texts, why = value.texts(truth)
      if not texts then return nil, "the ground truth cannot be looked for: " .. why end
      if ignore_case then texts = folded(texts) end
    end
    local output = run.output
    if output == nil then return false, value.NO_OUTPUT end
    local subject = value.text(output)
    if ignore_case then subject = native.fold(subject) end
    return look(subject, texts, settings)
  end
end

return search
