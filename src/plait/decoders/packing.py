"""Several rows in one line of a batch, so that short ones are not padded to the length of the longest."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Lines:
    """Which rows lie in which line.

    Args:
        rows: of each line, its rows in order.
        real: of each row, its real places in the padded batch.
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
        """Places of a line."""
        return max(sum(len(self.real[row]) for row in rows) for rows in self.rows)

    def tables(self) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        """For each line and place: which place of the flattened batch it takes, which word of its row it is, and which
        row; -1, 0 and -1 where it is empty."""
        place, position, owner = [], [], []
        for rows in self.rows:
            filled = [row * self.width + at for row in rows for at in self.real[row]]
            empty = self.length - len(filled)
            place.append(filled + [-1] * empty)
            position.append([n for row in rows for n in range(len(self.real[row]))] + [0] * empty)
            owner.append([row for row in rows for _ in self.real[row]] + [-1] * empty)
        return place, position, owner

    def last(self, width: int, count: int) -> list[list[int]]:
        """Where the last `count` places of each padded row lie among the flattened lines; they are all real."""
        positions = []
        for row, real in enumerate(self.real):
            line, start = self._starts[row]
            first = line * self.length + start + len(real) - count
            positions.append(list(range(first, first + count)))
        return positions


def pack(mask: Sequence[Sequence[bool]]) -> Lines:
    """Rows into as few lines as the longest is long, longest first (first-fit decreasing).

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
    """How many places of the batches held nothing, without packing and with it."""

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
