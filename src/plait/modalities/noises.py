"""Ways to make raw values worse, to see how much noise a model tolerates."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait import former_names
from plait.values import as_number

if TYPE_CHECKING:  # heavy libraries are imported where a value is made worse
    import numpy as np
    from PIL import Image


def blurred(image: Path | str | bytes, share: float) -> bytes:
    """An image behind a Gaussian blur.

    Args:
        image: a file or its bytes.
        share: standard deviation of the blur, as a share of the shorter side.
    """
    from PIL import ImageFilter

    opened = _opened(image)
    return _file(opened.filter(ImageFilter.GaussianBlur(share * min(opened.size))), "BMP")


def jpeg(image: Path | str | bytes, quality: float) -> bytes:
    """An image as a JPEG file of a quality from 1 to 95."""
    return _file(_opened(image), "JPEG", quality=round(quality))


def with_typos(text: str, share: float, random: "np.random.Generator") -> str:
    """A text in which letters are left out, doubled, swapped with the next, or replaced by another letter of the text.

    Args:
        text: in any script.
        share: probability that a letter is changed.
        random: the number of draws does not depend on the share, so that a larger share changes about the same letters
            and more.

    >>> import numpy as np
    >>> with_typos("a red bird on a branch", 0.0, np.random.default_rng(0))
    'a red bird on a branch'
    """
    letters = [letter for letter in text if letter.isalpha()]
    hit, kinds = random.random(len(text)), random.integers(4, size=len(text))
    others = random.integers(max(1, len(letters)), size=len(text))
    written, place = [], 0
    while place < len(text):
        letter = text[place]
        if not letter.isalpha() or hit[place] >= share:
            written.append(letter)
        elif kinds[place] == 1:
            written.append(2 * letter)
        elif kinds[place] == 2 and place + 1 < len(text):
            written.append(text[place + 1] + letter)
            place += 1
        elif kinds[place] == 3:
            written.append(letters[others[place]])
        place += 1
    return "".join(written)


def with_fewer_words(text: str, share: float, random: "np.random.Generator") -> str:
    """A text from which words are dropped with a probability; at least one stays.

    >>> import numpy as np
    >>> with_fewer_words("a red bird", 1.0, np.random.default_rng(0)) in ("a", "red", "bird")
    True
    """
    words = text.split()
    draws = random.random(len(words))
    words_left = [word for word, draw in zip(words, draws, strict=True) if draw >= share]
    return " ".join(words_left) if words_left or not words else words[int(draws.argmax())]


def with_noise(
    row: Mapping[str, Any],
    deviations: Mapping[str, float],
    random: "np.random.Generator",
    number: Callable[[str, Any], float] = as_number,
) -> dict[str, Any]:
    """A row whose numbers have Gaussian noise added.

    Args:
        row: column → cell.
        deviations: column → standard deviation of its noise.
        random: one number is drawn per column, whatever the deviations are.
        number: reads a column's cell.
    """
    noise = dict(zip(deviations, random.normal(size=len(deviations)), strict=True))
    changed = {name: number(name, row.get(name)) + noise[name] * deviations[name] for name in deviations}
    return {**row, **changed}


@dataclass(frozen=True)
class Noise:
    """A way to make values worse.

    Args:
        levels: from mild to strong; a curve begins with the score without noise.
        unit: what a level measures.
        change: (raw value, level, random numbers, the column's processor) → a worse raw value.
    """

    levels: tuple[float, ...]
    unit: str
    change: Callable[[Any, float, Any, Any], Any]


def _opened(image: Path | str | bytes) -> "Image.Image":
    from PIL import Image

    from plait.processors.image import decode_image

    return Image.fromarray(decode_image(image).permute(1, 2, 0).numpy())


def _file(image: "Image.Image", kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


__getattr__ = former_names(__name__, {"NoisyProcessor": "plait.evaluation.noise.NoisyProcessor"})
