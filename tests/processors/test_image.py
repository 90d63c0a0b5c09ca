import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms import v2

from plait.errors import DataError, RecipeError
from plait.processors import ImageProcessor, load_processor, save_processor
from plait.processors.image import decode_image, image_size

GRADIENT = np.stack(np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 48)), axis=-1)
RGB = np.dstack([GRADIENT, np.full((48, 64), 90)]).astype(np.uint8)

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def mean_of(data: bytes) -> list[float]:
    return decode_image(data).float().mean(dim=(1, 2)).tolist()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "TIFF", "JPEG"])
def test_formats_give_rgb(kind: str) -> None:
    pixels = decode_image(encoded(Image.fromarray(RGB), kind))
    assert pixels.shape == (3, 48, 64) and pixels.dtype == torch.uint8
    assert np.abs(pixels.permute(1, 2, 0).numpy().astype(int) - RGB).mean() < 12


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # hold the camera turned by 90 degrees
    for kind in ("JPEG", "PNG"):
        assert decode_image(encoded(Image.fromarray(RGB), kind, exif=exif)).shape == (3, 64, 48)


def test_sixteen_bits_become_eight() -> None:
    deep = Image.fromarray(RGB[..., 0].astype(np.uint16) * 257)
    pixels = decode_image(encoded(deep, "PNG"))
    assert np.abs(pixels[0].numpy().astype(int) - RGB[..., 0]).max() <= 1


def test_cmyk_becomes_rgb() -> None:
    pixels = decode_image(encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95))
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
        (b"not a picture at all", "expected an image"),
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
        decode_image(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="expected a file"):
        decode_image(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        image_size(tmp_path / "none.jpg")


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


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_pils(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(RGB), "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode_image(data).permute(1, 2, 0).numpy(), np.asarray(upright))


def test_a_band_at_a_time_is_the_whole_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 30, 4), dtype=np.uint8)  # three bands and a part
    clear = Image.fromarray(noise, "RGBA")
    white = Image.alpha_composite(Image.new("RGBA", clear.size, (255, 255, 255, 255)), clear).convert("RGB")
    np.testing.assert_array_equal(decode_image(encoded(clear, "PNG")).permute(1, 2, 0).numpy(), np.asarray(white))
    deep = np.zeros((200, 8), np.uint16)
    deep[199] = 65535  # the lightest row is in the last band, and sets the scale of all
    deep[0] = 257 * 7
    assert decode_image(encoded(Image.fromarray(deep), "PNG"))[0, :, 0].tolist() == [7, *[0] * 198, 255]


def test_a_channel_at_a_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(NOISE, "PNG")
    for interpolation in ("bilinear", "bicubic"):
        processor = ImageProcessor(20, interpolation=interpolation)
        at_once = processor(data)["pixels"]
        monkeypatch.setattr("plait.processors.image.LARGE", 10)
        np.testing.assert_array_equal(processor(data)["pixels"], at_once)
        monkeypatch.undo()


PEAK = """
import resource, sys
import torchvision.io, torchvision.transforms.v2
from plait.processors import ImageProcessor
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ImageProcessor(16, sys.argv[2], interpolation=sys.argv[3])(sys.argv[1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count in other units")
@pytest.mark.parametrize(
    ("size", "mode", "resize", "interpolation"),
    [
        ((5600, 5600), "RGB", "crop", "bicubic"),
        ((4_000_000, 4), "L", "crop", "bilinear"),
    ],
)
def test_memory_stays_within_three_times_the_pixels(
    tmp_path: Path, size: tuple[int, int], mode: str, resize: str, interpolation: str
) -> None:
    path = tmp_path / "large.png"
    Image.new(mode, size).save(path, compress_level=1)  # half of what is allowed, to be quick
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}  # a machine without AVX2, which resizes in float32
    command = [sys.executable, "-c", PEAK, str(path), resize, interpolation]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) < 300  # MB: 94 of pixels, 125 of PIL's own; it was 660 once


def test_formats_that_need_more_memory_hold_fewer_pixels() -> None:
    data = encoded(Image.new("RGB", (100, 60)), "WEBP")
    assert decode_image(data, max_pixels=12_000).shape == (3, 60, 100)
    with pytest.raises(DataError, match="the WEBP image is 100 x 60 pixels, more than the allowed 5,999"):
        decode_image(data, max_pixels=11_999)


def test_pipes_and_devices_are_no_pictures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        for read in (decode_image, image_size):
            with pytest.raises(DataError, match="expected a file"):
                read(path)
