"""Reading a multipart form (RFC 7578) as it comes: every limit holds before the bytes over it are kept.

What a client calls its files is kept for people to read. No name of a client's is ever a name in the file system.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from anyio import to_thread
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from likeness.server.http.guard import FORM_TEXT, file_too_large, too_large
from likeness.server.http.problems import ProblemError
from likeness.server.http.settings import ServerSettings
from likeness.server.http.state import Account

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = ["Form", "FormLimits", "Upload", "receive_body", "receive_form"]

_FIELDS = 64
_FIELD_BYTES = 64 << 10
_NAME_CHARACTERS = 255
_WRITTEN_AT_ONCE = 1 << 20
"""Bytes gathered before they are handed to the disk, which must not stop the event loop at every packet."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file of a form.

    Attributes:
        part: the form's field.
        name: what the client calls the file, "" if it says nothing; for people only.
        data: its bytes, empty if they are in ``path``.
        path: the file in a private folder, under a name of ours.
    """

    part: str
    name: str
    data: bytes = field(default=b"", repr=False)
    path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a form held.

    Attributes:
        fields: text by name; a name may come once only.
        files: in the order in which they came.
    """

    fields: dict[str, str]
    files: tuple[Upload, ...]

    def file(self, field: str) -> Upload:
        """The file of a field.

        Raises:
            ProblemError: if there is none.
        """
        for upload in self.files:
            if upload.part == field:
                return upload
        raise ProblemError("file-missing", f'the form has no file in its field "{field}"')

    def no_fields(self) -> None:
        """Have it hold files only.

        Raises:
            ProblemError: if it holds a field of text.
        """
        if self.fields:
            raise ProblemError("field-unknown", "the form has a field that is not known here; it takes files only")


@dataclass(frozen=True, kw_only=True)
class FormLimits:
    """How much a form may hold.

    Attributes:
        files: number of files by field.
        file_bytes: of one file.
        total_bytes: of the whole body.
        own_bytes: of one file in single fields, where that is otherwise.
    """

    files: dict[str, int]
    file_bytes: int
    total_bytes: int
    own_bytes: dict[str, int] = field(default_factory=dict[str, int])

    def bytes_in(self, name: str) -> int:
        """Of one file in a field."""
        return self.own_bytes.get(name, self.file_bytes)

    @staticmethod
    def one_each(settings: ServerSettings, *fields: str) -> FormLimits:
        """One picture in each of these fields, as large as the server takes it."""
        return FormLimits.at_most(settings, dict.fromkeys(fields, 1))

    @staticmethod
    def at_most(settings: ServerSettings, files: dict[str, int]) -> FormLimits:
        """So many pictures in each of these fields, each as large as the server takes it."""
        total = min(settings.max_upload * sum(files.values()) + FORM_TEXT, settings.max_request)
        return FormLimits(files=files, file_bytes=settings.max_upload, total_bytes=total)


