"""Fetching one file over HTTP: streamed, resumed, from several addresses, checked, and moved into place in one step."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.compute.web import reason_on_the_way, web_client
from likeness.core.files import disk_is_full
from likeness.core.hashing import sha256_of
from likeness.errors import CheckpointError, CheckpointFormatError, ChecksumError, DownloadError
from likeness.messages.notice import Notice, notice_of, reason_of

if TYPE_CHECKING:
    import httpx

__all__ = ["Progress", "RetryPolicy", "download"]

_log = logging.getLogger(__name__)

Progress = Callable[[int, "int | None"], None]
"""Called with the bytes that are there and the bytes there will be (None where the server does not say)."""

_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How stubbornly to fetch.

    Attributes:
        attempts: tries per address that bring nothing new; a try that brought bytes starts the count again.
        first_delay: seconds before the second try; each further wait is twice as long, up to 30 s.
        timeout: seconds to connect, and without any byte, before a try is given up.
    """

    attempts: int = 4
    first_delay: float = 1.0
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_delay < 0 or self.timeout <= 0:
            raise ValueError("attempts must be at least 1, first_delay not negative, timeout positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where the bytes of a part file came from; kept beside it, so that only the same file is continued."""

    url: str
    validator: str | None
    total: int | None


class _AddressError(Exception):
    """This address cannot give the file; the next one may."""


class _TransferError(Exception):
    """The transfer broke off; the same address may go on."""


def download(
    urls: Sequence[str],
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    check: Callable[[Path], None] | None = None,
    progress: Progress | None = None,
    policy: RetryPolicy | None = None,
) -> str:
    """Fetch a file to ``target``; it appears there whole and checked, or not at all.

    What has arrived is kept in ``<target>.part``, and a later call goes on from there, also after the process was
    killed: by a Range request that the server honours only if the file is still the same (If-Range, RFC 9110 section
    13.1.5). The caller sees to it that two processes do not fetch to one target.

    Args:
        urls: addresses of the same file, tried in this order.
        target: the file to make.
        sha256: expected checksum, lower-case hexadecimal.
        size: expected bytes.
        check: called with the complete part file; it raises CheckpointError if the file is not what it should be.
        progress: called after every piece.
        policy: how stubbornly to fetch.

    Returns:
        The file's SHA-256.

    Raises:
        ChecksumError: if every address that answered gave other bytes than ``sha256`` promises.
        DownloadError: if no address gave the file, or the disk cannot hold it.
    """
    import httpx

    policy = policy or RetryPolicy()
    part = target.with_name(f"{target.name}.part")
    timeout = httpx.Timeout(policy.timeout)
    failures: list[Notice] = []
    wrong: list[CheckpointError] = []
    for url in urls:
        with web_client(url, follow_redirects=True, timeout=timeout, headers={"Accept-Encoding": "identity"}) as client:
            fetch = _Fetch(client, url, part, sha256, size, progress)
            try:
                digest = fetch.complete(policy, check)
            except _AddressError as error:
                _log.warning("%s: %s", url, error)
                failures.append(Notice("file.named", {"file": url, "reason": notice_of(error)}))
                continue
            except CheckpointError as error:
                if isinstance(error, DownloadError):
                    raise
                _log.warning("%s: %s", url, error)
                failures.append(error.notice)
                wrong.append(error)
                continue
            part.replace(target)
            _origin_path(part).unlink(missing_ok=True)
            return digest
    if wrong:
        raise wrong[-1]
    raise DownloadError(Notice("download.failed", {"name": target.name, "failures": failures}))


class _Fetch:
    """One address into one part file."""

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        part: Path,
        sha256: str | None,
        size: int | None,
        progress: Progress | None,
    ) -> None:
        self._client = client
        self._url = url
        self._part = part
        self._sha256 = sha256
        self._size = size
        self._progress = progress

    def complete(self, policy: RetryPolicy, check: Callable[[Path], None] | None) -> str:
        """Fetch until the part file is whole and right; its SHA-256.

        Raises:
            _AddressError: if this address does not give the file.
            DownloadError: if the disk does not take it.
            CheckpointError: if the whole file is not the right one (and then it is gone).
        """
        resumed = self._transfer(policy)
        try:
            return self._checked(check)
        except DownloadError:
            raise
        except CheckpointError:
            _discard(self._part)
            if not resumed:
                raise
            # The part may have been spoilt before this run: once more from the first byte.
            _log.warning("%s: the continued file is wrong, fetching it from the start", self._url)
        self._transfer(policy)
        try:
            return self._checked(check)
        except CheckpointError:
            _discard(self._part)
            raise

    def _checked(self, check: Callable[[Path], None] | None) -> str:
        found = self._part.stat().st_size
        if self._size is not None and found != self._size:
            raise ChecksumError(Notice("download.length", {"url": self._url, "found": found, "size": self._size}))
        digest = sha256_of(self._part)
        if self._sha256 is not None and digest != self._sha256:
            raise ChecksumError(Notice("download.digest", {"url": self._url, "digest": digest, "sha256": self._sha256}))
        if check is not None:
            try:
                check(self._part)
            except CheckpointFormatError as error:
                raise CheckpointFormatError(
                    Notice("download.wrong-file", {"url": self._url, "why": notice_of(error)})
                ) from error
        return digest

    def _transfer(self, policy: RetryPolicy) -> bool:
        """Fetch until the part file is whole; whether it was begun before this call."""
        begun = _size_of(self._part) > 0
        failed, delay = 0, policy.first_delay
        while True:
            before = _size_of(self._part)
            try:
                self._request()
                return begun
            except _TransferError as error:
                if _size_of(self._part) > before:
                    failed, delay = 0, policy.first_delay
                failed += 1
                if failed >= policy.attempts:
                    raise _AddressError(notice_of(error)) from error
                _log.warning("%s: %s; next try in %.1f s", self._url, error, delay)
            time.sleep(delay)
            delay = min(2 * delay, 30.0)

    def _request(self) -> None:
        """One request; returns when the part file is whole."""
        import httpx

        have, headers = self._resumable()
        try:
            with self._client.stream("GET", self._url, headers=headers) as response:
                start, origin = self._judge(response, have)
                self._write(response, start, origin)
        except httpx.TimeoutException as error:
            raise _TransferError(Notice("download.no-answer")) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise _AddressError(notice_of(error)) from error
        except httpx.TransportError as error:
            raise _TransferError(Notice("download.connection", {"why": reason_on_the_way(error)})) from error

    def _resumable(self) -> tuple[int, dict[str, str]]:
        """How many bytes can be kept, and the request headers that ask for the others."""
        have = _size_of(self._part)
        origin = _read_origin(self._part)
        if not have or origin is None:
            return 0, {}
        if origin.url == self._url and origin.validator is not None:
            return have, {"Range": f"bytes={have}-", "If-Range": origin.validator}
        # Another mirror, or a server without validators: continue only where the checksum will tell.
        if self._sha256 is not None:
            return have, {"Range": f"bytes={have}-"}
        return 0, {}

    def _judge(self, response: httpx.Response, have: int) -> tuple[int, _Origin]:
        """At which byte the answer starts, and what is known of the file."""
        status = response.status_code
        if status == 416 and have:
            # Nothing lies behind what is here: either it is whole, or it is another file.
            origin = _read_origin(self._part)
            if origin is not None and origin.total == have:
                return have, origin
            _discard(self._part)
            raise _TransferError(Notice("download.changed"))
        if status in _RETRYABLE:
            raise _TransferError(Notice("download.status", {"status": status, "reason_phrase": response.reason_phrase}))
        if status not in (200, 206):
            raise _AddressError(Notice("download.status", {"status": status, "reason_phrase": response.reason_phrase}))
        if response.headers.get("content-type", "").startswith("text/html"):
            raise _AddressError(Notice("download.page"))
        length = _whole_number(response.headers.get("content-length"))
        if status == 200:
            start, total = 0, length
        else:
            start, total = _content_range(response.headers.get("content-range", ""))
            known = _read_origin(self._part)
            other = known is not None and None not in (known.total, total) and known.total != total
            if start != have or other:
                _discard(self._part)
                raise _TransferError(Notice("download.other-part"))
        if total is not None and self._size is not None and total != self._size:
            raise _AddressError(Notice("download.size", {"total": total, "size": self._size}))
        return start, _Origin(url=self._url, validator=_validator(response), total=total)

    def _write(self, response: httpx.Response, start: int, origin: _Origin) -> None:
        if response.status_code == 416:
            return
        done, total = start, origin.total
        if start == 0:
            _discard(self._part)
        try:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            _check_space(self._part, done, total)
            _origin_path(self._part).write_text(json.dumps(asdict(origin)), encoding="utf-8")
            with self._part.open("ab") as file:
                try:
                    # As it arrives: gathering larger pieces would lose the last one when the connection drops.
                    for chunk in response.iter_raw():
                        file.write(chunk)
                        done += len(chunk)
                        if self._progress is not None:
                            self._progress(done, total)
                finally:
                    file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if disk_is_full(error) or error.errno == errno.EFBIG:
                raise _full(self._part, done, total) from error
            raise DownloadError(
                Notice("download.unwritten", {"part": str(self._part), "why": reason_of(error)})
            ) from error
        if total is not None and done != total:
            if done > total:
                _discard(self._part)
            raise _TransferError(Notice("download.broke-off", {"done": done, "total": total}))


