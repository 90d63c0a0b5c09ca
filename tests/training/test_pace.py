"""A run goes on while it learns, ends when it no longer does, and says which of the two it was."""

from dataclasses import replace

import pytest

from plait.errors import RecipeError
from plait.training.checkpoint import Progress
from plait.training.pace import Metric, OpenEnded, Pace, Planned, as_long_as, expected_epochs, fallback, pace_of
from plait.training.settings import TrainSettings

ACCURACY = Metric("accuracy", True)
AUTO = TrainSettings(epochs="auto")


def follow(pace: Pace, curve: list[tuple[float, float]], late_from: int | None = None) -> Progress:
    """Judge epochs with these scores and losses until the pace ends them; the last one repeats."""
    progress = Progress()
    while progress.epoch < (progress.end or pace.most):
        record = {"epoch": progress.epoch + 1}
        if pace.due(progress.epoch, progress):
            score, loss = curve[min(progress.epoch, len(curve) - 1)]
            record["val"] = {"accuracy": score, "loss": loss}
        best = pace.judge(record, ACCURACY, progress, late_from is not None and progress.epoch + 1 >= late_from)
        assert not best or progress.best_epoch == progress.epoch
        progress.history.append(record)
        progress.epoch += 1
    return progress


def test_the_settings_decide_which_pace() -> None:
    assert isinstance(pace_of(TrainSettings(), 10, True), OpenEnded)
    assert isinstance(pace_of(AUTO, 10, True), OpenEnded) and pace_of(AUTO, 10, True).most == 300
    assert pace_of(AUTO, 1000, True).most == 10  # a large table: ten epochs
    assert pace_of(replace(AUTO, max_steps=50), 10, True).most == 5
    assert pace_of(replace(AUTO, max_steps=50), 1000, True).most == 1
    planned = pace_of(AUTO, 10, False)  # nothing to validate on
    assert isinstance(planned, Planned) and planned.most == 50
    assert pace_of(TrainSettings(epochs=3), 10, True).most == 3
    with pytest.raises(RecipeError, match=r"train.schedule=cosine needs to know how long.*set train.epochs too"):
        pace_of(TrainSettings(schedule="cosine"), 10, True)
    assert pace_of(TrainSettings(schedule="wsd"), 10, True).most == 300
    assert expected_epochs(AUTO, 10) == 150 and expected_epochs(TrainSettings(epochs=7)) == 7


