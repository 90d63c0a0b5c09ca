"""Text files with delimiters: quotes, signs, broken lines."""

from pathlib import Path
from typing import Any

from plait.data.readers import open_table


def test_quotes_neither_swallow_rows_nor_refuse_a_good_file(tmp_path: Path) -> None:
    def cells(name: str, text: str) -> list[list[Any]]:
        (tmp_path / name).write_text(text)
        table = open_table(tmp_path / name)
        return [table.cells(column, range(len(table))) for column in table.columns]

    assert cells("a.csv", 'x,y\n5" screen,1\n"two, words",2\n') == [['5" screen', "two, words"], ["1", "2"]]
    assert cells("b.tsv", 'x\ty\n"lone\t1\nplain\t2\n') == [['"lone', "plain"], ["1", "2"]]
    assert cells("c.csv", 'x,y\n"two\nlines",1\nb,2\n') == [["two\nlines", "b"], ["1", "2"]]
    mixed = cells("d.csv", 'x,y\n"two\nlines, long",1\n"lone,2\n"a ""b""",3\n')
    assert mixed == [["two\nlines, long", '"lone', 'a "b"'], ["1", "2", "3"]]
    assert cells("e.csv", "x;y\na, b;1,5\nc;2\n")[0] == ["a, b", "c"]
    assert cells("f.csv", "x;y,z\n1;2,3\n")[0] == ["1;2"]
