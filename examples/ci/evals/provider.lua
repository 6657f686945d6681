-- A stand-in for a provider's API, to record the cassette without a key: `evalua mock evals/provider.lua --port 8089`.
-- It answers like a model would: in one word where the prompt asks for one, and sometimes wrong.

local words = {
  { "billing", "charge", "invoice", "refund", "paid", "bill", "rechnung", "abgebucht" },
  { "bug", "crash", "error", "broken", "freez", "blank", "absturz", "fehler" },
  { "account", "password", "login", "log in", "locked", "e%-mail", "passwort" },
  { "feature", "could you", "wish", "would be", "please add", "missing", "wunsch" },
}

local function team_of(ticket)
  ticket = ticket:lower()
  for _, list in ipairs(words) do
    for position = 2, #list do if ticket:find(list[position]) then return list[1] end end
  end
  return "feature"
end

return {
  ["POST /v1/chat/completions"] = function(request)
    local messages = request.json.messages
    local team = team_of(messages[2].content)
    local text = messages[1].content:find "one word" and team
      or "Thank you for your ticket! I think that the " .. team .. " team should have a look at it."
    return { json = {
      id = "chatcmpl-1", object = "chat.completion", model = request.json.model,
      choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = text } } },
      usage = { prompt_tokens = #messages[1].content // 4, completion_tokens = #text // 4 },
    } }
  end,
}
