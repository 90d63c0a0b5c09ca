"""Categories and classes: the distinct values of a column, folded by the type that it had in training."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from plait.values.cells import as_text, is_missing, is_numpy, plain
from plait.values.forms import PLAIN, is_plain_number

Known: TypeAlias = bool | int | float | str  # a category or class as the user's table has it

_TRUTH = {"true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)")
_PADDED = re.compile(r"[+-]?0\d+")  # zeros before a number
_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?")  # an integer, also as a column of floats writes it


class Vocabulary:
    """The distinct values of a training column, and which of them a cell is.

    Values are folded by the type of the training column: of numbers 3, 3.0 and "3" are one; of booleans True, "true"
    and 1; of texts those that differ stay apart ("07" and "7", "3.1" and "3.10"), and a number finds the one text that
    says it. So a column that one empty cell turned to floats, or a file read anew by another program, changes nothing.

    Args:
        values: in the order of their codes, as the user's table has them: booleans, integers, floats or texts.

    >>> Vocabulary([1, 2]).find("2.0"), Vocabulary(["07", "7"]).find(7), Vocabulary([False, True]).find("true")
    (1, 1, 1)
    >>> Vocabulary(["3.1", "3.10"]).find(3.1), Vocabulary(["3.10"]).find("3.1"), Vocabulary(["a"]).find("b")
    (0, -1, -1)
    """

    UNKNOWN = -1

    def __init__(self, values: Sequence[Known]) -> None:
        self.values = list(values)
        self._texts: dict[str, int] = {}
        self._numbers: dict[float, int] = {}
        self._truth: dict[bool, int] = {}
        for code, value in enumerate(self.values):
            self._texts.setdefault(as_text(value).strip(), code)
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)
        for code, value in enumerate(self.values):
            if isinstance(value, bool):
                self._truth[value] = code
                continue
            number = value if numeric else _number_in(value)
            if number is not None:
                key = _number_key(number)  # two texts of one number are told apart as texts only
                self._numbers[key] = code if key not in self._numbers else self.UNKNOWN
        self._numeric = numeric
        if not self._truth:
            self._truth = self._truth_of_texts()
        self._cache: dict[tuple[type, Any], int] = {}

    def _truth_of_texts(self) -> dict[bool, int]:
        """Which values true and false are, where the column holds nothing else: the words, or 0 and 1."""
        words = [(_TRUTH.get(str(value).strip().casefold()), code) for code, value in enumerate(self.values)]
        truths = [word for word, _ in words]
        if words and None not in truths and len(set(truths)) == len(truths):
            return {bool(word): code for word, code in words}
        if self._numbers and len(self._numbers) == len(self.values) and self._numbers.keys() <= {0, 1}:
            return {bool(number): code for number, code in self._numbers.items()}
        return {}

    def __len__(self) -> int:
        return len(self.values)

    def find(self, value: Any) -> int:
        """The code of a cell that is not missing; -1 where training never saw it."""
        try:
            key = (type(value), value)
            code = self._cache.get(key)
        except TypeError:  # a list has no hash, and is no category
            return self._texts.get(as_text(value).strip(), self.UNKNOWN)
        if code is None:
            code = self._find(value)
            if len(self._cache) < 100_000:
                self._cache[key] = code
        return code

    def _find(self, value: Any) -> int:
        bare = value if is_numpy(value, "float32", "float16") else plain(value)
        if isinstance(bare, bool):
            return self._truth.get(bare, self._texts.get(str(bare), self.UNKNOWN))
        if isinstance(bare, int | float) or is_numpy(bare, "floating"):
            return self._find_number(bare)
        text = as_text(bare).strip()
        if text in self._texts:
            return self._texts[text]
        word = _TRUTH.get(text.casefold())
        if word is not None:
            return self._truth.get(word, self.UNKNOWN)
        if self._numeric or self._truth:
            number = _number_in(text) if is_plain_number(text) else None
            return self.UNKNOWN if number is None else self._find_number(number)
        whole = _WHOLE.fullmatch(text)  # "3.0" for "3" is how a program rewrites a number, "3.1" for "3.10" is not
        code = self._numbers.get(int(whole[1]), self.UNKNOWN) if whole else self.UNKNOWN
        return code if code >= 0 and _WHOLE.fullmatch(str(self.values[code]).strip()) else self.UNKNOWN

    def _find_number(self, number: Any) -> int:
        code = self._numbers.get(_number_key(number), self.UNKNOWN)
        if code < 0 and number in (0, 1) and self._truth:
            code = self._truth.get(bool(number), self.UNKNOWN)
        return code if code >= 0 else self._texts.get(str(number), self.UNKNOWN)


def _number_key(number: Any) -> float:
    """One key for a number in any precision; whole ones are exact."""
    if isinstance(number, int):
        return number
    value = float(number)
    return int(value) if value.is_integer() else float(f"{value:.7g}")  # what a float32 keeps


def _number_in(value: Any) -> Any:
    """The number that a text says; None where it says none."""
    text = str(value).strip()
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 400 else None
    number = PLAIN.read(text)
    return number if number is not None and math.isfinite(number) else None


def natives(texts: Iterable[str]) -> dict[str, Known]:
    """What the distinct texts of an untyped file mean: booleans, integers or floats where all are written as such.

    Numbers are taken for numbers only where none would be written otherwise: `07`, `3.10`, or `1` beside `1.0`, are
    codes and stay texts.

    >>> natives(["0", "1"]), natives(["07", "7"]), natives(["True", "False"])
    ({'0': 0, '1': 1}, {'07': '07', '7': '7'}, {'True': True, 'False': False})
    """
    distinct = list(dict.fromkeys(texts))
    words = [_TRUTH.get(text.casefold()) for text in distinct]
    if distinct and None not in words and len(set(words)) == len(words):
        return dict(zip(distinct, map(bool, words), strict=True))
    numbers: dict[str, Known] = {}
    for text in distinct:
        number = _as_written(text)
        if number is None:
            return {text: text for text in distinct}
        numbers[text] = number
    return numbers if len(set(numbers.values())) == len(numbers) else {text: text for text in distinct}


def _as_written(text: str) -> int | float | None:
    """The number that would be written so; None for any other text."""
    if _INTEGER.fullmatch(text) and text != "-0" and len(text) < 19:
        return int(text)
    number = PLAIN.read(text)
    if number is None or not math.isfinite(number) or repr(number) != text:
        return None
    return int(number) if number.is_integer() else number


def count_values(values: Iterable[Any], untyped: bool = False) -> dict[Known, int]:
    """How often each distinct value comes, as the user's table has it; missing cells do not count.

    Args:
        values: raw cells.
        untyped: they come from a file in which every cell is text, so that "1" is an integer.

    >>> count_values([1.0, None, 2.0, 2.0]), count_values(["b", " a", "b"])
    ({1: 1, 2: 2}, {'b': 2, 'a': 1})
    """
    counts: dict[Any, int] = {}
    kinds: set[type] = set()
    for value in values:
        if is_missing(value):
            continue
        bare = float(str(value)) if is_numpy(value, "float32", "float16") else plain(value)
        kinds.add(type(bare))
        if isinstance(bare, float) and bare.is_integer():
            bare = int(bare)
        elif not isinstance(bare, bool | int | float):
            bare = as_text(bare).strip()
        key = (isinstance(bare, bool), bare)  # True == 1 to Python, not to a column that holds both
        counts[key] = counts.get(key, 0) + 1
    if kinds <= {str}:
        meaning = natives(text for _, text in counts) if untyped else {}
        return {meaning.get(text, text): count for (_, text), count in counts.items()}
    if kinds <= {bool} or kinds <= {int, float}:
        return {value: count for (_, value), count in counts.items()}
    mixed: dict[Known, int] = {}  # of a column of several types every value is its text
    for (_, value), count in counts.items():
        mixed[as_text(value)] = mixed.get(as_text(value), 0) + count
    return mixed


def in_order(values: Iterable[Known]) -> list[Known]:
    """Values sorted as people would: numbers by size, then texts.

    >>> in_order(["b", "10", "9", "a"]), in_order([True, False])
    (['9', '10', 'a', 'b'], [False, True])
    """

    def key(value: Known) -> tuple[int, float, str]:
        number = value if not isinstance(value, str) else _number_in(value)
        return (1, 0.0, str(value)) if number is None else (0, float(number), str(value))

    return sorted(values, key=key)


def are_codes(texts: Sequence[str], count: int, distinct: int) -> bool:
    """Whether texts that read as numbers are codes: `07` is not what people call a number, nor `3.10` beside `3.1`.

    Args:
        texts: some cells of the column, none missing.
        count, distinct: of all its cells, how many and how many different.

    >>> are_codes(["07", "11"], 2, 2), are_codes(["3.1", "3.10"] * 20, 40, 2), are_codes(["0.7", "7"], 2, 2)
    (True, True, False)
    """
    unique = set(texts)
    if any(_PADDED.fullmatch(text.strip()) for text in unique):
        return True
    if distinct > max(20, count // 5):
        return False  # too many for a category: prices that are written now with one decimal and now with two
    numbers = [_number_in(text) for text in unique]
    readable = [number for number in numbers if number is not None]
    return bool(readable) and len(readable) == len(numbers) and len(set(readable)) < len(readable)
