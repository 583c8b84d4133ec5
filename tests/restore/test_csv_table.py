from __future__ import annotations

import pytest

from likeness.errors import ConfigError
from likeness.restore.csv_table import read_csv


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_tables_as_programs_write_them(delimiter: str, encoding: str) -> None:
    text = (
        f' File {delimiter}Client{delimiter}\r\na.jpg{delimiter}王小宝\r\n\r\n{delimiter}\r\n"b\nc"{delimiter} Bo \r\n'
    )
    titles, rows = read_csv(text.encode(encoding), name="list.csv")
    assert titles == ["file", "client", ""]
    assert [(row.line, row.cells) for row in rows] == [
        (2, {"file": "a.jpg", "client": "王小宝"}),
        (5, {"file": "b\nc", "client": "Bo"}),
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"file,file\n", "has two columns file"),
        (b"file\na,b\n", "line 2: more cells than columns"),
        (b'file\n"a', "is no CSV table"),
        (b"file\n\xff\xff\n", "neither UTF-8 nor GB 18030"),
    ],
)
def test_what_is_no_table(data: bytes, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_csv(data, name="list.csv")


def test_an_empty_table() -> None:
    assert read_csv(b"", name="list.csv") == ([], [])
