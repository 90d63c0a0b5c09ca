"""How an answer is searched for: settings out of range, and those that contradict each other."""

from typing import Any

import pytest

from plait.errors import RecipeError
from plait.generation.settings import GenerationSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 0}, "generation.max_length: expected a whole number from 1 to 100,000, got 0"),
        ({"beams": 2.0}, "generation.beams: expected a whole number"),
        ({"beams": True}, "generation.beams: expected a whole number"),
        ({"seed": -1}, "generation.seed"),
        ({"length_penalty": float("nan")}, "generation.length_penalty: expected a number"),
        ({"temperature": 1.0, "top_p": 0.0}, "generation.top_p: expected a share above 0"),
        ({"temperature": 1e-9}, "generation.temperature: expected 0, or 0.001 to 1000"),
        ({"repetition_penalty": 0.0}, "generation.repetition_penalty: expected above 0"),
        ({"max_length": 4, "min_length": 4}, "generation.min_length=4 leaves no room below max_length=4"),
        ({"temperature": 1.0, "beams": 2}, "choose one"),
        ({"top_k": 5}, "set temperature=1 to draw"),
        ({"best": 2}, "generation.best=2: 1 beams give no more than 1 answers"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        GenerationSettings(**options)


def test_settings_are_written_out_and_read_again() -> None:
    settings = GenerationSettings(temperature=0.7, top_k=5, best=3, max_length=9)
    assert settings.samples and GenerationSettings(**settings.to_json()) == settings
    assert not GenerationSettings(beams=4, best=4).samples
