-- expect: script
-- A file that requires itself.
require "init"
