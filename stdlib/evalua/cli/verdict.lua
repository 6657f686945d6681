-- The exit code and the verdict of a run of several experiments.

local fail = require "evalua.cli.fail"

local verdict = {}

local order = { error = 5, fail = 4, inconclusive = 3, pass = 2, none = 1 }

---The verdict over several experiments: the worst there is; `none` only where nothing gated.
---@param summaries table[]
---@return string
function verdict.of(summaries)
  local worst = "none"
  for _, summary in ipairs(summaries) do
    local own = summary.verdict or "none"
    if (order[own] or 5) > order[worst] then worst = order[own] and own or "error" end
  end
  return worst
end

---The exit code of a run: that of its experiments whose cause comes first.
---@param summaries table[]
---@return integer
function verdict.exit_code(summaries)
  local codes = {}
  for position, summary in ipairs(summaries) do codes[position] = summary.exit_code or fail.codes.ok end
  return require("evalua.rules").worst_exit_code(codes)
end

return verdict