def test_it_goes_on_while_it_learns_and_stops_soon_after() -> None:
    pace = pace_of(AUTO, 25, True)  # an epoch has 25 steps: validated each
    learning = [(0.5 + 0.005 * n, 1 / (1 + 0.1 * n)) for n in range(40)]
    done = follow(pace, [*learning, (0.6, 0.3)])
    assert done.converged and 40 < done.cooling < 52 and done.end == done.cooling + -(-done.cooling // 4)
    still = follow(pace, [(0.001 * n, 1.0) for n in range(1000)])
    assert not still.converged and still.end == 120 and still.cooling == 96
    assert follow(pace, [(0.5, 1.0)]).converged  # a constant is learned at once


def test_a_falling_loss_counts_where_the_score_stands_still() -> None:
    """Two thirds right by the most frequent answer, for long, while the loss falls: it is about to learn."""
    pace = pace_of(AUTO, 25, True)
    done = follow(pace, [(0.66, 1.0 * 0.97**n) for n in range(60)])
    assert done.cooling > 50


def test_many_small_falls_are_progress() -> None:
    """Half a hundredth an evaluation, for long: less than what counts at once, more than what counts in patience."""
    pace = pace_of(AUTO, 25, True)
    done = follow(pace, [(0.66, 0.995**n) for n in range(60)])
    assert done.cooling > 55
    hardly = follow(pace, [(0.66, 0.9995**n) for n in range(60)])
    assert hardly.cooling < 15 and hardly.converged


def test_a_lucky_evaluation_is_no_progress_and_its_weights_are_not_kept() -> None:
    pace = pace_of(AUTO, 25, True)
    plain = [(0.7, 0.5)] * 30
    lucky = list(plain)
    lucky[2] = (0.74, 0.5)
    calm = follow(pace, plain)
    spiked = follow(pace, lucky)
    assert spiked.cooling <= calm.cooling + 5 + 5  # the window that it lifts, and the patience after it
    fallen = [*lucky[: spiked.cooling], *[(0.73, 0.5)] * 9]  # better after the rate fell than any mean before
    end = follow(pace, fallen)
    assert end.best_epoch == end.epoch - 1 and end.best == 0.73


def test_what_was_better_before_the_rate_fell_is_kept() -> None:
    pace = pace_of(AUTO, 25, True)
    worse = follow(pace, [(0.8, 0.5)] * 6 + [(0.5, 2.0)] * 60)
    assert worse.best == 0.8 and worse.best_epoch < worse.cooling


def test_few_steps_an_epoch_are_validated_seldom() -> None:
    pace = pace_of(AUTO, 3, True)
    due = [epoch for epoch in range(40) if pace.due(epoch, Progress())]
    assert due == [8, 17, 26, 35]
    assert pace_of(replace(AUTO, evaluate_every=2), 3, True).due(1, Progress())


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    pace = pace_of(AUTO, 10, True)
    assert pace.rate(0, Progress()) == pytest.approx(1 / 50) and pace.rate(49, Progress()) == 1.0
    assert pace.rate(2000, Progress()) == 1.0
    falling = Progress(cooling=100, end=125)
    assert pace.rate(1000, falling) == 1.0 and pace.rate(1125, falling) == pytest.approx(0.5)
    assert pace.rate(1249, falling) == pytest.approx(1 / 250)


def test_out_of_time_it_is_brought_to_its_end() -> None:
    pace = pace_of(AUTO, 25, True)
    rising = [(0.001 * n, 1.0) for n in range(1000)]
    done = follow(pace, rising, late_from=20)
    assert done.cooling == 20 and done.end == 25 and not done.converged
    assert follow(pace_of(TrainSettings(epochs=50), 25, True), rising, late_from=20).epoch == 20


@pytest.mark.parametrize(
    ("curve", "converged"),
    [
        ([(0.5, 1.0 - 0.09 * n) for n in range(10)], False),  # thirty steps of a small table: it had just begun
        ([(0.5, 1.0 / (n + 1)) for n in range(5)] + [(0.6, 0.2 + 0.01 * n) for n in range(45)], True),
        ([(0.5, 1.0)] * 2, False),  # too few to show it
    ],
)
def test_a_planned_run_says_whether_it_had_levelled_off(curve: list[tuple[float, float]], converged: bool) -> None:
    done = follow(pace_of(TrainSettings(epochs=len(curve)), 3, True), curve)
    assert done.converged is converged


def test_patience_of_a_planned_run() -> None:
    done = follow(pace_of(TrainSettings(epochs=50, patience=3), 3, True), [(0.5, 1.0), (0.6, 0.9), (0.55, 1.0)])
    assert done.epoch == 5 and done.best_epoch == 1


def test_without_the_metric_the_loss_decides() -> None:
    pace, progress = pace_of(AUTO, 25, True), Progress()
    for epoch, loss in enumerate([1.0, 0.5, 0.7]):
        record = {"epoch": epoch + 1, "val": {"loss": loss}}
        pace.judge(record, ACCURACY, progress)
        progress.history.append(record)
    assert progress.best_epoch == 2  # the mean of three is lower than that of two
    assert "the validation loss picked the best epoch" in fallback(progress, ACCURACY)


def test_as_long_as_another() -> None:
    other = as_long_as(Progress(epoch=17), AUTO)
    assert other.epochs == 17 and other.schedule == "wsd" and pace_of(other, 5, False).most == 17
    assert as_long_as(Progress(epoch=9), TrainSettings(epochs=9)).schedule == "cosine"
