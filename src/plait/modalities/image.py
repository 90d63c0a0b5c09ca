"""Images: files, bytes, PIL's and arrays."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from plait.errors import DataError
from plait.files.reading import MOST_MEDIA
from plait.modalities.fingerprints import image_fingerprint
from plait.modalities.media import Media, Opened, are_media, open_file, split_cell
from plait.modalities.modality import Facts, Modality, Oddity, Shown
from plait.modalities.noises import Noise, blurred, jpeg
from plait.modalities.sample import Sample

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif")
)
HUGE_SIDE = 5_000  # pixels: decoding larger images costs more than they are worth
LOOKED_AT = 64  # pixels of the shorter side; enough for a fingerprint
STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6")
# One red pixel.
TINY_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"


def recognise(sample: Sample) -> str | None:
    """Nine of ten cells name image files, or are images."""
    if not are_media(sample.values, SUFFIXES, is_image):
        return None
    return "its cells name image files" if isinstance(sample.values[0], str) else "its cells are images"


def is_image(data: bytes) -> bool:
    """By how a file begins."""
    if data[:4] == b"RIFF":
        return data[8:12] == b"WEBP"
    return data.startswith(STARTS) or data[4:12] in (b"ftypavif", b"jP  \r\n\x87\n")


def takes(cell: Any) -> bool:
    """PIL's images, arrays of three dimensions, or of two of uint8, bool or uint16; or a list of such."""
    if isinstance(cell, list | tuple):
        return bool(cell) and all(map(_is_object, cell))
    return _is_object(cell)


def _is_object(value: Any) -> bool:
    if type(value).__name__ == "ndarray":  # of two dimensions and other numbers: a series
        return value.ndim == 3 or (value.ndim == 2 and value.dtype.name in ("uint8", "bool", "uint16"))
    return hasattr(value, "convert") and hasattr(value, "getbands")  # PIL's images, without importing PIL


def store(column: str, row: int, value: Any) -> Any:
    """A PIL image or an array as PNG bytes, without loss; a list of them as a list.

    Args:
        column, row: of the cell, for the message.
        value: a PIL image, or uint8 (or bool, or uint16 of one channel) `[H, W]`, `[H, W, 1]`, `[H, W, 3]` or
            `[H, W, 4]`.

    Raises:
        DataError: the array has another shape (CHW), or another type.

    >>> import numpy as np
    >>> store("photo", 1, np.zeros((2, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    import numpy as np
    from PIL import Image

    if isinstance(value, list | tuple):
        return [store(column, row, item) for item in value]
    where = f"row {row}, column {column!r}"
    # Arrays are checked here, because PIL's own errors do not say what is wrong with one.
    if isinstance(value, np.ndarray):
        if value.ndim == 3 and value.shape[2] == 1:
            value = value[:, :, 0]
        shape = "×".join(map(str, value.shape))
        if value.ndim == 3 and value.shape[2] not in (3, 4):
            order = " (channels first; turn it with array.transpose(1, 2, 0))" if value.shape[0] in (1, 3, 4) else ""
            raise DataError(f"{where}: expected an image as H×W or H×W×3, got an array of {shape}{order}")
        if value.dtype not in (np.uint8, np.bool_) and not (value.dtype == np.uint16 and value.ndim == 2):
            raise DataError(f"{where}: expected an image of uint8 (0 to 255), got {value.dtype} ({shape}); convert it")
        if 0 in value.shape:
            raise DataError(f"{where}: the image is empty ({shape})")
        value = Image.fromarray(value)
    elif getattr(value, "mode", "") in ("CMYK", "YCbCr", "HSV", "LAB"):  # PNG can't hold these
        value = value.convert("RGB")
    file = io.BytesIO()
    try:
        value.save(file, "PNG", compress_level=1)
    except (OSError, ValueError) as error:
        raise DataError(f"{where}: the image can't be read ({error})") from error
    return file.getvalue()


def read(column: str, cell: Any, form: Any = None) -> None:
    """Nothing: any cell may hold images, and whether it does shows when they are opened."""


def pieces(cell: Any) -> Sequence[Any]:
    """The paths or bytes in a cell."""
    return split_cell(cell)


def open_image(piece: Any, media: Media) -> Opened:
    """The bytes of an image's file."""
    return open_file(piece, media, MOST_MEDIA)


def look(opened: Opened) -> Facts:
    """Decode an image once: its fingerprint, and whether it is unusually large.

    Raises:
        DataError: it can't be decoded.
    """
    from plait.processors.image import decode_image, image_size

    side = max(image_size(opened.content))
    fingerprint = image_fingerprint(decode_image(opened.content, shortest=LOOKED_AT))
    odd = Oddity("huge_picture", f"are longer than {HUGE_SIDE} px; shrink them", f"{side} px")
    return Facts(fingerprint or None, odd if side > HUGE_SIDE else None)


def show(opened: Opened, side: int) -> Shown:
    """An image's path and a copy of at most `side` pixels a side; the path alone where it can't be decoded."""
    from plait.processors.image import small_image

    try:
        return Shown(opened.name, small_image(opened.content, side))
    except DataError:
        return Shown(opened.name)


def sample_cells() -> list[Any]:
    """Bytes, Hugging Face's dict, a list of several, and an empty cell."""
    png = base64.b64decode(TINY_PNG)
    return [png, {"bytes": png, "path": None}, [png, png], None]


IMAGE = Modality(
    name="image",
    short="img",
    recognise=recognise,
    default="scratch:cnn",
    packaged="packaged:efficientnet-lite0",
    packaged_options={"resize": "pad", "fill": 255},  # whole on white: a crop loses what lies at the edges
    encoders=(
        "timm:NAME",
        "packaged:efficientnet-lite0",
        "packaged:efficientnet-lite2",
        "hf:NAME (CLIP, SigLIP)",
        "open_clip:MODEL/WEIGHTS",
    ),
    processors=("image",),
    fitting=50,
    suffixes=SUFFIXES,
    feature="Image",
    media=True,
    several=True,
    shared=True,
    anchors=True,
    pictured=True,
    gridded=True,
    unusable="unusable_picture",
    noises={
        "blur": Noise(
            (0.01, 0.02, 0.04, 0.08), "deviation over the shorter side", lambda p, level, r, _: blurred(p, level)
        ),
        "jpeg": Noise((50, 20, 10, 5), "JPEG quality", lambda p, level, r, _: jpeg(p, level)),
    },
    takes=takes,
    store=store,
    read=read,
    pieces=pieces,
    open=open_image,
    look=look,
    recur=lambda values: False,
    show=show,
    sample_cells=sample_cells,
)
