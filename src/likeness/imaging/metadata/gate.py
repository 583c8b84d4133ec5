"""The gate: metadata is kept only if it is sound and can be written again, and never decides about pixels."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from likeness.imaging.exif import (
    clean_exif,
    dots_per_inch,
    exif_from_resolution,
    exif_with_resolution,
    exif_with_size,
    exif_without_orientation,
    orientation,
)
from likeness.imaging.geometry import Size
from likeness.imaging.metadata.iptc import sound_iptc
from likeness.imaging.metadata.jpeg import LONGEST_SEGMENT, LONGEST_XMP
from likeness.imaging.metadata.xmp import (
    clean_xmp,
    xmp_orientation,
    xmp_source_type,
    xmp_turned,
    xmp_with_size,
    xmp_with_source_type,
)
from likeness.imaging.metadata_fields import NO_METADATA, Found, Metadata

__all__ = ["Kept", "admit", "for_file"]

_log = logging.getLogger(__name__)

_HOLDS = {
    "JPEG": frozenset({"exif", "xmp", "iptc", "comment", "resolution"}),
    "PNG": frozenset({"exif", "xmp", "iptc", "comment", "text", "resolution"}),
    "TIFF": frozenset({"exif", "xmp", "iptc", "resolution"}),
    "WEBP": frozenset({"exif", "xmp"}),
    "AVIF": frozenset({"exif", "xmp"}),
    "BMP": frozenset[str](),
}
"""What each format has a place for. Resolution goes into EXIF where the format has none of its own."""

_LONGEST_EXIF = LONGEST_SEGMENT - 6
_MOST_SHOWN = 5
_COMMENT = "Comment"
"""The PNG text that is a JPEG comment."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was found, made sound.

    Attributes:
        orientation: EXIF orientation still to be applied, 1 to 8.
    """

    exif: bytes | None = None
    metadata: Metadata = NO_METADATA
    orientation: int = 1


def admit(found: Found, name: str) -> Kept:
    """What of a file's metadata is kept; the log says in one line what is not.

    Args:
        found: what the file held.
        name: what messages call the picture.
    """
    lost = list(found.lost)
    xmp = clean_xmp(found.xmp) if found.xmp else None
    iptc = sound_iptc(found.iptc) if found.iptc else None
    if found.xmp and xmp is None:
        lost.append("XMP that is no sound XML")
    if found.iptc and iptc is None:
        lost.append("damaged IPTC fields")
    if lost:
        _log.warning("%s: %s cannot be kept", name, ", ".join(lost))
    turn = found.orientation if found.orientation in range(1, 9) else orientation(found.exif)
    turn = 1 if found.upright else turn or xmp_orientation(found.xmp) or 1
    xmp = xmp_turned(xmp, turn) if xmp else None
    return Kept(
        exif=clean_exif(found.exif, name),
        metadata=Metadata(
            xmp=xmp,
            iptc=iptc,
            comment=found.comment,
            source_type=xmp_source_type(xmp),
            text=tuple(found.text),
            resolution=found.resolution,
        ),
        orientation=turn,
    )


def for_file(exif: bytes | None, given: Metadata, size: Size, file_format: str) -> tuple[bytes | None, Metadata]:
    """EXIF block and metadata as a file of this format will hold them; the log says in one line what it cannot.

    Args:
        exif, given: the picture's own.
        size: the picture's.
        file_format: as `FileFormat.name`.
    """
    holds, lost = _HOLDS[file_format], list[str]()
    exif = _exif_for(exif, given, size, file_format)
    if exif is not None and "exif" not in holds:
        lost.append("EXIF")
        exif = None
    elif exif is not None and file_format == "JPEG" and len(exif) > _LONGEST_EXIF:
        lost.append(f"EXIF of {len(exif)} bytes (too long)")
        exif = None
    xmp = xmp_with_size(given.xmp, size) if given.xmp else None
    if given.source_type is not None and "xmp" in holds:
        xmp = xmp_with_source_type(xmp, given.source_type)
    if xmp is not None and file_format == "JPEG" and len(xmp) > LONGEST_XMP:
        xmp = xmp.rstrip()  # packets end in spaces, so that programs can change them in place
    if xmp is not None and ("xmp" not in holds or (file_format == "JPEG" and len(xmp) > LONGEST_XMP)):
        lost.append(f"XMP of {len(xmp)} bytes (too long)" if "xmp" in holds else "XMP")
        xmp = None
    if given.iptc is not None and "iptc" not in holds:
        lost.append("IPTC")
    comment, texts = given.comment, given.text
    if "text" not in holds:
        if "comment" in holds:
            comment = comment or next((text.encode() for keyword, text in texts if keyword == _COMMENT), None)
            texts = tuple(text for text in texts if text[0] != _COMMENT)
        lost += [f"the text {keyword!r}" for keyword, _ in texts]
    if comment is not None and ("comment" not in holds or (file_format == "JPEG" and len(comment) > LONGEST_SEGMENT)):
        lost.append("its comment")
        comment = None
    if lost:
        shown = ", ".join(lost[:_MOST_SHOWN]) + (f" and {len(lost) - _MOST_SHOWN} more" if lost[_MOST_SHOWN:] else "")
        _log.warning("%s cannot hold what the picture's file said besides: %s", file_format, shown)
    return exif, Metadata(
        xmp=xmp,
        iptc=given.iptc if "iptc" in holds else None,
        comment=comment,
        text=texts if "text" in holds else (),
        resolution=(given.resolution or dots_per_inch(exif)) if "resolution" in holds else None,
    )


def _exif_for(exif: bytes | None, metadata: Metadata, size: Size, file_format: str) -> bytes | None:
    """The block with the picture's size, and with the resolution where nothing else in the file can say it."""
    exif = clean_exif(exif)
    exif = exif_with_size(exif, size) if exif else None
    resolution = metadata.resolution
    if resolution and "resolution" not in _HOLDS[file_format] and dots_per_inch(exif) is None:
        exif = exif_with_resolution(exif, *resolution) if exif else exif_from_resolution(*resolution)
    # AVIF says the orientation elsewhere; its writer would take the block apart to move it there.
    return exif_without_orientation(exif) if exif and file_format == "AVIF" else exif
