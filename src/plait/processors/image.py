"""Images: bounded decoding, resizing, uint8 pixels."""

import io
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from plait import former_names
from plait.errors import DataError, RecipeError
from plait.files.reading import MOST_MEDIA, open_plain, read_bytes

MAX_PIXELS = 64_000_000  # an 8,000 x 8,000 image; it takes 192 MB decoded, and three times that during decoding
HUNGRY = ("WEBP", "JPEG2000")  # formats whose decoders need twice the memory: half as many pixels are allowed
THIN = 16  # times the shorter side: the ends of a longer image are cut off before it is resized for a crop
LARGE = 16_000_000  # pixels; a larger image is resized one channel at a time
BLOCK = 64  # pixels of a JPEG, which take one bit at least
UNKNOWN_SIZE = 64  # pixels a side where no image can be read
BAND = 64  # rows of pixels that are converted at once
DEEP = ("I;16", "I;16B", "I;16L", "I", "F")  # PIL's modes of more than 8 bits
ORIENTATION = 0x0112  # what EXIF calls it
TURNS: dict[Any, Callable[[np.ndarray], np.ndarray]] = {  # EXIF's orientation → what turns an image upright
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x),
}
SHOWN_PIXELS = 25_000_000  # of an image to be shown or searched with; with 16 bits a pixel it takes 0.8 GB
JPEG = b"\xff\xd8"  # the first bytes of its files
Resize = Literal["squash", "crop", "pad"]


