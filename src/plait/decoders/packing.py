"""Packing: several short rows share a line of a batch, so that they are not padded to the length of the longest."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Lines:
    """Which rows share which line.

    Args:
        rows: for each line, its rows in order.
        real: for each row, the places in the padded batch that are not padding.
        width: places of a padded row.
    """

    rows: list[list[int]]
    real: list[list[int]]
    width: int
    _starts: dict[int, tuple[int, int]] = field(default_factory=dict)  # row → line, place of its first token

    def __post_init__(self) -> None:
        for line, rows in enumerate(self.rows):
            start = 0
            for row in rows:
                self._starts[row] = (line, start)
                start += len(self.real[row])

    @property
    def length(self) -> int:
        """Places of the longest line."""
        return max(sum(len(self.real[row]) for row in rows) for rows in self.rows)

    def tables(self) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        """For each line and place: the place in the flattened batch that it takes, its position in its row, and the
        row; -1, 0 and -1 where it is empty.
        """
        place, position, owner = [], [], []
        for rows in self.rows:
            filled = [row * self.width + at for row in rows for at in self.real[row]]
            empty = self.length - len(filled)
            place.append(filled + [-1] * empty)
            position.append([n for row in rows for n in range(len(self.real[row]))] + [0] * empty)
            owner.append([row for row in rows for _ in self.real[row]] + [-1] * empty)
        return place, position, owner

    def last(self, width: int, count: int) -> list[list[int]]:
        """The places in the flattened lines of each padded row's last `count` places, none of which is padding."""
        positions = []
        for row, real in enumerate(self.real):
            line, start = self._starts[row]
            first = line * self.length + start + len(real) - count
            positions.append(list(range(first, first + count)))
        return positions


def pack(mask: Sequence[Sequence[bool]]) -> Lines:
    """Pack rows into few lines of the longest row's length: the longest first, each into the first line with room
    (first-fit decreasing).

    Args:
        mask: `[B][T]` which places are real.

    >>> pack([[True] * 4, [True, False, True, False], [False, False, True, True]]).rows
    [[0], [1, 2]]
    """
    real = [[place for place, is_real in enumerate(row) if is_real] for row in mask]
    longest = max(map(len, real))
    lines: list[list[int]] = []
    filled: list[int] = []
    for row in sorted(range(len(real)), key=lambda row: -len(real[row])):
        size = len(real[row])
        line = next((n for n, used in enumerate(filled) if used + size <= longest), len(lines))
        if line == len(lines):
            lines.append([])
            filled.append(0)
        lines[line].append(row)
        filled[line] += size
    return Lines(lines, real, len(mask[0]) if len(mask) else 0)


@dataclass
class Padding:
    """Counts the places of all batches: the real ones, and all of them without packing and with it."""

    real: int = 0
    loose: int = 0
    packed: int = 0

    def note(self, lengths: Sequence[int], width: int, lines: Lines) -> None:
        """Count one batch."""
        self.real += sum(lengths)
        self.loose += len(lengths) * width
        self.packed += len(lines.rows) * lines.length

    def __str__(self) -> str:
        if not self.real:
            return ""
        return f"packing: {1 - self.real / self.packed:.0%} padding instead of {1 - self.real / self.loose:.0%}"
