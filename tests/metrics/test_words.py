"""Words of captions, as the Java tokenizer cuts them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.metrics.words import caption_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A man's dog isn't here; it's gone, can't you see?", "a man 's dog is n't here it 's gone ca n't you see"),
        ("They cannot come - gonna wait... (maybe)", "they can not come gon na wait -lrb- maybe -rrb-"),
        ("Mr. Smith of the U.S. paid $3.50 at 10:30", "mr. smith of the u.s. paid $ 3.50 at 10:30"),
        ("He said \"hi\" and 'bye', o'clock", "he said hi and bye o'clock"),
        ("एक लाल चिड़िया बैठी है। हिंदी-उर्दू", "एक लाल चिड़िया बैठी है । हिंदी उर्दू"),
        ("ஒரு சிவப்பு பறவை கிளையில் அமர்ந்திருக்கிறது.", "ஒரு சிவப்பு பறவை கிளையில் அமர்ந்திருக்கிறது"),
        ("طائِرٌ أَحْمَرُ عَلَى غُصْنِ الشَّجَرَةِ.", "طائِرٌ أَحْمَرُ عَلَى غُصْنِ الشَّجَرَةِ"),
        ("שָׁלוֹם, นกสีแดงเกาะบนกิ่งไม้", "שָׁלוֹם นกสีแดงเกาะบนกิ่งไม้"),
        ("a cafe\u0301's e\u0301clair, don\u0301t", "a cafe\u0301 's e\u0301clair don\u0301t"),
        ("a \u2764\ufe0f x\u200by 1\ufe0f\u20e3 so\u00adft", "a \u2764 x y 1 soft"),
        ("black/white t-shirt, R&B, C++, 1/2 & 50%", "black/white t-shirt r&b c++ 1/2 & 50 %"),
    ],
)
def test_words_are_those_of_the_java_tokenizer(text: str, words: str) -> None:
    assert caption_words(text) == words.split()  # what stanford-corenlp-3.4.1 gives, less pycocoevalcap's punctuation


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_words_hold_no_spaces_and_are_lower_case(text: str) -> None:
    words = caption_words(text)
    assert all(word and not word.isspace() and " " not in word for word in words)
    assert words == [word.lower() for word in words]
