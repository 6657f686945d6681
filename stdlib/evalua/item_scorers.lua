-- The scorers that items name, in `scorers` and in `expect`: one that there is not is found before anything runs.

local json = require "evalua.json"
local scorer = require "evalua.scorer"

local item_scorers = {}

-- The ids of scorers in a list, or in lists by category: those that only an experiment's own list makes.
local function add_ids(found, list, depth)
  if type(list) ~= "table" then return end
  for key, entry in next, list do
    if type(entry) == "table" then
      local id = rawget(entry, "id")
      if scorer.is_scorer(entry) then found[id] = true
      elseif depth > 0 and type(key) == "string" then add_ids(found, entry, depth - 1) end
    elseif type(entry) == "function" and math.type(key) then
      found.inline = (found.inline or 0) + 1
      found["scorer_" .. found.inline] = true
    end
  end
end

-- Scorers that experiments and datasets of the suite state themselves: an item's checks may speak of them.
local function stated_ids(registry)
  local found = {}
  for _, declared in ipairs(registry.experiments) do
    found.inline = 0
    add_ids(found, declared.values.scorers, 2)
  end
  for _, entry in next, registry.declared.dataset do
    found.inline = 0
    add_ids(found, entry.object.scorers, 0)
  end
  found.inline = nil
  return found
end

local function problem_with(id, registry, stated)
  if type(id) ~= "string" or stated and stated[id] then return nil end
  local ok, problem = pcall(scorer.find, id, registry, "")
  return not ok and tostring(problem):gsub("^: ", "") or nil
end

---A function that tells which scorer an item names that there is not.
---@param registry table the suite's registry
---@return fun(packed: table): string|nil problem such as `scorers: there is no scorer "exat"; did you mean "exact"?`
function item_scorers.checker(registry)
  local known, stated = {}, nil -- problems by text: items share their lists
  local function check(name, text, ids_of)
    local found = known[text]
    if found == nil then
      found = false
      for _, id in ipairs(ids_of(json.decode(text))) do
        local problem = problem_with(id, registry, name == "expect" and stated)
        if problem then
          found = name .. ": " .. problem
          break
        end
      end
      known[text] = found
    end
    return found or nil
  end
  return function(packed)
    if packed.scorers then
      local problem = check("scorers", packed.scorers, function(list) return list end)
      if problem then return problem end
    end
    if packed.expect and packed.expect:find('"scorer":', 1, true) then
      stated = stated or stated_ids(registry)
      return check("expect", packed.expect, function(list)
        local ids = {}
        for _, entry in ipairs(list) do ids[#ids + 1] = type(entry) == "table" and entry.scorer or nil end
        return ids
      end)
    end
    return nil
  end
end

return item_scorers
