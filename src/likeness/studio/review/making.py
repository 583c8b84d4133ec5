"""Making a review session: pictures are matched by name and copied without anything that tells where they came from."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness.core.files import write_bytes_atomically
from likeness.core.parallel import map_in_order
from likeness.errors import ConfigError, PairError, RecordError
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.files import encode_image
from likeness.imaging.filters import resize
from likeness.imaging.folders import pictures_in
from likeness.imaging.image import Image, Size
from likeness.imaging.names import to_column
from likeness.messages.notice import Notice, reason_of
from likeness.studio.pairs import results_folder, short_names
from likeness.studio.records import open_records, transaction
from likeness.studio.review.session import DATABASE, LETTERS, ORIGINAL, PICTURES, SESSION, ReviewSession

__all__ = ["MAX_SIDES", "SessionOptions", "make_session"]

_log = logging.getLogger(__name__)

MAX_SIDES = len(LETTERS)
"""More do not fit beside each other on a screen."""


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """How a session is made.

    Attributes:
        title: shown to the raters; it must not give the sides away.
        question: what they are asked; "" for the page's own, in the rater's language.
        originals: folder of the pictures before the work, shown beside the sides; None shows none.
        max_side: longer sides of pictures are reduced to this, px.
        seed: of the random order; None makes a secret one.

    Raises:
        ConfigError: for values out of range.
    """

    title: str = ""
    question: str = ""
    originals: Path | None = None
    max_side: int = 2048
    seed: str | None = None

    def __post_init__(self) -> None:
        if not 64 <= self.max_side <= 16383:
            raise ConfigError(Notice("review.max-side", {"max_side": self.max_side}))
        if len(self.title) > 120 or len(self.question) > 300:
            raise ConfigError(Notice("review.long-text"))


def make_session(folder: Path, sides: Mapping[str, Path], options: SessionOptions | None = None) -> ReviewSession:
    """Make a session; its folder appears complete or not at all.

    Pictures belong together when their paths inside the sides' folders are equal but for the suffix, or with it where a
    folder holds several that differ in nothing else; of a batch's output ``final`` is taken. Those that not every side
    has are left out, with a warning in the log. All versions of a picture are brought to the size of the
    largest (cubic), at most ``max_side``, and written as lossless WebP without metadata under random names: neither format,
    size, date nor name tells them apart.

    Args:
        folder: the session's; must not exist.
        sides: 2 to `MAX_SIDES` names and folders.
        options: the rest.

    Raises:
        ConfigError: for sides that cannot be used.
        RecordError: if the folder exists or cannot be made.
        ImageReadError: if a picture cannot be read.
        PairError: if versions of a picture differ in shape.
    """
    options = options or SessionOptions()
    names = _checked_names(sides)
    if folder.exists():
        raise RecordError(Notice("review.exists", {"folder": str(folder)}))
    rows = _matched(names, list(sides.values()), options.originals)
    partial = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.part")
    try:
        (partial / PICTURES).mkdir(parents=True)
        _fill(partial, names, rows, options)
        partial.rename(folder)
    except OSError as error:
        raise RecordError(Notice("review.not-made", {"folder": str(folder), "why": reason_of(error)})) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ReviewSession(folder)


def _checked_names(sides: Mapping[str, Path]) -> tuple[str, ...]:
    if not 2 <= len(sides) <= MAX_SIDES:
        raise ConfigError(Notice("review.sides", {"most": MAX_SIDES, "count": len(sides)}))
    for name in sides:
        if not name.strip() or len(name) > 60 or not name.isprintable():
            raise ConfigError(Notice("review.side-name", {"name": name}))
    if len({name.casefold() for name in sides}) < len(sides):
        raise ConfigError(Notice("review.same-side"))
    return tuple(sides)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A picture in all its versions; the original last, if there are originals."""

    name: str
    files: tuple[Path, ...]


def _matched(names: Sequence[str], folders: Sequence[Path], originals: Path | None) -> list[_Row]:
    sources = [*zip(names, folders, strict=True), *([("the originals", originals)] if originals else [])]
    found = {label: _pictures(label, folder) for label, folder in sources}
    # What has no result is no matter of the review.
    every = sorted({name for label in names for name in found[label]})
    common = [name for name in every if all(name in pictures for pictures in found.values())]
    if not common:
        raise ConfigError(Notice("review.nothing-shared", {"folders": " and ".join(found)}))
    for label, pictures in found.items():
        missing = [name for name in every if name not in pictures]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            _log.warning("%s lacks %s%s: left out of the review", label, ", ".join(missing[:3]), more)
    return [_Row(name=name, files=tuple(pictures[name] for pictures in found.values())) for name in common]


def _pictures(label: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ConfigError(Notice("review.no-folder", {"label": label, "folder": str(folder)}))
    folder = results_folder(folder)
    insides = sorted(Path(name) for name in pictures_in(folder))
    if not insides:
        raise ConfigError(Notice("review.empty", {"label": label, "folder": str(folder)}))
    return {name.as_posix(): folder / inside for name, inside in zip(short_names(insides), insides, strict=True)}


def _fill(folder: Path, names: Sequence[str], rows: Sequence[_Row], options: SessionOptions) -> None:
    decoder = DecoderPool()

    def copy(row: _Row) -> list[str]:
        files: list[str] = []
        for picture in _same_size(row, options.max_side, decoder):
            files.append(f"{secrets.token_hex(12)}.webp")
            write_bytes_atomically(encode_image(picture, "WebP", quality=100), folder / PICTURES / files[-1])
        return files

    with decoder:
        copied = list(map_in_order(copy, rows, workers=min(4, os.cpu_count() or 1)))
    with open_records(folder / DATABASE, SESSION, create=True) as connection, transaction(connection):
        settings = {"title": options.title, "question": options.question, "seed": options.seed or secrets.token_hex(16)}
        connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
        connection.executemany("INSERT INTO sides VALUES (?, ?)", enumerate(names))
        connection.executemany(
            "INSERT INTO items VALUES (?, ?)", ((n, to_column(row.name)) for n, row in enumerate(rows))
        )
        for item, files in enumerate(copied):
            for place, file in enumerate(files):
                side = place if place < len(names) else ORIGINAL
                connection.execute("INSERT INTO files VALUES (?, ?, ?)", (item, side, file))


def _same_size(row: _Row, max_side: int, decoder: DecoderPool) -> list[Image]:
    """All versions at the size of the largest, opaque and without metadata."""
    pictures = [decoder.read(path) for path in row.files]
    largest = max((picture.size for picture in pictures), key=lambda size: size.pixels)
    for path, picture in zip(row.files, pictures, strict=True):
        # Up to a pixel of rounding, in the smaller one's measure, is the same shape.
        width = picture.size.height * largest.width / largest.height
        height = picture.size.width * largest.height / largest.width
        if min(abs(width - picture.size.width), abs(height - picture.size.height)) > 1:
            raise PairError(
                Notice("review.uneven", {"path": str(path), "size": str(picture.size), "largest": str(largest)})
            )
    size = largest.within(max_side)
    return [_at(picture, size) for picture in pictures]


def _at(picture: Image, size: Size) -> Image:
    pixels = picture.over_white()
    if picture.size != size:
        pixels = np.clip(resize(pixels, size, "area" if picture.size.width > size.width else "cubic"), 0.0, 1.0)
    return Image(pixels=np.asarray(pixels, dtype=np.float32))
