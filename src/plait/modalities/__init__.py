"""What a column may hold: one object per modality, with everything that depends on the modality.

It knows how a column is recognised, a cell split, a value opened, checked, shown and made worse. Code that handles
values calls the modality and never looks at its name, so that a new one needs no other change. Nothing heavy is
imported here: a modality only names its encoders, whose classes are in `plait.encoders`.
"""

from collections.abc import Iterator
from typing import Any

from plait.errors import DataError
from plait.modalities.audio import AUDIO
from plait.modalities.category import CATEGORY
from plait.modalities.date import DATE
from plait.modalities.image import IMAGE
from plait.modalities.media import FileBytes, Media, Opened, resolve_media
from plait.modalities.modality import Facts, Group, Modality, Oddity, Shown
from plait.modalities.noises import Noise
from plait.modalities.number import NUMBER
from plait.modalities.sample import Sample
from plait.modalities.series import SERIES
from plait.modalities.tabular import TABULAR
from plait.modalities.text import TEXT
from plait.modalities.video import VIDEO

# In the order in which they are tried on a column; text takes what is left.
MODALITIES: dict[str, Modality] = {
    "image": IMAGE,
    "video": VIDEO,
    "audio": AUDIO,
    "series": SERIES,
    "date": DATE,
    "number": NUMBER,
    "category": CATEGORY,
    "text": TEXT,
}
GROUPS: dict[str, Group] = {"tabular": TABULAR}


def recognised(sample: Sample) -> tuple[str, str] | None:
    """The modality of a column and the reason for it; None where no modality covers it.

    Modalities that ids look like (numbers, categories, texts) are tried only after the rule for ids.
    """
    for name, modality in MODALITIES.items():
        reason = None if modality.fallback else modality.recognise(sample)
        if reason is not None:
            return name, reason
    if not sample.single or sample.are_ids:
        return None
    for name, modality in MODALITIES.items():
        reason = modality.recognise(sample) if modality.fallback else None
        if reason is not None:
            return name, reason
    return None


def media_with(suffix: str) -> str | None:
    """The modality whose files have a suffix; None where there is none.

    >>> media_with(".JPG"), media_with(".exe")
    ('image', None)
    """
    return next((name for name, modality in MODALITIES.items() if suffix.lower() in modality.suffixes), None)


def noises() -> Iterator[tuple[str, str, Noise]]:
    """All noises: name, the modality or group whose values it makes worse, and the noise itself."""
    made_worse = [(name, one.noises) for name, one in MODALITIES.items()]
    made_worse += [(name, group.noises) for name, group in GROUPS.items()]
    for owner, of_owner in made_worse:
        for name, noise in of_owner.items():
            yield name, owner, noise


def show_cell(modality: Modality, cell: Any, media: Media, side: int, most: int | None = None) -> list[Shown]:
    """The values of a cell as people see them, without those that can't be opened.

    Args:
        modality: of the column.
        cell: the cell.
        media: where its files are.
        side: pixels of an image's longer side, at most.
        most: stop after so many; None for all.

    >>> show_cell(MODALITIES["text"], "a red bird", Media(None), 100)
    [Shown(text='a red bird', image=None)]
    """
    views: list[Shown] = []
    for piece in modality.pieces(cell):
        if most is not None and len(views) == most:
            break
        try:
            views.append(modality.show(modality.open(piece, media), side))
        except DataError:  # only a look: whoever trains or predicts on the table is told what is wrong
            continue
    return views


def in_words(name: str) -> str:
    """The plural of a modality, or a group's name.

    >>> in_words("image"), in_words("category"), in_words("tabular")
    ('images', 'categories', 'tabular')
    """
    return MODALITIES[name].plural if name in MODALITIES else name


__all__ = [
    "AUDIO",
    "GROUPS",
    "IMAGE",
    "MODALITIES",
    "NUMBER",
    "TEXT",
    "Facts",
    "FileBytes",
    "Group",
    "Media",
    "Modality",
    "Noise",
    "Oddity",
    "Opened",
    "Sample",
    "Shown",
    "in_words",
    "media_with",
    "noises",
    "recognised",
    "resolve_media",
    "show_cell",
]
