from __future__ import annotations

import pytest

from likeness.core.tables import read_csv, write_csv
from likeness.errors import ConfigError


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


def test_no_cell_is_a_formula_and_every_one_comes_back() -> None:
    texts = [
        "=1+1",
        "+1 555",
        "-cmd|' /C calc'!A0",
        "@SUM(A1)",
        "'=x",
        "''=x",
        "a=b",
        "-5.25",
        "+3",
        "1e5",
        "\uff1d1",
        "'plain",
        "-",
    ]
    text = write_csv(["cell", "number"], [[each, -2.5] for each in texts])
    for line in text.splitlines()[1:]:
        cell = line.strip('"')
        assert not cell.startswith(("=", "@", "\uff1d"))
        assert cell[:1] not in "+-" or cell.split(",")[0] in ("-5.25", "+3")
        assert line.endswith(",-2.5")
    _, rows = read_csv(text.encode(), name="a.csv")
    assert [row.cells["cell"] for row in rows] == texts
    for risky in ("\t=1", "\r=1", "\n=1", " =1", "\tx"):
        cell = write_csv(["a"], [[risky]], end="\n").split("\n", 1)[1].lstrip('"')
        assert cell.startswith("'")
    assert write_csv(["a", "b"], [[None, True]], end="\n") == "a,b\n,True\n"
