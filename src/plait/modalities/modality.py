"""What a modality is: one object with everything that depends on what a column holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plait.errors import DataError
from plait.modalities.media import Media, Opened, content_key, file_key
from plait.modalities.noises import Noise
from plait.modalities.sample import Sample
from plait.values import as_text, is_missing, shown


@dataclass(frozen=True)
class Oddity:
    """Something unusual about a value, worth a look before training, but no error.

    Args:
        kind: a word for programs, such as `huge_picture`.
        text: a predicate for all such values, and what to do: `are longer than 5000 px; shrink them`.
        detail: about this one: `6200 px`.
    """

    kind: str
    text: str
    detail: str


@dataclass(frozen=True)
class Facts:
    """Facts about an opened value.

    Args:
        fingerprint: 64 bits that near duplicates nearly share; None where it has none of its own.
        odd: what is odd about it.
    """

    fingerprint: int | None = None
    odd: Oddity | None = None


@dataclass(frozen=True)
class Shown:
    """A value as people see it.

    Args:
        text: words, such as its file's name.
        image: a PIL image; None where it has none.
        play: gives a short piece to be heard or seen; None where there is none.
        kind: of that piece, as browsers name it.
    """

    text: str
    image: Any = None
    play: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    kind: str = field(default="audio/mpeg", repr=False, compare=False)


def one_text(cell: Any) -> Sequence[Any]:
    """The text of a cell as its only piece; none where the cell is empty."""
    return [] if is_missing(cell) else [as_text(cell)]


def as_it_is(piece: Any, media: Media) -> Opened:
    """A value that is its own content."""
    return Opened(piece)


def key_of(opened: Opened) -> bytes:
    """16 bytes that stand for a value's content, whatever its path.

    >>> key_of(Opened("a red bird")) == key_of(Opened(b"a red bird", "a.txt"))
    True
    """
    if isinstance(opened.content, Path):
        return file_key(opened.content)
    return content_key(opened.content if isinstance(opened.content, bytes) else as_text(opened.content).encode())


def in_words(opened: Opened, side: int) -> Shown:
    """A value as its text, cut short."""
    return Shown(str(opened.content)[:300])


def readable(name: str, cell: Any, form: Mapping[str, str] | None) -> None:
    """Any single value can be used; lists and objects can't.

    Raises:
        DataError: the cell holds several values.
    """
    if isinstance(cell, list | tuple | dict):
        raise DataError(f"column {name!r}: expected one value, got {type(cell).__name__} {shown(cell, 40)}")


@dataclass(frozen=True, kw_only=True)
class Modality:
    """A kind of value that a column holds. Code that handles values calls this object and never looks at its name.

    It imports nothing heavy: its functions import what they need when they are called. A modality of your own needs
    `name`, `recognise`, `default` and `processors`; see docs/extending.md.

    Args:
        name: in recipes, `--type` and schemas.
        plural: in messages; the name with an s where it is empty.
        short: in names of metrics, such as `img_r1`; the input's own name where it is empty.
        recognise: a sample of a column → the reason why it is of this modality, in words, or None.
        default: the encoder where the recipe names none.
        packaged: the frozen encoder that presets choose, where its package is installed.
        packaged_options: its settings there.
        counted: the encoder that has nothing to train and needs no weights, for methods without a loop.
        encoders: names of pretrained encoders, to be listed for people.
        processors: names of the `PROCESSORS` that prepare it.
        fitting: training rows that a processor is fitted on, evenly spaced; None for all.
        made_of: the modality of whose values each value is a sequence, in order: that one's encoders may read it.
        group: the `Group` whose one input all columns of this modality are; None for an input each.
        suffixes: of its files in folders of media and in archives.
        feature: its type in Hugging Face's datasets.
        fallback: it is tried only after the rule for ids, because ids look like it.
        media: its values are files or their bytes.
        words: its values are words that language models, TF-IDF and full-text search can read.
        numeric: its values are numbers that a filter may compare.
        several: a cell may hold several values, a set without order.
        lists: a cell may be a list that is one value.
        shared: rows that share a value are kept together in batches, and its column may serve as the group.
        anchors: in pairs the other sides are aligned with it, and rows that share a value stay in one part of a split.
        by_length: values differ in length, and batches are made of values of similar length.
        unusable: a word for programs, for values that can't be used; `unusable_NAME` where it is empty.
        noises: ways to make a value worse.
        takes: whether a cell of a frame is an object that `store` turns into what a table can hold.
        store: (column, row, cell) → bytes, text or number, or a list of them.
        read: (column, cell, form) → the value of a cell that is its own content; DataError where it is none.
        form: a sample → how the column writes its values, where that is not the plain way; see plait.values.
        pieces: cell → the values in it, each of which is opened, prepared and encoded once; [] where it is empty.
        open: a piece → its content; checks paths and limits sizes.
        key: opened → bytes that stand for the content, by which the feature store, the index and the search for
            duplicates know it.
        look: opened → facts for the check of a table; DataError where it can't be used.
        recur: a column's training values → whether they recur by nature, so that duplicates mean nothing.
        show: (opened, side in pixels) → words, and an image where it has one.
        pictured: `show` gives an image.
        heard: `show` gives a sound or a film to be played.
        timed: its tokens lie in seconds.
        gridded: its tokens may be the cells of that image, row by row.
        sample_cells: cells that a column of this modality might hold, for tests.
    """

    name: str
    recognise: Callable[[Sample], str | None]
    default: str
    processors: tuple[str, ...]
    sample_cells: Callable[[], list[Any]]
    plural: str = ""
    short: str = ""
    packaged: str | None = None
    counted: str | None = None
    packaged_options: Mapping[str, Any] = field(default_factory=dict)
    encoders: tuple[str, ...] = ()
    fitting: int | None = None
    made_of: str | None = None
    group: str | None = None
    suffixes: frozenset[str] = frozenset()
    feature: str | None = None
    fallback: bool = False
    media: bool = False
    words: bool = False
    numeric: bool = False
    several: bool = False
    lists: bool = False
    shared: bool = False
    anchors: bool = False
    by_length: bool = False
    pictured: bool = False
    heard: bool = False
    timed: bool = False
    gridded: bool = False
    unusable: str = ""
    noises: Mapping[str, Noise] = field(default_factory=dict)
    takes: Callable[[Any], bool] = lambda cell: False
    store: Callable[[str, int, Any], Any] = lambda column, row, cell: cell
    read: Callable[[str, Any, Mapping[str, str] | None], Any] = readable
    form: Callable[[Sample], dict[str, str] | None] = lambda sample: None
    pieces: Callable[[Any], Sequence[Any]] = one_text
    open: Callable[[Any, Media], Opened] = as_it_is
    key: Callable[[Opened], bytes] = key_of
    look: Callable[[Opened], Facts] = lambda opened: Facts()
    recur: Callable[[Sequence[Any]], bool] = lambda values: True
    show: Callable[[Opened, int], Shown] = in_words

    def __post_init__(self) -> None:
        object.__setattr__(self, "plural", self.plural or f"{self.name}s")
        object.__setattr__(self, "unusable", self.unusable or f"unusable_{self.name}")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns of one or several modalities that are one input together.

    Args:
        name: of the input, and of the recipe's section.
        members: the modalities, in the order of the input's columns.
        default: the encoder.
        processors: names of the `PROCESSORS` that prepare it.
        fit: (column → cells, modality → columns, column → form, …) → the processor, fitted on training rows.
        noises: ways to make a row worse.
    """

    name: str
    members: tuple[str, ...]
    default: str
    processors: tuple[str, ...]
    fit: Callable[..., Any]
    noises: Mapping[str, Noise] = field(default_factory=dict)
