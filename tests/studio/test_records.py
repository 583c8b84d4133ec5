from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from likeness.errors import RecordError
from likeness.studio.records import RecordKind, open_records, transaction

KIND = RecordKind(what="record.ledger", number=4711, schema="CREATE TABLE word (word TEXT NOT NULL UNIQUE)")


def words(path: Path) -> list[str]:
    with open_records(path, KIND, create=False) as connection:
        return [row["word"] for row in connection.execute("SELECT word FROM word ORDER BY rowid")]


def test_what_was_written_is_there(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    with open_records(path, KIND, create=True) as connection:
        connection.execute("INSERT INTO word VALUES ('one')")
        with pytest.raises(sqlite3.IntegrityError), transaction(connection):
            connection.executemany("INSERT INTO word VALUES (?)", [("two",), ("one",)])
    assert words(path) == ["one"]


def test_a_killed_process_leaves_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom likeness.studio.records import *\n"
        f"kind = RecordKind(what='record.ledger', number=4711, schema={KIND.schema!r})\n"
        "with open_records(Path(sys.argv[1]), kind, create=True) as connection:\n"
        "    connection.execute(\"INSERT INTO word VALUES ('kept')\")\n"
        "    with transaction(connection):\n"
        "        connection.execute(\"INSERT INTO word VALUES ('lost')\")\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert words(path) == ["kept"]


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    with pytest.raises(RecordError, match="does not exist"), open_records(path, KIND, create=False):
        pass
    assert not path.exists()
    path.write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    with (
        pytest.raises(RecordError, match="is not a ledger of notices, or is damaged"),
        open_records(path, KIND, create=True),
    ):
        pass
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    with (
        pytest.raises(RecordError, match="is a database, but not a ledger of notices"),
        open_records(path, KIND, create=True),
    ):
        pass
    with pytest.raises(RecordError, match="cannot be opened"), open_records(tmp_path / "no" / "x", KIND, create=True):
        pass


def test_a_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    newer = RecordKind(what="record.ledger", number=4711, schema=KIND.schema, version=2)
    with open_records(path, newer, create=True):
        pass
    with pytest.raises(RecordError, match="newer Likeness"), open_records(path, KIND, create=False):
        pass
