"""One picture of each fault that `likeness check` finds, made from the committed public-domain portrait."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageCms
from signals import TO_2020, codes, moved, png_chunk, pq, saved, tiff, tiff_page, with_chunks

from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.faces.outlines import EYE_OUTLINES
from likeness.imaging.colour import linear_to_srgb, luma, srgb_to_linear
from likeness.imaging.encode import encode_image
from likeness.imaging.exif import Directory, Field, pack_directory
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Pixels

Points = NDArray[np.float64]

# The line above each upper lid, from the outer corner of the eye to the inner one, as the outlines' lower lids run.
_FOLDS = ((247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414))


def portrait() -> Pixels:
    return read_image(Path(__file__).resolve().parents[1] / "examples" / "original" / "astronaut.jpg").pixels


def write_faults(folder: Path, detector: MediaPipeDetector) -> dict[str, Path]:
    """Write the pictures, ``<code>.png`` or ``.jpg`` each, and ``clean.png``; returns the files by code."""
    pixels = portrait()
    face = max(detector.detect(Image(pixels=pixels)), key=lambda found: found.box.area)
    makers: dict[str, Callable[[Pixels, Face], Any]] = {
        "clean": lambda x, _: x,
        "size-small": lambda x, _: cv2.resize(x, (120, 120), interpolation=cv2.INTER_AREA),
        "no-face": lambda x, _: np.ascontiguousarray(np.broadcast_to(x[:1, :, :], x.shape)),
        "blur": lambda x, _: cv2.GaussianBlur(x, (0, 0), 5),
        "several-faces": lambda x, _: np.hstack([x, x[:, ::-1]]),
        "sideways": lambda x, _: np.rot90(x),
        "face-small": _small,
        "face-cut": lambda x, f: np.ascontiguousarray(x[:, round(float(f.five_points[2, 0]) - 0.1 * f.box.width) :]),
        "face-turned": lambda x, f: _moved(x, f, _turned(f, yaw=42, pitch=0)),
        "face-tilted": lambda x, f: _moved(x, f, _turned(f, yaw=0, pitch=-40)),
        "eyes-closed": lambda x, f: _moved(x, f, _closed(f)),
        "face-dark": lambda x, _: _exposed(x, -4),
        "face-bright": lambda x, _: _exposed(x, 1.8),
        "backlit": lambda x, f: np.where(_head(x, f) > 0.5, _exposed(x, -4), np.float32(0.97)),
        "glare-forehead": lambda x, f: _glare(x, f, (151,), 0.13),
        "glare-nose": lambda x, f: _glare(x, f, (4,), 0.07),
        "glare-spectacles": lambda x, f: _glare(x, f, (118, 347), 0.06),
        "drawing": drawing,
        "background-busy": _busy,
    }
    files: dict[str, Path] = {}
    for code, make in makers.items():
        files[code] = folder / f"{code}.png"
        PillowImage.fromarray(Image(pixels=np.ascontiguousarray(make(pixels, face), np.float32)).to_uint8()).save(
            files[code]
        )
    picture = PillowImage.fromarray(Image(pixels=pixels).to_uint8())
    saved_as: tuple[tuple[str, dict[str, Any]], ...] = (
        ("cmyk", {}),
        ("profile-damaged", {"icc_profile": b"no profile" * 20}),
        ("profile-missing", {"exif": _adobe_rgb_exif()}),
        ("wide-gamut", {"icc_profile": _wide_profile()}),
        ("grey", {}),
    )
    for code, options in saved_as:
        files[code] = folder / f"{code}.jpg"
        shown = picture.convert("CMYK") if code == "cmyk" else picture.convert("L") if code == "grey" else picture
        shown.save(files[code], quality=95, **options)
    plain = files["clean"].read_bytes()
    wide = codes(pq(moved(np.asarray(picture), TO_2020)), 65535)
    hdr = encode_image(Image(pixels=wide.astype(np.float32) / np.float32(65535), bit_depth=16), "PNG")
    page = tiff_page(np.asarray(picture))
    for name, data in (
        ("file-damaged.png", with_chunks(plain, png_chunk(b"tEXt", b"Comment\0what", wrong=True))),
        ("several-pages.tif", tiff(page, page)),
        ("animated.png", with_chunks(plain, png_chunk(b"acTL", struct.pack(">II", 2, 0)))),
        ("gain-map.jpg", saved(np.asarray(picture), "JPEG", quality=95, xmp=b'<x hdrgm:Version="1.0"/>')),
        ("hdr.png", with_chunks(hdr, png_chunk(b"cICP", bytes([9, 16, 0, 1])))),
        ("raw.tif", tiff(tiff_page(np.asarray(picture), t50706=(1, [1, 4, 0, 0])))),
    ):
        files[name.partition(".")[0]] = folder / name
        (folder / name).write_bytes(data)
    files["unreadable"] = folder / "unreadable.jpg"
    files["unreadable"].write_bytes(files["wide-gamut"].read_bytes()[:4000])
    return files


def _exposed(pixels: Pixels, stops: float) -> Pixels:
    return np.clip(linear_to_srgb(np.clip(srgb_to_linear(pixels) * np.float32(2.0**stops), 0, 1)), 0, 1)


def _small(pixels: Pixels, face: Face) -> Pixels:
    scale = 38 / face.box.width
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.empty((300, 300, 3), np.float32)
    canvas[:] = pixels[2, 2]
    canvas[100 : 100 + small.shape[0], 100 : 100 + small.shape[1]] = small
    return canvas


def _turned(face: Face, *, yaw: float, pitch: float) -> Points:
    """The mesh turned about its middle by degrees: x, y, depth."""
    mesh = np.column_stack([face.landmarks.points, face.landmarks.depth]).astype(np.float64)
    middle = mesh.mean(axis=0)
    a, b = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    return (mesh - middle) @ (about_y @ about_x).T + middle


def _closed(face: Face) -> Points:
    """The mesh with each upper lid, and the fold above it, on or near its lower lid."""
    mesh = np.column_stack([face.landmarks.points, face.landmarks.depth]).astype(np.float64)
    for outline, iris, fold in zip(EYE_OUTLINES, (slice(468, 473), slice(473, 478)), _FOLDS, strict=True):
        lower, upper = outline[1:8], outline[9:][::-1]
        for low, up, above in zip(lower, upper, fold, strict=True):
            drop = mesh[low, :2] - mesh[up, :2]
            mesh[above, :2] += 0.75 * drop
            mesh[up, :2] = mesh[low, :2]
        mesh[iris, :2] = mesh[lower[3], :2]
    return mesh


def _moved(pixels: Pixels, face: Face, target: Points) -> Pixels:
    """The face's triangles drawn where their corners have gone, farthest first, on the picture's own background colour."""
    source = face.landmarks.points.astype(np.float64)[:468]
    height, width = pixels.shape[:2]
    triangulation = cv2.Subdiv2D((-width, -height, 3 * width, 3 * height))
    index: dict[tuple[float, float], int] = {}
    for place, point in enumerate(source.astype(np.float32)):
        key = (float(point[0]), float(point[1]))
        index[key] = place
        triangulation.insert(key)
    triangles = [
        corners
        for row in np.asarray(triangulation.getTriangleList()).reshape(-1, 3, 2)
        if all(tuple(map(float, corner)) in index for corner in row)
        for corners in [[index[float(corner[0]), float(corner[1])] for corner in row]]
    ]
    triangles.sort(key=lambda corners: -target[corners, 2].mean())
    result = pixels.copy()
    if np.abs(target[:468, :2] - source).max() > 0.2 * face.box.width:
        result[:] = pixels[2, 2]  # the head itself does not turn along
    for corners in triangles:
        a, b = source[corners].astype(np.float32), target[corners, :2].astype(np.float32)
        left, top = np.floor(b.min(axis=0)).astype(int) - 1
        right, bottom = np.ceil(b.max(axis=0)).astype(int) + 2
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if right <= left or bottom <= top:
            continue
        matrix = cv2.getAffineTransform(a, b - np.asarray([left, top], np.float32))
        if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-4:
            continue
        patch = cv2.warpAffine(pixels, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.round((b - (left, top)) * 16).astype(np.int32), (1,), cv2.LINE_8, 4)
        result[top:bottom, left:right][mask > 0] = patch[mask > 0]
    return result


def _head(pixels: Pixels, face: Face) -> NDArray[np.float32]:
    """H x W x 1: 1 on head and body."""
    mask = np.zeros(pixels.shape[:2], np.float32)
    centre, box = face.box.centre, face.box
    cv2.ellipse(
        mask, (round(centre.x), round(centre.y - 0.1 * box.height)), (round(0.75 * box.width), round(0.95 * box.height)),
        0, 0, 360, (1.0,), -1,
    )  # fmt: skip
    cv2.ellipse(
        mask, (round(centre.x), round(centre.y + 2.6 * box.height)), (round(1.5 * box.width), round(1.9 * box.height)),
        0, 0, 360, (1.0,), -1,
    )  # fmt: skip
    return mask[..., None]


def _glare(pixels: Pixels, face: Face, places: tuple[int, ...], radius: float) -> Pixels:
    blob = np.zeros(pixels.shape[:2], np.float32)
    for place in places:
        x, y = face.landmarks.points[place]
        cv2.circle(blob, (round(float(x)), round(float(y))), round(radius * face.box.width), (1.0,), -1)
    soft = gaussian_blur(blob, 0.02 * face.box.width)[..., None]
    return pixels * (1 - soft) + soft


def drawing(pixels: Pixels, face: Face) -> Pixels:
    """Ink on white paper: outlines where the brightness falls, and hatching that widens with darkness."""
    large = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    bright = luma(np.clip(large, 0, 1).astype(np.float32))
    outline = gaussian_blur(bright, 1.5) - gaussian_blur(bright, 5.0) < -0.02
    down, across = np.mgrid[0 : bright.shape[0], 0 : bright.shape[1]].astype(np.float32)
    first, second = ((np.sin((across + sign * down) * 1.0) + 1) / 2 for sign in (1, -1))
    tone = gaussian_blur(bright, 2.0)
    ink = outline | (first > 1.35 * tone) | (second > 2.2 * tone)
    on_head = cv2.resize(_head(pixels, face), bright.shape[::-1]) > 0.5
    return np.repeat(np.where(ink & on_head, np.float32(0.1), np.float32(1.0))[..., None], 3, axis=2)


def _busy(pixels: Pixels, face: Face) -> Pixels:
    rng = np.random.default_rng(1)
    size = face.box.width / 10
    cells = rng.random((round(pixels.shape[0] / size) + 1, round(pixels.shape[1] / size) + 1, 3)).astype(np.float32)
    tiles = cv2.resize(cells, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(_head(pixels, face) > 0.5, pixels, tiles)


def _adobe_rgb_exif() -> bytes:
    directory: Directory = {0x8769: {0xA001: Field.numbers("<", 3, [2])}}
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + pack_directory(directory, "<", 8)


def _wide_profile() -> bytes:
    """sRGB's profile with Display P3's primaries (SMPTE EG 432-1, adapted to D50)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2920, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    }
    for entry in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
        if name in primaries:
            struct.pack_into(">3i", profile, offset + 8, *(round(value * 65536) for value in primaries[name]))
    return io.BytesIO(bytes(profile)).getvalue()