def _check_space(part: Path, done: int, total: int | None) -> None:
    if total is not None and shutil.disk_usage(part.parent).free < total - done:
        raise _full(part, done, total)


def _full(part: Path, done: int, total: int | None) -> DownloadError:
    expected = "" if total is None else Notice("download.of", {"megabytes": total / 1e6})
    return DownloadError(
        Notice("download.disk-full", {"parent": str(part.parent), "done": done / 1e6, "expected": expected})
    )


def _validator(response: httpx.Response) -> str | None:
    """What If-Range may hold: a strong ETag, else the date of the last change."""
    etag = response.headers.get("etag")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("last-modified")


def _content_range(header: str) -> tuple[int, int | None]:
    """Start and total of ``bytes 5-99/100``; a start of -1 for anything else."""
    with contextlib.suppress(ValueError):
        unit, _, span = header.partition(" ")
        positions, _, total = span.partition("/")
        if unit.strip() == "bytes":
            return int(positions.partition("-")[0]), _whole_number(total)
    return -1, None


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _origin_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_origin(part: Path) -> _Origin | None:
    try:
        saved = json.loads(_origin_path(part).read_text(encoding="utf-8"))
        return _Origin(url=saved["url"], validator=saved["validator"], total=saved["total"])
    except (OSError, ValueError, KeyError, TypeError):
        # No note, or one cut short by a crash: then nothing is known of the part file, and it is fetched anew.
        return None


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _origin_path(part).unlink(missing_ok=True)
