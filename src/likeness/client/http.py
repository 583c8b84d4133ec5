"""A client for a Likeness server: the library's own types go in and come out, over HTTP.

::

    from likeness import Controls, LikenessClient

    with LikenessClient("http://127.0.0.1:8470") as client:
        client.restore(Path("photo.jpg"), Controls.natural()).save(Path("restored.jpg"))
        job = client.submit([Path("a.jpg"), Path("b.jpg")], options=RequestOptions(preset="film-scan"))
        client.download(client.wait(job), Path("results.zip"))
        film = client.submit_video(Path("wedding.mp4"), person=Path("bride.jpg"))
        client.save(client.wait(film), 0, Path("restored.mp4"))

Nothing of the network is loaded here, and no server's library is needed.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, NoReturn, TypeAlias, cast

import httpx

from likeness.client.answers import (
    CheckedPicture,
    Job,
    Picture,
    RemoteInspection,
    RequestOptions,
    RestoredPicture,
)
from likeness.compute.web import reason_on_the_way, web_client
from likeness.errors import (
    ConfigError,
    ControlError,
    FileWriteError,
    ImageReadError,
    ImageTooLargeError,
    ImageWriteError,
    LikenessError,
    NoFaceError,
    PairError,
    RawImageError,
    ServerBusyError,
    ServerError,
    VideoError,
)
from likeness.imaging.accepting import any_picture
from likeness.imaging.encode import encode_image
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.restore.controls import Controls

__all__ = ["LikenessClient", "ResultVersion"]

_Sent: TypeAlias = "Picture | tuple[str, bytes]"
_Files: TypeAlias = "Sequence[tuple[str, _Sent]]"

ResultVersion: TypeAlias = Literal["original", "web", "print"]

_ERRORS: dict[str, type[LikenessError]] = {
    "picture-too-large": ImageTooLargeError,
    "picture-raw": RawImageError,
    "picture-unreadable": ImageReadError,
    "picture-unwritable": ImageWriteError,
    "no-face": NoFaceError,
    "reference-unusable": NoFaceError,
    "pair-unequal": PairError,
    "control-out-of-range": ControlError,
    "option-unusable": ConfigError,
    "video-unreadable": VideoError,
}
"""Codes of problems that are the library's own errors; anything else is a `ServerError`."""


