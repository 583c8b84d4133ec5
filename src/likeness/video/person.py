"""Somebody to look for in a video, known by a photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from likeness.core.hashing import sha256_of_bytes
from likeness.errors import NoFaceError
from likeness.faces.align import TEMPLATE_SIZE, align, warp
from likeness.faces.detect import Detector
from likeness.faces.face import Face
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.reference.matching import Embedding, FaceMatcher

__all__ = ["Person", "embedded", "person_in"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Person:
    """A person by a photograph.

    Attributes:
        name: the photograph's.
        digest: of its pixels.
        who: of the largest face in it.
    """

    name: str
    digest: str
    who: Embedding = field(repr=False)


def person_in(
    path: Path,
    detector: Detector,
    matcher: FaceMatcher,
    *,
    name: str | None = None,
    read: Callable[[Path], Image] = read_image,
) -> Person:
    """The person whose face is the largest in a photograph.

    Args:
        path: the photograph.
        detector: finds faces.
        matcher: tells them apart.
        name: what the photograph is called; by its file if None.
        read: reads it.

    Raises:
        ImageReadError: if it cannot be read.
        NoFaceError: if it shows no face that can be told from others.
    """
    image = read(path)
    for face in sorted(detector.detect(image), key=lambda face: -face.box.area):
        who = embedded(image, face, matcher)
        if who is not None:
            digest = sha256_of_bytes(np.ascontiguousarray(image.pixels).tobytes())
            return Person(name=name or path.name, digest=digest, who=who)
    raise NoFaceError(Notice("video.no-person", {"file": name or str(path)}))


def embedded(image: Image, face: Face, matcher: FaceMatcher) -> Embedding | None:
    """Who a face is; None of one from the side, whose points lie in a line."""
    try:
        crop = warp(image.pixels, align(face.five_points, image.size, TEMPLATE_SIZE))
    except ValueError:
        return None
    return matcher.embed(crop)
