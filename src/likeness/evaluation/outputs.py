"""Another tool's results, read from a folder, in place of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from likeness.errors import ConfigError
from likeness.evaluation.pairs import Pair, Source, stems
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.files import is_picture
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.messages.notice import Notice

__all__ = ["at_size", "files_by_stem", "outputs_in", "whole_outputs_in"]


def outputs_in(folder: Path, names: Sequence[str], recipes: Sequence[str]) -> Source:
    """A tool's results as a source: ``folder/<recipe>/<name>.*``, any picture format, one file for each pair.

    All files are looked for at once, so that a missing one is told before the work begins; they are read one by one. A
    result that is an exact enlargement (a tool that writes twice the size) is brought back by area averaging (`at_size`).

    Raises:
        ConfigError: if a file is missing or there are two of one name; the source raises it for one of the wrong size.
    """
    wanted = stems(names)
    found = {recipe: files_by_stem(folder / recipe) for recipe in recipes}
    for recipe in recipes:
        for stem in wanted:
            if stem not in found[recipe]:
                raise ConfigError(Notice("evaluate.no-result-of-pair", {"path": str(folder / recipe), "stem": stem}))

    decoder = DecoderPool()

    def source(pair: Pair) -> Pixels:
        path = found[pair.recipe][Path(pair.name).stem]
        return at_size(decoder.read(path).pixels, Image(pixels=pair.degraded).size, path)

    return source


def whole_outputs_in(folder: Path, names: Sequence[str]) -> Callable[[str, Image], Image]:
    """A tool's results of whole pictures: ``folder/<name>.*``, as `outputs_in` for pictures without an original.

    Raises:
        ConfigError: as `outputs_in`.
    """
    found = files_by_stem(folder)
    for stem in stems(names):
        if stem not in found:
            raise ConfigError(Notice("evaluate.no-result", {"folder": str(folder), "stem": stem}))

    decoder = DecoderPool()

    def source(name: str, image: Image) -> Image:
        path = found[Path(name).stem]
        return Image(pixels=at_size(decoder.read(path).pixels, image.size, path))

    return source


def files_by_stem(folder: Path) -> dict[str, Path]:
    """The picture files of a folder by their names without suffixes.

    Raises:
        ConfigError: if there is no such folder, or two files differ only in their suffixes.
    """
    if not folder.is_dir():
        raise ConfigError(Notice("evaluate.no-folder", {"folder": str(folder)}))
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not is_picture(path):
            continue
        if path.stem in found:
            raise ConfigError(
                Notice("evaluate.both", {"folder": str(folder), "name": found[path.stem].name, "name2": path.name})
            )
        found[path.stem] = path
    return found


def at_size(pixels: Pixels, size: Size, path: Path) -> Pixels:
    """A result at the size of its input: as it is, or averaged over k x k pixels if it is k times as large.

    Raises:
        ConfigError: for any other size, naming the file.
    """
    height, width = pixels.shape[:2]
    if (width, height) == (size.width, size.height):
        return pixels
    if width % size.width == 0 and height % size.height == 0 and width // size.width == height // size.height:
        return resize(pixels, size, "area")
    raise ConfigError(
        Notice("evaluate.not-multiple", {"path": str(path), "width": width, "height": height, "size": str(size)})
    )
