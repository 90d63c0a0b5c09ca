"""Captions in the JSON of COCO and of Karpathy."""

import json
from pathlib import Path

from plait.data.readers import open_table


def test_images_without_a_caption_may_have_ids_of_several_kinds(folder: Path) -> None:
    """Found by the fuzzer: they were sorted to be told."""
    images = [{"id": identity, "file_name": "a.png"} for identity in (1, "two", 3)]
    (folder / "coco.json").write_text(
        json.dumps({"images": images, "annotations": [{"image_id": 3, "id": 9, "caption": "a blue square"}]})
    )
    assert open_table(folder / "coco.json").cells("caption", [0]) == ["a blue square"]


def test_results_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"image_id": 1, "caption": "a cat"}, {"image_id": 2, "caption": "a dog"}]))
    assert open_table(path).cells("caption", [0, 1]) == ["a cat", "a dog"]