class LikenessClient:
    """Speaks to one server; keep it, as it keeps its connections. Safe to use from several threads.

    Args:
        base_url: such as "http://127.0.0.1:8470".
        api_key: what the server wants, if it wants one.
        timeout: seconds to wait for an answer.
        patience: seconds for which a busy server (429, or too many connections) is asked again, after the pauses that it
            names; 0 for not at all.
        transport: how requests travel; httpx's own if None.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 180.0,
        patience: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        try:
            url = httpx.URL(base_url)
        except (httpx.InvalidURL, TypeError) as error:
            raise ConfigError(Notice("client.bad-address", {"base_url": base_url, "why": notice_of(error)})) from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigError(Notice("client.no-address", {"base_url": base_url}))
        self._http = web_client(base_url, base_url=url, headers=headers, timeout=timeout, transport=transport)
        self._patience = patience

    def __enter__(self) -> LikenessClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Single pictures

    def restore(
        self,
        picture: Picture,
        controls: Controls | str | None = None,
        *,
        options: RequestOptions | None = None,
        damage: Picture | None = None,
        references: Sequence[Picture] = (),
    ) -> RestoredPicture:
        """Restore a picture.

        Args:
            picture: see `Picture`.
            controls: how, or the name of one of the server's presets; ``standard`` if None.
            options: what else is wanted.
            damage: a picture as large, white where ``picture`` holds nothing.
            references: other photographs of the same persons, which lend their detail to the faces that they fit; the report
                calls them "reference 1" and so on.

        Raises:
            ImageReadError, ImageTooLargeError, NoFaceError, ControlError, ConfigError: as in the library.
            ServerBusyError: if the server stayed busy for longer than this client's patience.
            ServerError: for anything else that the server will not do, and if it cannot be reached.
        """
        fields = (options or RequestOptions()).fields(controls)
        files: _Files = [("file", picture), *([("damage_mask", damage)] if damage is not None else [])]
        files += [("references", reference) for reference in references]
        answer = self._json("POST", "/v1/restore", fields=fields, files=files)
        try:
            data = base64.b64decode(answer["image"], validate=True)
        except (binascii.Error, ValueError, KeyError, TypeError) as error:
            raise ServerError(Notice("client.no-picture")) from error
        return RestoredPicture(data=data, media_type=answer["media_type"], report=answer["report"])

    def check(self, picture: Picture) -> CheckedPicture:
        """Say what is the matter with a picture; a file that is none is a finding, too.

        Raises:
            ServerBusyError, ServerError: as `restore`.
        """
        return CheckedPicture.of(self._json("POST", "/v1/check", files=[("file", picture)]))

    def inspect(self, before: Picture, after: Picture) -> RemoteInspection:
        """Measure what a restoration, by any tool, did.

        Raises:
            PairError, NoFaceError, ImageReadError, ServerBusyError, ServerError: as `restore`.
        """
        return RemoteInspection.of(self._json("POST", "/v1/inspect", files=[("before", before), ("after", after)]))

    # Jobs

    def submit(
        self,
        pictures: Sequence[Path | str | tuple[str, bytes]],
        controls: Controls | str | None = None,
        *,
        options: RequestOptions | None = None,
        overrides: Mapping[int, Mapping[str, Any]] | None = None,
        references: Sequence[Picture] = (),
    ) -> Job:
        """Have many pictures restored in the background.

        Args:
            pictures: files, or names with bytes.
            controls, options: as `restore`.
            overrides: fields of the API for single pictures, by their place in ``pictures``.
            references: other photographs of the persons in the pictures, as `restore`; they are deleted with the job.

        Raises:
            ConfigError, ControlError, ServerBusyError, ServerError: as `restore`.
        """
        fields = (options or RequestOptions()).fields(controls)
        if overrides:
            fields["overrides"] = json.dumps({str(number): dict(values) for number, values in overrides.items()})
        files: _Files = [("files", picture) for picture in pictures]
        files += [("references", reference) for reference in references]
        return Job.of(self._json("POST", "/v1/jobs", fields=fields, files=files))

    def submit_video(
        self,
        video: Path | str | tuple[str, bytes],
        controls: Controls | str | None = None,
        *,
        options: RequestOptions | None = None,
        person: Picture | None = None,
        references: Sequence[Picture] = (),
        codec: str | None = None,
        crf: float | None = None,
        every: int | None = None,
        begin: float | None = None,
        end: float | None = None,
    ) -> Job:
        """Have a video restored in the background; it is picture 0 of its job. What cannot be done with it is refused at
        once.

        Args:
            video: a file, or a name with bytes; the name's ending says which kind of file the result is.
            controls, options: as `restore`, as far as videos have them.
            person: a photograph of the one person who is to be restored; everybody if None.
            references: other photographs of the people, as `restore`; they are deleted with the job.
            codec, crf, every, begin, end: see `likeness.video.options.VideoOptions`; the server's usual ones if None.

        Raises:
            VideoError: if it is no video that can be read.
            ConfigError, ControlError, ImageReadError, NoFaceError, ServerBusyError, ServerError: as `restore`.
        """
        fields = (options or RequestOptions()).fields(controls)
        own = {"codec": codec, "crf": crf, "every": every, "begin": begin, "end": end}
        fields |= {name: str(value) for name, value in own.items() if value is not None}
        files: _Files = [("file", video), *([("person", person)] if person is not None else [])]
        files += [("references", reference) for reference in references]
        return Job.of(self._json("POST", "/v1/videos", fields=fields, files=files))

    def job(self, job: Job | str) -> Job:
        """How far a job is.

        Raises:
            ServerError: if there is no such job, or the server cannot be reached.
        """
        return Job.of(self._json("GET", f"/v1/jobs/{_id(job)}"))

    def wait(self, job: Job | str, *, told: Callable[[Job], None] | None = None) -> Job:
        """Wait until a job is done, over a restart of the server too if that takes no longer than this client's patience.

        Args:
            job: which.
            told: called with the job as it goes on; of a video `JobPicture.share` says how far it is.

        Raises:
            ServerError: if there is no such job, or the server is away for too long.
        """
        seen = time.monotonic()
        while True:
            try:
                found = self.job(job)
            except ServerError as error:
                gone = isinstance(error, _AwayError) or isinstance(error.__cause__, httpx.TransportError)
                if not gone or time.monotonic() - seen > self._patience:
                    raise
            else:
                seen = time.monotonic()
                if told is not None:
                    told(found)
                if found.done:
                    return found
            time.sleep(_PAUSE)

    def result(self, job: Job | str, number: int, *, version: ResultVersion = "original") -> bytes:
        """The file of one result: as it was restored, or made smaller for the web or larger for print.

        Raises:
            ServerError: if it has none.
        """
        path = f"/v1/jobs/{_id(job)}/pictures/{number}/result?version={version}"
        return self._send("GET", path).content

    def report(self, job: Job | str, number: int) -> dict[str, Any] | None:
        """What was done to one picture of a job; None until it is restored.

        Raises:
            ServerError: if there is no such job or picture.
        """
        return self._json("GET", f"/v1/jobs/{_id(job)}/pictures/{number}")["report"]

    def download(self, job: Job | str, path: Path | str, *, version: ResultVersion = "original") -> None:
        """Write all results into a ZIP file, in one of the versions of `result`; it appears complete or not at all.

        Raises:
            ServerError: if there are none yet.
            FileWriteError: if the file cannot be written.
        """
        self._save(f"/v1/jobs/{_id(job)}/zip?version={version}", path)

    def save(self, job: Job | str, number: int, path: Path | str, *, version: ResultVersion = "original") -> None:
        """Write one result into a file, such as a video that would not fit into memory; it appears complete or not at all.

        Raises:
            ServerError: if it has none.
            FileWriteError: if the file cannot be written.
        """
        self._save(f"/v1/jobs/{_id(job)}/pictures/{number}/result?version={version}", path)

    def _save(self, address: str, path: Path | str) -> None:
        path = Path(path)
        part = path.with_name(f".{secrets.token_hex(6)}.part")
        try:
            with self._translated(), self._http.stream("GET", address) as answer:
                if answer.is_error:
                    answer.read()
                    _raise(answer)
                with part.open("wb") as stream:
                    for piece in answer.iter_bytes():
                        stream.write(piece)
            part.replace(path)
        except OSError as error:
            raise FileWriteError(Notice("client.unwritten", {"path": str(path), "why": reason_of(error)})) from error
        finally:
            part.unlink(missing_ok=True)

    def delete(self, job: Job | str) -> None:
        """Have a job deleted with its pictures.

        Raises:
            ServerError: if there is no such job.
        """
        self._send("DELETE", f"/v1/jobs/{_id(job)}")

    # What there is

    def presets(self) -> dict[str, Controls]:
        """The server's presets.

        Raises:
            ServerError: if the server cannot be reached.
        """
        found: dict[str, Controls] = {}
        for preset in self._json("GET", "/v1/presets")["presets"]:
            values = dict(preset)
            name = str(values.pop("name"))
            found[name] = Controls().with_changes(values)
        return found

    def models(self) -> dict[str, Any]:
        """The server's networks, as GET /v1/models answers.

        Raises:
            ServerError: if the server cannot be reached.
        """
        return self._json("GET", "/v1/models")

    # Inside

    def _json(
        self,
        method: str,
        path: str,
        *,
        fields: Mapping[str, str] | None = None,
        files: _Files = (),
    ) -> dict[str, Any]:
        answer = self._send(method, path, fields=fields, files=files)
        try:
            return cast("dict[str, Any]", answer.json())
        except ValueError as error:
            raise ServerError(Notice("client.no-json")) from error

    def _send(
        self,
        method: str,
        path: str,
        *,
        fields: Mapping[str, str] | None = None,
        files: _Files = (),
    ) -> httpx.Response:
        ready = [(name, _ready(picture)) for name, picture in files]
        ends = time.monotonic() + self._patience
        while True:
            try:
                return self._once(method, path, fields or {}, ready)
            except ServerBusyError as error:  # noqa: PERF203 - a pause is wanted here
                if time.monotonic() + error.retry_after > ends:
                    raise
                time.sleep(error.retry_after)

    def _once(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        files: Sequence[tuple[str, Path | tuple[str, bytes]]],
    ) -> httpx.Response:
        opened: list[BinaryIO] = []
        parts: list[tuple[str, tuple[str | None, bytes | BinaryIO]]] = []
        try:
            for name, text in fields.items():
                parts.append((name, (None, _encoded(name, text))))
            for name, picture in files:
                parts.append((name, _part(picture, opened)))
            with self._translated():
                answer = self._http.request(
                    method, path, headers={"Accept": "application/json"}, files=cast("Any", parts) or None
                )
        finally:
            for stream in opened:
                stream.close()
        if answer.is_error:
            _raise(answer)
        return answer

    @contextmanager
    def _translated(self) -> Generator[None]:
        """What goes wrong on the way as one sentence."""
        try:
            yield
        except httpx.TransportError as error:
            where = f"{self._http.base_url.scheme}://{self._http.base_url.netloc.decode('ascii', 'replace')}"
            detail = reason_on_the_way(error)
            raise ServerError(Notice("client.unreachable", {"where": where, "detail": detail})) from error


_PAUSE = 0.3
"""Seconds between two looks at a job."""

_GATEWAY = frozenset({502, 503, 504})
"""What a proxy answers whose server is away."""


class _AwayError(ServerError):
    """A proxy is there, and the server behind it is not."""


def _ready(picture: _Sent) -> Path | tuple[str, bytes]:
    """A picture as it can be sent more than once: a file, or a name with bytes."""
    if isinstance(picture, tuple):
        return picture
    if isinstance(picture, (str, os.PathLike)):
        return Path(picture)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return "picture", bytes(picture)
    if (read := getattr(picture, "read", None)) is not None:
        return "picture", read()
    return "picture.png", encode_image(any_picture("picture", picture), "PNG")


def _part(picture: Path | tuple[str, bytes], opened: list[BinaryIO]) -> tuple[str, bytes | BinaryIO]:
    """A file's name and content for a form; files that are opened for it are added to ``opened``."""
    if isinstance(picture, tuple):
        name, data = picture
        return _sendable(name), data
    try:
        stream = picture.open("rb")
    except OSError as error:
        raise ImageReadError(Notice("client.unread", {"picture": str(picture), "why": reason_of(error)})) from error
    opened.append(stream)
    return _sendable(picture.name), stream


def _sendable(name: str) -> str:
    """A file's name, which may be no UTF-8 on a disk, as a form can hold it."""
    return name.encode(errors="replace").decode()


def _encoded(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ConfigError(Notice("client.half-character", {"name": name})) from None


def _raise(answer: httpx.Response) -> NoReturn:
    """Raise a problem as the library's own error, with the server's sentence."""
    try:
        problem = cast("dict[str, Any]", answer.json())
        code, detail = str(problem["code"]), str(problem["detail"])
        if problem.get("notice"):
            detail = Notice.of(detail, problem["notice"])
    except (ValueError, KeyError, TypeError):
        code, detail = "", Notice("client.status", {"status": answer.status_code})
    if answer.status_code == 429 or code == "too-many-connections":
        pause = answer.headers.get("retry-after", "")
        raise ServerBusyError(detail, retry_after=int(pause) if pause.isdecimal() else 1)
    if not code and answer.status_code in _GATEWAY:
        raise _AwayError(detail)
    raise _ERRORS.get(code, ServerError)(detail)


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id
