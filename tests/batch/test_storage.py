from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from likeness.batch import storage as places
from likeness.batch.journal import Journal
from likeness.batch.runner import sweep
from likeness.batch.storage import Storage
from likeness.core.hashing import sha256_of_bytes
from likeness.errors import BatchError, ConfigError, FileWriteError, ImageReadError, MissingExtraError


@pytest.fixture(params=["local", "file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return Storage(str(tmp_path / "folder"))
    if request.param == "file":
        return Storage(f"file://{tmp_path}/folder")
    if request.param == "memory":
        return Storage(f"memory://{tmp_path.name}/folder")
    return Storage(f"s3://{request.getfixturevalue('bucket')}/{tmp_path.name}/folder")


def test_what_is_written_is_read_listed_and_removed(place: Storage) -> None:
    place.write(b"one", "final/sub/a.jpg")
    place.write(b"two", "b.jpg")
    place.write(b"hidden", ".part/c.jpg")
    assert place.read("final/sub/a.jpg") == b"one"
    assert place.is_folder()
    assert [listed.name for listed in place.files()] == ["b.jpg", "final/sub/a.jpg"]
    assert [listed.name for listed in place.files(without=place.locate("final"))] == ["b.jpg"]
    assert place.matching("**/*.jpg")[-1] == "final/sub/a.jpg"
    assert {listed.name: listed.stamp for listed in place.files()}["b.jpg"] == place.stamp("b.jpg")
    before = place.stamp("b.jpg")
    place.write(b"longer", "b.jpg")
    assert place.read("b.jpg") == b"longer"
    assert place.stamp("b.jpg") != before
    place.remove("b.jpg")
    place.remove("b.jpg")
    assert not place.exists("b.jpg")
    assert place.exists("final/sub/a.jpg")


def test_a_missing_file_is_one_sentence(place: Storage) -> None:
    place.write(b"", "there.jpg")
    with pytest.raises(ImageReadError, match=r"nowhere\.jpg"):
        place.read("nowhere.jpg")
    with pytest.raises(ImageReadError, match=r"nowhere\.jpg does not exist"):
        place.stamp("nowhere.jpg")


class _Breaking:
    """A store whose upload breaks off halfway."""

    def __init__(self, files: object) -> None:
        self._files = files

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)

    def pipe_file(self, path: str, data: bytes) -> None:
        self._files.pipe_file(path, data[: len(data) // 2])  # type: ignore[attr-defined]
        raise TimeoutError("the line is dead")


def test_a_store_without_whole_objects_gets_a_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_WHOLE", set())
    place = Storage("memory://broken-line")
    place.write(b"before", "a.jpg")
    monkeypatch.setattr(place, "_opened", _Breaking(place._files))  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(FileWriteError, match="the line is dead"):
        place.write(b"after, and longer", "a.jpg")
    assert place.read("a.jpg") == b"before"
    assert [name for name in place._files.find("/broken-line") if "part" in name] == []  # pyright: ignore


def test_temporary_files_that_a_killed_run_left_in_a_store_go_after_a_day(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(places, "_WHOLE", set())
    place = Storage("memory://left-behind")
    place.write(b"a result", "final/a.jpg")
    files = place._files  # pyright: ignore[reportPrivateUsage]
    part = ".likeness-0123456789ab.part"
    for name in (f"final/sub/{part}", part, "final/.likeness-notes.part", f"final/my{part}"):
        files.pipe_file(f"/left-behind/{name}", b"half")
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert sweep(journal, place) == 0, "somebody may be writing them"
        tomorrow = time.time() + 86401
        monkeypatch.setattr("likeness.batch.runner.time.time", lambda: tomorrow)
        assert sweep(journal, place) == 2
        assert sweep(journal, place) == 0
    left = {name.removeprefix("/left-behind/") for name in files.find("/left-behind")}
    assert left == {"final/a.jpg", "final/.likeness-notes.part", f"final/my{part}"}


@pytest.mark.parametrize(
    ("info", "seconds"),
    [
        ({"mtime": datetime(2026, 1, 2, tzinfo=timezone.utc)}, 1767312000),  # SFTP
        ({"modify": "20260102000000.123"}, 1767312000),  # FTP
        ({"modify": "Jan 2"}, None),
        ({"size": 3}, None),
    ],
)
def test_when_a_file_of_a_store_was_written(info: dict[str, object], seconds: float | None) -> None:
    assert places._seconds(info) == seconds  # pyright: ignore[reportPrivateUsage]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileWriteError, match="cannot be made"):
        Storage(str(tmp_path / "file")).write(b"x", "final/a.jpg")


def test_what_others_do_is_seen_at_once(bucket: str, tmp_path: Path) -> None:
    s3fs = pytest.importorskip("s3fs")
    url = f"s3://{bucket}/{tmp_path.name}/in"
    place = Storage(url)
    place.write(b"1", "a.jpg")
    assert [listed.name for listed in place.files()] == ["a.jpg"]
    assert place.matching("*.jpg") == ["a.jpg"]
    assert place.is_folder()
    somebody = s3fs.S3FileSystem(skip_instance_cache=True)
    somebody.pipe_file(f"{bucket}/{tmp_path.name}/in/b.jpg", b"2")
    assert Storage(url).exists("b.jpg")
    assert place.matching("*.jpg") == ["a.jpg", "b.jpg"]
    assert [listed.name for listed in place.files()] == ["a.jpg", "b.jpg"]
    somebody.rm_file(f"{bucket}/{tmp_path.name}/in/a.jpg")
    somebody.pipe_file(f"{bucket}/{tmp_path.name}/in/c.jpg", b"3")
    # Such as what a person lays into the results of a run that has listed them.
    assert place.exists("c.jpg")
    assert not place.exists("a.jpg")


_IN_A_PROCESS_APART = """
import sys
from likeness.batch.apart import Apart
from likeness.batch.storage import Storage
place = Storage(sys.argv[1])
place.write(b"first", "a.jpg")
def work(name):
    place.write(place.read("a.jpg") + b" and more", name)
    return [listed.name for listed in place.files()]
apart = Apart(lambda _: work)
print(apart.work("b.jpg"))
apart.close()
print(place.read("b.jpg"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_store_is_reached_from_a_process_apart(bucket: str, tmp_path: Path) -> None:
    """The pictures of a batch are worked on in processes that were forked from the one that opened the store."""
    url = f"s3://{bucket}/{tmp_path.name}/out"
    command = [sys.executable, "-W", "ignore", "-c", _IN_A_PROCESS_APART, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["['a.jpg', 'b.jpg']", "b'first and more'"], done.stderr


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_told() -> None:
    with pytest.raises((FileWriteError, BatchError), match="s3://no-such-bucket"):
        Storage("s3://no-such-bucket/out").write(b"x", "a.jpg")


def test_urls_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="nothing://"):
        Storage("nothing://x")

    def missing(url: str) -> Iterator[object]:
        raise ImportError(f"Install s3fs to access {url}")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "likeness\[s3\]"'):
        Storage("s3://bucket/x")


def test_parents_and_digests() -> None:
    for file in ("memory://bucket/a/b.jpg", "a/b.jpg"):
        place, name = Storage.of(file)
        assert f"{place.text}/{name}" == file
    assert sha256_of_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
