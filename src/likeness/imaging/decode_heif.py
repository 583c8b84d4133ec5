"""HEIC and HEIF files, by way of libheif."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from likeness.imaging.decoded import Decoded, check_size, reading, split_channels, with_signal
from likeness.imaging.heif_file import read_heif
from likeness.imaging.heif_items import check_heif_depths, check_heif_items
from likeness.imaging.metadata.boxes import take_from_boxes
from likeness.imaging.origin import Note
from likeness.imaging.samples import row_strips

__all__ = ["decode_heif"]


def decode_heif(stream: BinaryIO, name: str, max_pixels: int) -> Decoded:
    """Decode a HEIC file, of several pictures the primary one.

    Raises:
        ImageTooLargeError, ImageReadError: as `likeness.imaging.decode.decode_image`.
    """
    import pi_heif

    stream.seek(0)
    whole = stream.read()
    found, plain = take_from_boxes(whole)
    boxes = read_heif(stream)
    with reading(name, "image.damaged", "HEIC"):
        check_heif_items(whole)
        container: Any = pi_heif.open_heif(plain, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        check_size(name, container.size, max_pixels)
        # The container lists what else the file holds (bursts, depth maps); only the primary picture is decoded.
        picture = container[container.primary_index]
        if not picture.mode.startswith("RGB"):
            places = (
                boxes.places[item] for item, kind in boxes.kinds.items() if kind == b"hvc1" and item in boxes.places
            )
            check_heif_depths(boxes.boxes, (whole[place : place + length] for place, length in places))
        # A copy: the samples lie in the decoder's memory, which goes when the container does.
        raw = np.array(picture)
    if raw.dtype == np.uint16:
        # 10 or 12 bits: spread over all of 16, so that white stays white.
        top = (1 << int(picture.info["bit_depth"])) - 1
        for rows in row_strips(raw):
            raw[rows] = (raw[rows].astype(np.uint32) * 65535 + top // 2) // top
    if raw.ndim == 3:
        raw = raw[:, : picture.size[0]]
    samples, alpha = split_channels(raw, premultiplied=bool(picture.premultiplied_alpha))
    # libheif has turned the picture already.
    decoded = Decoded(samples=samples, alpha=alpha, icc_profile=picture.info.get("icc_profile"), found=found)
    moving = (Note(code="animated"),) if boxes.moving else ()
    return with_signal(replace(decoded, notes=(*moving, *boxes.notes)), lambda: boxes.signal, name)
