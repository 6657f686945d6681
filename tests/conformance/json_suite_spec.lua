-- JSONTestSuite (nst): what must be accepted is, what must be refused is, and nothing crashes.

local t = require "harness"
local json = require "evalua.json"
local sys = require "evalua.native.sys"

--- The files of the suite's parsing part: name -> text.
local function suite_files()
  local directory = t.shared("data/json_parsing/test_parsing/y_number.json"):match("^(.*)/")
  local files = {}
  for _, name in ipairs(assert(sys.list(directory))) do
    if name:find("%.json$") then files[name] = t.read_file(directory .. "/" .. name) end
  end
  return files
end

-- y_ files that strict mode refuses, because their keys repeat.
local repeated = { ["y_object_duplicated_key.json"] = true, ["y_object_duplicated_key_and_value.json"] = true }

for _, mode in ipairs { "strict", "foreign" } do
  t.test("all files in mode " .. mode, function()
    local counts = { y = 0, n = 0, i = 0 }
    for name, text in pairs(suite_files()) do
      local kind = name:sub(1, 1)
      local value, message, code = json.decode(text, { mode = mode })
      counts[kind] = counts[kind] + 1
      local is_refused = kind == "n" or mode == "strict" and repeated[name]
      if is_refused then t.ok(value == nil, name .. " was accepted") end
      if kind == "y" and not is_refused then t.ok(value ~= nil, name .. ": " .. tostring(message)) end
      if value == nil then
        t.matches(message, "^line %d+ column %d+: ", name)
        t.ok(code == "parse" or code == "limit", name)
      end
    end
    t.equal(counts, { y = 95, n = 188, i = 35 })
  end)

  -- The reader of values and the rewriter of texts are two programs over one parser.
  t.test("canonical text agrees with decoding in mode " .. mode, function()
    for name, text in pairs(suite_files()) do
      local value = json.decode(text, { mode = mode })
      local canonical = json.canonical(text, "storage", mode)
      t.equal(canonical ~= nil, value ~= nil, name)
      if value ~= nil then
        t.equal(json.encode(value), canonical, name)
        t.equal(json.canonical(canonical, "storage"), canonical, name)
        t.identical(json.decode(canonical), value, name)
      end
    end
  end)
end

t.test("choices where the standard leaves one", function()
  local files = suite_files()
  local function foreign(name) return json.decode(files["i_" .. name .. ".json"], { mode = "foreign" }) end
  local function strict(name) return json.decode(files["i_" .. name .. ".json"]) end
  t.identical(foreign "number_too_big_pos_int", { 1e20 })
  t.equal(strict "number_too_big_pos_int", nil)
  t.identical(foreign "number_real_underflow", { 0.0 })
  t.identical(strict "number_real_underflow", { 0.0 })
  t.equal(foreign "number_huge_exp", nil)
  t.equal(foreign "string_inverted_surrogates_U+1D11E", { "\u{FFFD}\u{FFFD}" })
  t.equal(strict "string_inverted_surrogates_U+1D11E", nil)
  t.equal(foreign "string_1st_valid_surrogate_2nd_invalid", { "\u{FFFD}\u{1234}" })
  t.equal(foreign "structure_UTF-8_BOM_empty_object", {})
  t.equal(strict "structure_UTF-8_BOM_empty_object", nil)
  t.equal(foreign "string_invalid_utf-8", nil)
  t.ok(strict "structure_500_nested_arrays")
end)

t.test("the transform files keep their meaning", function()
  local directory = t.shared("data/json_parsing/test_transform/number_1.0.json"):match("^(.*)/")
  local function foreign(name) return json.decode(t.read_file(directory .. "/" .. name), { mode = "foreign" }) end
  t.identical(foreign "number_1.0.json", { 1.0 })
  t.identical(foreign "number_9223372036854775807.json", { math.maxinteger })
  t.identical(foreign "number_9223372036854775808.json", { 2.0 ^ 63 })
  t.identical(foreign "number_-9223372036854775808.json", { math.mininteger })
  t.identical(foreign "number_1e6.json", { 1e6 })
  t.identical(foreign "number_1.000000000000000005.json", { 1.0 })
  t.equal(foreign "object_key_nfc_nfd.json", { ["\u{E9}"] = "NFC", ["e\u{301}"] = "NFD" })
  t.equal(foreign "object_same_key_different_values.json", { a = 2 })
end)
