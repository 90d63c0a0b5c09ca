"""What happens when: any number of events a row, each with its start, end and label."""

import functools
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from plait.console import number
from plait.errors import DataError, DataWarning, RecipeError
from plait.layers.ragged import Ragged
from plait.metrics.events import (
    OVERLAPS,
    SECONDS,
    Matches,
    apart,
    best_threshold,
    f1_of_answers,
    matches,
    precision_by_label,
    precision_of,
    temporal_iou,
)
from plait.modalities import Sample as Values
from plait.tasks.asked import Asked
from plait.tasks.event_cells import decoded, in_words, read_events
from plait.tasks.steps import Find, found_events, step_targets
from plait.tasks.task import Card, Figure, Task
from plait.types import Tokens

ALIKE = 0.1  # events are alike in length where four of five differ by less than this share of the usual one
UNKNOWN = [[np.nan, np.nan, -1.0]]  # a row whose events are not known
DRAWN, FAINT = 12, 0.2  # rows that a report draws, and how probable what is drawn is at least


class Events(Task):
    """Events of a recording, from an answer at each step of an input that has a time, or of the fusion's clock.

    A cell holds `[{start, end, label}, …]`, in seconds, as a list or as JSON text; `[]` where nothing happens, and an
    empty cell where that is not known. Without `end` an event is a moment; without `label` all are of one kind. A
    `segment` of both seconds is read as well (ActivityNet's).

    Peaks answer where all events are about as long as each other: the step nearest to an event's middle is learned, and
    an answer reaches half the usual length to either side. Spans answer where they are not: all steps within an event
    are learned, and runs of them are answers.

    Args:
        labels: names, in the order of the logits.
        length: usual seconds of an event.
        find: `peaks` or `spans`.
        reads: the input whose steps answer; None where the fusion has a clock, or one input alone has a time.
        threshold: how probable an answer is at least; None for one half, until it is chosen on validation rows.

    Raises:
        DataError: there is no label.

    >>> task = Events(["hit"], length=0.2)
    >>> task.encode(['[{"start": 1, "end": 1.2, "label": "hit"}]', "[]", None]).rows()
    [[[1.0, 1.2, 0.0]], [], [[nan, nan, -1.0]]]
    """

    kind = "events"
    stepwise, stratified, slow = True, False, True
    lacking = "no events that are known"

    def __init__(
        self,
        labels: Sequence[str],
        length: float = 0.0,
        find: Find = "peaks",
        reads: str | None = None,
        threshold: float | None = None,
    ) -> None:
        if not labels:
            raise DataError("the target holds no event, so there is nothing to learn")
        self.labels, self.length, self.reads = list(labels), length, reads
        self.find: Find = find
        self.threshold = threshold
        self.default_metric = "map" if self._has_length else "point_map"
        self._codes = {label: code for code, label in enumerate(self.labels)}

    @classmethod
    def recognise(cls, sample: Values) -> str | None:
        """Lists of `{start, …}`, of which one at least is not empty."""
        cells = [decoded(value) for value in sample.values]
        if not all(isinstance(cell, list) for cell in cells):
            return None
        events = [event for cell in cells for event in cell]
        if not events or not all(
            isinstance(event, Mapping) and ({"start", "segment"} & set(event)) for event in events
        ):
            return None
        return "its cells are lists of events with their start"

    @classmethod
    def from_table(
        cls,
        asked: Asked,
        *,
        find: Literal["auto", "peaks", "spans"] = "auto",
        input: str | None = None,
        threshold: float | None = None,
    ) -> "Events":
        """Learn labels and lengths from training events.

        Raises:
            RecipeError: the threshold is not between 0 and 1.
            DataError: a cell is no list of events, or none has an event.
        """
        if threshold is not None and not 0 < threshold < 1:
            raise RecipeError(f"task.threshold: expected a number between 0 and 1, got {threshold:g}")
        lengths, labels = [], set()
        for row, cell in zip(asked.rows.tolist(), asked.table.cells(asked.column, asked.rows), strict=True):
            for start, end, label in read_events(cell, row + 1, asked.lenient) or ():
                lengths.append(end - start)
                labels.add(label)
        length = float(np.median(lengths)) if lengths else 0.0
        alike = bool(lengths) and float(np.ptp(np.quantile(lengths, [0.1, 0.9]))) <= ALIKE * length
        chosen: Find = ("peaks" if alike else "spans") if find == "auto" else find
        return cls(sorted(labels), length, chosen, input, threshold)

    def to_json(self) -> dict[str, Any]:
        state = {"labels": self.labels, "length": self.length, "find": self.find, "reads": self.reads}
        return state | ({} if self.threshold is None else {"threshold": self.threshold})

    @property
    def sure(self) -> float:
        """What is more probable is an answer."""
        return 0.5 if self.threshold is None else self.threshold

    def fitted_to(self, truth: Ragged, predictions: Ragged) -> tuple[Task, str] | None:
        """With the threshold of the best F1; None where it is given, or nothing happens in these rows."""
        near, least = (temporal_iou, 0.5) if self._has_length else (apart, -SECONDS[1])
        found = self.found(predictions)
        edge, best = best_threshold([matches(*both, [least], near) for both in zip(truth, found, strict=True)])
        if self.threshold is not None or not best > 0:
            return None
        chosen = Events(self.labels, self.length, self.find, self.reads, edge)
        return chosen, f"answers from probability {edge:.3g} on; F1 of {len(truth):,} validation rows {best:.3f}"

    @property
    def out_dim(self) -> int:
        return len(self.labels)

    @property
    def measures(self) -> Mapping[str, bool]:
        """Mean average precision over the labels at each tIoU and within seconds, their means, and F1 of answers.

        Without tIoU where events have no length. The first ones are printed in training.
        """
        points = ["point_map", *(f"point_map@{s:g}s" for s in SECONDS)]
        spans = ["map", "map@0.5", "f1@0.5", *(f"map@{overlap:g}" for overlap in OVERLAPS)]
        return dict.fromkeys([*spans, *points] if self._has_length else points, True)

    @property
    def _has_length(self) -> bool:
        return self.length > 0 or self.find == "spans"

    def describe(self) -> str:
        """How events are found."""
        if self.find == "spans":
            return "learns which steps lie within an event; runs of them are answers"
        return f"learns which steps lie nearest to an event's middle; answers are {number(self.length)} s long"

    def encode(self, values: Iterable[Any], lenient: bool = False) -> Ragged:
        """`Ragged` of `[start, end, label]`; label -1 in a row whose events are unknown.

        Events with a label that training never saw are left out, and counted.

        Raises:
            DataError: a cell is no list of events; the message names the row.
        """
        rows, unseen = [], []
        for row, value in enumerate(values, 1):
            events = read_events(value, row, lenient)
            unseen += [label for *_, label in events or () if label not in self._codes]
            known = [[start, end, self._codes[label]] for start, end, label in events or () if label in self._codes]
            rows.append(np.array(UNKNOWN if events is None else known, np.float64).reshape(-1, 3))
        if unseen:
            named = ", ".join(sorted(set(unseen))[:3])
            warnings.warn(
                f"{len(unseen):,} events have labels that training never saw ({named}); they are left out",
                DataWarning,
                stacklevel=2,
            )
        return Ragged.of(rows, np.empty((0, 3)))

    def unusable(self, truth: Ragged) -> np.ndarray:
        """`[N]` bool: the row's events are not known."""
        return np.array([bool((row[:, 2] == -1).any()) for row in truth], dtype=bool)

    def items(self, given: Any, target: Any) -> tuple[Tensor, Tensor, Ragged]:
        """Steps and what is true at each of them; see `step_targets`."""
        rows = Ragged.from_tokens(given) if isinstance(given, Tokens) else given
        x = given.x if isinstance(given, Tokens) else given.padded(float("nan"))
        lengths = torch.from_numpy(rows.lengths).to(x.device)
        mask = given.mask if isinstance(given, Tokens) else torch.arange(x.shape[1])[None] < lengths[:, None]
        events = target.padded(float("nan")) if isinstance(target, Ragged) else target
        here = x[..., self.out_dim :].nan_to_num().float()
        truth = step_targets(here, mask, events.to(x.device), self.out_dim, self.find)
        return rows.flat, truth[mask], rows

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[steps]` binary cross-entropy over the labels, of steps `[steps, L + 2]`; 0 where truth is unknown."""
        known = ~target.isnan().any(dim=1)
        each = F.binary_cross_entropy_with_logits(
            logits[:, : self.out_dim], target.nan_to_num().to(logits.dtype), reduction="none"
        )
        return each.sum(dim=1).masked_fill(~known, 0)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of all steps for each step at which something happens: there are few of those."""
        return self.row_loss(logits, target).sum() / target.nan_to_num().sum().clamp(min=1)

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[steps, L + 2]` probabilities, start and end of each step."""
        return torch.cat([logits[:, : self.out_dim].sigmoid(), logits[:, self.out_dim :]], dim=1).numpy()

    def found(self, predictions: Ragged) -> list[np.ndarray]:
        """Of each row `[P, 4]` start, end, label and score of all candidates; see `found_events`."""
        return [found_events(steps, self.out_dim, self.length, self.find) for steps in predictions]

    def answers(self, predictions: Ragged) -> list[list[dict[str, Any]]]:
        """The events of each row that are probable enough, in their order."""
        return [
            [
                {"start": round(start, 4), "end": round(end, 4), "label": self.labels[int(label)], "score": round(p, 4)}
                for start, end, label, p in sorted(events.tolist())
                if p >= self.sure
            ]
            for events in self.found(predictions)
        ]

    def columns(self, name: str, predictions: Ragged) -> dict[str, Any]:
        """What a predictions file holds: JSON, which a target's cells may hold as well."""
        return {name: [json.dumps(events, ensure_ascii=False) for events in self.answers(predictions)]}

    def score(self, truth: Ragged, predictions: Ragged, names: Sequence[str] | None = None) -> dict[str, float]:
        """Mean average precision (see `plait.metrics.events`) and F1 of the answers."""
        wanted = [name for name in self.measures if names is None or name in names]
        if not len(truth.flat) or not wanted:
            return {}
        self._say_outside(truth, predictions)
        rows = [
            _scored(true.tobytes(), steps.astype(np.float32).tobytes(), self.out_dim, self.length, self.find, self.sure)
            for true, steps in zip(truth, predictions, strict=True)
        ]
        scores: dict[str, float] = {}
        for prefix, unit, least, of_rows in (
            ("map", "", OVERLAPS, [row.spans for row in rows]),
            ("point_map", "s", SECONDS, [row.points for row in rows]),
        ):
            if any(name.split("@")[0] == prefix for name in wanted):
                means = np.mean(list(precision_of(of_rows).values()), axis=0)
                scores |= {f"{prefix}@{x:g}{unit}": float(mean) for x, mean in zip(least, means, strict=True)}
                scores[prefix] = float(means.mean())
        scores["f1@0.5"] = 2 * sum(row.hits for row in rows) / sum(row.total for row in rows)
        return {name: scores[name] for name in wanted}

    def _say_outside(self, truth: Ragged, predictions: Ragged) -> None:
        """Warn of events behind the end of their recording, which nothing could find."""
        ends = [float(steps[:, -1].max()) if len(steps) > 1 else 0.0 for steps in predictions]
        late = sum(int((events[:, 0] > end).sum()) for events, end in zip(truth, ends, strict=True) if end)
        if late:
            warnings.warn(
                f"{late:,} events begin after the end of what was read of their recording, and count as not found",
                DataWarning,
                stacklevel=2,
            )

    def agrees(self, other: Task) -> str | None:
        """What differs: the labels; None where they are the same."""
        assert isinstance(other, Events)
        return None if self.labels == other.labels else "other labels"

    def distance(self, logits: Tensor, teacher_logits: Tensor, target: Tensor, temperature: float) -> Tensor:
        """How far each step's probabilities are from a teacher's."""
        known = ~target.isnan().any(dim=1)
        own, theirs = (x[known][:, : self.out_dim] / temperature for x in (logits, teacher_logits))
        return temperature**2 * F.binary_cross_entropy_with_logits(own, theirs.sigmoid(), reduction="none").sum(dim=1)

    def figures(self, truth: Ragged, predictions: Ragged) -> list[Figure]:
        """Some rows as lines in time, and the average precision of each label."""
        near = (temporal_iou, [0.5], "tIoU .5") if self._has_length else (apart, [-0.5], "0.5 s")
        found = self.found(predictions)
        by_label = precision_by_label(list(truth), found, near[1], near[0])
        bars = {self.labels[label]: float(scores[0]) for label, scores in by_label.items()}
        happens = [row for row, events in enumerate(truth) if len(events)][:DRAWN]
        lines = [(self._spans(list(truth)[row]), self._spans(found[row][found[row][:, 3] >= FAINT])) for row in happens]
        figures = [Figure("timelines", (lines, self.labels))] if lines else []
        return figures + ([Figure("bars", (bars, f"average precision at {near[2]}"))] if len(bars) > 1 else [])

    def _spans(self, events: np.ndarray) -> list[tuple[float, float, str, float]]:
        """Start, end, label and score; that of true ones is 1."""
        return [(s, e, self.labels[int(label)], score[0] if score else 1.0) for s, e, label, *score in events.tolist()]

    def card(self, prediction: Ragged, truth: Ragged, cell: Any) -> Card:
        """Events in words, and whether all of them are right."""
        given = self.answers(prediction)[0]
        if self.unusable(truth)[0]:  # its row is shown for another target
            return Card(in_words(given) or "nothing", "not known")
        true = [
            {"start": s, "end": e, "label": self.labels[int(label)]}
            for s, e, label in sorted(next(iter(truth)).tolist())
        ]
        return Card(in_words(given) or "nothing", in_words(true) or "nothing", self._all_right(prediction, truth))

    def _all_right(self, prediction: Ragged, truth: Ragged) -> bool:
        answers = [events[events[:, 3] >= self.sure] for events in self.found(prediction)]
        if not sum(map(len, answers)) + sum(truth.lengths):
            return True
        if self._has_length:
            return f1_of_answers(list(truth), answers) == 1
        close = precision_by_label(list(truth), answers, [-SECONDS[0]], apart)
        return len(truth.flat) == len(answers[0]) and all(bool(scores[0] == 1) for scores in close.values())


@dataclass(frozen=True)
class _Scored:
    """What scoring needs to know of one recording: matches by overlap and by seconds, answers that are right, and
    twice as many as there could be.
    """

    spans: Matches
    points: Matches
    hits: int
    total: int


@functools.lru_cache(maxsize=20_000)  # intervals come from scoring the same rows hundreds of times
def _scored(truth: bytes, steps: bytes, labels: int, length: float, find: Find, sure: float) -> _Scored:
    """Of one recording, `[G, 3]` float64 and `[T, labels + 2]` float32."""
    true = np.frombuffer(truth, np.float64).reshape(-1, 3)
    found = found_events(np.frombuffer(steps, np.float32).reshape(-1, labels + 2), labels, length, find)
    answers = found[found[:, 3] >= sure]
    hits = sum(int(right.sum()) for right, _, _ in matches(true, answers, [0.5]).values())
    return _Scored(
        matches(true, found), matches(true, found, [-s for s in SECONDS], apart), hits, len(true) + len(answers)
    )
