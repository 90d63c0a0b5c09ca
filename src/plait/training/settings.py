"""What a user can set about training. No torch here: the command line reads it before anything heavy loads."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator, ConfigDict

MOST = 100_000_000  # of what is counted


def _off(value: Any) -> Any:
    """YAML reads `off` as false."""
    return "off" if value is False else value


Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class TrainSettings:
    """Settings of the loop.

    Args:
        epochs: passes over the training rows; `auto`, which is also what counts where nothing is set, goes on until
            validation no longer improves (see `plait.training.pace.OpenEnded`), up to `max_steps`.
        max_steps: steps at most where `epochs` is `auto`, at least an epoch; None for 3,000 or ten epochs, whichever is
            more.
        time_limit: seconds of training, after which an `auto` run is brought to its end, and another stops.
        batch_size: rows a step. Where rows that share an image stay together, a step takes whole groups until it
            has so many.
        optimizer: `adamw` (decay apart from the gradient), `adam`, or `sgd` with momentum 0.9, which takes a learning
            rate some ten to a hundred times as high.
        learning_rate: the highest of the schedule.
        encoder_learning_rate: of pretrained encoders; None for a tenth of `learning_rate`.
        schedule: `cosine` (warm-up, then a half cosine to zero), `onecycle` (rise over the first 30 % from a 25th,
            then fall to zero), `linear` (warm-up, then to zero), `constant` (after warm-up), or `wsd` (constant after
            warm-up, falling to zero over the last fifth). None for `wsd` where `epochs` is `auto`, else `cosine`.
        warmup_ratio: share of the steps that the rate rises over (not in `onecycle`); of 1,000 steps where `epochs` is
            `auto`.
        weight_decay: on matrices only. `adamw` takes this share, times the learning rate, off the weights at each
            step; `adam` and `sgd` add it to the gradient (an L2 penalty).
        gradient_accumulation_steps: batches a step of the optimizer.
        clip: largest norm of the gradient; 0 for no clipping.
        ema: decay of the weights' moving average, which is evaluated and saved; 0 for none.
        precision: `bfloat16` is autocast; `bfloat16_matmul` keeps float32 tensors and multiplies them in bfloat16
            (processors); `auto` times them on the first batch and keeps the fastest whose loss agrees with
            float32's; what it took stands in the run's recipe.
        metric: picks the best epoch; None for the task's own, `loss` for the validation loss.
        patience: stop after so many epochs without a better metric; 0 to go on to the end. Where `epochs` is `auto`,
            evaluations without progress; 0 for five (125 steps at least).
        evaluate_every: epochs between two evaluations; the last epoch is always evaluated. None for 1, and where
            `epochs` is `auto` for as many as have 25 steps.
        validation_rows: rows that are answered at each evaluation, always the same; 0 for all, None for all but
            where texts are written, which takes time: 200 then. The last scores are of all rows always.
        batch_by: column whose equal cells stay in one batch, so that a shared image is encoded once; `auto` takes
            the image column that repeats most, `none` shuffles freely.
        seed: of weights, order and dropout.
        workers: threads that decode; None for one fewer than the cores.
        cache_mb: decoded values kept in memory, in MB.
        checkpoint_minutes: time between two saves within an epoch; every epoch's end is saved too.
        trackers: of Accelerate, such as `tensorboard`.
        device: `auto` takes what there is.
        features: of frozen encoders: `auto` computes them once, by the fastest path that agrees with float32 (cosine
            0.9999), and keeps them for later runs; `float32` takes exact paths only; `off` encodes every time.
        baseline: `auto` also scores guesses that need no model (the majority class or mean, TF-IDF with a linear model,
            the nearest training image's text) on at most 20,000 rows, in a twentieth of the training's time (a second
            at least); `off` does not.
        calibrate: `auto` divides the logits of classes and labels by a temperature that fits validation rows which did
            not choose the weights (1706.04599), where there are 400 of them: half choose, half calibrate; `off` does
            not.
        modality_dropout: probability with which a row loses a modality in training (never all of them): the model
            learns to do without, and leans less on the easiest one.
        auxiliary: weight of the losses of extra heads that answer from one modality alone; 0 for none. They keep the
            weaker encoders learning, and are not used afterwards.
        gradient_modulation: strength (alpha) of OGM-GE: encoders of the modalities that answer best learn more
            slowly, and every encoder's gradient gets noise; 0 for none, 0.1 to 1 are usual. Not for frozen encoders.
        gradient_blending: epochs for which each modality, and all together, first learn by themselves to see how much
            of what they learn holds on validation rows; the losses of the extra heads and of the whole model are then
            weighted by it. 0 for none. Takes the place of `auxiliary`.
        gradient_cache: values that an encoder holds the activations of at once, so that a batch (and the negatives of
            retrieval) is not bound by memory: each part is encoded twice, the gradients are the whole batch's. 0 for
            all at once.
        start: a former run to begin from: its vocabularies, and its weights wherever name and shape agree.
        teacher: a finished run whose answers to the training rows are learned beside the truth (1503.02531). It may
            read other inputs than this run, and be of any size; its classes or tokens must be the same.
        distillation: share of the loss that the teacher's answers have.
        distillation_temperature: above 1, what the teacher holds likely beside its answer counts more.
        self_critical: of a decoder: share of the loss that rewards texts that score better than those it would write
            by itself (1612.00563), by CIDEr, or by exact match of short answers; the rest is the likelihood of the
            training texts. Begin from a run that writes already (`start`). 0 for none.
        scheduled_sampling: of a decoder: share of the words that it is told in training, replaced by those that it
            would have said, so that it learns to go on from its own mistakes; 0 for none.
        shard: under `torchrun`, split weights, gradients and optimizer state over the processes (FSDP2) instead of
            a copy in each; for a model that one device can't hold.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    epochs: Annotated[int, Ge(1), Le(MOST)] | Literal["auto"] | None = None
    max_steps: Annotated[int, Ge(1), Le(MOST)] | None = None
    time_limit: Annotated[float, Gt(0), Le(MOST)] | None = None
    batch_size: Annotated[int, Ge(1), Le(MOST)] = 64
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: Annotated[float, Gt(0), Le(1000)] = 1e-3
    encoder_learning_rate: Annotated[float, Gt(0), Le(1000)] | None = None
    schedule: Literal["cosine", "onecycle", "linear", "constant", "wsd"] | None = None
    warmup_ratio: Share = 0.05
    weight_decay: Annotated[float, Ge(0)] = 0.01
    gradient_accumulation_steps: Annotated[int, Ge(1), Le(MOST)] = 1
    clip: Annotated[float, Ge(0)] = 1.0
    ema: Annotated[float, Ge(0), Le(0.99999)] = 0.0
    precision: Literal["auto", "float32", "bfloat16", "bfloat16_matmul"] = "auto"
    metric: str | None = None
    patience: Annotated[int, Ge(0), Le(MOST)] = 0
    evaluate_every: Annotated[int, Ge(1), Le(MOST)] | None = None
    validation_rows: Annotated[int, Ge(0)] | None = None
    batch_by: str = "auto"
    seed: Annotated[int, Ge(0), Le(2**32 - 1)] = 0
    workers: Annotated[int, Ge(0), Le(256)] | None = None
    cache_mb: Annotated[float, Ge(0), Le(10_000_000)] = 1024
    checkpoint_minutes: Annotated[float, Gt(0)] = 10
    trackers: tuple[str, ...] = ()
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    shard: bool = False
    baseline: Annotated[Literal["auto", "off"], BeforeValidator(_off)] = "auto"
    calibrate: Annotated[Literal["auto", "off"], BeforeValidator(_off)] = "auto"
    features: Annotated[Literal["auto", "float32", "off"], BeforeValidator(_off)] = "auto"
    modality_dropout: Annotated[float, Ge(0), Le(0.9)] = 0.0
    auxiliary: Annotated[float, Ge(0)] = 0.0
    gradient_modulation: Annotated[float, Ge(0)] = 0.0
    gradient_blending: Annotated[int, Ge(0), Le(1000)] = 0
    gradient_cache: Annotated[int, Ge(0), Le(MOST)] = 0
    start: str | None = None
    teacher: str | None = None
    distillation: Share = 0.5
    distillation_temperature: Annotated[float, Gt(0)] = 2.0
    self_critical: Share = 0.0
    scheduled_sampling: Annotated[float, Ge(0), Le(0.9)] = 0.0

    def __post_init__(self) -> None:
        if self.gradient_blending and self.auxiliary:
            raise ValueError("gradient_blending weighs the extra heads itself; leave auxiliary at 0")
        if self.teacher is not None and self.self_critical:
            raise ValueError("teacher and self_critical each replace a share of the loss; use one after the other")
        if self.gradient_modulation and self.shard:
            raise ValueError("gradient_modulation needs whole gradients; leave shard at false")

    @property
    def extra_heads(self) -> bool:
        """Whether each modality gets a head of its own in training."""
        return self.auxiliary > 0 or self.gradient_blending > 0
