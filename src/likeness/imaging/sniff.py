"""What kind of file it is, by its first bytes."""

from __future__ import annotations

__all__ = ["FORMATS_READ", "HEAD_BYTES", "sniff_format"]

HEAD_BYTES = 64
"""How many bytes `sniff_format` wants to see."""

FORMATS_READ = frozenset({"AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WebP"})
"""Every format that is read, by the name that `sniff_format` gives it."""

# Fujifilm, Olympus (three), Panasonic and Leica, Sigma, Minolta, Phase One (two).
_RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"IIII", b"MMMM")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})


def sniff_format(head: bytes) -> str | None:
    """The format of a file from its first `HEAD_BYTES` bytes, or None for no picture known here.

    A camera's raw file is "raw", as far as its first bytes tell: most are TIFF files, and only their pages do.
    """
    if head.startswith(_RAW) or (head[8:10] == b"CR" and head.startswith(b"II*\0")) or head[6:14] == b"HEAPCCDR":
        return "raw"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = {head[place : place + 4] for place in (8, *range(16, min(len(head), _box_length(head)), 4))}
        if b"crx " in brands:
            return "raw"
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    return None


def _box_length(head: bytes) -> int:
    return int.from_bytes(head[:4], "big")
