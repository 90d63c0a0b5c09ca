"""Short sounds with kinds: samples of Sonic Pi, and what the things of Tux Paint's stamps sound like."""

from collections import Counter
from pathlib import Path

from plait.datasets.packages import copy_files, debian_package, write_table
from plait.datasets.tuxpaint import STAMPS

SAMPLES = "usr/share/sonic-pi/samples"
FEWEST = 7  # clips of a kind


def write_sounds(folder: Path, samples: Path | None = None, stamps: Path | None = None) -> list[Path]:
    """`sonic-pi.csv`: sound, kind (the first word of its name: drum, tabla, …) of kinds of 7 clips or more; and
    `effects.csv`: sound, kind (the stamp's outermost folder), of the sounds of Tux Paint's stamps.

    Args:
        folder: where to.
        samples: Sonic Pi's; None for the Debian package's (CC0).
        stamps: Tux Paint's; None for the Debian package's (GPL-2: the sounds stay under it).
    """
    if samples is None:
        samples = debian_package("sonic-pi-samples", f"/{SAMPLES}") / SAMPLES
    if stamps is None:
        stamps = debian_package("tuxpaint-stamps-default", f"/{STAMPS}") / STAMPS
    drums = [(path, path.name.partition("_")[0]) for path in sorted(samples.glob("*.flac"))]
    effects = [(path, path.relative_to(stamps).parts[0]) for path in sorted(stamps.rglob("*.ogg")) if _is_effect(path)]
    tables = []
    for name, clips, root in (("sonic-pi", drums, samples), ("effects", effects, stamps)):
        counts = Counter(kind for _, kind in clips)
        chosen = [(path, kind) for path, kind in clips if counts[kind] >= FEWEST]
        places = [Path(name, path.relative_to(root)) for path, _ in chosen]
        copy_files([(path, folder / place) for (path, _), place in zip(chosen, places, strict=True)])
        rows = [(place.as_posix(), kind) for (_, kind), place in zip(chosen, places, strict=True)]
        tables.append(write_table(folder / f"{name}.csv", rows, ["sound", "kind"]))
    return tables


def _is_effect(path: Path) -> bool:
    """A sound that belongs to a stamp itself; spoken descriptions have a language in their names."""
    return any(path.with_suffix(ending).exists() for ending in (".png", ".svg"))
