"""The shop's data: what exists, how it changes, and what a full copy of it must look like (the oracle).

A record's content is a pure function of (seed, stream, id, version); only the moment of a change is state, and it follows from the
sequence of `mutate` calls alone. So two servers with the same options and the same calls hold the same bytes.

Records are JSON text from the start and are never parsed on the way out: `total_amount` keeps its two decimals, and a page of
1,000 records is a join of 1,000 cached strings. Everything is generated on first use; nothing is built per request.

Order of a listing: by (cursor, id), or "shuffled": by a fixed bijection of the record's number, so that a record keeps its place
however often it changes. Both allow a page token to name the last record seen and to stay good while the data changes.
"""

import json
from array import array
from bisect import bisect_left, bisect_right

MASK = (1 << 64) - 1
START_MS = 1704153600000  # 2024-01-02T00:00:00Z, the first cursor value
GROUP = 3                 # so many neighbours share one cursor value: boundaries are always in the middle of equals
STEP_MS = 30000           # between two groups: five million records end in 2025
STREAMS = ("orders", "customers", "order_events")


def mix(*numbers):
    """SplitMix64's finaliser over a few integers: 64 well spread bits."""
    z = 0
    for number in numbers:
        z = (z + number + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
    return z


TIMES = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86400)]
DAYS = {}


def day_text(days):
    """Days since 1970-01-01 -> "2024-01-15T" (Howard Hinnant's civil_from_days)."""
    text = DAYS.get(days)
    if text is None:
        z = days + 719468
        era, doe = divmod(z, 146097)
        yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
        doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
        mp = (5 * doy + 2) // 153
        month = mp + 3 if mp < 10 else mp - 9
        text = DAYS[days] = f"{yoe + era * 400 + (month <= 2):04d}-{month:02d}-{doy - (153 * mp + 2) // 5 + 1:02d}T"
    return text


