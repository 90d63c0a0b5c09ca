"""A command in this process."""

import sys

import pytest

from cli.calls import Run
from plait import cli


@pytest.fixture
def plait(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["plait", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, error = capfd.readouterr()
        return int(stopped.value.code or 0), out, error

    return run
