"""Names of files: spelt in more than one way, no Unicode at all, or the same to a disk that does not look closely."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from likeness.imaging.files import output_suffix

__all__ = ["as_spelt", "from_column", "result_names", "same_on_disk", "to_column"]


def as_spelt(path: Path) -> Path:
    """A path as its disk spells it: macOS writes an accent as a letter of its own where other systems do not, so that a name
    typed in one spelling may stand on the disk in the other. The path as it is if there is no file of either."""
    if os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        spellings = (part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part))
        there = next((name for name in spellings if os.path.lexists(found / name)), None)
        if there is None:
            return path
        found /= there
    return found


def same_on_disk(name: str) -> str:
    """Equal for names that some disk takes for one: those of macOS and Windows ignore the case of letters, and macOS how
    accents are spelt."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def result_names(
    names: Sequence[str], *, taken: Iterable[str] = (), suffix: Callable[[str], str] = output_suffix
) -> list[str]:
    """Names for results of files of these names, no two of which a disk takes for one.

    Each keeps its name, and its suffix unless that cannot be written. Where two would get one name, that
    which keeps its suffix goes first, and then that which comes first: ``IMG_1.HEIC`` beside ``IMG_1.jpg`` becomes
    ``IMG_1.HEIC.jpg``, ``img.png`` after ``IMG.png`` becomes ``img-2.png``.

    Args:
        names: of the files, "/" between folders.
        taken: results that there are already.
        suffix: of the result of a file of a name; by default a picture's.
    """
    used = {same_on_disk(name) for name in taken}
    # A file cannot have the name of a folder.
    used |= {same_on_disk(str(parent)) for name in names for parent in PurePosixPath(name).parents}
    found: dict[int, str] = {}
    rest: list[int] = []

    def keeps(number: int) -> bool:
        return PurePosixPath(names[number]).suffix == suffix(names[number])

    for number in sorted(range(len(names)), key=keeps, reverse=True):
        name = str(PurePosixPath(names[number]).with_suffix(suffix(names[number])))
        if same_on_disk(name) in used:
            rest.append(number)
        else:
            used.add(same_on_disk(name))
            found[number] = name
    for number in rest:
        others = _others(names[number], suffix(names[number]))
        found[number] = next(name for name in others if same_on_disk(name) not in used)
        used.add(same_on_disk(found[number]))
    return [found[number] for number in range(len(names))]


def to_column(text: str) -> str | bytes:
    """Text as a column holds it. A file name that is no UTF-8 comes to Python with lone surrogates, which SQLite's text
    cannot hold: such text is kept as bytes. Equal texts are equal columns."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", errors="surrogatepass")
    return text


def from_column(value: object) -> str:
    """The text that `to_column` was given.

    Raises:
        ValueError: if the column holds something else.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogatepass")
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} where text belongs")
    return value


def _others(name: str, suffix: str) -> Iterator[str]:
    """Names for a result whose first name is taken."""
    path = PurePosixPath(name)
    if path.suffix.lower() != suffix.lower():
        yield f"{name}{suffix}"
        stem = name
    else:
        stem = str(path.with_suffix(""))
    number = 2
    while True:
        yield f"{stem}-{number}{suffix}"
        number += 1
