-- Turns files into one C source of byte arrays with an index: embed.lua OUT FILE...
-- Source text is kept as it is (not bytecode), so that error messages keep their lines.

local out_path = assert(arg[1], "usage: embed.lua OUT FILE...")
local out = assert(io.open(out_path, "wb"))

out:write('#include "lua/embedded.h"\n\n')
local index = {}
for position = 2, #arg do
  local path = arg[position]
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  local bytes = {}
  for byte_position = 1, #text do
    bytes[#bytes + 1] = string.byte(text, byte_position) .. (byte_position % 24 == 0 and ",\n" or ",")
  end
  out:write(("static const unsigned char file_%d[] = {%s0};\n"):format(position, table.concat(bytes)))
  index[#index + 1] = ('  {"%s", (const char *)file_%d, %d},'):format(path, position, #text)
end
out:write("\nconst eva_embedded_file eva_embedded_files[] = {\n", table.concat(index, "\n"), "\n  {0, 0, 0},\n};\n")
assert(out:close())
