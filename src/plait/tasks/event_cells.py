"""Cells that hold events: lists of `{start, end, label}`, as people and other programs write them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plait.errors import DataError
from plait.values import as_number, as_text, is_missing, shown

EVENT = "event"  # the label of events that have none


def in_words(events: Sequence[Mapping[str, Any]]) -> str:
    """Events as people read them.

    >>> in_words([{"start": 1.0, "end": 1.25, "label": "hit"}, {"start": 2.0, "end": 2.0, "label": "hit"}])
    'hit 1–1.25 s, hit 2 s'
    """
    return ", ".join(
        f"{event['label']} {_seconds(event['start'])}"
        + (f"–{_seconds(event['end'])} s" if event["end"] > event["start"] else " s")
        for event in events
    )


def _seconds(value: float) -> str:
    return f"{round(value, 2):g}" if value < 1_000 else f"{value:,.0f}"


def read_events(value: Any, row: int, lenient: bool = False) -> list[tuple[float, float, str]] | None:
    """The events of a cell: start, end and label of each; None where they are not known.

    Args:
        value: of the cell.
        row: its number, for messages.
        lenient: what can't be read counts as unknown.

    Raises:
        DataError: it is no list of events, or an event ends before it starts.

    >>> read_events([{"start": "1.5"}, {"segment": [2, 3], "label": "throw"}], row=1)
    [(1.5, 1.5, 'event'), (2.0, 3.0, 'throw')]
    """
    if not isinstance(value, list | tuple | np.ndarray) and is_missing(value):
        return None
    try:
        events = decoded(value)
        if not isinstance(events, list):
            raise DataError(f"expected a list of events, [{{start, end, label}}, …], got {shown(value, 40)}")
        return [_event(event) for event in events]
    except DataError as error:
        if lenient:
            return None
        raise DataError(f"row {row}: {error}") from error


def decoded(value: Any) -> Any:
    """A cell as a list: JSON texts and arrays of records are read; anything else comes back as it is."""
    if isinstance(value, str) and value.strip()[:1] == "[":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, np.ndarray):
        names = value.dtype.names
        return value.tolist() if names is None else [dict(zip(names, event, strict=True)) for event in value.tolist()]
    return list(value) if isinstance(value, tuple) else value


def _event(event: Any) -> tuple[float, float, str]:
    if not isinstance(event, Mapping):
        raise DataError(f"expected an event {{start, end, label}}, got {shown(event, 40)}")
    segment = event.get("segment")
    if segment is not None and len(segment) == 2:
        start, end = segment
    else:
        start, end = event.get("start"), event.get("end")
    begins = as_number("start", start)
    ends = begins if is_missing(end) else as_number("end", end)
    if not (np.isfinite([begins, ends]).all() and 0 <= begins <= ends):
        raise DataError(f"expected an event with its start and end in seconds, got {shown(dict(event), 80)}")
    label = event.get("label")
    return begins, ends, EVENT if is_missing(label) else as_text(label).strip()
