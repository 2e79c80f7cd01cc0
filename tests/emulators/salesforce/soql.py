"""The part of SOQL that connectors write: SELECT fields FROM object [WHERE a AND b ..] [ORDER BY f [ASC|DESC] ..] [LIMIT n].

Conditions compare with = != < <= > >= and [NOT] IN (..). Literals: 'text', numbers, true, false, null, dates, instants, all unquoted
but text. `count()` and FIELDS(ALL) are known. Anything else is MALFORMED_QUERY, as is a `+` that came as a space.
"""

import re

from common.seeded import parse_ms

TOKEN = re.compile(r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d)|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)|(?P<word>[A-Za-z_][A-Za-z0-9_.]*))""", re.X)
KEYWORDS = {"SELECT", "FROM", "WHERE", "AND", "ORDER", "BY", "LIMIT", "IN", "NOT", "ASC", "DESC", "NULLS", "FIRST", "LAST"}
SIZE_MAX = 100000


class BadQuery(ValueError):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def malformed(text, at):
    return BadQuery("MALFORMED_QUERY", f"unexpected token: '{text[at:at + 20].strip() or '<EOF>'}'")


class Query:
    """A parsed query: fields, object, conditions [(field, sign, value)], order [(field, descending)], limit, counts."""

    def __init__(self, text):
        if len(text) > SIZE_MAX:
            raise BadQuery("QUERY_TOO_COMPLICATED", "SOQL statements cannot be longer than 100000 characters")
        self.text, self.tokens, at = text, [], 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if not found:
                raise malformed(text, at)
            self.tokens.append((found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
            at = found.end()
        self.at = 0
        self.counts, self.all_fields, self.conditions, self.order, self.limit = False, False, [], [], None
        self.parse()

    def fail(self):
        raise malformed(self.text, self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text))

    def peek(self, *wanted):
        return self.at < len(self.tokens) and self.tokens[self.at][1].upper() in wanted and self.tokens[self.at][0] in ("word", "sign")

    def take(self, *wanted):
        if not self.peek(*wanted):
            return False
        self.at += 1
        return True

    def need(self, *wanted):
        for one in wanted:
            if not self.take(one):
                self.fail()

    def word(self):
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "word" or self.tokens[self.at][1].upper() in KEYWORDS:
            self.fail()
        self.at += 1
        return self.tokens[self.at - 1][1]

    def literal(self):
        if self.at >= len(self.tokens):
            self.fail()
        kind, text, _ = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "instant":
            return parse_ms(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text))
        if kind == "date":
            return text
        if kind == "number":
            return float(text)
        if kind == "word" and text.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text.lower()]
        self.at -= 1
        return self.fail()

    def parse(self):
        self.need("SELECT")
        self.fields = [self.field()]
        while self.take(","):
            self.fields.append(self.field())
        self.need("FROM")
        self.object = self.word()
        if self.take("WHERE"):
            self.conditions.append(self.condition())
            while self.take("AND"):
                self.conditions.append(self.condition())
        if self.take("ORDER"):
            self.need("BY")
            while True:
                field = self.word()
                descending = self.take("DESC") or (self.take("ASC") and False)
                if self.take("NULLS") and not self.take("FIRST", "LAST"):
                    self.fail()
                self.order.append((field, descending))
                if not self.take(","):
                    break
        if self.take("LIMIT"):
            self.limit = self.literal()
            if not isinstance(self.limit, float):
                self.fail()
            self.limit = int(self.limit)
        if self.at < len(self.tokens):
            self.fail()

    def field(self):
        name = self.word()
        if self.take("("):
            if name.upper() == "FIELDS":
                self.all_fields = True
                self.need("ALL")
            elif name.upper() == "COUNT":
                self.counts = True
            else:
                self.fail()
            self.need(")")
        return name

    def condition(self):
        if self.take("("):
            inner = self.condition()
            self.need(")")
            return inner
        field, negated = self.word(), self.take("NOT")
        if self.take("IN"):
            self.need("(")
            values = [self.literal()]
            while self.take(","):
                values.append(self.literal())
            self.need(")")
            return field, "NOT IN" if negated else "IN", values
        for sign in ("=", "!=", "<>", "<=", ">=", "<", ">"):
            if not negated and self.take(sign):
                return field, "!=" if sign == "<>" else sign, self.literal()
        return self.fail()


def holds(sign, mine, wanted):
    if sign in ("IN", "NOT IN"):
        return (mine in wanted) == (sign == "IN")
    if sign in ("=", "!="):
        same = mine.lower() == wanted.lower() if isinstance(mine, str) and isinstance(wanted, str) else mine == wanted
        return same == (sign == "=")
    if mine is None or wanted is None:
        return False
    return {"<": mine < wanted, "<=": mine <= wanted, ">": mine > wanted, ">=": mine >= wanted}[sign]
