"""The pictures of soak.py, made from examples/ and the same ones every time: what a day may bring, in every format."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness import read_image
from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image

__all__ = ["Made", "make"]

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ("portrait.jpg", "backlit.jpg", "early-digital.jpg", "grey-film.png", "low-light.jpg", "messenger.webp")
PLAIN = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP", "avif": "AVIF"}
FORMATS = (*PLAIN, "png16", "tif16", "gif", "heic", "cmyk", "turned", "grey", "palette", "alpha", "misnamed")
CLIENTS = ("Ann Lee", "王小宝", "Müller & Söhne", "o'brien", "client-5", "client-6", "client-7")

BROKEN = ("cut.jpg", "empty.jpg", "text.jpg", "head.png", "noise.webp", "bomb.png")
"""How files are broken; two of one way may hold the same bytes."""

Pixels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture of the soak: where it is, what it is, and what may become of it."""

    name: str
    kind: str
    file_format: str
    expected: frozenset[str]


def make(inbox: Path, number: int) -> Made:
    """Picture ``number``; a file that is there already stays."""
    kind = "broken" if number % 20 == 7 else "tiny" if number % 20 == 13 else "huge" if number % 40 == 22 else "usual"
    file_format = FORMATS[(number * 7 + number // len(FORMATS)) % len(FORMATS)]
    if file_format == "heic":
        # There is no free encoder: the two test files, without a face, and different bytes each time.
        kind, file_format = ("no face", "heic") if kind == "usual" else (kind, "jpg")
    if kind == "broken":
        file_format = "broken"
    expected = {"broken": {"failed"}, "tiny": {"skipped"}, "no face": {"skipped"}}.get(kind, {"final", "review"})
    name = f"{CLIENTS[number % len(CLIENTS)]}/{_name(number, file_format)}"
    place = inbox / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = inbox.parent / "unfinished"
        unfinished.write_bytes(_data(number, kind, file_format))
        unfinished.replace(place)
    return Made(name=name, kind=kind, file_format=file_format, expected=frozenset(expected))


def _name(number: int, file_format: str) -> str:
    if file_format == "broken":
        return f"{number:04d}-{BROKEN[number // 20 % len(BROKEN)]}"
    if file_format in PLAIN or file_format in ("gif", "heic"):
        return f"{number:04d}.{file_format}"
    suffix = {"png16": "png", "tif16": "tif", "palette": "png", "alpha": "png"}.get(file_format, "jpg")
    return f"{number:04d} {file_format}.{suffix}"


def _data(number: int, kind: str, file_format: str) -> bytes:
    chance = np.random.default_rng([6, number])
    if file_format == "heic":
        files = sorted((ROOT / "tests" / "data").glob("*.heic"))
        return files[number % len(files)].read_bytes() + b"\0" * number
    pixels = _varied(read_image(ROOT / "examples" / SAMPLES[number % len(SAMPLES)]).pixels, chance, kind)
    if file_format == "broken":
        return _broken(BROKEN[number // 20 % len(BROKEN)], pixels, chance)
    return _encoded(Image(pixels=pixels), file_format)


def _varied(pixels: Pixels, chance: np.random.Generator, kind: str) -> Pixels:
    """Mirrored, lighter or darker, and of another size: no two are the same."""
    x = pixels[:, ::-1] if chance.random() < 0.5 else pixels
    height, width = x.shape[:2]
    if kind == "tiny":
        scale = chance.uniform(60, 149) / min(height, width)
    elif kind == "huge":
        scale = float(np.sqrt(chance.uniform(24e6, 48e6) / (height * width)))
    else:
        scale = chance.uniform(400, 1800) / max(height, width)
    x = np.clip(x * chance.uniform(0.9, 1.08), 0, 1)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.clip(np.asarray(cv2.resize(x, size, interpolation=method)), 0, 1).astype(np.float32)


def _encoded(image: Image, file_format: str) -> bytes:
    if file_format in PLAIN:
        return encode_image(image, PLAIN[file_format], quality=90)
    if file_format in ("png16", "tif16"):
        return encode_image(image, {"png16": "PNG", "tif16": "TIFF"}[file_format], bit_depth=16)
    if file_format == "misnamed":  # as messengers do: a PNG that is called .jpg
        return encode_image(image, "PNG")
    pillow, stream = PillowImage.fromarray(image.to_uint8()), io.BytesIO()
    if file_format == "cmyk":
        pillow.convert("CMYK").save(stream, "JPEG", quality=92)
    elif file_format == "grey":
        pillow.convert("L").save(stream, "JPEG", quality=92)
    elif file_format == "turned":
        exif = PillowImage.Exif()
        exif[0x0112] = 6
        pillow.rotate(90, expand=True).save(stream, "JPEG", quality=92, exif=exif)
    elif file_format == "alpha":
        down, across = (np.linspace(-1, 1, side) for side in (pillow.height, pillow.width))
        opacity = np.clip(5 * (1.4 - np.hypot(down[:, None], across)), 0, 1)
        pillow.putalpha(PillowImage.fromarray((opacity * 255 + 0.5).astype(np.uint8)))
        pillow.save(stream, "PNG")
    else:
        pillow.quantize(256).save(stream, {"gif": "GIF", "palette": "PNG"}[file_format])
    return stream.getvalue()


def _bomb() -> bytes:
    """A PNG of 50 kB with 400 million pixels."""
    side = 20_000

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * side))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _broken(way: str, pixels: Pixels, chance: np.random.Generator) -> bytes:
    if way == "cut.jpg":
        whole = encode_image(Image(pixels=pixels), "JPEG", quality=90)
        return whole[: len(whole) // 3]
    if way == "noise.webp":
        return chance.bytes(5000)
    if way == "bomb.png":
        return _bomb()
    return {"empty.jpg": b"", "text.jpg": b"<html>404 not found</html>", "head.png": b"\x89PNG\r\n\x1a\n" + bytes(200)}[
        way
    ]
