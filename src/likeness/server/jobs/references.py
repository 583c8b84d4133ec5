"""Other photographs of the persons in a job's pictures: read once for all of them, and forgotten with the job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from likeness.core.hashing import sha256_of
from likeness.core.recent import Recent
from likeness.reference.references import References
from likeness.server.api.restoring import make_references
from likeness.server.http.state import ServerState
from likeness.server.http.uploads import Upload

__all__ = ["JobReferences", "put_apart"]

_KEPT = 4
"""Jobs whose photographs are kept ready."""


class JobReferences:
    """Those of all jobs. Safe to use from several threads.

    Args:
        state: the application's.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._kept: Recent[tuple[str, bool], References | None] = Recent(_KEPT)

    def of(self, job: str, folder: Path, *, trusted: bool) -> References | None:
        """The photographs in a job's folder; None if it has none."""
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        if not files:
            return None
        return self._kept.get((job, trusted), lambda: make_references(self._state, files, trusted=trusted))

    def forget(self, job: str) -> None:
        """Let go of those of a job."""
        for trusted in (False, True):
            self._kept.forget((job, trusted))


def put_apart(
    uploads: Sequence[Upload], *, apart: Mapping[str, Path], pictures: Path, name: Callable[[int], str]
) -> list[Upload]:
    """Put the files of a job's form where they belong; its pictures, in their order.

    Args:
        uploads: as they came, under numbers of all of them.
        apart: the folders of files that are no pictures of the job, by the form's field; made when they are wanted.
        pictures: the folder of all others.
        name: of a file by its number.
    """
    found: list[Upload] = []
    seen: dict[str, set[str]] = {part: set() for part in apart}
    for upload in uploads:
        assert upload.path is not None
        if upload.part in apart:
            folder, own = apart[upload.part], seen[upload.part]
            folder.mkdir(exist_ok=True)
            digest = sha256_of(upload.path)
            if digest in own:  # one photograph sent twice shows no more, and its faces would be looked for twice
                upload.path.unlink()
                continue
            upload.path.rename(folder / name(len(own)))
            own.add(digest)
        else:
            # Whatever lay under this number has been put where it belongs.
            upload.path.rename(pictures / name(len(found)))
            found.append(upload)
    return found
