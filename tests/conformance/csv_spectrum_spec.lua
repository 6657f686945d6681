-- csv-spectrum: twelve CSV files and what they mean, as JSON.

local t = require "harness"
local csv = require "evalua.native.csv"
local json = require "evalua.json"

--- All rows of a file as objects of strings.
local function read_objects(path)
  local reader = assert(csv.open(path))
  local header, objects = reader:header(), {}
  while true do
    local cells, message = reader:next()
    if not cells then
      t.equal(message, nil, path)
      return objects
    end
    local object = {}
    for column, name in ipairs(header) do object[name] = cells[column] end
    objects[#objects + 1] = object
  end
end

for _, name in ipairs {
  "comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "location_coordinates", "newlines",
  "newlines_crlf", "quotes_and_newlines", "simple", "simple_crlf", "utf8",
} do
  t.test(name, function()
    local expected = assert(json.decode(t.read_file(t.shared("data/csv_spectrum/json/" .. name .. ".json"))))
    if not json.is_array(expected) then expected = { expected } end -- a file of one row may show just that
    local actual = read_objects(t.shared("data/csv_spectrum/csvs/" .. name .. ".csv"))
    if name == "location_coordinates" then -- upstream's two files differ in the telephone number
      actual[1]["Contact Phone Number"], expected[1]["Contact Phone Number"] = nil, nil
    end
    t.equal(actual, expected)
  end)
end
