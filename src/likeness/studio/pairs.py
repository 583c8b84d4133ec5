"""Which picture before belongs to which picture after, by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from likeness.errors import ConfigError
from likeness.imaging.files import output_suffix
from likeness.imaging.folders import pictures_in
from likeness.messages.notice import Notice

__all__ = ["Pair", "Pairs", "match_pairs", "results_folder", "short_names"]

_PREFIX = "output_"
_FINAL = "final"
_NO_RESULTS = ("compare_", "proof_")
"""How the names of sheets begin that lie beside results."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A picture before and after.

    Attributes:
        before, after: their files.
        inside: where the picture lies in its folder, without prefix; for a single pair just its name.
    """

    before: Path
    after: Path
    inside: Path


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What `match_pairs` found.

    Attributes:
        matched: the pairs, in the order of their names.
        without_after, without_before: pictures of either folder that were left over.
    """

    matched: tuple[Pair, ...]
    without_after: tuple[Path, ...] = ()
    without_before: tuple[Path, ...] = ()


def results_folder(folder: Path) -> Path:
    """Where in a folder the finished pictures are: its ``final`` if ``likeness batch`` wrote it, else the folder itself.

    What waits in ``review`` is no result yet.
    """
    final = folder / _FINAL
    return final if final.is_dir() else folder


def short_names(insides: Sequence[Path]) -> list[Path]:
    """Names that tell pictures apart: without suffix, unless another differs in nothing else."""
    bare = [inside.with_suffix("") for inside in insides]
    counts = Counter(bare)
    return [inside if counts[name] > 1 else name for inside, name in zip(insides, bare, strict=True)]


def match_pairs(before: Path, after: Path) -> Pairs:
    """Two files are a pair whatever their names. The pictures of two folders are matched.

    A result has its picture's place in the folder and its picture's name, or that name with ``output_`` before it, as
    ``likeness restore`` writes it, and may have another suffix. The results of ``likeness batch`` are looked for in the
    folder ``final`` inside ``after``; what waits in ``review`` is no result yet. With a file before and a folder after, or
    the other way round, the one result is looked for.

    Raises:
        ConfigError: if something does not exist, a folder holds no picture, or nothing matches.
    """
    for path in (before, after):
        if not path.exists():
            raise ConfigError(Notice("file.not-there", {"path": str(path)}))
    if before.is_file() and after.is_file():
        return Pairs(matched=(Pair(before=before, after=after, inside=Path(before.name)),))
    results = results_folder(after)
    firsts, seconds = _pictures(before), _pictures(results)
    # Files of other kinds beside results are not missing a picture before.
    seconds = [item for item in seconds if not item[1].name.startswith(_NO_RESULTS)]
    found: dict[Path, Path] = {}
    left = {inside: path for path, inside in seconds}
    # Exact names first, so that a.jpg does not take what a.png became.
    for exact in (True, False):
        places = {inside if exact else inside.with_suffix(""): inside for inside in reversed(left)}
        for path, inside in firsts:
            name = next((name for name in _names(inside, exact=exact) if name in places), None)
            if path not in found and name is not None:
                found[path] = left.pop(places.pop(name))
    matched = [Pair(before=path, after=found[path], inside=inside) for path, inside in firsts if path in found]
    without_after = [path for path, _ in firsts if path not in found]
    if not matched:
        raise ConfigError(
            Notice("proofing.no-pairs", {"before": str(before), "results": str(results), "prefix": _PREFIX})
        )
    return Pairs(
        matched=tuple(matched),
        without_after=tuple(without_after),
        # A single picture was asked for: the others in its folder are not left over.
        without_before=tuple(left.values()) if before.is_dir() else (),
    )


def _pictures(place: Path) -> list[tuple[Path, Path]]:
    """Pictures and where they lie within ``place``."""
    if place.is_file():
        return [(place, Path(place.name))]
    found = sorted(Path(name) for name in pictures_in(place))
    if not found:
        raise ConfigError(Notice("file.empty-folder", {"folder": str(place)}))
    return [(place / inside, inside) for inside in found]


def _names(inside: Path, *, exact: bool) -> tuple[Path, ...]:
    """Names that a picture's result may have, the likelier first; without suffix unless ``exact``."""
    usual = inside.with_suffix(output_suffix(inside) if exact else "")
    # That of IMG_1.HEIC beside IMG_1.jpg, see `result_names`.
    beside = inside.with_name(f"{inside.name}{output_suffix(inside) if exact else ''}")
    return tuple(name.with_name(f"{prefix}{name.name}") for name in (beside, usual) for prefix in ("", _PREFIX))
