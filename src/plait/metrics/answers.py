"""Scores of short answers: as VQA's evaluation counts them, letter by letter, or as numbers."""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_NUMBERS = "zero one two three four five six seven eight nine ten"
NUMBERS = {word: str(n) for n, word in enumerate(_NUMBERS.split())}
NUMBERS["none"] = "0"
ARTICLES = {"a", "an", "the"}
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
PERIOD = re.compile(r"\.(?!\d)")
PERIODS = 32  # so many are removed: the official script passes re.UNICODE, which is 32, in the place of the count
COMMA_IN_NUMBER = re.compile(r"\d,\d")
# Contractions, to be recognised with one of their apostrophes left out. Those of "I" are absent: the official table
# writes them with a capital, and never finds them among words that are lower-case by then.
_ENDINGS = {
    "n't": "ai are ca could did does do had has have is might must need ought sha should was were wo would",
    "n't've": "could had might should would",
    "'ve": "could might must not should they we what where who would you",
    "'s": "he how somebody someone that there what when where who why",
    "'d": "he how it someone something there they where who you",
    "'d've": "he it she somebody someone something there they we who y'all you",
    "'ll": "how it somebody someone something they what who why y'all you",
    "'re": "there they what why you",
}
WHOLE = [f"{word}{ending}" for ending, words in _ENDINGS.items() for word in words.split()]
WHOLE += ["'ow's'at", "'twas", "ma'am", "o'clock", "y'all"]
CONTRACTIONS = {
    whole[:at] + whole[at + 1 :]: whole for whole in WHOLE for at, letter in enumerate(whole) if letter == "'"
}
CONTRACTIONS["somebody'd"] = "somebodyd"  # the other way round in the official table
VQA_TYPES = ("yes/no", "number", "other")
ANLS_LEAST, RELAXED = 0.5, 0.05


@lru_cache(maxsize=200_000)
def vqa_normalised(answer: str) -> str:
    """An answer as VQA's evaluation compares it: no punctuation, articles or number words, whole contractions.

    >>> vqa_normalised("The two dogs,"), vqa_normalised("Dont know!"), vqa_normalised("1,000.5")
    ('2 dogs', "don't know", '1000.5')
    """
    text = _plain(answer)
    number = COMMA_IN_NUMBER.search(text) is not None
    out = text
    for mark in PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        out = out.replace(mark, "" if beside_space or number else " ")
    words = [NUMBERS.get(word, word) for word in PERIOD.sub("", out, count=PERIODS).lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def vqa_accuracy(answers: Sequence[str], truths: Sequence[Sequence[str]]) -> np.ndarray:
    """`[N]` accuracy of VQA (1505.00468): right if three people say so, averaged over leaving one of them out.

    As the official evaluation counts: where all people say the same, letter by letter, answers are compared as they
    are, capitals and all; elsewhere after `vqa_normalised`. A single answer counts as three (in the official
    script as none).

    >>> vqa_accuracy(["two", "cat"], [["2"] * 2 + ["3"] * 8, ["cat"]]).round(2).tolist()
    [0.6, 1.0]
    """
    return np.array([_vqa(answer, people) for answer, people in zip(answers, truths, strict=True)])


def _vqa(answer: str, people: Sequence[str]) -> float:
    votes, answer = [_plain(one) for one in people], _plain(answer)
    if len(set(votes)) > 1:
        votes, answer = [vqa_normalised(one) for one in votes], vqa_normalised(answer)
    right = [one == answer for one in votes]
    if len(votes) == 1:
        return float(right[0])
    return float(np.mean([min(1.0, (sum(right) - left_out) / 3) for left_out in right]))


def exact_match(answers: Sequence[str], truths: Sequence[Sequence[str]]) -> np.ndarray:
    """`[N]` 1 where the answer is one of those accepted, after `vqa_normalised`.

    >>> exact_match(["The cat"], [["cat", "kitten"]]).tolist()
    [1.0]
    """
    pairs = zip(answers, truths, strict=True)
    return np.array([float(vqa_normalised(a) in {vqa_normalised(t) for t in accepted}) for a, accepted in pairs])


def anls(answers: Sequence[str], truths: Sequence[Sequence[str]]) -> np.ndarray:
    """`[N]` average normalised Levenshtein similarity (1907.00490): the best over those accepted, below 0.5 nothing.

    >>> anls(["hous"], [["house", "home"]]).tolist()
    [0.8]
    """

    def best(answer: str, accepted: Sequence[str]) -> float:
        normalised = " ".join(answer.lower().split())
        similarity = max((_likeness(normalised, " ".join(text.lower().split())) for text in accepted), default=0.0)
        return similarity if similarity >= ANLS_LEAST else 0.0

    return np.array([best(answer, accepted) for answer, accepted in zip(answers, truths, strict=True)])


def _likeness(a: str, b: str) -> float:
    if not a and not b:
        return 1.0
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):  # one row of the table of edit distances after the other
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return 1 - row[-1] / max(len(a), len(b))


def relaxed_accuracy(answers: Sequence[str], truths: Sequence[Sequence[str]]) -> np.ndarray:
    """`[N]` 1 where a number is within five per cent of one accepted, or a text equals one (2203.10244).

    >>> relaxed_accuracy(["104", "30%", "Blue"], [["100"], ["0.3"], ["blue"]]).tolist()
    [1.0, 1.0, 1.0]
    """

    def right(answer: str, accepted: str) -> bool:
        number, true = _number(answer), _number(accepted)
        if number is None or true is None:
            return answer.strip().lower() == accepted.strip().lower()
        return abs(number - true) <= RELAXED * abs(true)

    pairs = zip(answers, truths, strict=True)
    return np.array([float(any(right(answer, text) for text in accepted)) for answer, accepted in pairs])


def _number(text: str) -> float | None:
    text = text.strip().replace(",", "")
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
