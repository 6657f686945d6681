-- equals: the output and the ground truth are the same JSON value.

local json = require "evalua.json"
local value = require "evalua.scorer.value"

-- Whether a path such as "items.2.id" is one that a pattern such as "items.*.id" means.
local function path_matches(pattern, path, depth)
  if #pattern ~= depth then return false end
  for position = 1, depth do
    if pattern[position] ~= "*" and pattern[position] ~= path[position] then return false end
  end
  return true
end

local function ignored(state, depth)
  for _, pattern in ipairs(state.ignore) do
    if path_matches(pattern, state.path, depth) then return true end
  end
  return false
end

local function path_text(state, depth)
  if depth == 0 then return "the whole" end
  return table.concat(state.path, ".", 1, depth)
end

local function differs(state, depth, output, expected)
  return ("at %s: expected %s, got %s"):format(path_text(state, depth), value.show(expected), value.show(output))
end

local function same_number(state, left, right)
  if left == right then return true end
  if state.tolerance == nil then return false end
  -- The last bits of a difference of decimals are noise: 1.1 - 1.0 is within 0.1.
  return math.abs(left - right) <= state.tolerance + 4e-16 * math.max(math.abs(left), math.abs(right))
end

local compare

local function compare_tables(state, depth, output, expected)
  local is_list = value.is_list(output)
  if is_list ~= value.is_list(expected) then return differs(state, depth, output, expected) end
  for key, wanted in next, expected do
    state.path[depth + 1] = tostring(key)
    local problem = compare(state, depth + 1, output[key], wanted)
    if problem then return problem end
  end
  for key, extra in next, output do
    if expected[key] == nil then
      state.path[depth + 1] = tostring(key)
      if not ignored(state, depth + 1) then
        return ("at %s: not expected, got %s"):format(path_text(state, depth + 1), value.show(extra))
      end
    end
  end
  return nil
end

-- Nil when equal, else where the first difference is.
compare = function(state, depth, output, expected)
  if rawequal(output, expected) or #state.ignore > 0 and ignored(state, depth) then return nil end
  local kind = type(expected)
  if type(output) ~= kind then return differs(state, depth, output, expected) end
  if kind == "table" then return compare_tables(state, depth, output, expected) end
  if kind == "number" and same_number(state, output, expected) or output == expected then return nil end
  return differs(state, depth, output, expected)
end

local function patterns_of(settings, problem)
  local patterns = {}
  local given = settings.ignore or {}
  if type(given) == "string" then given = { given } end
  for position, path in ipairs(given) do
    if type(path) ~= "string" or path == "" then
      problem(('`ignore` is a list of paths such as "id" or "items.*.time"; element %d is not one'):format(position))
    end
    local keys = {}
    for key in (path .. "."):gmatch("(.-)%.") do keys[#keys + 1] = key end
    patterns[position] = keys
  end
  return patterns
end

return {
  description = "The output is the same JSON value as the ground truth: deeply, 1 equals 1.0, the order of keys does "
    .. "not matter, [] is not {}. The reason names the first difference.",
  positional = "value",
  options = {
    { "value", "any", help = "expected instead of the ground truth" },
    { "ignore", "list|text", help = 'paths left out, such as "id" or "items.*.time"; lists count from 1' },
    { "tolerance", "number", min = 0, help = "numbers may differ by this much" },
    { "parse", "boolean", help = "read an output that is a string as JSON first" },
  },
  prepare = function(settings, problem)
    -- One state for all calls: a comparison never waits, so no two of them overlap.
    local state = { ignore = patterns_of(settings, problem), tolerance = settings.tolerance, path = {} }
    return function(run)
      local expected, why = value.expected(settings, run)
      if expected == nil then return nil, why end
      local output = run.output
      if output == nil then output = json.null end
      if settings.parse and type(output) == "string" then
        local parsed, message = json.decode(output, { mode = "foreign" })
        if parsed == nil then return false, "the output is not JSON: " .. message end
        output = parsed
      end
      local difference = compare(state, 0, output, expected)
      return difference == nil, difference
    end
  end,
}
