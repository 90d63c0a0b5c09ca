"""Contract tests over `MODALITIES` and `GROUPS`: each on cells that a column of it might hold."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.data.batches import InputSpec, TableSource
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.encoders import encoder_class
from plait.modalities import GROUPS, MODALITIES, Media, Opened, Shown, media_with, noises, show_cell
from plait.processors import PROCESSORS

every_modality = pytest.mark.parametrize("name", MODALITIES)
NOWHERE = Media(None)


def cells_of(name: str) -> list[Any]:
    return MODALITIES[name].sample_cells()


def tables_of(name: str) -> list[tuple[Any, Table]]:
    """A table a sample cell, with an empty one below: a column holds one kind of value."""
    frames = [(cell, pd.DataFrame({"cells": pd.Series([cell, None], dtype=object)})) for cell in cells_of(name)]
    return [(cell, Table.from_frame(frame)) for cell, frame in frames]


def opened(name: str) -> list[Opened]:
    modality = MODALITIES[name]
    return [modality.open(piece, NOWHERE) for cell in cells_of(name) for piece in modality.pieces(cell)]


def test_the_room_is_light() -> None:
    code = "import sys, plait.modalities; print([m for m in ('torch', 'numpy', 'pandas', 'pyarrow', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@every_modality
def test_it_says_what_it_is(name: str) -> None:
    modality = MODALITIES[name]
    assert modality.name == name and modality.plural and modality.unusable
    assert encoder_class(modality.default).modality == (modality.group or name)
    assert modality.group is None or (modality.group in GROUPS and name in GROUPS[modality.group].members)
    assert all(kind in PROCESSORS for kind in modality.processors)
    assert all(media_with(suffix) == name for suffix in modality.suffixes)
    assert any(cell is None for cell in cells_of(name)), "an empty cell is among the samples"


@every_modality
def test_its_own_cells_are_read_and_empty_ones_hold_nothing(name: str) -> None:
    modality = MODALITIES[name]
    for cell in cells_of(name):
        modality.read("cells", cell, None)
        pieces = list(modality.pieces(cell))
        assert bool(pieces) != (cell is None or (isinstance(cell, float) and cell != cell) or cell == " ")
        assert pieces == list(modality.pieces(cell)) and all(isinstance(hash(piece), int) for piece in pieces)


@every_modality
def test_a_key_stands_for_the_content(name: str) -> None:
    modality = MODALITIES[name]
    for one in opened(name):
        assert modality.key(one) == modality.key(Opened(one.content, "elsewhere")) and len(modality.key(one)) == 16
    distinct = {str(one.content) for one in opened(name)}
    assert len({modality.key(one) for one in opened(name)}) == len(distinct)


@every_modality
def test_what_is_looked_at_and_shown(name: str) -> None:
    modality = MODALITIES[name]
    for one in opened(name):
        facts = modality.look(one)
        assert facts.fingerprint is None or 0 < facts.fingerprint < 1 << 64
        shown = modality.show(one, 40)
        assert isinstance(shown, Shown) and len(shown.text) <= 300
        assert (shown.image is not None) == modality.pictured
        assert shown.image is None or max(shown.image.size) <= 40
    assert show_cell(modality, None, NOWHERE, 40) == []


@every_modality
def test_a_column_of_it_can_be_asked_for_and_goes_through_arrow(name: str) -> None:
    for cell, table in tables_of(name):
        column = infer_schema(table, {"cells": name})["cells"]
        assert column.modality == name and column.missing == 2 - _held(cell)
        for stored in table.cells("cells", [0, 1]):
            MODALITIES[name].read("cells", stored, column.form)


def _held(cell: Any) -> bool:
    return not (
        cell is None or (isinstance(cell, float) and cell != cell) or (isinstance(cell, str) and not cell.strip())
    )


@every_modality
def test_the_encoder_that_nobody_names_reads_it(name: str) -> None:
    """From cells to tokens; a row without a value has a mask that is all False."""
    import torch

    modality, encoder = MODALITIES[name], encoder_class(MODALITIES[name].default)
    for cell, table in tables_of(name):
        if not _held(cell):
            continue
        if modality.group is None:
            processor = encoder.fit_processor(one.content for one in opened(name))
            spec = InputSpec(("cells",), processor, name)
        else:
            group = GROUPS[modality.group]
            columns = {member: (["cells"] if member == name else []) for member in group.members}
            processor = group.fit({"cells": table.cells("cells", [0, 1])}, columns)
            spec = InputSpec(("cells",), processor, group.name)
        assert isinstance(processor, tuple(PROCESSORS[kind] for kind in modality.processors))
        given = TableSource(table, {"it": spec}).batch(np.arange(2)).inputs["it"]
        torch.manual_seed(0)
        tokens = encoder(processor).eval()(given.features)
        tokens = tokens if given.index is None else tokens.take(given.index)
        assert tokens.present.tolist() == [True, False] and tokens.x[tokens.mask].isfinite().all()


@every_modality
def test_noise_of_no_strength_changes_nothing_and_of_some_it_does(name: str) -> None:
    modality = MODALITIES[name]
    for noise in modality.noises.values():
        assert noise.levels and noise.unit
        for one in opened(name):
            again = [noise.change(one.content, noise.levels[0], np.random.default_rng(0), None) for _ in range(2)]
            assert again[0] == again[1]


def test_noises_have_one_owner_each() -> None:
    names = [name for name, _, _ in noises()]
    assert len(set(names)) == len(names) and {owner for _, owner, _ in noises()} <= {*MODALITIES, *GROUPS}


@pytest.mark.parametrize("name", GROUPS)
def test_a_groups_members_know_it(name: str) -> None:
    group = GROUPS[name]
    assert group.name == name and encoder_class(group.default).modality == name
    assert [kind for kind, modality in MODALITIES.items() if modality.group == name] == sorted(
        group.members, key=list(MODALITIES).index
    )
