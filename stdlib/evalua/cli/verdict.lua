-- The exit code and the verdict of a run of several experiments, by DESIGN: 130, 3, 4, 1, 5 in this order.

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

---The exit code of a run.
---@param summaries table[]
---@param inconclusive string? "fail" where a rule without a verdict counts
---@return integer
function verdict.exit_code(summaries, inconclusive)
  local codes = fail.codes
  local found = {}
  for _, summary in ipairs(summaries) do
    if summary.exit_code then found[summary.exit_code] = true end
    if summary.status == "cancelled" or summary.status == "interrupted" then found[codes.interrupted] = true end
    if summary.verdict == "error" then found[codes.incomplete] = true end
    if summary.verdict == "fail" then found[codes.rule] = true end
    if summary.verdict == "inconclusive" and inconclusive == "fail" then found[codes.inconclusive] = true end
  end
  for _, code in ipairs { codes.interrupted, codes.script, codes.incomplete, codes.rule, codes.inconclusive } do
    if found[code] then return code end
  end
  return codes.ok
end

return verdict
