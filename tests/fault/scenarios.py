"""The canonical syncs: short ones that together pass every step of the commit protocol.

A scenario is what stands in sluice.yaml, what changes in the source before the sync that meets the fault (None: nothing was synced
yet, and the table is new), and where its rows go. To add one add a line to the table; what follows from its modes, `subject.py`
works out."""

import dataclasses
import pathlib

LUA = pathlib.Path(__file__).parent / "connectors"
CHANGES = {"orders": {"updates": 30, "inserts": 20}}
LESS = {"orders": {"updates": 30, "inserts": 10, "deletes": 15}}
FEWER = {"orders": {"updates": 20, "inserts": 8}}  # for the exploded ones: an order has none to three items, others in each version
BOTH = ("orders", "order_items")


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    sync_mode: str = "incremental"
    write_mode: str = "append"
    is_sorted: bool = True          # else which rows a cursor covers is known at the end only, and they are held until then
    changes: dict = None            # of the source, between a first sync and the one that meets the fault; None: it is the first
    streams: tuple = ("orders",)
    joins: tuple = ()               # those of them that are chosen only from the sync on that meets the fault
    connector: str = "shop"         # or one of connectors/
    orders: int = 80
    customers: int = 30
    page_size: int = 20
    duplicates: int = 0             # records that come twice, per page
    stale: int = 0                  # older versions of records, per page
    attached: str = ""              # SQL after the first sync: what others hang on the table
    commit: str = "8KiB"            # size of a load: about a page
    writers: tuple = ("postgres", "csv")
    labels: str = ""                # a regular expression: enumerate these labels only

    @property
    def is_sliced(self):
        """In windows, several at once."""
        return self.connector == "windows"

    @property
    def is_parted(self):
        """Read for each customer, with a cursor for each."""
        return self.connector == "parts" and self.sync_mode == "incremental"

    @property
    def settings(self):
        mode = {"sync_mode": self.sync_mode, "write_mode": self.write_mode}
        facts = {"sync_mode": "incremental", "write_mode": "append"}  # order_events know no other
        return {name: facts if name == "order_events" else mode for name in self.streams}

    def write_mode_of(self, stream):
        return self.settings[stream]["write_mode"]


SCENARIOS = [
    Scenario("append_first"),
    Scenario("append", changes=CHANGES),
    Scenario("append_held", changes=CHANGES, is_sorted=False),
    Scenario("dedup_first", write_mode="append_dedup"),
    Scenario("dedup_first_duplicates", write_mode="append_dedup", is_sorted=False, duplicates=3, writers=("postgres",)),
    Scenario("dedup", write_mode="append_dedup", changes=CHANGES),
    Scenario("dedup_held", write_mode="append_dedup", is_sorted=False, changes=CHANGES),
    Scenario("overwrite_first", "full_refresh", "overwrite"),
    Scenario("overwrite", "full_refresh", "overwrite", changes=LESS),
    Scenario("overwrite_in_place", "full_refresh", "overwrite", changes=LESS, writers=("postgres",),
             attached="CREATE VIEW shop_raw.paid AS SELECT * FROM shop_raw.orders WHERE status = 'paid'"),
    Scenario("streams", write_mode="append_dedup", streams=("orders", "customers", "order_events"), orders=40,
             changes={"orders": {"updates": 15, "inserts": 10}, "customers": {"updates": 15, "inserts": 10},
                      "order_events": {"inserts": 25}}),
    Scenario("slices_append_first", connector="windows"),
    Scenario("slices_dedup_first", write_mode="append_dedup", connector="windows"),
    Scenario("slices_dedup", "full_refresh", "append_dedup", connector="windows", changes=CHANGES),
    Scenario("slices_overwrite", "full_refresh", "overwrite", connector="windows", changes=LESS),
    Scenario("positions_append_first", connector="stable"),
    Scenario("positions_append", connector="stable", changes=CHANGES),
    Scenario("positions_dedup", write_mode="append_dedup", connector="stable", changes=CHANGES),
    Scenario("positions_overwrite", "full_refresh", "overwrite", connector="stable", changes=LESS),
    Scenario("exploded_append_first", streams=BOTH, orders=50),
    Scenario("exploded_append_held", streams=BOTH, orders=50, is_sorted=False, changes=FEWER),
    Scenario("exploded_dedup_first", write_mode="append_dedup", streams=BOTH, orders=50, is_sorted=False, stale=3),
    Scenario("exploded_dedup", write_mode="append_dedup", streams=BOTH, orders=50, page_size=10, changes=FEWER),
    Scenario("exploded_alone", write_mode="append_dedup", streams=("order_items",), orders=50, is_sorted=False, changes=FEWER),
    Scenario("exploded_dedup_stale", write_mode="append_dedup", streams=BOTH, orders=50, is_sorted=False, stale=4, changes=FEWER),
    Scenario("exploded_dedup_joins", write_mode="append_dedup", streams=BOTH, joins=("order_items",), orders=50, changes=FEWER),
    Scenario("exploded_overwrite", "full_refresh", "overwrite", streams=BOTH, orders=50, changes=LESS),
    Scenario("exploded_overwrite_in_place", "full_refresh", "overwrite", streams=BOTH, orders=50, changes=LESS, writers=("postgres",),
             attached="CREATE VIEW shop_raw.gifts AS SELECT * FROM shop_raw.order_items WHERE gift"),
    Scenario("exploded_slices_dedup", "full_refresh", "append_dedup", connector="windows", streams=BOTH, orders=30, changes=FEWER),
    Scenario("exploded_positions_append_first", connector="stable", streams=BOTH, orders=50),
    Scenario("exploded_positions_dedup", write_mode="append_dedup", connector="stable", streams=BOTH, orders=50, changes=FEWER),
    Scenario("parts_append_first", connector="parts", customers=7, orders=60, page_size=5),
    Scenario("parts_append", connector="parts", customers=7, orders=60, page_size=5, changes=CHANGES),
    Scenario("parts_dedup", write_mode="append_dedup", connector="parts", customers=7, orders=60, page_size=5, changes=CHANGES,
             streams=("orders", "customers")),
    Scenario("parts_overwrite", "full_refresh", "overwrite", connector="parts", customers=7, orders=60, page_size=5, changes=LESS),
    Scenario("snapshot", orders=330, page_size=3, commit="1B", writers=("csv",), labels=r"csv\.(snapshot|fold)\..*"),
]


def named(name):
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


# What `./dev fault` and the sample put faults into.
CASES = [(writer, scenario) for scenario in SCENARIOS for writer in scenario.writers]