def iso_seconds(ms):
    days, seconds = divmod(ms // 1000, 86400)
    return day_text(days) + TIMES[seconds] + "Z"


def iso_millis(ms):
    days, seconds = divmod(ms // 1000, 86400)
    return f"{day_text(days)}{TIMES[seconds]}.{ms % 1000:03d}Z"


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


STATUSES = ("pending", "paid", "packed", "shipped", "delivered", "cancelled", "refunded", "paid")
EVENTS = ("order.created", "order.paid", "order.packed", "order.shipped", "order.delivered", "order.refunded",
          "order.note_added", "order.viewed")
NAMES = ("Ada Lovelace", "Zoë Ångström", "José Núñez", "李小龍", "Мария Иванова", "O'Brien, Pat", 'Jo "JJ" Jones', "نور",
         "Anne-Marie", "Bjørn Ødegård", "Søren", "Çağla", "Ngô Bảo", "Émile", "Kwame", "Ravi")
CITIES = ("Oslo", "Zürich", "São Paulo", "東京", "Kraków", "Reykjavík", "New York", "Αθήνα")
NOTES = (None, None, None, "", "leave at door", "ring twice,\nthen wait", 'say "hello"', "back\\slash", "tab\there", "emoji 📦🚚",
         "null", "\\N", "comma, semi; colon:", " leading and trailing ", "crlf\r\nline", "100% sure")


def make_tables():
    """Pieces of records, so that one record is a handful of table look-ups."""
    items, shipping, properties = [], [], []
    for i in range(256):
        h = mix(1, i)
        cents = h % 50000 + 1
        items.append('{"sku":"SKU-%04d","title":%s,"quantity":%d,"unit_price":%d.%02d,"gift":%s}' %
                     (i, compact(f"Item {i} {NOTES[h >> 20 & 15] or ''}"), (h >> 8) % 5 + 1, cents // 100, cents % 100,
                      "true" if h >> 16 & 7 == 0 else "false"))
    for i in range(512):
        h = mix(2, i)
        shipping.append("null" if i % 64 == 63 else compact({
            "name": NAMES[h & 15], "street": f"{h >> 8 & 255} Main St", "city": CITIES[h >> 16 & 7],
            "zip": f"{h >> 20 & 0xffff:05d}", "country": ("NO", "CH", "BR", "JP")[h >> 36 & 3], "note": NOTES[h >> 40 & 15]}))
        properties.append(compact({
            "source": ("web", "app", "pos", "api")[h & 3], "attempt": h >> 8 & 7, "note": NOTES[h >> 40 & 15],
            "trace": (h >> 1) | 1 << 62, "tags": ["a", "b", "c"][:h >> 12 & 3], "ok": bool(h >> 16 & 1)}))
    return items, shipping, properties


ITEMS, SHIPPING, PROPERTIES = make_tables()


def render_order(h, number, customers, created_ms, updated_ms):
    # One in 1,024 amounts is past 2^53 cents: a reader that goes through a double loses it.
    cents = 9007199254740993 + (h & 0xfff) * 2 if h >> 54 == 0 else (h >> 20) % 5000000
    count = h >> 18 & 3
    items = ",".join([ITEMS[h >> (8 * k) & 255] for k in range(count)])
    return (f'{{"id":"ord_{number:09d}","customer_id":"cus_{(h >> 24) % customers:09d}",'
            f'"total_amount":{cents // 100}.{cents % 100:02d},"status":"{STATUSES[h >> 5 & 7]}",'
            f'"created_at":"{iso_seconds(created_ms)}","updated_at":"{iso_seconds(updated_ms)}",'
            f'"items":[{items}],"shipping":{SHIPPING[h >> 44 & 511]}}}')


def render_customer(h, number, _customers, created_ms, updated_ms):
    name = "null" if h & 31 == 0 else compact(f"{NAMES[h >> 8 & 15]} {h >> 16 & 0xfff}")
    return (f'{{"id":"cus_{number:09d}","email":"user{number}.{h >> 32 & 0xffff}@example.com","name":{name},'
            f'"created_at":"{iso_seconds(created_ms)}","updated_at":"{iso_seconds(updated_ms)}"}}')


def render_event(h, number, orders, _created_ms, updated_ms):
    return (f'{{"event_id":"evt_{number:010d}","order_id":"ord_{(h >> 24) % orders:09d}","event_type":"{EVENTS[h & 7]}",'
            f'"timestamp":"{iso_millis(updated_ms)}","properties":{PROPERTIES[h >> 8 & 511]}}}')


def split_fields(text):
    """'{"a":1.50,"b":[2]}' -> [('a', '1.50'), ('b', '[2]')]: the members of an object with their text as it stands."""
    decoder = json.JSONDecoder()
    fields, at = [], 1
    while text[at] != "}":
        name, at = decoder.raw_decode(text, at)
        _, end = decoder.raw_decode(text, at + 1)
        fields.append((name, text[at + 1:end]))
        at = end + (text[end] == ",")
    return fields


class Shape:
    """A change of form that a developer of the shop made: fields added, removed or replaced in the records it covers."""

    def __init__(self, spec):
        self.only = set(spec["only"]) if spec.get("only") else None
        self.add = {name: compact(value) for name, value in spec.get("add", {}).items()}
        self.replace = {name: compact(value) for name, value in spec.get("replace", {}).items()}
        self.remove = set(spec.get("remove", []))
        for name, size in spec.get("fill", {}).items():
            self.add[name] = '"' + "x" * size + '"'

    def apply(self, record_id, text):
        if self.only is not None and record_id not in self.only:
            return text
        fields = [(name, self.replace.get(name, raw)) for name, raw in split_fields(text) if name not in self.remove]
        fields += [(name, raw) for name, raw in self.add.items() if name not in dict(fields)]
        return "{" + ",".join(f"{compact(name)}:{raw}" for name, raw in fields) + "}"


class Stream:
    """All records of one stream. Not thread-safe: the server holds its lock."""

    def __init__(self, name, count, seed, others, jitter_ms):
        self.name = name
        self.salt = STREAMS.index(name)
        self.seed = seed
        self.others = max(others, 1)  # how many records a reference may point to
        self.render_text = {"orders": render_order, "customers": render_customer, "order_events": render_event}[name]
        self.id_format = {"orders": "ord_{:09d}", "customers": "cus_{:09d}", "order_events": "evt_{:010d}"}[name]
        self.jitter_ms = jitter_ms
        self.born = array("q", (START_MS + i // GROUP * STEP_MS + (i // GROUP * 7919 % 1000 if jitter_ms else 0)
                                for i in range(count)))
        self.updated = array("q", self.born)
        self.version = {}      # number -> version, where it is not 0
        self.earlier = {}      # number -> its cursor before its last change
        self.deleted = set()
        self.cache = [None] * count
        self.shapes = []
        self.by_cursor = array("q", range(count))
        self.stamps = array("q", self.born)  # of by_cursor, for searching
        self.shuffled = None
        self.filtered = {}     # (after, before) -> shuffled numbers between them

    def __len__(self):
        return len(self.by_cursor)

    def id_of(self, number):
        return self.id_format.format(number)

    def record(self, number):
        data = self.cache[number]
        if data is None:
            data = self.cache[number] = self.render(number, self.version.get(number, 0), self.updated[number])
        return data

    def render(self, number, version, updated_ms):
        first = mix(self.seed, self.salt, number, 0)
        h = mix(self.seed, self.salt, number, version) if version else first
        created = self.born[number] - (first >> 40) % 3600 * 1000
        text = self.render_text(h, number, self.others, created, updated_ms)
        for shape in self.shapes:
            text = shape.apply(self.id_of(number), text)
        return text.encode()

    def stale(self, place, count):
        """`count` records as they were before their last change: others at each place, then the first ones again."""
        numbers = sorted(number for number in self.earlier if number not in self.deleted)
        chosen = [numbers[(place * count + i) % len(numbers)] for i in range(min(count, len(numbers)))]
        return [self.render(number, self.version[number] - 1, self.earlier[number]) for number in chosen]

    # -- reading

    def shuffle_key(self, number):
        return (number * 2654435761 + self.seed * 40503) & 0xFFFFFFFF

    def unsorted(self, after, before):
        """Numbers with after < cursor <= before in shuffled order."""
        if self.shuffled is None:
            self.shuffled = sorted(self.by_cursor, key=self.shuffle_key)
        if after is None and before is None:
            return self.shuffled
        found = self.filtered.get((after, before))
        if found is None:
            low, high = self.bounds(after, before)
            found = sorted(self.by_cursor[low:high], key=self.shuffle_key)
            if len(self.filtered) >= 64:
                self.filtered.clear()
            self.filtered[(after, before)] = found
        return found

    def bounds(self, after, before):
        low = 0 if after is None else bisect_right(self.stamps, after)
        high = len(self.stamps) if before is None else bisect_right(self.stamps, before)
        return low, max(low, high)

    def page_at(self, after, before, is_sorted, offset, limit, wanted=None):
        """(numbers, has_more) by position, as `page` listings have it: they shift when the data changes. `wanted`: only records
        with this text."""
        if wanted:
            numbers = [number for number in self.page_at(after, before, is_sorted, 0, len(self))[0] if wanted in self.record(number)]
            return numbers[offset:offset + limit], offset + limit < len(numbers)
        if is_sorted:
            low, high = self.bounds(after, before)
            first = low + offset
            return self.by_cursor[first:min(first + limit, high)], first + limit < high
        numbers = self.unsorted(after, before)
        return numbers[offset:offset + limit], offset + limit < len(numbers)

    def page_behind(self, after, before, is_sorted, last, limit):
        """(numbers, has_more) behind the place `last` = (cursor, number) or None, as token listings have it: it stays."""
        if is_sorted:
            low, high = self.bounds(after, before)
            if last is not None:
                stamp, number = last
                equal = bisect_left(self.stamps, stamp), bisect_right(self.stamps, stamp)
                low = max(low, bisect_right(self.by_cursor, number, *equal))
            return self.by_cursor[low:min(low + limit, high)], low + limit < high
        numbers = self.unsorted(after, before)
        first = 0 if last is None else bisect_right(numbers, self.shuffle_key(last[1]), key=self.shuffle_key)
        return numbers[first:first + limit], first + limit < len(numbers)

    # -- changing

    def pick(self, count, turn):
        """`count` different live numbers, the same ones each time."""
        if count > len(self):
            raise ValueError(f"{self.name} has {len(self)} records, not {count}")
        chosen, k = set(), 0
        while len(chosen) < count:
            chosen.add(self.by_cursor[mix(self.seed, self.salt, turn, k) % len(self)])
            k += 1
        return sorted(chosen)

    def mutate(self, spec, turn, now_ms):
        updates, inserts, deletes = (int(spec.get(key, 0)) for key in ("updates", "inserts", "deletes"))
        late, late_by_ms = int(spec.get("late", 0)), int(spec.get("late_by_s", 120)) * 1000
        if self.name == "order_events" and updates:
            raise ValueError("events are facts: they are inserted, never updated")
        touched = self.pick(updates + deletes, turn)
        removed = [touched[i * len(touched) // deletes] for i in range(deletes)]
        changed = [number for number in touched if number not in set(removed)]
        first_new = len(self.cache)
        # Later than everything there is, by whole seconds; a few neighbours share a value unless all shall.
        base = max(now_ms, (self.stamps[-1] if len(self.stamps) else START_MS) // 1000 * 1000 + 1000)
        group = len(changed) + inserts if spec.get("same_stamp") else GROUP

        def stamp_of(position):
            return base + position // max(group, 1) * 1000 + (7 * position // max(group, 1) % 1000 if self.jitter_ms else 0)

        gone = set(touched)
        kept = array("q", (number for number in self.by_cursor if number not in gone))
        for position, number in enumerate(changed):
            self.version[number] = self.version.get(number, 0) + 1
            self.earlier[number] = self.updated[number]
            self.updated[number] = stamp_of(position)
            self.cache[number] = None
        for position in range(inserts + late):
            stamp = stamp_of(len(changed) + position) if position < inserts else base - late_by_ms + position % 7 * 1000
            self.born.append(stamp)
            self.updated.append(stamp)
            self.cache.append(None)
        self.deleted.update(removed)
        new = list(range(first_new, len(self.cache)))
        if late:
            self.by_cursor = array("q", sorted([*kept, *changed, *new], key=lambda number: (self.updated[number], number)))
        else:
            self.by_cursor = kept + array("q", sorted(changed + new, key=lambda number: (self.updated[number], number)))
        self.stamps = array("q", (self.updated[number] for number in self.by_cursor))
        self.shuffled = None
        self.filtered.clear()
        return {"updated": [self.id_of(n) for n in changed], "inserted": [self.id_of(n) for n in new],
                "deleted": [self.id_of(n) for n in removed], "last_cursor": self.last_cursor()}

    def last_cursor(self):
        if not len(self.stamps):
            return None
        return (iso_millis if self.jitter_ms else iso_seconds)(self.stamps[-1])

    def reshape(self, spec):
        self.shapes.append(Shape(spec))
        self.cache = [None] * len(self.cache)


class Shop:
    """The three streams and the data's clock."""

    def __init__(self, seed, orders, customers, events):
        self.streams = {
            "orders": Stream("orders", orders, seed, customers, False),
            "customers": Stream("customers", customers, seed, customers, False),
            "order_events": Stream("order_events", events, seed, orders, True),
        }
        last = max([START_MS] + [s.stamps[-1] for s in self.streams.values() if len(s.stamps)])
        self.now_ms = last // 1000 * 1000 + 3600 * 1000  # an hour later than the newest record
        self.turn = 0

    def mutate(self, spec):
        stream = self.streams[spec.get("stream", "orders")]
        self.turn += 1
        result = stream.mutate(spec, self.turn, self.now_ms)
        if len(stream.stamps):
            self.now_ms = max(self.now_ms, stream.stamps[-1] // 1000 * 1000 + 1000)
        return result

    def oracle(self, name):
        stream = self.streams[name]
        for number in stream.by_cursor:
            yield stream.record(number)
