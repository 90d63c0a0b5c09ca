"""Pictures: bounded decoding, resizing, uint8 pixels."""

import io
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from plait.errors import DataError, RecipeError

MAX_PIXELS = 64_000_000  # an 8,000 x 8,000 picture; decoded it holds 192 MB
SHOWN_PIXELS = 25_000_000  # of one that is shown or asked with; with 16 bits a pixel it takes 0.8 GB
JPEG = b"\xff\xd8"  # what its files begin with
Resize = Literal["squash", "crop", "pad"]


class ImageProcessor:
    """A picture file → `[size, size, 3]` uint8.

    What a file holds becomes what a person sees: EXIF rotation is applied, palettes and CMYK become RGB, transparency
    becomes white, 16 bits become 8, an animation gives its first frame.

    Args:
        size: pixels a side.
        resize: `squash` ignores the aspect ratio, `crop` resizes the shorter side to `size / crop_share` and cuts the
            centre out, `pad` fits the longer side and fills the rest.
        crop_share: share of the resized picture that `crop` keeps (what timm calls crop_pct).
        interpolation: `bilinear` or `bicubic`, antialiased.
        fast: let the JPEG decoder halve pictures as long as their shorter side stays at `size` or above: many times
            faster on photographs of many megapixels, at a mean difference of about 1/255.
        max_pixels: refuse larger pictures before decoding them.
        fill: brightness of what `pad` adds, 0 (black) to 255 (white).

    >>> buffer = io.BytesIO()
    >>> Image.new("L", (40, 20), 255).save(buffer, "PNG")
    >>> ImageProcessor(size=8)(buffer.getvalue())["pixels"].shape
    (8, 8, 3)
    """

    def __init__(
        self,
        size: int,
        resize: Resize = "squash",
        crop_share: float = 1.0,
        interpolation: str = "bilinear",
        fast: bool = False,
        max_pixels: int = MAX_PIXELS,
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

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def __call__(self, value: Path | str | bytes) -> dict[str, np.ndarray]:
        """Decode and resize one picture.

        Raises:
            DataError: the file is absent, empty, truncated, no picture, or larger than `max_pixels`.
        """
        pixels = decode_picture(value, self.max_pixels, self.size if self.fast else None)
        return {"pixels": self._resized(pixels).permute(1, 2, 0).contiguous().numpy()}

    def blank(self) -> dict[str, np.ndarray]:
        """A black picture."""
        return {"pixels": np.zeros((self.size, self.size, 3), dtype=np.uint8)}

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U pictures → `{"pixels": [U, 3, size, size]}` uint8, channels last in memory."""
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
        shorter = round(self.size / self.crop_share)
        scale = shorter / min(height, width)
        pixels = self._scaled(pixels, max(self.size, int(height * scale)), max(self.size, int(width * scale)))
        return TF.center_crop(pixels, [self.size, self.size])

    def _scaled(self, pixels: Tensor, height: int, width: int) -> Tensor:
        if pixels.shape[-2:] == (height, width):
            return pixels
        from torchvision.transforms.v2 import InterpolationMode
        from torchvision.transforms.v2 import functional as TF

        mode = InterpolationMode(self.interpolation)
        channels_last = pixels.unsqueeze(0).contiguous(memory_format=torch.channels_last)  # 5x PIL's speed
        return TF.resize(channels_last, [height, width], mode, antialias=True)[0]


def decode_picture(value: Path | str | bytes, max_pixels: int = MAX_PIXELS, shortest: int | None = None) -> Tensor:
    """A picture file or its bytes → `[3, height, width]` uint8 RGB.

    Args:
        value: a path, or the file's bytes.
        max_pixels: refuse a picture that would decode to more.
        shortest: the decoder may halve a JPEG as long as its shorter side stays at least this long, in pixels.

    Raises:
        DataError: the file is absent, empty, truncated, no picture, or too large.
    """
    data, name = _read(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL's bomb warning: the bound below is ours
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise DataError(
                        f"{name}: the picture is {width} x {height} pixels, more than the allowed {max_pixels:,}; "
                        "shrink it, or raise max_pixels of the input"
                    )
                if shortest is not None and picture.format == "JPEG":
                    picture.draft("RGB", _draft_size(width, height, shortest))
                elif picture.format == "JPEG" and picture.mode in ("RGB", "L"):
                    from torchvision.io import ImageReadMode, decode_jpeg

                    encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
                    return decode_jpeg(encoded, mode=ImageReadMode.RGB, apply_exif_orientation=True)
                return torch.from_numpy(np.array(_as_rgb(picture))).permute(2, 0, 1)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: the picture has more than the allowed {max_pixels:,} pixels ({error})") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: expected a picture, got a file of another kind") from error
    except Exception as error:  # decoders raise anything from OSError to struct.error on damaged files
        raise DataError(f"{name}: the picture is damaged or truncated ({_first_line(error)})") from error


def small_picture(value: Path | str | bytes, side: int) -> Image.Image:
    """A picture to be shown, at most `side` pixels wide and high.

    Raises:
        DataError: it can't be read, or would take gigabytes to be shown small.
    """
    refuse_heavy(value)
    picture = Image.fromarray(decode_picture(value, shortest=side).permute(1, 2, 0).numpy())
    picture.thumbnail((side, side))
    return picture


def refuse_heavy(value: Path | str | bytes) -> None:
    """Refuse a picture that takes a gigabyte to decode, where nobody trains on it.

    Not so a JPEG, of which the decoder leaves out what is not needed.

    Raises:
        DataError: it is one, or can't be read.
    """
    width, height = picture_size(value)
    if width * height > SHOWN_PIXELS and _read(value)[0][:2] != JPEG:
        raise DataError(f"{_name(value)}: {width} x {height} pixels are more than {SHOWN_PIXELS:,}; shrink it")


def picture_size(value: Path | str | bytes) -> tuple[int, int]:
    """Width and height as stored, from the header alone.

    Raises:
        DataError: the file is absent, empty or no picture.
    """
    data_or_path: Any = io.BytesIO(value) if isinstance(value, bytes) else value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(data_or_path) as picture:
                return picture.size
    except FileNotFoundError as error:
        raise DataError(f"{_name(value)}: there is no such file") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{_name(value)}: expected a picture, got a file of another kind") from error
    except Exception as error:
        raise DataError(f"{_name(value)}: the picture can't be read ({_first_line(error)})") from error


def picture_suffixes() -> frozenset[str]:
    """File endings that hold pictures: `.jpg`, `.png`, …"""
    return frozenset(
        (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif")
    )


def _read(value: Path | str | bytes) -> tuple[bytes, str]:
    name = _name(value)
    if isinstance(value, bytes):
        data = value
    else:
        try:
            data = Path(value).read_bytes()
        except FileNotFoundError as error:
            raise DataError(f"{name}: there is no such file") from error
        except OSError as error:
            raise DataError(f"{name}: the file can't be read ({error.strerror})") from error
    if not data:
        raise DataError(f"{name}: expected a picture, got an empty file (0 bytes)")
    return data, name


def _name(value: Path | str | bytes) -> str:
    return f"picture of {len(value):,} bytes" if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _draft_size(width: int, height: int, shortest: int) -> tuple[int, int]:
    scale = shortest / min(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _as_rgb(picture: Image.Image) -> Image.Image:
    picture.seek(0)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(picture).astype(np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        return Image.fromarray((values.clip(0, top) * (255.0 / top)).round().astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")
