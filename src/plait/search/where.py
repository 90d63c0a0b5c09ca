"""Filters on columns: parsed, checked, and written again from the parts, so that nothing else reaches the database."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from plait.errors import DataError, unknown

TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|`[^`]*`)
      | (?P<word>[^\W\d]\w*)
      | (?P<mark><=|>=|<>|!=|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
COMPARE = {"<", "<=", ">", ">=", "=", "==", "!=", "<>"}
RESERVED = {"and", "or", "not", "in", "like", "between", "is", "null", "true", "false"}
DEEPEST = 50
LONGEST_WHOLE = 16  # characters of a whole number that floats hold exactly


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def parse_where(text: str, columns: Mapping[str, str], stored: Mapping[str, str] | None = None) -> str:
    """A filter such as `price < 20 and (colour = 'red' or colour is null)` as SQL that holds nothing else.

    Known are comparisons of a column with a number or a 'text', `in (…)`, `like`, `between … and …`, `is null`, and
    `and`, `or`, `not` and brackets around them. Columns with odd names stand in double quotes.

    Args:
        text: the filter.
        columns: column → `number` or `text`.
        stored: column → what the database calls it; None for the same.

    Raises:
        DataError: it is anything else, or names a column that is not there; the message says where.

    >>> parse_where("price < 20 AND name like '%red%'", {"price": "number", "name": "text"})
    "(`price` < 20 AND `name` LIKE '%red%')"
    """
    parser = _Parser(text, columns, stored or {})
    sql = parser.either(0)
    if parser.token is not None:
        parser.fail("and, or, or the end")
    return sql


class _Parser:
    def __init__(self, text: str, columns: Mapping[str, str], stored: Mapping[str, str]) -> None:
        self.text, self.columns, self.stored = text, columns, stored
        self.tokens = self._cut()
        self.place = 0

    def _cut(self) -> list[_Token]:
        tokens, at = [], 0
        while self.text[at:].strip():
            match = TOKEN.match(self.text, at)
            if match is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                raise DataError(f"--where: {self.text[at : at + 20]!r} at character {at + 1} is no part of a filter")
            kind = str(match.lastgroup)
            tokens.append(_Token(kind, match.group(kind), match.start(kind) + 1))
            at = match.end()
        return tokens

    @property
    def token(self) -> _Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def fail(self, expected: str) -> None:
        came = f"{self.token.text!r} at character {self.token.place}" if self.token else "the end"
        raise DataError(
            f"--where {self.text[:200]!r}: expected {expected}, got {came}; write price < 20 and colour in "
            "('red', 'blue')"
        )

    def word(self, *words: str) -> bool:
        """Take one of some words, if it comes next."""
        token = self.token
        if token is not None and token.kind in ("word", "mark") and token.text.lower() in words:
            self.place += 1
            return True
        return False

    def need(self, word: str) -> None:
        if not self.word(word):
            self.fail(word)

    def either(self, depth: int) -> str:
        if depth > DEEPEST:
            raise DataError(f"--where: brackets and not are nested more than {DEEPEST} deep")
        parts = [self.both(depth)]
        while self.word("or"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def both(self, depth: int) -> str:
        parts = [self.one(depth)]
        while self.word("and"):
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def one(self, depth: int) -> str:
        if self.word("not"):
            return f"(NOT {self.one(depth + 1)})" if depth < DEEPEST else self.either(depth + 1)
        if self.word("("):
            inner = self.either(depth + 1)
            self.need(")")
            return f"({inner})"
        return self.predicate()

    def predicate(self) -> str:
        # What comes after the column decides: `is`, then what `not` can stand before, then a comparison.
        name, kind = self.column()
        column = f"`{name}`"
        if self.word("is"):
            negated = self.word("not")
            self.need("null")
            return f"{column} IS {'NOT ' if negated else ''}NULL"
        no = "NOT " if self.word("not") else ""
        if self.word("in"):
            self.need("(")
            values = [self.value(kind)]
            while self.word(","):
                values.append(self.value(kind))
            self.need(")")
            return f"{column} {no}IN ({', '.join(values)})"
        if self.word("between"):
            low = self.value(kind)
            self.need("and")
            return f"{column} {no}BETWEEN {low} AND {self.value(kind)}"
        if self.word("like"):
            return f"{column} {no}LIKE {self.value('text')}"
        if no:
            self.fail("in, like or between after not")
        for mark in COMPARE:
            if self.word(mark):
                return f"{column} {'=' if mark == '==' else mark} {self.value(kind)}"
        self.fail("<, <=, =, !=, >=, >, in, like, between or is null")
        raise AssertionError  # `fail` always raises

    def column(self) -> tuple[str, str]:
        token = self.token
        if token is None or token.kind not in ("word", "quoted") or token.text.lower() in RESERVED:
            self.fail("a column")
        assert token is not None
        name = token.text
        if token.kind == "quoted":
            name = name[1:-1].replace('""', '"')
        if name not in self.columns:
            raise DataError(f"--where: {unknown('column', name, self.columns)}")
        stored_name = self.stored.get(name, name)
        if "`" in stored_name:  # in an older index, which stored columns under their own names
            raise DataError(f"--where: the column {name!r} has a backtick in its name; make the index anew")
        self.place += 1
        return stored_name, self.columns[name]

    def value(self, kind: str) -> str:
        token = self.token
        if token is None or token.kind != kind:
            self.fail("a number" if kind == "number" else "a text in single quotes")
        assert token is not None
        self.place += 1
        if kind == "text":
            return token.text
        number = float(token.text)
        if not math.isfinite(number):
            raise DataError(f"--where: {token.text[:20]}… at character {token.place} is too large a number")
        whole = token.text.lstrip("+-").isdecimal() and len(token.text) < LONGEST_WHOLE
        return token.text if whole else repr(number)
