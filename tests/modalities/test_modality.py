"""What a modality need not say for itself."""

import pytest

from plait.errors import DataError
from plait.modalities.media import Media, Opened
from plait.modalities.modality import Facts, Modality, as_it_is, in_words, key_of, one_text, readable


def bare() -> Modality:
    return Modality(name="smell", recognise=lambda s: None, default="own:smell", processors=("own",), sample_cells=list)


def test_names_follow_from_the_name() -> None:
    assert (bare().plural, bare().unusable) == ("smells", "unusable_smell")
    said = Modality(
        name="fish", plural="fish", unusable="dead_fish", recognise=lambda s: None, default="x", processors=(),
        sample_cells=list,
    )  # fmt: skip
    assert (said.plural, said.unusable) == ("fish", "dead_fish")


def test_a_cell_is_one_text_and_its_own_content() -> None:
    assert one_text("a") == ["a"] and one_text(3.0) == ["3"] and one_text(None) == one_text(" ") == []
    assert as_it_is("a", Media(None)) == Opened("a") and bare().pieces("a") == ["a"]
    assert in_words(Opened("x" * 400), 10).text == "x" * 300 and in_words(Opened("a"), 10).image is None
    assert bare().look(Opened("a")) == Facts(None, None) and bare().recur(["a"]) and not bare().takes(object())


def test_keys_stand_for_the_content_whatever_its_type_or_path() -> None:
    assert (
        key_of(Opened("1")) == key_of(Opened(1)) == key_of(Opened(b"1", "some/where")) and len(key_of(Opened(1))) == 16
    )
    assert key_of(Opened("1")) != key_of(Opened("2"))


def test_several_values_in_a_cell_are_refused() -> None:
    readable("x", "one", None)
    with pytest.raises(DataError, match=r"column 'x': expected one value, got list '\[1, 2\]'"):
        bare().read("x", [1, 2], None)