class ImageProcessor:
    """An image file → `[size, size, 3]` uint8.

    The pixels are what a person sees: EXIF rotation is applied, palettes and CMYK become RGB, transparency becomes
    white, 16 bits become 8, and of an animation it is the first frame.

    Args:
        size: pixels a side.
        resize: `squash` ignores the aspect ratio, `crop` resizes the shorter side to `size / crop_share` and cuts the
            centre out, `pad` fits the longer side and fills the rest.
        crop_share: share of the resized image that `crop` keeps (what timm calls crop_pct).
        interpolation: `bilinear` or `bicubic`, antialiased.
        fast: let the JPEG decoder halve images as long as their shorter side stays at `size` or above: many times
            faster on photographs of many megapixels, at a mean difference of about 1/255.
        max_pixels: refuse larger images before decoding them; of WebP and JPEG 2000 half as many.
        fill: brightness of what `pad` adds, 0 (black) to 255 (white).

    >>> buffer = io.BytesIO()
    >>> Image.new("L", (40, 20), 255).save(buffer, "PNG")
    >>> ImageProcessor(size=8)(buffer.getvalue())["pixels"].shape
    (8, 8, 3)
    """

    def __init__(
        self,
        size: Annotated[int, Ge(1), Le(16_384)],
        resize: Resize = "squash",
        crop_share: Annotated[float, Gt(0), Le(1)] = 1.0,
        interpolation: str = "bilinear",
        fast: bool = False,
        max_pixels: Annotated[int, Ge(1)] = MAX_PIXELS,
        fill: int = 0,
    ) -> None:
        if not 0 <= fill <= 255:
            raise RecipeError(f"fill: expected 0 (black) to 255 (white), got {fill!r}")
        self.fill = fill
        self.size = size
        self.resize = resize
        self.crop_share = crop_share
        self.interpolation = interpolation
        self.fast = fast
        self.max_pixels = max_pixels

    @classmethod
    def fit(
        cls,
        images: Iterable[Path | str | bytes],
        size: Annotated[int, Ge(1), Le(16_384)] | None = None,
        resize: Resize = "squash",
        crop_share: Annotated[float, Gt(0), Le(1)] = 1.0,
        interpolation: str = "bilinear",
        fast: bool = False,
        max_pixels: Annotated[int, Ge(1)] = MAX_PIXELS,
        fill: int = 0,
    ) -> "ImageProcessor":
        """A processor whose size fits some images: the median shorter side, as a multiple of 8 from 32 to 128.

        Args:
            images: of training rows; those that can't be read are ignored.
            size: pixels a side, where it need not be learned from the images.
            resize, crop_share, interpolation, fast, max_pixels, fill: as above.
        """
        if size is None:
            sides = []
            for image in images:
                try:
                    sides.append(min(image_size(image)))
                except DataError:
                    continue
            size = int(np.clip(round(np.median(sides) / 8) * 8, 32, 128)) if sides else UNKNOWN_SIZE
        return cls(size, resize, crop_share, interpolation, fast, max_pixels, fill)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def __call__(self, value: Path | str | bytes) -> dict[str, np.ndarray]:
        """Decode and resize one image.

        Raises:
            DataError: the file is missing, empty, truncated, no image, or larger than `max_pixels`.
        """
        pixels = decode_image(value, self.max_pixels, self.size if self.fast else None)
        return {"pixels": self.of_pixels(pixels)}

    def of_pixels(self, pixels: Tensor) -> np.ndarray:
        """An image that is decoded, `[3, height, width]` uint8 → `[size, size, 3]`."""
        return self._resized(pixels).permute(1, 2, 0).contiguous().numpy()

    def blank(self) -> dict[str, np.ndarray]:
        """A black image."""
        return {"pixels": np.zeros((self.size, self.size, 3), dtype=np.uint8)}

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U images → `{"pixels": [U, 3, size, size]}` uint8, channels last in memory."""
        return {"pixels": torch.from_numpy(np.stack([value["pixels"] for value in values])).permute(0, 3, 1, 2)}

    def _resized(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        from torchvision.transforms.v2 import functional as TF

        if self.resize == "squash":
            return self._scaled(pixels, self.size, self.size)
        if self.resize == "pad":
            scale = self.size / max(height, width)
            pixels = self._scaled(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
            left, top = (self.size - pixels.shape[-1]) // 2, (self.size - pixels.shape[-2]) // 2
            right, bottom = self.size - pixels.shape[-1] - left, self.size - pixels.shape[-2] - top
            return torch.nn.functional.pad(pixels, [left, right, top, bottom], value=self.fill)
        # Cropping cuts off the ends of a thin image anyway; resized first, they would fill the memory.
        if max(height, width) > THIN * min(height, width):
            pixels = TF.center_crop(pixels, [min(height, THIN * width), min(width, THIN * height)])
            height, width = pixels.shape[-2:]
        shorter = round(self.size / self.crop_share)
        scale = shorter / min(height, width)
        pixels = self._scaled(pixels, max(self.size, int(height * scale)), max(self.size, int(width * scale)))
        return TF.center_crop(pixels, [self.size, self.size])

    def _scaled(self, pixels: Tensor, height: int, width: int) -> Tensor:
        height_before, width_before = pixels.shape[-2:]
        if (height_before, width_before) == (height, width):
            return pixels
        from torchvision.transforms.v2 import InterpolationMode
        from torchvision.transforms.v2 import functional as TF

        mode = InterpolationMode(self.interpolation)
        if height_before * width_before > LARGE:  # some machines resize in float32, which takes four times the memory
            return torch.cat([TF.resize(channel[None], [height, width], mode, antialias=True) for channel in pixels])
        channels_last = pixels.unsqueeze(0).contiguous(memory_format=torch.channels_last)  # 5x PIL's speed
        return TF.resize(channels_last, [height, width], mode, antialias=True)[0]


def decode_image(value: Path | str | bytes, max_pixels: int = MAX_PIXELS, shortest: int | None = None) -> Tensor:
    """An image file or its bytes → `[3, height, width]` uint8 RGB.

    Args:
        value: a path, or the file's bytes.
        max_pixels: refuse an image that would decode to more.
        shortest: the decoder may halve a JPEG as long as its shorter side stays at least this long, in pixels.

    Raises:
        DataError: the file is missing, empty, truncated, no image, or too large.
    """
    data, name = _read(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL's bomb warning: the bound below is ours
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                most = max_pixels // 2 if picture.format in HUNGRY else max_pixels
                if width * height > most:
                    raise DataError(
                        f"{name}: the {picture.format} image is {width} x {height} pixels, more than the allowed "
                        f"{most:,}; shrink it, or raise max_pixels of the input"
                    )
                if picture.format == "JPEG" and width * height > BLOCK * 8 * len(data):
                    raise DataError(f"{name}: damaged, {len(data):,} bytes can't hold a JPEG of {width} x {height}")
                if shortest is not None and picture.format == "JPEG":
                    picture.draft("RGB", _draft_size(width, height, shortest))
                elif picture.format == "JPEG" and picture.mode in ("RGB", "L"):
                    from torchvision.io import ImageReadMode, decode_jpeg

                    encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
                    return decode_jpeg(encoded, mode=ImageReadMode.RGB, apply_exif_orientation=True)
                pixels = _as_rgb(picture)
                turn = TURNS.get(picture.getexif().get(ORIENTATION, 1))
            if turn is not None:  # after the `with`, which frees the decoder's copy of the image
                pixels = np.ascontiguousarray(turn(pixels))
            return torch.from_numpy(pixels).permute(2, 0, 1)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: the image has more than the allowed {max_pixels:,} pixels ({error})") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: expected an image, got a file of another kind") from error
    except Exception as error:  # decoders raise anything from OSError to struct.error on damaged files
        raise DataError(f"{name}: the image is damaged or truncated ({_first_line(error)})") from error


def small_image(value: Path | str | bytes, side: int) -> Image.Image:
    """A small copy of an image, to be shown, at most `side` pixels wide and high.

    Raises:
        DataError: it can't be read, or would take gigabytes to decode.
    """
    refuse_heavy(value)
    picture = Image.fromarray(decode_image(value, shortest=side).permute(1, 2, 0).numpy())
    picture.thumbnail((side, side))
    return picture


def refuse_heavy(value: Path | str | bytes) -> None:
    """Refuse an image that takes about a gigabyte to decode, where it is only shown or searched with.

    JPEGs are allowed, because their decoder can skip what a small copy does not need.

    Raises:
        DataError: it is too large, or can't be read.
    """
    width, height = image_size(value)
    if width * height > SHOWN_PIXELS and _read(value)[0][:2] != JPEG:
        raise DataError(f"{_name(value)}: {width} x {height} pixels are more than {SHOWN_PIXELS:,}; shrink it")


def image_size(value: Path | str | bytes) -> tuple[int, int]:
    """Width and height as stored, from the header alone.

    Raises:
        DataError: the file is missing, empty or no image.
    """
    file = io.BytesIO(value) if isinstance(value, bytes) else open_plain(value)
    try:
        with warnings.catch_warnings(), file:
            warnings.simplefilter("ignore")
            with Image.open(file) as picture:
                return picture.size
    except UnidentifiedImageError as error:
        raise DataError(f"{_name(value)}: expected an image, got a file of another kind") from error
    except Exception as error:
        raise DataError(f"{_name(value)}: the image can't be read ({_first_line(error)})") from error


def _read(value: Path | str | bytes) -> tuple[bytes, str]:
    """The bytes of an image file, and what messages call it."""
    name = _name(value)
    if isinstance(value, bytes):
        data = value
    else:
        data = read_bytes(value, most=MOST_MEDIA)
    if not data:
        raise DataError(f"{name}: expected an image, got an empty file (0 bytes)")
    return data, name


def _name(value: Path | str | bytes) -> str:
    if isinstance(value, bytes):
        return getattr(value, "path", "") or f"image of {len(value):,} bytes"
    return str(value)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _draft_size(width: int, height: int, shortest: int) -> tuple[int, int]:
    scale = shortest / min(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _as_rgb(picture: Image.Image) -> np.ndarray:
    """`[height, width, 3]` uint8 of the first frame, a band at a time: no second copy of a large image is made."""
    picture.seek(0)
    picture.load()
    width, height = picture.size
    top = 255.0  # what becomes white; of 16 bits it depends on the values whether all of them are used
    if picture.mode in DEEP:
        darkest_and_lightest: Any = picture.getextrema()
        top = 65535.0 if darkest_and_lightest[1] > 255 else 255.0
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    for start in range(0, height, BAND):
        band = picture.crop((0, start, width, min(start + BAND, height)))
        pixels[start : start + BAND] = np.asarray(_band_as_rgb(band, top))
    return pixels


def _band_as_rgb(band: Image.Image, top: float) -> Image.Image:
    if band.mode in DEEP:
        values = np.asarray(band).astype(np.float64)
        return Image.fromarray((values.clip(0, top) * (255.0 / top)).round().astype(np.uint8)).convert("RGB")
    if band.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in band.info:
        band = band.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", band.size, (255, 255, 255, 255)), band).convert("RGB")
    return band.convert("RGB")


__getattr__ = former_names(
    __name__,
    {
        "decode_picture": "plait.processors.image.decode_image",
        "small_picture": "plait.processors.image.small_image",
        "picture_size": "plait.processors.image.image_size",
    },
)
