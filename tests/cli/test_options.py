"""Mistakes in a call are one line."""

from pathlib import Path

import pytest

from cli.calls import Run, make_table, refused


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-t", "z"], ["there is no column 'z'"]),
        (["-t", "titel"], ["did you mean 'title'"]),
        ([], ["what should be predicted?"]),
        (["-t", "y", "trian.epochs=1"], ["unknown key 'trian'; did you mean 'train'"]),
        (["-t", "y", "train.epochs=x"], ["train.epochs: expected a valid integer"]),
        (["-t", "y", "fusion.method=gatd"], ["unknown fusion 'gatd'; did you mean 'gated'"]),
        (["-t", "y", "fusion.depth=3"], ["fusion: concat has no option 'depth'"]),
        (["-t", "y", "train.metric=acuracy"], ["unknown metric 'acuracy'; did you mean 'accuracy'"]),
        (["-t", "y", "train.trackers=[wandbb]"], ["unknown tracker 'wandbb'; did you mean 'wandb'"]),
        (["-t", "y", "inputs.title.modality=text", "inputs.title.encoder=scratch:gruu"], ["did you mean 'scratch:gru'"]),
        (["-t", "y", "inputs.title.modality=text", "inputs.title.encoder=scratch:cnn"], ["reads image, not text"]),
        (["-t", "y", "inputs.title.modality=text", "inputs.title.dims=8"], ["inputs.title", "no option 'dims'"]),
        (["-t", "y", "inputs.titel.modality=text"], ["unknown column 'titel'; did you mean 'title'"]),
        (["-t", "y", "--type", "title=txt"], ["unknown type 'txt'; did you mean 'text'"]),
        (["-t", "y", "--type", "title"], ["expected COLUMN=VALUE"]),
        (["-t", "y", "--group", "g"], ["unknown column 'g'"]),
        (["-t", "y", "--val", "none.csv"], ["none.csv: there is no such file"]),
        (["-t", "y", "--val", "1.5"], ["data.val"]),
        (["-t", "y", "--type", "title=number"], ["column 'title': expected a number, got 'the red one'"]),
    ],
)  # fmt: skip
def test_mistakes_in_a_call_get_one_line(tmp_path: Path, plait: Run, arguments: list, parts: list) -> None:
    table = make_table(tmp_path)
    refused(plait("train", table, *arguments, "-o", tmp_path / "run"), *parts)
    assert not (tmp_path / "run" / "model.safetensors").exists()
