std = "lua54"
max_line_length = 120
max_cyclomatic_complexity = false
cache = false
-- A leading underscore, or `self` in a method that keeps the shape of its siblings, is unused on purpose.
self = false
exclude_files = { "build/**" }
files["stdlib/meta/*.lua"] = { ignore = { "212", "111", "112", "113", "211", "241", "221", "231" } } -- annotations, never run