async def receive_form(request: Request, limits: FormLimits, account: Account, *, folder: Path | None = None) -> Form:
    """Read a request's form.

    Args:
        request: its body has not been read.
        limits: how much it may hold.
        account: where bytes that stay in memory are counted.
        folder: where files go, as "0000", "0001" and so on; None to keep them in memory.

    Raises:
        ProblemError: for a body that is no form, is damaged, or holds more than it may.
        ServerBusyError: if the server has no memory for it at the moment.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind.lower() != b"multipart/form-data" or not options.get(b"boundary"):
        raise ProblemError("form-needed", "send a form: Content-Type multipart/form-data, with its boundary")
    _check_length(request, limits.total_bytes)
    reader = _Reader(limits, account, folder)
    try:
        parser = MultipartParser(options[b"boundary"], reader.callbacks)
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > limits.total_bytes:
                raise too_large(limits.total_bytes)
            parser.write(chunk)
            if reader.pending >= _WRITTEN_AT_ONCE:
                await to_thread.run_sync(reader.flush)
        await to_thread.run_sync(reader.flush)
    except FormParserError:
        raise _invalid("it is damaged") from None
    finally:
        reader.close()
    if not reader.complete:
        raise _invalid("it ends too early")
    return Form(fields=reader.fields, files=tuple(reader.files))


async def receive_body(request: Request, limit: int, account: Account) -> bytes:
    """Read a request's body into memory.

    Raises:
        ProblemError: if it has more than ``limit`` bytes.
        ServerBusyError: if the server has no memory for it at the moment.
    """
    _check_length(request, limit)
    body = io.BytesIO()
    async for chunk in request.stream():
        if body.tell() + len(chunk) > limit:
            raise too_large(limit)
        account.take(len(chunk))
        body.write(chunk)
    return body.getvalue()


def _check_length(request: Request, limit: int) -> None:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise too_large(limit)


def _invalid(why: str) -> ProblemError:
    return ProblemError("form-invalid", f"the form cannot be read: {why}; send it again")


class _Reader:
    """Takes a form apart; its methods are the parser's callbacks."""

    def __init__(self, limits: FormLimits, account: Account, folder: Path | None) -> None:
        self._limits = limits
        self._account = account
        self._folder = folder
        self.fields: dict[str, str] = {}
        self.files: list[Upload] = []
        self.complete = False
        self.pending = 0
        self._writes: list[tuple[BinaryIO, bytes]] = []
        self._count: dict[str, int] = {}
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._file_name: str | None = None
        self._text = bytearray()
        self._size = 0
        self._stream: BinaryIO | None = None
        self._path: Path | None = None
        self.callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._take_header_name,
            "on_header_value": self._take_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._take,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def flush(self) -> None:
        """Write what was gathered for the disk."""
        writes, self._writes, self.pending = self._writes, [], 0
        for stream, data in writes:
            stream.write(data)
            if not data:
                stream.close()

    def close(self) -> None:
        """Close what is open; files that are not complete stay where they are, for who made the folder to remove."""
        for stream, _ in self._writes:
            stream.close()
        if self._stream is not None:
            self._stream.close()

    def _begin(self) -> None:
        self._headers.clear()
        self._header_name = self._header_value = b""
        self._text.clear()
        self._size = 0

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _open(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind.lower() != b"form-data" or not options.get(b"name"):
            raise _invalid("a part has no name")
        self._name = _text(options[b"name"])
        file_name = options.get(b"filename")
        self._file_name = None if file_name is None else _text(file_name)[-_NAME_CHARACTERS:]
        if self._name in self._limits.files:
            if self._count.get(self._name, 0) >= self._limits.files[self._name]:
                most = self._limits.files[self._name]
                raise ProblemError(
                    "too-many-files", f'"{self._name}" takes {most} file{"" if most == 1 else "s"}, no more'
                )
            self._count[self._name] = self._count.get(self._name, 0) + 1
            self._path = None
            if self._folder is None:
                self._stream = io.BytesIO()
            else:
                self._path = self._folder / f"{len(self.files):04d}"
                self._stream = self._path.open("xb")
        elif self._file_name is not None:
            names = ", ".join(f'"{name}"' for name in self._limits.files)
            raise ProblemError("field-unknown", f"a file was sent in a field that takes none; files go into {names}")
        elif len(self.fields) >= _FIELDS:
            raise ProblemError("too-many-fields", f"the form has more than {_FIELDS} fields")

    def _take(self, data: bytes, start: int, end: int) -> None:
        count = end - start
        self._size += count
        if self._stream is None:
            if self._size > _FIELD_BYTES:
                raise ProblemError("field-too-long", f"a field has more than {_FIELD_BYTES >> 10} KB of text")
            self._text += data[start:end]
            return
        most = self._limits.bytes_in(self._name)
        if self._size > most:
            raise file_too_large(most)
        if self._path is None:
            self._account.take(count)
            self._stream.write(data[start:end])
        else:
            self._writes.append((self._stream, data[start:end]))
            self.pending += count

    def _end(self) -> None:
        if self._stream is None:
            if self._name in self.fields:
                raise ProblemError("field-twice", "a field of the form is given twice; keep one")
            self.fields[self._name] = _text(bytes(self._text))
            return
        data = self._stream.getvalue() if isinstance(self._stream, io.BytesIO) else b""
        self.files.append(Upload(part=self._name, name=self._file_name or "", data=data, path=self._path))
        if self._path is not None:
            self._writes.append((self._stream, b""))  # nothing more: close it
        self._stream = None

    def _finish(self) -> None:
        self.complete = True


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _invalid("its text is not UTF-8") from None
