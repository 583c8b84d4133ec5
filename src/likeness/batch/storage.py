"""Where pictures come from and where results go: folders of this machine, and anything else that fsspec reaches."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias, cast

from likeness.core.files import TEMPORARY, make_folder, write_bytes_atomically
from likeness.core.hashing import sha256_of, sha256_of_bytes
from likeness.core.home import expanded
from likeness.core.opening import open_file
from likeness.errors import BatchError, ConfigError, FileWriteError, ImageReadError, LikenessError, MissingExtraError
from likeness.imaging.folders import is_left_alone, list_folder, match_files
from likeness.messages.notice import Notice, notice_of, reason_of

__all__ = ["Listed", "Storage", "Tell", "is_url", "logged", "read_file", "stamp_of_file"]

_log = logging.getLogger(__name__)

_TOKEN = 6
_PART = re.compile(f"{re.escape(TEMPORARY[0])}[0-9a-f]{{{2 * _TOKEN}}}{re.escape(TEMPORARY[1])}")
"""Names of temporary files in a store."""

Tell: TypeAlias = Callable[[str, str], object]
"""Is told what a listing left out: a name for the place and the kind, and a sentence."""

_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"}
"""Stores in which an object appears complete or not at all; everywhere else a temporary file is moved to its name."""

_Deed: TypeAlias = Literal["read", "written", "removed"]
"""What is done with a file; ``storage.DEED`` in the catalogues."""

_EXTRAS = {"s3": "s3", "s3a": "s3"}


def is_url(text: str) -> bool:
    """Whether this is an fsspec URL such as ``s3://bucket/folder``, and not a path of this machine."""
    return "://" in text


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A file of a place.

    Attributes:
        name: inside the place, "/" between folders.
        stamp: changes when the file does: size and time, or the store's ETag.
    """

    name: str
    stamp: str


class Storage:
    """A folder: a path of this machine, or an fsspec URL. Safe to use from several threads.

    Args:
        text: the path or the URL; ``file://`` is a path of this machine.

    Raises:
        ConfigError: for a URL that fsspec does not know.
        MissingExtraError: for one whose library is not installed.
    """

    def __init__(self, text: str) -> None:
        text = text.removeprefix("file://")
        self.text = text.rstrip("/") if len(text) > 1 else text
        self._path: Path | None = None
        self._opened: Any = None
        self._opened_by = 0
        self._root = ""
        self._whole = False
        if not is_url(text):
            self._path = expanded(text)
            return
        protocol = text.split("://", 1)[0].split("::")[0]
        try:
            self._open()
        except ImportError as error:
            extra = _EXTRAS.get(protocol)
            hint = f'pip install "likeness[{extra}]"' if extra else f"{error}"
            raise MissingExtraError(Notice("storage.no-library", {"protocol": protocol, "hint": hint})) from None
        except ValueError as error:
            raise ConfigError(Notice("storage.unusable", {"text": text, "why": notice_of(error)})) from error
        self._whole = protocol in _WHOLE
        self._files.invalidate_cache()

    @property
    def _files(self) -> Any:
        """fsspec's file system, opened anew in a process that was forked from the one that opened it: its threads and
        connections are not here."""
        if self._opened_by != os.getpid():
            self._open()
        return self._opened

    def _open(self) -> None:
        from fsspec.core import url_to_fs

        self._opened, self._root = cast("tuple[Any, str]", url_to_fs(self.text))
        self._opened_by = os.getpid()

    @staticmethod
    def of(file: str) -> tuple[Storage, str]:
        """The folder of a file and the file's name in it, by the file's path or URL; raises as `Storage`."""
        if is_url(file):
            folder, _, name = file.rstrip("/").rpartition("/")
            return Storage(folder), name
        path = expanded(file)
        return Storage(str(path.parent)), path.name

    @property
    def path(self) -> Path | None:
        """The folder, if it is one of this machine."""
        return self._path

    def locate(self, name: str) -> str:
        """The path or URL of a file in it."""
        return str(self._path / name) if self._path is not None else f"{self.text}/{name}"

    def is_folder(self) -> bool:
        """Whether there is such a folder."""
        if self._path is not None:
            return self._path.is_dir()
        with self._speaking(ImageReadError, self.text, "read"), self._listing():
            return bool(self._files.isdir(self._root))
        return False

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            ImageReadError: if it is missing or cannot be read.
        """
        with self._speaking(ImageReadError, self.locate(name), "read"):
            if self._path is not None:
                with open_file(self._path / name) as stream:
                    return stream.read()
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        raise AssertionError

    def write(self, data: bytes, name: str) -> None:
        """Write a file, its folders too; it appears complete or not at all, and replaces one of that name.

        Raises:
            FileWriteError: if it cannot be written; nothing is left behind then.
        """
        shown = self.locate(name)
        _refuse_outside(name, shown, "written")
        if self._path is not None:
            target = self._path / name
            make_folder(target.parent)
            write_bytes_atomically(data, target)
            return
        target = f"{self._root}/{name}"
        with self._speaking(FileWriteError, shown, "written"):
            if self._whole:
                self._files.pipe_file(target, data)
                return
            folder = target.rpartition("/")[0]
            self._files.makedirs(folder, exist_ok=True)
            part = f"{folder}/{TEMPORARY[0]}{secrets.token_hex(_TOKEN)}{TEMPORARY[1]}"
            try:
                self._files.pipe_file(part, data)
                self._files.mv(part, target)
            except BaseException:
                with suppress(Exception):
                    self._files.rm_file(part)
                raise

    def remove_left(self, latest: float) -> int:
        """Remove temporary files that killed processes left in a store where `write` makes some; how many. Does nothing in a
        folder of this machine.

        Args:
            latest: seconds since 1970 before which a file was last written, by the store's clock; one without a time stays.

        Raises:
            FileWriteError: if the store cannot be listed, or one cannot be removed.
        """
        if self._path is not None or self._whole:
            return 0
        count = 0
        with self._speaking(FileWriteError, self.text, "removed"), self._listing():
            found = cast("dict[str, dict[str, Any]]", self._files.find(self._root, detail=True))
            for path, info in found.items():
                when = _seconds(info)
                if _PART.fullmatch(path.rpartition("/")[2]) and when is not None and when < latest:
                    self._files.rm_file(path)
                    count += 1
        return count

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        if self._path is not None:
            with suppress(OSError):  # a name that no disk takes
                return (self._path / name).is_file()
            return False
        with self._speaking(ImageReadError, self.locate(name), "read"):
            return bool(self._files.exists(f"{self._root}/{name}"))
        raise AssertionError

    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""
        _refuse_outside(name, self.locate(name), "removed")
        with self._speaking(FileWriteError, self.locate(name), "removed"):
            if self._path is not None:
                (self._path / name).unlink(missing_ok=True)
            elif self._files.exists(f"{self._root}/{name}"):
                self._files.rm_file(f"{self._root}/{name}")

    def digest(self, name: str) -> tuple[int, str]:
        """Size and SHA-256 of a file.

        Raises:
            ImageReadError: if it is missing or cannot be read.
        """
        if self._path is None:
            data = self.read(name)
            return len(data), sha256_of_bytes(data)
        with self._speaking(ImageReadError, self.locate(name), "read"):
            return (self._path / name).stat().st_size, sha256_of(self._path / name)
        raise AssertionError

    def move(self, name: str, target: str) -> None:
        """Give a file another name, its folders too; one that has that name already is replaced.

        Raises:
            FileWriteError: if it cannot be moved.
        """
        for one in (name, target):
            _refuse_outside(one, self.locate(one), "written")
        if self._path is not None:
            make_folder((self._path / target).parent)
        with self._speaking(FileWriteError, self.locate(target), "written"):
            if self._path is not None:
                (self._path / name).replace(self._path / target)
            else:
                self._files.mv(f"{self._root}/{name}", f"{self._root}/{target}")

    def stamp(self, name: str) -> str:
        """Of one file; see `Listed`.

        Raises:
            ImageReadError: if there is no such file.
        """
        shown = self.locate(name)
        with self._speaking(ImageReadError, shown, "read"):
            if self._path is not None:
                return stamp_of_file(self._path / name)
            return _remote_stamp(self._files.info(f"{self._root}/{name}"))
        raise AssertionError

    def files(self, *, without: str = "", tell: Tell | None = None) -> Iterator[Listed]:
        """Its files with those of its subfolders, without what is hidden, in bins or thumbnail folders, and what is no file.

        Args:
            without: path or URL of a folder that is left out.
            tell: is told what else is left out; None logs it.

        Raises:
            BatchError: if a folder cannot be read.
        """
        if self._path is not None:
            closed = expanded(without) if without and not is_url(without) else None
            yield from self._local_files(self._path, closed, tell or logged)
            return
        with self._speaking(BatchError, self.text, "read"), self._listing():
            found = cast("dict[str, dict[str, Any]]", self._files.find(self._root, detail=True))
        left_out = (
            Storage(without)._root if is_url(without) and type(Storage(without)._files) is type(self._files) else ""
        )
        for path, info in sorted(found.items()):
            if left_out and PurePosixPath(path).is_relative_to(left_out):
                continue
            name = str(PurePosixPath(path).relative_to(self._root))
            if not any(is_left_alone(part) for part in PurePosixPath(name).parts):
                yield Listed(name=name, stamp=_remote_stamp(info))

    def matching(self, pattern: str, *, tell: Tell | None = None) -> list[str]:
        """Names of the files that match a pattern with ``*``, ``**``, ``?`` or ``[``, sorted; ``tell`` as in `files`."""
        with self._speaking(BatchError, f"{self.text}/{pattern}", "read"):
            if self._path is not None:
                listing = match_files(self._path, pattern)
                for kind, sentence in listing.remarks.items():
                    (tell or logged)(f"{self._path} {kind}", sentence)
                return list(listing.files)
            self._files.invalidate_cache()
            paths = cast("list[str]", self._files.glob(f"{self._root}/{pattern}"))
            return sorted(str(PurePosixPath(path).relative_to(self._root)) for path in paths)
        raise AssertionError

    @staticmethod
    def _local_files(folder: Path, without: Path | None, tell: Tell) -> Iterator[Listed]:
        try:
            listing = list_folder(folder, without=without)
        except OSError as error:
            raise BatchError(Notice("file.folder-unread", {"folder": str(folder), "why": reason_of(error)})) from error
        for kind, sentence in listing.remarks.items():
            tell(f"{folder} {kind}", sentence)
        for name in listing.files:
            # A file may be gone again by now, and then it is not there.
            with suppress(FileNotFoundError):
                yield Listed(name=name, stamp=stamp_of_file(folder / name))

    @contextmanager
    def _listing(self) -> Generator[None]:
        """A store is asked anew, and what it said is not kept: s3fs would go on answering from a listing what there is,
        while others, such as a person at work or the processes of this batch, write and remove."""
        self._files.invalidate_cache()
        try:
            yield
        finally:
            self._files.invalidate_cache()

    @contextmanager
    def _speaking(self, kind: type[LikenessError], shown: str, what: _Deed) -> Generator[None]:
        """Whatever a store's library raises becomes a sentence: each has errors of its own."""
        try:
            yield
        except LikenessError:
            raise
        except FileNotFoundError as error:
            raise kind(Notice("file.missing", {"text": shown})) from error
        except Exception as error:
            reason = reason_of(error) or type(error).__name__
            raise kind(
                Notice("storage.failed", {"shown": shown, "what": Notice(f"storage.{what}"), "reason": reason})
            ) from error


