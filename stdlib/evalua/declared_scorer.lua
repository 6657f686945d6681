-- eval.scorer: makes a scorer and registers it in the suite.

---@param given table options of eval.scorer
---@return evalua.scorer
local function declared_scorer(given)
  local made = require("evalua.scorer").declare(given)
  return require("evalua.suite").declare("scorer", made.id, made)
end

return declared_scorer
