"""Broken connectors: code that fails while it runs ends its own sync with 7, names file and line, and leaves what was committed.
(Mistakes that show before it runs: test_bad_config.py. Hostile code: unit.connector_sandbox.)"""

from bad import Interrupted, connector, csv_target, one_line


def test_looping_script_ends_with_7(work, shop):
    work.configure(shop, csv_target(work), connector=work.write("loop.lua", "while true do pcall(function() while true do end end) end"))
    one_line(work.run("run", code=7), "connector", "loop.lua:1", where="shop")


def test_script_error_in_the_middle(work, shop, database):
    """The page before it is kept, and the mended connector goes on there."""
    good = connector(work).read_text()
    sync = Interrupted(work, shop, database)
    work.write("bad.lua", "local count = 0\n" + good.replace('records = "orders",', """records = "orders", map = function(record)
      count = count + 1
      if count > 60 then error("no such order") end
      return record
    end,"""))
    one_line(sync.fails(7), "connector", "no such order", "bad.lua:", "record 1")
    sync.kept_a_page()
    connector(work)
    sync.heals()