def read_file(file: str) -> bytes:
    """A file's bytes, by its path or URL.

    Raises:
        ImageReadError: if it is missing or cannot be read.
    """
    place, name = Storage.of(file)
    return place.read(name)


def stamp_of_file(path: Path) -> str:
    """Of a file of this machine; see `Listed`. "" of one that may not be looked at.

    Raises:
        OSError: if there is no such file.
    """
    try:
        status = path.stat()
    except PermissionError:
        return ""  # told when it is read
    return f"{status.st_size}:{status.st_mtime_ns}"


def _remote_stamp(info: dict[str, Any]) -> str:
    tag = info.get("ETag") or info.get("etag")
    when = info.get("LastModified") or info.get("mtime") or info.get("created") or info.get("last_modified")
    if isinstance(when, datetime):  # some stores say it one way in a listing, and another way of one file
        when = when.timestamp()
    return str(tag) if tag else f"{info.get('size')}:{when}"


def _seconds(info: Mapping[str, Any]) -> float | None:
    """When a file was last written, seconds since 1970; None where the store does not say."""
    when = info.get("mtime") or info.get("created") or info.get("modify")
    if isinstance(when, str):  # of FTP's MLSD, in UTC (RFC 3659)
        try:
            when = datetime.strptime(when[:14], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
        except ValueError:
            return None
    if isinstance(when, datetime):
        return when.timestamp()
    return float(when) if isinstance(when, (int, float)) else None


def logged(_: str, sentence: str) -> None:
    """A `Tell` for where nobody else is told."""
    _log.warning("%s", sentence)


def _refuse_outside(name: str, shown: str, what: _Deed) -> None:
    """See that a file is one of the place: its name may come from a journal that somebody changed."""
    if not set(name.split("/")).isdisjoint({"", ".", ".."}) or "\0" in name:
        raise FileWriteError(Notice("storage.outside", {"shown": shown, "what": Notice(f"storage.{what}")}))
