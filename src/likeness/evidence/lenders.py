"""Which other photograph lent what to a restored face: as its record tells it, in words, and as a map over the face."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ConfigError
from likeness.faces.regions import REGIONS
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize, to_channels
from likeness.imaging.image import Box, Pixels, Size
from likeness.messages.notice import Notice

__all__ = [
    "COLOURS",
    "Lender",
    "lenders_of",
    "map_text",
    "painted",
    "regions_by_name",
    "regions_told",
    "takes_references",
]

COLOURS = ("#f0a93a", "#35b6c0", "#b87ae6")
"""Of the photographs on a map, in their order: as many as serve one face."""

_SIDE = 64
"""Side of a map as records hold it, px."""
_COVER = 0.75
"""How much of a place's colour is the photograph's where that gives all that it may."""
_OVERLAP = 0.3
"""Intersection over union from which a face of a record is one that was found again."""
_WHOLE, _FIRST = 4, 3
"""Regions that are all named; and how many are where there are more."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lender:
    """A photograph, and what it lent to one face.

    Attributes:
        name: of the photograph.
        regions: those that got something from it.
        share: 64 x 64 in [0, 1] over the aligned crop, how far it may give at a place.
    """

    name: str
    regions: tuple[str, ...]
    share: _Map = field(repr=False)

    @property
    def told(self) -> Notice:
        """Such as "sharp.jpg (eyes, brows, nose and 4 more)"."""
        return Notice("proof.lent", {"name": self.name, "regions": regions_told(self.regions)})

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"name": self.name, "regions": list(self.regions), "map": map_text(self.share)}


def regions_told(regions: Collection[str]) -> Notice:
    """Regions in plain words, those that make a face first: "eyes, brows, nose and 4 more"."""
    named = [Notice(f"gift.{region}") for region in REGIONS if region in regions]
    if len(named) <= _WHOLE:
        return Notice("gift.all", {"regions": named})
    return Notice("gift.main", {"regions": named[:_FIRST], "more": len(named) - _FIRST})


def regions_by_name(gifts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The regions that each photograph gave something to, from names and regions."""
    found: dict[str, list[str]] = {}
    for name, region in gifts:
        found.setdefault(name, []).append(region)
    return found


def map_text(share: _Map) -> str:
    """A map, S x S in [0, 1], as a record holds it: 64 x 64 bytes, packed (zlib, base64)."""
    small = share if share.shape[0] == _SIDE else resize(share, Size(_SIDE, _SIDE), "area")
    levels = np.clip(np.round(small * 255), 0, 255).astype(np.uint8)
    return base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode()


def lenders_of(record: Mapping[str, Any] | None, box: Box) -> tuple[Lender, ...]:
    """Who lent to the face at a place, from the record of its picture (`likeness.restore.report.PictureRecord.to_dict`).

    Args:
        record: None if there is none.
        box: of the face.

    Raises:
        ConfigError: if the record is damaged.
    """
    if record is None:
        return ()
    try:
        faces = [(_box(face["box"]), face) for face in record.get("faces") or () if takes_references(record, face)]
        near = [(box.iou(place), number) for number, (place, _) in enumerate(faces)]
        overlap, number = max(near, default=(0.0, 0))
        return _read(faces[number][1]) if overlap >= _OVERLAP else ()
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error, zlib.error) as error:
        raise ConfigError(Notice("lent.damaged", {"reason": str(error)})) from error


def takes_references(record: Mapping[str, Any], face: Mapping[str, Any]) -> bool:
    """Whether other photographs gave anything to a face, going by the record of its picture."""
    controls = cast("Mapping[str, Any]", face.get("controls") or record.get("controls") or {})
    return bool(face.get("references")) and controls.get("reference_strength", 1) != 0


def painted(crop: Pixels, lenders: Sequence[Lender]) -> Pixels:
    """A face in grey with each photograph's places in its colour, S x S x 3.

    Args:
        crop: S x S x 3 in [0, 1], the aligned face.
        lenders: as many as there are `COLOURS`, at most.
    """
    size = Size(crop.shape[1], crop.shape[0])
    light = to_channels(luma(crop))
    shown = light.copy()
    for lender, code in zip(lenders, COLOURS, strict=False):
        share = gaussian_blur(resize(lender.share, size, "linear"), size.width / 128)
        colour = np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)], np.float32) / 255
        shown += to_channels(np.float32(_COVER) * share) * (colour * (0.3 + 0.7 * light) - shown)
    return np.clip(shown, 0, 1)


def _read(face: Mapping[str, Any]) -> tuple[Lender, ...]:
    found: list[Lender] = []
    for row in face["references"].get("lenders") or ():  # reports of before there were maps have none
        packed = base64.b64decode(row["map"], validate=True)
        levels = np.frombuffer(zlib.decompressobj().decompress(packed, _SIDE * _SIDE), np.uint8)
        share = levels.reshape(_SIDE, _SIDE).astype(np.float32) / 255
        regions = tuple(region for region in REGIONS if region in row["regions"])
        found.append(Lender(name=str(row["name"]), regions=regions, share=share))
    return tuple(found[: len(COLOURS)])


def _box(row: Any) -> Box:
    values = row.values() if isinstance(row, dict) else row
    left, top, right, bottom = (float(value) for value in cast("Sequence[float]", tuple(values)))
    return Box(left, top, right, bottom)
