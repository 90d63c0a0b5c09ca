"""Messages that say what was expected, what came, and what to do."""

import pytest

from plait import errors
from plait.errors import MissingExtra, PlaitError, import_extra, nearest, unknown


def test_only_what_is_close_is_offered() -> None:
    assert nearest("accuracyy", ["rmse", "accuracy"]) == "; did you mean 'accuracy'?"
    assert nearest("zzz", ["rmse", "accuracy"]) == "" and nearest("a", []) == ""
    assert nearest(2, [10, 20, 2]) == "; did you mean '2'?"  # type: ignore[arg-type, list-item]


def test_many_choices_are_counted_and_not_all_listed() -> None:
    said = unknown("column", "zzz", (f"q{n:02d}" for n in range(31)))
    assert said.startswith("unknown column 'zzz'. Known: q00, q01, ") and said.endswith("q29, … (31 in all)")
    assert unknown("column", "zzz", ["a", "b"]) == "unknown column 'zzz'. Known: a, b"


def test_an_extra_that_is_absent_says_what_brings_it() -> None:
    assert import_extra("json", "demo").loads("1") == 1
    with pytest.raises(MissingExtra, match=r"no_such_module is not installed .*pip install 'plait\[demo\]'"):
        import_extra("no_such_module", "demo")


def test_every_error_is_one_that_the_command_line_prints_in_a_line() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    kinds = [kind for kind in kinds if not issubclass(kind, Warning)]
    assert len(kinds) > 5 and all(issubclass(kind, PlaitError) for kind in kinds)
