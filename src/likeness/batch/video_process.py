"""Videos of a batch in a process apart: the batch's own loads no network for them, as from one that has loaded one no other
process can be forked any more, and those that work on pictures side by side must be started again if they die.
"""

from __future__ import annotations

from collections.abc import Callable

from likeness.batch.apart import Apart, Ask
from likeness.batch.journal import Item
from likeness.batch.network import Answer, answer_of
from likeness.batch.videos import VideoWorker
from likeness.batch.work import Result

__all__ = ["VideosApart"]


class VideosApart:
    """Has a `VideoWorker` do its work in a process apart, or in this one where that cannot be; a `VideoWork`.

    Args:
        load: makes the worker.
    """

    def __init__(self, load: Callable[[], VideoWorker]) -> None:
        self._load = load
        self._here: VideoWorker | None = None
        self._apart = Apart(self._serving, finishes=True)

    @property
    def watched(self) -> bool:
        """Whether the next video is worked on in another process."""
        return self._apart.started or Apart.possible()

    def work(self, item: Item, step: Callable[[float, bool], bool]) -> Result | None:
        """See `VideoWork`."""
        if not self.watched:
            self._here = self._here or self._load()
            return self._here.work(item, step)
        answer = self._apart.work(item, lambda told: step(*told))
        return None if answer is None else answer.result

    def close(self) -> None:
        """End the process, and give back its memory. May be called twice; `work` starts another."""
        self._apart.close()

    def _serving(self, ask: Ask) -> Callable[[Item], Answer | None]:
        worker = self._load()
        worker.load()  # what cannot be loaded is told by this process's end of the pipe, and is no video's fault

        def work(item: Item) -> Answer | None:
            result = worker.work(item, lambda share, advanced: bool(ask((share, advanced))))
            return None if result is None else answer_of(result)

        return work
