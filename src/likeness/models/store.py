"""The store: one folder that holds fetched and imported checkpoints, and which licences were accepted.

::

    <root>/models/GPEN-BFR-512.pth          a fetched checkpoint
                  GPEN-BFR-512.json         where it came from, its SHA-256 and size
                  GPEN-BFR-512.pth.part     what an unfinished fetch left; the next one goes on from it
                  mine.safetensors          an imported checkpoint
    <root>/licences/GPEN-BFR-512.json       an accepted licence

``<root>`` is the environment variable LIKENESS_HOME, else the user's cache folder. LIKENESS_OFFLINE=1 forbids fetching.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from likeness.core.hashing import sha256_of
from likeness.core.home import expanded, home_folder
from likeness.core.locking import locked
from likeness.core.spelling import did_you_mean, known_and_meant
from likeness.errors import CheckpointError, CheckpointFormatError, ChecksumError, DownloadError
from likeness.messages.notice import Notice, notice_of
from likeness.models.catalog import (
    CATALOG,
    DEFAULT_MODEL,
    CatalogEntry,
    embedded_path,
    entry_meant_by,
    entry_of,
)
from likeness.models.convert import convert_checkpoint
from likeness.models.download import Progress, RetryPolicy, download
from likeness.models.find import MODELSCOPE, modelscope_file
from likeness.models.formats import Checkpoint, ModelInfo, for_task, read_checkpoint, read_spec, spec_for_task
from likeness.models.licences import Licences, now, write_record, written_under
from likeness.models.spec import Purpose, Spec

__all__ = ["Store", "StoredModel"]

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SUFFIXES = (".safetensors", ".pth", ".pt", ".onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """One line of `likeness models list`.

    Attributes:
        name: what `Store.load` takes.
        purpose: what it does.
        state: "embedded" (in the package), "fetched", "imported", or "available" (known, not here yet).
        description: one line.
        licence: short name of the licence, or empty where an imported file names none.
        accepted: whether the licence needs no acceptance or has been accepted.
        path: the file, or None where it is not here.
        size: bytes here, or to be fetched where that is known.
    """

    name: str
    purpose: Purpose
    state: Literal["embedded", "fetched", "imported", "available"]
    description: str
    licence: str
    accepted: bool
    path: Path | None
    size: int | None


class Store:
    """Checkpoints on this machine.

    Args:
        root: the folder; None for LIKENESS_HOME, else the user's cache folder. Made when something is first put there.
        offline: whether fetching is forbidden; None for LIKENESS_OFFLINE.
        catalog: the checkpoints known by name.
        policy: how stubbornly to fetch.
        accepted: names whose licences were accepted elsewhere, by whoever sent the work here.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        offline: bool | None = None,
        catalog: Mapping[str, CatalogEntry] = CATALOG,
        policy: RetryPolicy | None = None,
        accepted: Collection[str] = (),
    ) -> None:
        self._given_root = root
        self._offline = offline if offline is not None else _default_offline()
        self._catalog = catalog
        self._policy = policy or RetryPolicy()
        self._licences = Licences(lambda: self.root, catalog, accepted)

    @property
    def root(self) -> Path:
        """The folder.

        Raises:
            ConfigError: if none was given and this user has no home.
        """
        return self._given_root if self._given_root is not None else home_folder()

    @property
    def offline(self) -> bool:
        return self._offline

    def load(self, name_or_path: str | Path = DEFAULT_MODEL, *, task: Purpose | None = None) -> Checkpoint:
        """Read a checkpoint: the embedded one, one of the catalog, an imported one, or any file.

        Args:
            name_or_path: a name, or a file.
            task: what it is for, where its file does not tell (`likeness.models.formats.for_task`).

        Raises:
            LicenceError: if its licence was not accepted yet.
            CheckpointError: if it is unknown, not here, or not readable.
        """
        checkpoint = read_checkpoint(self.path(name_or_path))
        entry = entry_meant_by(str(name_or_path), self._catalog)
        if entry is not None and not checkpoint.tells_task:
            checkpoint = for_task(checkpoint, entry.purpose)
        return for_task(checkpoint, task)

    def path(self, name_or_path: str | Path) -> Path:
        """The file behind a name, or the file itself.

        A name of the catalog or of an imported model comes before a file of the same name; write ``./name`` for that. What
        begins with ``modelscope:`` lies in ModelScope's cache and is used there (`likeness.models.find.modelscope_file`).
        A published file is known by its bytes, whatever it is called and wherever it lies; one without a published checksum
        by its name, and in ModelScope's cache by its place.

        Raises:
            LicenceError: if the licence of the name, or of the file, was not accepted yet.
            CheckpointError: if there is no such name or file, or the named model is not here yet.
        """
        name = str(name_or_path)
        if name.startswith(MODELSCOPE):
            path = modelscope_file(name)
            self._licences.check_file(path)
            return path
        entry = self._entry(name)
        if entry is not None:
            embedded = embedded_path(entry)
            if embedded is not None:
                return self._embedded(entry, embedded)
            path = self._stored(entry.name)
            if path is None:
                raise CheckpointError(Notice("model.not-here", {"name": entry.name}))
            self._licences.check(entry, accept=False)
            return path
        if _NAME.fullmatch(name):
            stored = self._stored(name)
            if stored is not None:
                return stored
        path = expanded(name_or_path)
        if path.exists():
            self._licences.check_file(path)
            return path
        meant = entry_meant_by(name, self._catalog)
        if meant is not None:
            return self.path(meant.name)
        if path.name != name:
            raise CheckpointError(Notice("checkpoint.missing", {"path": str(path)}))
        known = [model.name for model in self.list()]
        raise CheckpointError(Notice("model.unknown-file", {"name": name, **known_and_meant(str(name), known)}))

    def list(self) -> tuple[StoredModel, ...]:
        """Every model of the catalog, in its order, then the imported ones by name."""
        models = [self._describe(entry) for entry in self._catalog.values()]
        if self._models.is_dir():
            for path in sorted(self._models.iterdir()):
                if path.suffix in _SUFFIXES and path.stem not in self._catalog and _NAME.fullmatch(path.stem):
                    record = self._record(path.stem)
                    models.append(
                        StoredModel(
                            name=path.stem,
                            purpose=record.get("purpose", "restore"),  # before there were others, none was recorded
                            state="imported",
                            description=str(record.get("description", "")),
                            licence=str(record.get("licence", "")),
                            accepted=True,
                            path=path,
                            size=path.stat().st_size,
                        )
                    )
        return tuple(models)

    def fetch(self, name: str, *, accept_licence: bool = False, progress: Progress | None = None) -> Path:
        """Fetch a model of the catalog, unless it is here already; its file.

        An interrupted fetch goes on where it stopped. Of two processes that fetch the same model the second waits, and
        finds the file there.

        Args:
            name: a name of the catalog.
            accept_licence: that the user has read and accepts the licence; remembered.
            progress: called with the bytes that are here and the bytes there will be (or None).

        Raises:
            LicenceError: if the licence was not accepted, now or before; the message holds its summary.
            ChecksumError: if the bytes are not those promised, or not those of the first fetch.
            DownloadError: if it cannot be fetched (offline, network, server, disk).
            CheckpointError: if the name is not in the catalog.
        """
        entry = entry_meant_by(name, self._catalog)
        if entry is None:
            hint = did_you_mean(name, self._catalog)
            raise CheckpointError(
                Notice("model.unknown-fetch", {"name": name, "hint": hint, "known": ", ".join(self._catalog)})
            )
        embedded = embedded_path(entry)
        if embedded is not None:
            return self._embedded(entry, embedded)
        self._licences.check(entry, accept=accept_licence)
        path = self._stored(entry.name)
        if path is not None:
            return path
        if self._offline:
            raise DownloadError(
                Notice("model.offline", {"name": entry.name, "models": str(self._models), "page": entry.page})
            )
        if not entry.urls:
            raise DownloadError(Notice("model.no-address", {"name": entry.name, "page": entry.page}))
        target = self._models / entry.file_name
        with written_under(self.root), locked(self._models / f"{entry.name}.lock"):
            path = self._stored(entry.name)  # another process may have fetched it meanwhile
            if path is None:
                self._fetch_locked(entry, target, progress)
        return target

    def import_(
        self,
        file: Path,
        name: str | None = None,
        *,
        accept_licence: bool = False,
        replace: bool = False,
        task: Purpose | None = None,
    ) -> Path:
        """Take a checkpoint file (.pth or safetensors) into the store as safetensors, float32; its file there.

        Args:
            file: the checkpoint.
            name: the name to give it; None for the file's own. Under a name of the catalog it must be that network.
            accept_licence: as in `fetch`, for a name of the catalog, or a file that is published.
            replace: whether a model of that name in the store may be replaced.
            task: as in `load`; under a name of the catalog it is what that network does.

        Raises:
            CheckpointFormatError: if the file is no known checkpoint, or not the network of that name.
            LicenceError: as in `fetch`.
            CheckpointError: if the name cannot be used, is taken, or the file cannot be read or written.
        """
        name = name if name is not None else file.stem
        if not _NAME.fullmatch(name):
            raise CheckpointError(Notice("model.name", {"name": repr(name)}))
        entry = self._entry(name)
        if entry is not None and entry.resource is not None:
            raise CheckpointError(Notice("model.built-in", {"name": entry.name, "file": str(file)}))
        name = name if entry is None else entry.name
        if self._stored(name) is not None and not replace:
            raise CheckpointError(Notice("model.taken", {"name": name}))
        spec = read_spec(file) if entry is not None else spec_for_task(file, task)
        if entry is not None:
            _check_config(entry, spec, file)
            if entry.sha256 is not None and sha256_of(file) != entry.sha256:
                raise ChecksumError(Notice("model.not-published", {"file": str(file), "name": entry.name}))
            self._licences.check(entry, accept=accept_licence)
        published = entry or self._licences.check_file(file, accept=accept_licence)
        licence = "" if published is None else published.licence.name
        info = None if published is None else ModelInfo(name=name, licence=licence, source=file.name)
        target = self._models / f"{name}.safetensors"
        with written_under(self.root), locked(self._models / f"{name}.lock"):
            checkpoint = convert_checkpoint(
                file, target, info=info, purpose=spec.purpose if entry is None else entry.purpose
            )
            for suffix in _SUFFIXES:  # one that was fetched under this name
                if suffix != target.suffix:
                    (self._models / f"{name}{suffix}").unlink(missing_ok=True)
            described = checkpoint.info
            self._write_record(
                name,
                purpose=checkpoint.spec.purpose,
                source=str(file.name),
                sha256=sha256_of(target),
                size=target.stat().st_size,
                licence=licence or (described.licence if described is not None else ""),
                description=described.description if described is not None else "",
            )
        return target

    def verify(self, name: str) -> None:
        """Hold a stored model's bytes to the SHA-256 recorded when it came.

        Raises:
            ChecksumError: if the file has changed.
            CheckpointError: if the model is not here or nothing was recorded.
        """
        path = self.path(name)
        recorded = self._record(path.stem).get("sha256")
        if not isinstance(recorded, str):
            raise CheckpointError(Notice("model.no-record", {"path": str(path)}))
        if sha256_of(path) != recorded:
            raise ChecksumError(Notice("model.changed", {"path": str(path)}))

    def accept_licence(self, name: str) -> None:
        """Remember that the user accepts the licence of a model of the catalog.

        Raises:
            CheckpointError: if the name is not in the catalog, or the store cannot be written.
        """
        entry = entry_meant_by(name, self._catalog)
        if entry is None:
            hint = did_you_mean(name, self._catalog)
            raise CheckpointError(
                Notice("model.unknown", {"name": name, "hint": hint, "known": ", ".join(self._catalog)})
            )
        self._licences.check(entry, accept=True)

    def licence_accepted(self, name: str) -> bool:
        """Whether a model of the catalog may be used: its licence needs no acceptance, or has been accepted."""
        entry = entry_meant_by(name, self._catalog)
        return entry is not None and self._licences.allow(entry)

    # Files

    @property
    def _models(self) -> Path:
        return self.root / "models"

    def _entry(self, name: str) -> CatalogEntry | None:
        """The catalog's entry, whatever the case of the name."""
        return entry_of(name, self._catalog)

    def _stored(self, name: str) -> Path | None:
        candidates = (self._models / f"{name}{suffix}" for suffix in _SUFFIXES)
        return next((path for path in candidates if path.is_file()), None)

    def _embedded(self, entry: CatalogEntry, path: Path) -> Path:
        if not path.is_file():
            raise CheckpointError(Notice("model.missing", {"name": entry.name, "path": str(path)}))
        return path

    def _fetch_locked(self, entry: CatalogEntry, target: Path, progress: Progress | None) -> None:
        recorded = self._record(entry.name)
        first = recorded.get("sha256") if recorded.get("source") in entry.urls else None
        expected = entry.sha256 if entry.sha256 is not None else cast("str | None", first)
        try:
            digest = download(
                entry.urls,
                target,
                sha256=expected,
                size=entry.size,
                check=lambda part: _check_config(entry, read_spec(part), part),
                progress=progress,
                policy=self._policy,
            )
        except ChecksumError as error:
            if entry.sha256 is None and expected is not None:
                raise ChecksumError(
                    Notice(
                        "model.first-digest",
                        {"why": notice_of(error), "path": str(self._models / f"{entry.name}.json")},
                    )
                ) from error
            raise
        self._write_record(
            entry.name,
            purpose=entry.purpose,
            source=entry.urls[0],
            sha256=digest,
            size=target.stat().st_size,
            licence=entry.licence.name,
            description=entry.description,
        )
        _log.info("fetched %s, SHA-256 %s", target, digest)

    def _describe(self, entry: CatalogEntry) -> StoredModel:
        embedded = embedded_path(entry)
        path = embedded if embedded is not None and embedded.is_file() else self._stored(entry.name)
        state: Literal["embedded", "fetched", "available"] = "available" if path is None else "fetched"
        return StoredModel(
            name=entry.name,
            purpose=entry.purpose,
            state="embedded" if embedded is not None else state,
            description=entry.description,
            licence=entry.licence.name,
            accepted=self.licence_accepted(entry.name),
            path=path,
            size=entry.size if path is None else path.stat().st_size,
        )

    def _record(self, name: str) -> dict[str, Any]:
        try:
            record = json.loads((self._models / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", record) if isinstance(record, dict) else {}

    def _write_record(
        self, name: str, *, purpose: Purpose, source: str, sha256: str, size: int, licence: str, description: str
    ) -> None:
        record = {
            "purpose": purpose,
            "source": source,
            "sha256": sha256,
            "size": size,
            "licence": licence,
            "description": description,
            "stored": now(),
        }
        write_record(self._models / f"{name}.json", record)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The names of the catalog whose licences have to be accepted and were."""
        return self._licences.accepted


def _check_config(entry: CatalogEntry, spec: Spec, path: Path) -> None:
    # Published files do not say what they were trained for, and those that an earlier version took in not how they are run.
    known = entry.spec
    if known is not None and replace(spec, licence="", purpose=entry.purpose, authors=known.authors) != known:
        numbers = ", ".join(f"{name} {value:g}" for name, value in spec.numbers.items())
        raise CheckpointFormatError(
            Notice(
                "model.other-network",
                {"path": str(path), "title": spec.title, "numbers": numbers, "name": entry.name, "page": entry.page},
            )
        )


def _default_offline() -> bool:
    return os.environ.get("LIKENESS_OFFLINE", "").strip().casefold() in ("1", "true", "yes", "on")
