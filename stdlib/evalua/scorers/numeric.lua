-- numeric: the last number in the output is the number expected.

local json = require "evalua.json"
local numbers = require "evalua.scorer.numbers"
local strict = require "evalua.strict"
local value = require "evalua.scorer.value"

-- The texts and numbers inside a value that is no text, in the order of its list or its keys: what stands between them
-- in JSON is no separator of thousands.
local function leaves(any, texts)
  if type(any) == "table" then
    if value.is_list(any) then
      for position = 1, #any do leaves(any[position], texts) end
    else
      for _, key in ipairs(strict.keys(any)) do leaves(any[key], texts) end
    end
  else
    texts[#texts + 1] = value.text(any)
  end
  return texts
end

local function expected_number(truth, settings)
  if type(truth) == "number" then return truth end
  if type(truth) ~= "string" then return nil end
  -- References may carry the marker ("...A: 18") or be the bare number.
  return numbers.last(truth, settings.after, settings.decimal_comma) or numbers.last(truth, nil, settings.decimal_comma)
end

local function is_near(number, expected, settings)
  if number == expected then return true end
  local absolute, relative = settings.tolerance, settings.relative
  if not absolute and not relative then return false end
  -- The last bits of a difference of decimals are noise: 1.1 - 1.0 is within 0.1.
  local noise = 4e-16 * math.max(math.abs(number), math.abs(expected))
  local distance = math.abs(number - expected)
  return absolute ~= nil and distance <= absolute + noise
    or relative ~= nil and distance <= relative * math.abs(expected) + noise
end

return {
  description = "The last number in the output is the number of the ground truth. With `after`, only what follows the "
    .. "last such marker is read; an output without a number scores 0. Commas between digits separate thousands "
    .. "(1,450 and 9,9 are 1450 and 99), a sign may stand before a currency sign (-$9), exponents are read. Fractions "
    .. "and words are not: 24/7 holds the numbers 24 and 7 and so gives 7, 3 billion gives 3, x billion gives none.",
  positional = "value",
  options = {
    { "value", "number|text", help = "expected instead of the ground truth" },
    { "after", "text", help = 'read only what follows the last such marker: "A:"' },
    { "tolerance", "number", min = 0, help = "the absolute difference that is allowed" },
    { "relative", "number", min = 0, help = "the difference that is allowed as a share of the expected number" },
    { "decimal_comma", "boolean", help = "a comma marks decimals and dots separate thousands" },
  },
  prepare = function(settings, problem)
    local own = settings.value
    if own ~= nil then
      own = expected_number(own, settings)
      if not own then problem(("there is no number in the value %s"):format(value.show(settings.value))) end
    end
    return function(run)
      local expected = own
      if expected == nil then
        local truth = run.ground_truth
        if truth == nil then return nil, value.NO_TRUTH end
        expected = expected_number(truth, settings)
        if expected == nil then return nil, "there is no number in the ground truth" end
      end
      local output, number, why = run.output, nil, nil
      if type(output) == "number" then number = output
      elseif output == nil then why = value.NO_OUTPUT
      else
        local text = type(output) == "string" and output or table.concat(leaves(output, {}), "\n")
        number, why = numbers.last(text, settings.after, settings.decimal_comma)
      end
      if not number then return false, why end
      if is_near(number, expected, settings) then return true end
      return false, ("read %s, expected %s"):format(json.encode(number), json.encode(expected))
    end
  end,
}
