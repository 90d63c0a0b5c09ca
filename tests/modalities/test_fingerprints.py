"""Fingerprints of images and texts that are nearly the same."""

from pathlib import Path

import numpy as np
from PIL import Image

from fakes import picture
from plait.modalities.fingerprints import image_fingerprint, text_fingerprint
from plait.processors.image import decode_image


def test_picture_fingerprint_survives_scaling_and_jpeg(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    original = Image.fromarray(random.integers(0, 255, (5, 5, 3), dtype=np.uint8)).resize((200, 200), Image.BICUBIC)
    original.save(tmp_path / "a.png")
    original.resize((90, 70)).save(tmp_path / "b.jpg", quality=60)
    picture(tmp_path / "c.png", "red")
    a, b, c = (image_fingerprint(decode_image(tmp_path / name)) for name in ("a.png", "b.jpg", "c.png"))
    assert (a ^ b).bit_count() <= 3 < (a ^ c).bit_count()


def test_text_fingerprint_folds_case_and_punctuation() -> None:
    assert text_fingerprint("The quick, brown fox") == text_fingerprint("the quick brown FOX!")
