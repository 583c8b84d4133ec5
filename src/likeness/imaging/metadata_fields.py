"""Metadata as it is kept, and as it was found."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["EDITED_BY_NETWORK", "MADE_BY_NETWORK", "MOST_INFLATED", "NO_METADATA", "Found", "Metadata"]

MOST_INFLATED = 8 << 20
"""Bytes that the compressed texts of one file may become: more is left out."""

EDITED_BY_NETWORK = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a photograph that a trained network has drawn in: the `Metadata.source_type` of what is restored."""

MADE_BY_NETWORK = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for an image that a network made from the beginning: no restoration makes it less so."""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a file said about its picture, beside EXIF and ICC profile; see `Image`.

    Attributes:
        xmp: an XMP packet in UTF-8, its orientation 1, without thumbnails and what concerns other pictures in the file.
        iptc: IPTC-IIM records (captions, keywords, credits), as they stand in Photoshop's image resource 0x0404.
        comment: a JPEG comment; its encoding is nowhere said.
        text: PNG texts, keyword and text, in their order; image generators keep their ``parameters`` or ``workflow`` there.
        resolution: horizontal and vertical, dots per inch, as the file's own header says, not its EXIF block.
        source_type: where the image comes from, as its XMP says: a URI of IPTC's vocabulary
            http://cv.iptc.org/newscodes/digitalsourcetype. It is written into the XMP of files that have a place for it.
    """

    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    source_type: str | None = None
    text: tuple[tuple[str, str], ...] = ()
    resolution: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.resolution is not None and not all(0 < value <= 65535 for value in self.resolution):
            raise ValueError(f"a resolution must be over 0 and at most 65535 dots per inch, not {self.resolution}")


NO_METADATA = Metadata()


@dataclass(kw_only=True)
class Found:
    """What a container held, as it stood there and unchecked.

    Attributes:
        icc_profile, exif, xmp, iptc, comment, text, resolution: as in `Image` and `Metadata`.
        orientation: 1 to 8, where the container says it outside EXIF; anything else means nothing.
        upright: whether the decoder turns the picture by itself, whatever EXIF and XMP say (AVIF, HEIC).
        lost: what was seen and cannot be used, in words for the user.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    text: list[tuple[str, str]] = field(default_factory=list)
    resolution: tuple[float, float] | None = None
    orientation: int | None = None
    upright: bool = False
    lost: list[str] = field(default_factory=list)
