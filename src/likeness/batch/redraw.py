"""A batch's pictures restored again from their originals, larger: a print from the network's own answer.

A finished file shows a face of 150 px with 150 px, and printing it twice as large makes none of the detail that the network
drew at 512 come back. The journal knows the original and all options, so the same restoration is done once more at the size
that is wanted. Where that is not possible, a sentence says why, and the finished file is what there is.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from likeness.batch.journal import Item, Journal
from likeness.batch.network import file_of
from likeness.batch.options import WorkOptions
from likeness.batch.references import OtherPhotographs
from likeness.batch.results import is_as_written
from likeness.batch.storage import read_file
from likeness.batch.work import Handed, PictureWorker
from likeness.core.hashing import sha256_of, sha256_of_bytes
from likeness.core.outputs import FINAL
from likeness.errors import LikenessError
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.image import Image, Size
from likeness.messages.notice import Notice
from likeness.models.spec import Purpose
from likeness.models.store import Store
from likeness.restore.canvas import SHOWN
from likeness.restore.enlargement import MOST, Enlargement
from likeness.restore.networks import load_picture_network
from likeness.runtimes.load import load_runtime

__all__ = ["Redrawer", "Redrawn"]

_DRAWN = 512
"""Pixels a side that the network draws; those that draw more draw at least as many."""

_LITTLE = 1.02
"""A result that is larger by no more than this is not worth the work."""


@dataclass(frozen=True, kw_only=True)
class Redrawn:
    """What came of a wish for a larger result.

    Attributes:
        image: the result; None where the finished file is as good, or all that there is.
        drawn: how many times as large as the finished file it is.
        why: why there is none though it would be better; "" if it would not.
    """

    image: Image | None = None
    drawn: float = 1.0
    why: str = ""


class Redrawer:
    """Restores finished pictures of a batch again; safe to use from several threads.

    Args:
        journal: the batch's.
        decoder: reads pictures, so that a file may crash what decodes it and nothing else.
        store: where models are.

    Raises:
        BatchError: if the journal cannot be read.
    """

    def __init__(self, journal: Path, decoder: DecoderPool, *, store: Store | None = None) -> None:
        with Journal(journal) as opened:
            final = journal.resolve().parent / FINAL
            self._items = {final / item.target: item for item in opened.items(group="")}
        self._decoder = decoder
        self._store = store or Store()
        self._others = OtherPhotographs()
        self._workers: dict[tuple[str, Purpose | None, str, float | None], PictureWorker] = {}
        self._lock = threading.Lock()

    def redraw(self, finished: Path, size: Size, scale: float) -> Redrawn:
        """A picture as its batch restored it, but larger.

        Args:
            finished: its file in ``final``.
            size: of the finished picture.
            scale: how many times as large as that the result is wanted.
        """
        item = self._items.get(finished.resolve())
        if item is None or scale < _LITTLE:
            return Redrawn()
        photograph = Size(int(item.outcome["width"]), int(item.outcome["height"]))
        reached = size.width / photograph.width
        if not _has_small_face(item, reached):
            return Redrawn()
        most = min(MOST, math.sqrt(Enlargement().max_output_pixels / photograph.pixels))
        upscale = min(reached * scale, most)
        if upscale < _LITTLE * reached:
            return Redrawn()
        if not is_as_written(item.outcome, finished.stat().st_size, sha256_of(finished)):
            return Redrawn(why=Notice("redraw.edited"))
        try:
            handed = self._handed(item)
            if isinstance(handed, Notice):
                return Redrawn(why=handed)
            image = self._restored(item, handed, upscale)
        except (LikenessError, OSError) as error:
            return Redrawn(why=Notice("redraw.impossible", {"reason": str(error)}))
        if image is None:
            return Redrawn(why=Notice("redraw.doubtful"))
        return Redrawn(image=image, drawn=image.size.width / size.width)

    def _handed(self, item: Item) -> Handed | Notice:
        """The original's files; why not if they, or the other photographs, are no longer those that the batch read."""
        options = WorkOptions.from_dict(item.options)
        handed = Handed(
            picture=read_file(item.source),
            damage=None if options.damage_mask is None else read_file(options.damage_mask),
        )
        same = sha256_of_bytes(handed.picture) == item.content
        if options.damage_digest and handed.damage is not None:
            same = same and sha256_of_bytes(handed.damage) == options.damage_digest
        if not same:
            return Notice("redraw.changed", {"source": item.source})
        others = self._others.of_references(options.references), self._others.of_album(options.album)
        if others != (options.references_digest, options.album_digest):
            return Notice("redraw.other-references", {"source": item.source})
        return handed

    def _restored(self, item: Item, handed: Handed, upscale: float) -> Image | None:
        """None if the batch's guard would not let this result go out, though it did the smaller one."""
        options = WorkOptions.from_dict(item.options)
        enlargement = replace(options.enlargement, upscale=upscale, long_side=None)
        larger = replace(options, enlargement=enlargement)
        # Lossless, and as deep as the result is.
        wanted = replace(item, target=f"{item.target}.png", options=larger.to_dict())
        result = self._worker(item.model, options).work(wanted, handed)
        if result.bug is not None:
            raise result.bug
        if result.data is None:
            raise LikenessError(result.reason)
        if result.state not in ("final", item.state):
            return None
        return self._decoder.read(result.data, max_pixels=2 * enlargement.max_output_pixels, name=item.source)

    def _worker(self, model: str, options: WorkOptions) -> PictureWorker:
        """With the networks that the batch had.

        Raises:
            LikenessError: if one is not here.
        """
        networks = (model, options.task, options.picture_model, options.fidelity)
        with self._lock:
            if networks not in self._workers:
                runtime = load_runtime(
                    self._store, file_of(model, self._store), task=options.task, fidelity=options.fidelity
                )
                picture = None
                if options.picture_model:
                    picture = load_picture_network(self._store, file_of(options.picture_model, self._store))
                self._workers[networks] = PictureWorker(
                    runtime, None, picture=picture, thumbnails=False, decoder=self._decoder
                )
            return self._workers[networks]


def _has_small_face(item: Item, reached: float) -> bool:
    """Whether a restored face has fewer pixels in the finished picture than the network draws."""
    faces = [face for face in item.outcome["faces"] if face["status"] == "restored" and face["native_side"]]
    return any(face["native_side"] * reached < SHOWN * _DRAWN for face in faces)
