"""Which pictures of a batch run, or of ``likeness check --json``, were refused, and whose they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from likeness.batch.journal import Item, Journal
from likeness.core.hashing import sha256_of_bytes
from likeness.core.tables import read_csv
from likeness.errors import ConfigError, LikenessError
from likeness.faces.findings import Finding
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.image import Size
from likeness.imaging.thumbnail import thumbnail
from likeness.messages.notice import Language, Notice, reason_of
from likeness.studio.notices.compose import THUMBNAIL
from likeness.studio.notices.letters import Trouble
from likeness.studio.notices.words import as_language

__all__ = ["Client", "Refused", "read_clients", "refused_by_batch", "refused_by_check", "with_clients"]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """What was found.

    Attributes:
        troubles: pictures that a client can be told of.
        others: pictures that failed for a reason that is none of the client's business, each with it.
        pictures: how many pictures there were in all.
    """

    troubles: tuple[Trouble, ...]
    others: tuple[tuple[str, str], ...]
    pictures: int


@dataclass(frozen=True, kw_only=True)
class Client:
    """Whose a picture is, by a CSV."""

    client: str
    email: str
    language: Language | None


def refused_by_batch(journal: Path, *, thumbnails: bool) -> Refused:
    """What a batch run left alone: pictures that preflight refused, or that could not be read.

    Raises:
        ConfigError: if there is no such journal.
        BatchError: if it cannot be read.
    """
    if not journal.is_file():
        raise ConfigError(Notice("cli.no-journal", {"journal": str(journal)}))
    troubles: list[Trouble] = []
    others: list[tuple[str, str]] = []
    with Journal(journal) as opened:
        for item in opened.items(states=("skipped", "failed")):
            findings = _told([Finding.of(finding) for finding in item.outcome.get("findings", [])], item)
            if not findings:
                others.append((item.source, item.reason))
                continue
            small = opened.thumbnails(item) if thumbnails else None
            width, height = item.outcome.get("width"), item.outcome.get("height")
            troubles.append(
                Trouble(
                    picture=_base(item.source),
                    content=item.content,
                    findings=tuple(findings),
                    client=item.client,
                    email=item.email,
                    size=Size(width, height) if width and height else None,
                    thumbnail=small.before if small else None,
                )
            )
        pictures = sum(opened.counts().values())
    return Refused(troubles=tuple(troubles), others=tuple(others), pictures=pictures)


def _told(findings: Sequence[Finding], item: Item) -> list[Finding]:
    """The findings for which a picture was left alone: those refused, else the warnings it was skipped for."""
    refused = [finding for finding in findings if finding.level == "refuse"]
    if refused or item.state == "failed":
        return _once(refused)
    return _once([finding for finding in findings if finding.level == "warn" and finding.message in item.reason])


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Each code once: a client is told that eyes are closed, not how many."""
    return list({finding.code: finding for finding in findings}.values())


def refused_by_check(path: Path, *, thumbnails: bool) -> Refused:
    """What ``likeness check --json`` refused; the pictures' names are relative to the current folder, as they were there.

    Raises:
        ConfigError: if the file cannot be read, or is no such file.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        pictures = [(str(item["input"]), item) for item in record["pictures"]]
        found = [(name, item, [Finding.of(finding) for finding in item["findings"]]) for name, item in pictures]
    except OSError as error:
        raise ConfigError(Notice("cli.file-unread", {"file": str(path), "why": reason_of(error)})) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(Notice("cli.not-check", {"path": str(path), "why": repr(error)})) from error
    with DecoderPool() as decoder:
        troubles = [
            _of_check(name, item, [finding for finding in findings if finding.level == "refuse"], thumbnails, decoder)
            for name, item, findings in found
            if any(finding.level == "refuse" for finding in findings)
        ]
    return Refused(troubles=tuple(troubles), others=(), pictures=len(found))


def _of_check(
    name: str, item: Mapping[str, Any], findings: Sequence[Finding], thumbnails: bool, decoder: DecoderPool
) -> Trouble:
    file = Path(name)
    try:
        content = sha256_of_bytes(file.read_bytes())
    except OSError:  # it has gone, or is standard input: its name stands for it
        content = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    size = Size(item["width"], item["height"]) if item.get("width") and item.get("height") else None
    return Trouble(
        picture=file.name,
        content=content,
        findings=tuple(_once(findings)),
        size=size,
        thumbnail=_thumbnail(file, decoder) if thumbnails and size is not None else None,
    )


def _thumbnail(path: Path, decoder: DecoderPool) -> bytes | None:
    """None if the picture cannot be read any more."""
    try:
        return thumbnail(decoder.read(path), side=2 * THUMBNAIL)
    except LikenessError:
        return None


def read_clients(path: Path) -> dict[str, Client]:
    """A CSV with the columns file, email, and if wanted client and language; by the file's name without its folders.

    Raises:
        ConfigError: if it cannot be read, lacks a column, or names one file for two clients.
    """
    try:
        titles, rows = read_csv(path.read_bytes(), name=str(path))
    except OSError as error:
        raise ConfigError(Notice("cli.file-unread", {"file": str(path), "why": reason_of(error)})) from error
    for needed in ("file", "email"):
        if needed not in titles:
            raise ConfigError(Notice("cli.no-client-column", {"path": str(path), "needed": needed}))
    found: dict[str, Client] = {}
    for row in rows:
        name = _base(row.cells.get("file", ""))
        language = row.cells.get("language", "")
        client = Client(
            client=row.cells.get("client", ""),
            email=row.cells.get("email", ""),
            language=as_language(language, f"{path}, line {row.line}") if language else None,
        )
        if found.setdefault(name, client) != client:
            raise ConfigError(Notice("cli.client-twice", {"path": str(path), "line": row.line, "name": name}))
    return found


def with_clients(troubles: Sequence[Trouble], clients: Mapping[str, Client]) -> Iterator[Trouble]:
    """The troubles, with what the CSV says over what the run knew."""
    for trouble in troubles:
        known = clients.get(_base(trouble.picture))
        if known is None:
            yield trouble
        else:
            yield replace(
                trouble,
                client=known.client or trouble.client,
                email=known.email or trouble.email,
                language=known.language or trouble.language,
            )


def _base(name: str) -> str:
    """A file's name without its folders."""
    return PurePosixPath(name.replace("\\", "/")).name
