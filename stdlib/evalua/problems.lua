-- Problems that are told together, one a line: the first 20, and how many more there are.

local problems = {}

local SHOWN_MAX = 20

---@class evalua.problem_list
---@field count integer
---@field add fun(message: string) every line of it is a problem; the text of another list counts as what it holds
---@field text fun(): string|nil nil where there is none

---An empty list of problems.
---@return evalua.problem_list
function problems.list()
  local shown = {}
  local list = { count = 0 }
  function list.add(message)
    for problem in message:gmatch("[^\n]+") do
      local more = math.tointeger(problem:match("^and (%d+) more problems$"))
      list.count = list.count + (more or 1)
      if not more and #shown < SHOWN_MAX then shown[#shown + 1] = problem end
    end
  end
  function list.text()
    if list.count == 0 then return nil end
    local more = list.count - #shown
    return table.concat(shown, "\n") .. (more > 0 and ("\nand %d more problems"):format(more) or "")
  end
  return list
end

return problems
