"""Sounds with kinds, from folders laid out as the packages lay them out."""

from pathlib import Path

import pandas as pd

from fakes import tone
from plait.datasets.sounds import write_sounds
from plait.datasets.tuxpaint import write_tuxpaint_speech


def test_kinds_of_few_clips_and_spoken_descriptions_are_left_out(tmp_path: Path) -> None:
    samples, stamps = tmp_path / "samples", tmp_path / "stamps"
    samples.mkdir()
    for number in range(8):
        (samples / f"drum_{number}.flac").write_bytes(tone(0.05, kind="FLAC"))
    (samples / "vinyl_hiss.flac").write_bytes(tone(0.05, kind="FLAC"))
    for number in range(7):
        place = stamps / "animals" / "birds"
        place.mkdir(parents=True, exist_ok=True)
        for ending in (".ogg", "_desc_fr.ogg", ".png"):
            (place / f"bird{number}{ending}").write_bytes(b"x")
    tables = write_sounds(tmp_path / "out", samples, stamps)
    frames = [pd.read_csv(table) for table in tables]
    assert [table.name for table in tables] == ["sonic-pi.csv", "effects.csv"]
    assert frames[0].kind.unique().tolist() == ["drum"] and len(frames[0]) == 8
    assert frames[1].sound.tolist() == [f"effects/animals/birds/bird{n}.ogg" for n in range(7)]
    assert all((tmp_path / "out" / place).is_file() for frame in frames for place in frame.sound)


def test_what_has_no_speech_has_an_empty_cell(tmp_path: Path) -> None:
    place = tmp_path / "stamps" / "animals" / "birds"
    place.mkdir(parents=True)
    for name in ("owl", "hen"):
        (place / f"{name}.png").write_bytes(b"x")
        (place / f"{name}.txt").write_text(f"An {name}.\nfr.utf8=Un {name}.\n")
    (place / "owl_desc_fr.ogg").write_bytes(b"x")
    (table,) = write_tuxpaint_speech(tmp_path / "out", tmp_path / "stamps")
    frame = pd.read_csv(table, keep_default_na=False)
    assert frame.speech.tolist() == ["", "speech/animals/birds/owl.ogg"] and frame.kind.tolist() == ["animals"] * 2
    assert (tmp_path / "out" / frame.speech[1]).is_file()
