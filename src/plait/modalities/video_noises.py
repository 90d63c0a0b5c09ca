"""Ways to make videos worse: lost frames, frames that stand still, blur, images that come late."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # heavy libraries are imported where a video is made worse
    import numpy as np

    from plait.processors.frames import Clip


def without_frames(video: Any, share: float, random: "np.random.Generator", processor: Any) -> "Clip":
    """A video from which frames are lost with a probability; at least one stays.

    Args:
        video: a file or its bytes.
        share: probability of each frame that is read.
        random: one number is drawn a frame, so that a larger share loses the same frames and more.
        processor: of the column, which says what frames are read; None for usual ones.
    """
    import numpy as np

    clip = _clip(video, processor)
    draws = random.random(len(clip.frames))
    kept = draws >= share
    kept[int(draws.argmax())] = True
    return replace(
        clip, frames=[f for f, one in zip(clip.frames, kept, strict=True) if one], where=clip.where[np.array(kept)]
    )


def frozen(video: Any, share: float, random: "np.random.Generator", processor: Any) -> "Clip":
    """A video whose image stands still for a share of the time, from a drawn moment on."""
    clip = _clip(video, processor)
    count = len(clip.frames)
    start = int(random.random() * max(1, round(count * (1 - share))))
    still = range(start, min(count, start + round(count * share)))
    return replace(clip, frames=[clip.frames[start] if place in still else f for place, f in enumerate(clip.frames)])


def blurred(video: Any, share: float, processor: Any) -> "Clip":
    """A video behind a Gaussian blur, whose deviation is a share of the side of the frames that are read."""
    from PIL import Image, ImageFilter

    def blur(frame: Any) -> Any:
        return Image.fromarray(frame).filter(ImageFilter.GaussianBlur(share * frame.shape[0]))

    return _each(video, blur, processor)


def out_of_step(video: Any, seconds: float, processor: Any) -> "Clip":
    """A video whose images come late: what is shown at a time was to be shown so many seconds before."""
    import numpy as np

    clip = _clip(video, processor)
    middle = clip.where.mean(axis=1)
    from_when = np.searchsorted(clip.where[:, 0], middle - seconds, "right") - 1
    return replace(clip, frames=[clip.frames[max(0, int(place))] for place in from_when])


def _clip(video: Any, processor: Any) -> "Clip":
    from plait.processors.frames import Picks, read_clip

    clip: Clip = read_clip(video, Picks()) if processor is None else processor.read(video)
    return clip


def _each(video: Any, change: Callable[[Any], Any], processor: Any) -> "Clip":
    import numpy as np

    clip = _clip(video, processor)
    return replace(clip, frames=[np.asarray(change(frame)) for frame in clip.frames])
