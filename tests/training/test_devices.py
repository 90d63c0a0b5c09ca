"""Devices that are here and those that are not."""

import pytest
import torch
from accelerate import PartialState
from accelerate.utils import DistributedType

from plait.errors import RecipeError
from plait.training.devices import make_accelerator, pick_device


def test_devices_that_are_not_here_and_launchers_that_shard_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu").type == "cpu" and make_accelerator("cpu").device.type == "cpu"
    with pytest.raises(RecipeError, match="device 'tpu' is not here; this machine has cpu"):
        pick_device("tpu")

    class Sharding:
        distributed_type = DistributedType.FSDP

        def __init__(self, **options: object) -> None: ...

    monkeypatch.setattr("plait.training.devices.Accelerator", Sharding)
    with pytest.raises(RecipeError, match="FSDP: plait shards by itself; launch it with torchrun.*train.shard=true"):
        make_accelerator("cpu")


def test_a_process_trains_on_one_device_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    make_accelerator("cpu")
    monkeypatch.setitem(PartialState._shared_state, "device", torch.device("cuda"))  # as after training there
    assert make_accelerator("cpu").device.type == "cpu"
