"""Files that appear complete or not at all, and the folders they go to."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from likeness.errors import FileWriteError
from likeness.messages.notice import Notice, reason_of

__all__ = ["TEMPORARY", "disk_failed", "disk_is_full", "make_folder", "write_bytes_atomically", "write_text_atomically"]

TEMPORARY = (".likeness-", ".part")
"""How the names of temporary files begin and end: only a process that was killed leaves one behind."""


_OPEN_FILES = Path("/proc")
"""Where Linux shows what a process has open, as /proc/self/fd/1."""


def disk_failed(error: BaseException) -> bool:
    """Whether it was the disk, or the network behind it, that an error was raised for in the end, and not what a file holds:
    a library that finds a file damaged may raise an OSError as well, but with no number of the system's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return True
        cause = cause.__cause__
    return False


def disk_is_full(error: OSError) -> bool:
    """Whether there was no room, on the disk or of what this user may have of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def make_folder(folder: Path) -> None:
    """Make a folder for results, with those around it, unless it is there.

    Raises:
        FileWriteError: if that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileWriteError(Notice("file.no-folder-made", {"folder": str(folder), "why": reason_of(error)})) from error


def write_text_atomically(text: str, path: Path) -> None:
    """Write text in UTF-8 with a line's end after it; the file appears complete or not at all.

    File names that are no UTF-8 reach a program with lone surrogates; they become backslash escapes, which JSON reads.

    Raises:
        FileWriteError: as `write_bytes_atomically`.
    """
    write_bytes_atomically(f"{text}\n".encode(errors="backslashreplace"), path)


def write_bytes_atomically(data: bytes, target: Path, *, durable: bool = True) -> None:
    """Write a file by way of a temporary one beside it, so that it appears complete or not at all.

    A device, a pipe or one of this process's streams (``/dev/stdout``) is written into: what took its place would be a file
    of that name, for every program from then on. What takes another file's place may be read and written by whom that one
    might: what was kept from others stays so.

    Args:
        data: its content.
        target: the file; one that exists is replaced, and of a link the link.
        durable: whether to wait until the disk has it, so that it is whole after a power cut, too.

    Raises:
        FileWriteError: if the folder is missing or may not be written to, or the disk is full.
    """
    # Not `tempfile`: its files are readable by their owner only, while this one gets what the umask says.
    temporary = target.parent / f"{TEMPORARY[0]}{os.urandom(6).hex()}{TEMPORARY[1]}"
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if _is_stream(target):
            with target.open("wb") as stream:
                stream.write(data)
            return
        with temporary.open("xb") as stream:
            _permit_as(target, temporary)
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(target)
        if durable:
            _sync_folder(target.parent)
    except OSError as error:
        _remove(temporary)
        raise FileWriteError(_why_unwritable(target, error)) from error
    except BaseException:
        _remove(temporary)
        raise


def _is_stream(target: Path) -> bool:
    """Whether something lies there that is no file, or leads to one that this process has open."""
    try:
        found = target.stat()
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        return True
    # /dev/stdout leads to /proc/self/fd/1, and so does the whole folder /dev/fd.
    return target.is_symlink() and any(
        place.is_relative_to(_OPEN_FILES) for place in (target.readlink(), target.parent.resolve())
    )


def _permit_as(target: Path, temporary: Path) -> None:
    """Give a temporary file the permissions of the file whose place it takes, if there is one and it is ours to say."""
    if os.name != "posix":  # elsewhere a folder's permissions are its files'
        return
    with suppress(OSError):
        temporary.chmod(stat.S_IMODE(target.stat().st_mode) & 0o777)


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder, where that can be asked for: without it a file that was written may
    have its name of before after a power cut."""
    if os.name != "posix":
        return
    with suppress(OSError):  # not every file system knows that of a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(temporary: Path) -> None:
    # What went wrong first is what the user has to hear; a file that cannot even be removed changes nothing about it.
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return


def _why_unwritable(target: Path, error: OSError) -> Notice:
    folder = target.parent
    names = {"file": str(target), "folder": str(folder)}
    if isinstance(error, IsADirectoryError):
        return Notice("file.is-folder", names)
    if isinstance(error, NotADirectoryError):
        return Notice("file.in-no-folder", names)
    if isinstance(error, FileNotFoundError) and not folder.exists():
        return Notice("file.folder-missing", names)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Notice("file.forbidden", names)
    if disk_is_full(error):
        return Notice("file.disk-full", names)
    if error.errno == errno.ENAMETOOLONG:
        return Notice("file.long-name", names)
    return Notice("file.unwritten", {**names, "why": reason_of(error)})
