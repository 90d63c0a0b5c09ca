import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from plait.errors import DataError, RecipeError
from plait.processors import ImageProcessor, load_processor, save_processor
from plait.processors.image import decode_picture, picture_size

GRADIENT = np.stack(np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 48)), axis=-1)
RGB = np.dstack([GRADIENT, np.full((48, 64), 90)]).astype(np.uint8)

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def mean_of(data: bytes) -> list[float]:
    return decode_picture(data).float().mean(dim=(1, 2)).tolist()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "TIFF", "JPEG"])
def test_formats_give_rgb(kind: str) -> None:
    pixels = decode_picture(encoded(Image.fromarray(RGB), kind))
    assert pixels.shape == (3, 48, 64) and pixels.dtype == torch.uint8
    assert np.abs(pixels.permute(1, 2, 0).numpy().astype(int) - RGB).mean() < 12


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # hold the camera turned by 90 degrees
    for kind in ("JPEG", "PNG"):
        assert decode_picture(encoded(Image.fromarray(RGB), kind, exif=exif)).shape == (3, 64, 48)


def test_sixteen_bits_become_eight() -> None:
    deep = Image.fromarray(RGB[..., 0].astype(np.uint16) * 257)
    pixels = decode_picture(encoded(deep, "PNG"))
    assert np.abs(pixels[0].numpy().astype(int) - RGB[..., 0]).max() <= 1


def test_cmyk_becomes_rgb() -> None:
    pixels = decode_picture(encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(pixels.permute(1, 2, 0).numpy().astype(int) - RGB).mean() < 12


def test_palette_and_transparency_become_rgb_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert mean_of(encoded(clear, "PNG")) == [255, 255, 255]
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30] + [0] * 765)
    assert mean_of(encoded(palette, "PNG")) == [10, 20, 30]
    assert mean_of(encoded(palette, "GIF", transparency=0)) == [255, 255, 255]


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert mean_of(data) == [255, 0, 0]


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that claims to be `side` x `side` pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"not a picture at all", "expected a picture"),
        (encoded(Image.fromarray(RGB), "PNG")[:100], "damaged or truncated"),
        (encoded(Image.fromarray(RGB), "JPEG")[:400], "damaged or truncated"),
        (encoded(NOISE, "JPEG")[:-2000], "damaged or truncated"),
        (encoded(NOISE.convert("CMYK"), "JPEG")[:-2000], "damaged or truncated"),
        (bomb(100_000), "more than the allowed 64,000,000"),
        (bomb(9_000), "9000 x 9000 pixels, more than the allowed 64,000,000"),
    ],
)
def test_bad_pictures_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        ImageProcessor(size=16)(path)
    assert "photo.png" in str(caught.value) and "\n" not in str(caught.value)


def test_absent_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        decode_picture(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="can't be read"):
        decode_picture(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        picture_size(tmp_path / "none.jpg")


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("size", [(64, 48), (20, 90), (7, 7), (1, 300)])
def test_every_shape_fits(resize: str, size: tuple[int, int]) -> None:
    processor = ImageProcessor(size=32, resize=resize)
    assert processor(encoded(Image.new("RGB", size, "red"), "PNG"))["pixels"].shape == (32, 32, 3)


def test_crop_is_torchvisions_on_pil_to_one_part_in_255() -> None:
    random = np.random.default_rng(0)
    smooth = Image.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((640, 480), Image.BICUBIC)
    data = encoded(smooth, "JPEG", quality=95)
    steps = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(224), v2.PILToTensor()])
    expected = steps(Image.open(io.BytesIO(data)))
    ours = torch.from_numpy(ImageProcessor(224, "crop", crop_share=224 / 256)(data)["pixels"]).permute(2, 0, 1)
    difference = (ours.int() - expected.int()).abs()
    assert difference.float().mean() < 0.5 and difference.max() <= 3


def test_fast_path_is_close() -> None:
    picture = Image.fromarray(RGB).resize((640, 480), Image.BICUBIC)
    data = encoded(picture, "JPEG", quality=95)
    slow, fast = (ImageProcessor(64, fast=flag)(data)["pixels"].astype(int) for flag in (False, True))
    assert np.abs(slow - fast).mean() < 1.5


def test_collate_and_round_trip(tmp_path: Path) -> None:
    processor = ImageProcessor(16, "pad", interpolation="bicubic")
    save_processor(processor, tmp_path / "p.json")
    again = load_processor(tmp_path / "p.json")
    data = encoded(Image.fromarray(RGB), "PNG")
    assert np.array_equal(again(data)["pixels"], processor(data)["pixels"])
    assert processor.collate([processor(data)] * 2)["pixels"].shape == (2, 3, 16, 16)


def test_padding_is_what_it_is_filled_with() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), (10, 20, 30)).save(buffer, "PNG")
    pixels = ImageProcessor(size=9, resize="pad", fill=255)(buffer.getvalue())["pixels"]
    assert (pixels[:2] == 255).all() and (pixels[-2:] == 255).all() and (pixels[3:6] == [10, 20, 30]).all()
    with pytest.raises(RecipeError, match="fill"):
        ImageProcessor(size=8, fill=300)
