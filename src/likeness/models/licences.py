"""Which licences were accepted, and that the others are before their weights are used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from likeness.errors import CheckpointError, LicenceError
from likeness.messages.notice import Notice, reason_of
from likeness.models.catalog import CatalogEntry, entry_of_file

__all__ = ["Licences", "now", "write_record", "written_under"]


class Licences:
    """The licences of a catalog: a small file for each that was accepted.

    Args:
        root: the store's folder, when it is wanted.
        catalog: the checkpoints known by name.
        elsewhere: names whose licences were accepted by whoever sent the work here.
    """

    def __init__(
        self, root: Callable[[], Path], catalog: Mapping[str, CatalogEntry], elsewhere: Collection[str] = ()
    ) -> None:
        self._root = root
        self._catalog = catalog
        self._elsewhere = frozenset(elsewhere)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The names whose licences have to be accepted and were."""
        return tuple(name for name, entry in self._restricted.items() if self.allow(entry))

    def allow(self, entry: CatalogEntry) -> bool:
        """Whether weights may be used: their licence needs no acceptance, or has been accepted."""
        return not entry.licence.must_accept or entry.name in self._elsewhere or self._file(entry).is_file()

    def check(self, entry: CatalogEntry, *, accept: bool) -> None:
        """See to it that a licence is accepted.

        Args:
            entry: whose.
            accept: that the user accepts it now; remembered.

        Raises:
            LicenceError: if it is not; the message holds its summary.
            CheckpointError: if it cannot be written down.
        """
        if self.allow(entry):
            return
        licence = entry.licence
        if not accept:
            raise LicenceError(
                Notice("model.licence", {"name": entry.name, "url": licence.url, "summary": licence.summary})
            )
        with written_under(self._root()):
            write_record(self._file(entry), {"licence": licence.name, "url": licence.url, "accepted": now()})

    def check_file(self, path: Path, *, accept: bool = False) -> CatalogEntry | None:
        """`check`, for a file that may be a published one, whatever its name.

        Returns:
            The entry whose file it is (`likeness.models.catalog.entry_of_file`), if its licence restricts use.

        Raises:
            LicenceError: if that is not accepted.
            CheckpointError: if the file cannot be read.
        """
        if not path.is_file():
            return None
        try:
            entry = entry_of_file(path, self._restricted)
        except OSError as error:
            raise CheckpointError(
                Notice("checkpoint.unread", {"path": str(path), "reason": reason_of(error)})
            ) from error
        if entry is not None:
            self.check(entry, accept=accept)
        return entry

    @property
    def _restricted(self) -> Mapping[str, CatalogEntry]:
        return {name: entry for name, entry in self._catalog.items() if entry.licence.must_accept}

    def _file(self, entry: CatalogEntry) -> Path:
        return self._root() / "licences" / f"{entry.name}.json"


@contextmanager
def written_under(root: Path) -> Generator[None]:
    """Makes a store's folders; what goes wrong in writing to them is a sentence.

    Raises:
        CheckpointError: instead of an OSError.
    """
    try:
        for folder in ("models", "licences"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CheckpointError(Notice("model.store-unwritten", {"root": str(root), "why": reason_of(error)})) from error


def now() -> str:
    """The time, for records."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write_record(path: Path, content: Mapping[str, object]) -> None:
    """Write what is known of a model or a licence; the file appears whole.

    Raises:
        OSError: if it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
