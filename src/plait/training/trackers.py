"""Who is told how training goes: the terminal, `log.jsonl`, TensorBoard and other trackers."""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS

from plait.console import ProgressListener
from plait.errors import MissingExtra, RecipeError, import_extra, unknown
from plait.training.loop import Listener
from plait.training.settings import TrainSettings


class Log(Protocol):
    """Somewhere that keeps records."""

    @property
    def path(self) -> Any: ...

    def append_log(self, record: Mapping[str, Any]) -> None: ...


class Several:
    """One listener that passes everything on to several."""

    def __init__(self, listeners: list[Listener]) -> None:
        self.listeners = listeners

    def step(self, epoch: int, step: int, steps: int, loss: float, rate: float) -> None:
        for listener in self.listeners:
            listener.step(epoch, step, steps, loss, rate)

    def epoch(self, record: dict[str, Any], best: bool) -> None:
        for listener in self.listeners:
            listener.epoch(record, best)

    def samples(self, records: list[dict[str, Any]], pictures: list[Any]) -> None:
        """Some of what was written at an evaluation."""
        for listener in self.listeners:
            tell = getattr(listener, "samples", None)
            if tell is not None:
                tell(records, pictures)


class LogListener:
    """Writes steps and epochs to a run's log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def step(self, epoch: int, step: int, steps: int, loss: float, rate: float) -> None:
        self.log.append_log({"epoch": epoch + 1, "step": step, "loss": loss, "learning_rate": rate})

    def epoch(self, record: dict[str, Any], best: bool) -> None:
        self.log.append_log({**record, "best": best})

    def samples(self, records: list[dict[str, Any]], pictures: list[Any]) -> None:
        self.log.append_log({"samples": records})


class TrackerListener:
    """Passes numbers on to a tracker of Accelerate; texts that were written too, with their images."""

    def __init__(self, tracker: Any) -> None:
        self.tracker, self.steps_done = tracker, 0

    def step(self, epoch: int, step: int, steps: int, loss: float, rate: float) -> None:
        self.steps_done = epoch * steps + step
        self.tracker.log({"train/loss": loss, "train/learning_rate": rate}, step=epoch * steps + step)

    def epoch(self, record: dict[str, Any], best: bool) -> None:
        values = {f"val/{name}": value for name, value in record.get("val", {}).items()}
        self.tracker.log(values | {"epoch/loss": record["loss"]}, step=record["epoch"])

    def samples(self, records: list[dict[str, Any]], pictures: list[Any]) -> None:
        lines = [f"{n}. {r['written']} (right: {'; '.join(r['right'])})" for n, r in enumerate(records, 1)]
        self.tracker.log({"val/written": "\n\n".join(lines)}, step=self.steps_done)
        images = [image for image in pictures if image is not None]
        if images and hasattr(self.tracker, "log_images"):
            layout = {"dataformats": "NHWC"} if self.tracker.name == "tensorboard" else {}
            self.tracker.log_images({"val/pictures": np.stack(images)}, step=self.steps_done, **layout)


def _tracker_classes() -> dict[str, Any]:
    return {str(getattr(name, "value", name)): cls for name, cls in LOGGER_TYPE_TO_CLASS.items()}


def check_trackers(names: Sequence[str]) -> None:
    """Refuse a tracker that is not there, before any work.

    Raises:
        RecipeError: it is unknown.
        MissingExtra: its package is not installed.

    >>> check_trackers(["tensorbord"])
    Traceback (most recent call last):
        ...
    plait.errors.RecipeError: unknown tracker 'tensorbord'; did you mean 'tensorboard'? ...
    """
    for name in names:
        if name not in _tracker_classes():
            raise RecipeError(unknown("tracker", name, _tracker_classes()))
        if name == "tensorboard":
            import_extra("tensorboard", "tensorboard")
        elif importlib.util.find_spec(name) is None:  # each is named after its package
            raise MissingExtra(f"the tracker {name} is not installed; run: pip install {name.replace('_', '-')}")


@contextmanager
def listeners(log: Log, settings: TrainSettings, verbose: bool) -> Iterator[Several]:
    """All listeners of a run, opened and closed.

    Raises:
        RecipeError: a tracker is unknown.
        MissingExtra: its package is not installed.
    """
    check_trackers(settings.trackers)
    classes = _tracker_classes()
    with ExitStack() as stack:
        active: list[Listener] = [
            LogListener(log),
            stack.enter_context(
                ProgressListener(settings.epochs if isinstance(settings.epochs, int) else None, quiet=not verbose)
            ),
        ]
        for name in settings.trackers:
            options = {"logging_dir": str(log.path)} if classes[name].requires_logging_directory else {}
            try:
                tracker = classes[name]("tensorboard" if name == "tensorboard" else "plait", **options)
                if hasattr(tracker, "start"):  # newer releases of Accelerate
                    tracker.start()
            except Exception as error:  # another party's: no account, no network, whatever it raises
                reason = (str(error) or type(error).__name__).splitlines()[0][:200]
                raise RecipeError(f"tracker {name}: can't be started ({reason}); set it up, or leave it out") from error
            stack.callback(tracker.finish)
            active.append(TrackerListener(tracker))
        yield Several(active)
