"""What a picture's file was: how it was compressed, and what it held that an `Image` does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Compression", "Note", "NoteCode", "Subsampling"]

NoteCode: TypeAlias = Literal["file-damaged", "several-pages", "animated", "gain-map", "hdr"]
"""file-damaged: read all the same, nothing missing in the picture; several-pages: others were left out; animated: only the
first frame was taken; gain-map: left out; hdr: cut to the range of sRGB."""

Subsampling: TypeAlias = Literal["4:4:4", "4:2:2", "4:2:0"]


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing that reading a file left out or had to put up with.

    Attributes:
        code: what it is; the sentence for a person is made from it elsewhere.
        value: how many pages or frames there are, what is damaged, which HDR curve; "" where there is no more to say.
    """

    code: NoteCode
    value: int | str = ""


@dataclass(frozen=True, kw_only=True)
class Compression:
    """How a file's samples were compressed, so that a result can be compressed likewise.

    Attributes:
        format: "JPEG", "WEBP" or "AVIF", as `likeness.imaging.encode.FORMATS` names them.
        lossless: whether nothing was lost.
        quality: 1 to 100 on the scale of the encoder used here, as near as the file tells; None where it does not.
        tables: JPEG's quantisation tables by channel, 64 numbers each, row by row; fewer than channels if the last serves
            the rest.
        subsampling: how far the resolution of colour was reduced.
        progressive: whether a JPEG file comes in passes.
    """

    format: Literal["JPEG", "WEBP", "AVIF"]
    lossless: bool = False
    quality: int | None = None
    tables: tuple[tuple[int, ...], ...] = ()
    subsampling: Subsampling = "4:4:4"
    progressive: bool = False
