-- Turns files into one C source of byte arrays with an index: embed.lua OUT FILE...
-- Lua files are there as text and compiled, not stripped: error messages keep their lines, and start-up does not pay
-- for the compiler. A program whose liblua refuses the compiled form (another Lua 5.4 release) uses the text.

local out_path = assert(arg[1], "usage: embed.lua OUT FILE...")
local out = assert(io.open(out_path, "wb"))

local function bytes_of(text)
  local bytes = {}
  for position = 1, #text do
    bytes[position] = string.byte(text, position) .. (position % 24 == 0 and ",\n" or ",")
  end
  return table.concat(bytes)
end

out:write('#include "lua/embedded.h"\n\n')
local index = {}
for position = 2, #arg do
  local path = arg[position]
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  local compiled = ""
  if path:match("%.lua$") and not path:match("^stdlib/meta/") then
    compiled = string.dump(assert(load(text, "=" .. path, "t")))
  end
  out:write(("static const unsigned char file_%d[] = {%s0};\n"):format(position, bytes_of(text)))
  out:write(("static const unsigned char code_%d[] = {%s0};\n"):format(position, bytes_of(compiled)))
  local entry = '  {"%s", (const char *)file_%d, %d, (const char *)code_%d, %d},'
  index[#index + 1] = entry:format(path, position, #text, position, #compiled)
end
out:write("\nconst eva_embedded_file eva_embedded_files[] = {\n", table.concat(index, "\n"))
out:write("\n  {0, 0, 0, 0, 0},\n};\n")
assert(out:close())
