-- What went wrong with a request, in words, and the URLs that may be shown in them.

local process_failure = require "evalua.process_failure"

local http_failure = {}

local SHOWN_BYTES = 500
local statuses = { timeout = "timeout", too_large = "limited" }
local permanent = { bad_url = true, too_large = true, bad_redirect = true, too_many_redirects = true }

---A URL without what may be secret: user and password, query and fragment.
---@param url string
---@return string
function http_failure.shown_url(url)
  local shown = url:gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1"):gsub("[?#].*$", "")
  return process_failure.printable(shown, SHOWN_BYTES)
end

---The start of a text of a server, fit for a message.
---@param text string
---@return string
function http_failure.shown_text(text) return process_failure.printable(text, SHOWN_BYTES) end

---Raises what a request failed of.
---@param method string
---@param url string
---@param message string
---@param code string timeout, connect_failed, dns_failed, tls_failed, too_large, cut, bad_url, ...
function http_failure.raise(method, url, message, code)
  process_failure.raise {
    message = ("%s %s: %s"):format(method, http_failure.shown_url(url), message),
    code = code, status = statuses[code], permanent = permanent[code],
  }
end

return http_failure
