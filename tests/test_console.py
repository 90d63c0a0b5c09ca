import io

import pytest
from rich.console import Console

from plait import console


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\rb\x00\x9b\ud800", "a\\rb\\x00\\x9b\\ud800"),
        ("日本語 é 👩\u200d🚀\tx\n", "日本語 é 👩\u200d🚀\tx\n"),
    ],
)
def test_what_would_change_the_terminal_is_spelt_out(text: str, shown: str) -> None:
    assert console.printable(text) == shown


def test_news_and_tables_are_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(console, "stderr", Console(file=written, width=80))
    console.say("cell \x1b[31mred \u202e")
    console.show(console.table("", ["na\x1bme"], [["va\x07lue [bold]x"]]))
    assert "\x1b" not in written.getvalue() and "\x07" not in written.getvalue() and "\u202e" not in written.getvalue()
    assert "va\\x07lue [bold]x" in written.getvalue()
