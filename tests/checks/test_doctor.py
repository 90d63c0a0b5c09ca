"""What this machine has."""

import importlib.metadata

import pytest
import torch

from plait.checks.doctor import CORE, EXTRAS, examine, is_present


def test_versions_threads_and_extras_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = examine()
    assert found["versions"] == {name: importlib.metadata.version(name) for name in CORE}
    assert found["threads"] == torch.get_num_threads() and found["model_hub"] == "offline"
    assert found["devices"][0] == "cpu" and (len(found["devices"]) > 1) == torch.cuda.is_available()
    assert set(found["extras"]) == set(EXTRAS) and found["disk_free_gb"] > 0


def test_an_extra_needs_all_of_its_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(EXTRAS, "boost", ("json", "no_module_of_this_name"))
    monkeypatch.setitem(EXTRAS, "fast", ("json", "math"))
    monkeypatch.setattr("plait.checks.doctor.CORE", ("torch", "no-package-of-this-name"))
    found = examine()
    assert found["extras"]["boost"] is False and found["extras"]["fast"] is True
    assert found["versions"]["no-package-of-this-name"] == "absent"
    assert is_present("json") and not is_present("no_module_of_this_name")
