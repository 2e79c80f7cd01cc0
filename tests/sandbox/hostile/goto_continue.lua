-- expect: deadline init.lua:3
-- A loop without a call and without a line of its own.
::again:: goto again
