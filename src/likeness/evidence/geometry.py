"""Proportions of the face from the mesh: a round face must stay round.

The mesh is measured in both pictures independently. It jitters: shown the same picture a pixel aside, it lies a little
elsewhere. So each picture is measured in several views, shifted and scaled by little; a proportion is the median, and the
spread of the views is what a change has to exceed. Blur moves it by more (eyes by up to 10%), so that both pictures are
measured at equal softness (`Scene.matched`).

How far the whole face was stretched is measured on the pictures themselves, which is far more exact: by the affine map that
lays one on the other (Evangelidis and Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient
Maximization", 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.evidence.scene import SIDE, Scene, box_around
from likeness.faces.detection import Detection
from likeness.faces.mesh import measure_mesh
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Box, Pixels, Size

__all__ = ["PROPORTIONS", "Proportion", "Registration", "measure_proportions", "proportions", "register"]

_Values = NDArray[np.float64]

_VIEWS = ((0.0, 0.0, 1.0), (0.011, 0.007, 1.02), (-0.009, 0.012, 0.98), (0.006, -0.011, 1.04), (-0.012, -0.006, 0.96))
"""Shifts (as shares of the box) and scales of the views."""

PROPORTIONS = (
    "face_shape",
    "jaw",
    "eye_opening",
    "eye_distance",
    "nose_width",
    "nose_length",
    "mouth_width",
    "lip_thickness",
)
"""Every proportion; "figure." and its name is the code of its title."""


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """One proportion before and after.

    Attributes:
        name: one of `PROPORTIONS`.
        before, after: medians over the views.
        jitter: standard error of the change in per cent, from the spread of the views.
        box: the part of the face.
    """

    name: str
    before: float
    after: float
    jitter: float
    box: Box

    @property
    def change(self) -> float:
        """In per cent."""
        return (self.after / self.before - 1) * 100


def measure_proportions(scene: Scene) -> tuple[Proportion, ...]:
    """Measure all of them; none if the mesh is not found in one of the pictures."""
    if not scene.measured:
        return ()
    first, second = (_views(pixels, scene.points) for pixels in scene.matched)
    if first is None or second is None:
        return ()
    boxes = _boxes(scene.points.astype(np.float64))
    found: list[Proportion] = []
    for name in PROPORTIONS:
        a, b = first[name], second[name]
        before, after = float(np.median(a)), float(np.median(b))
        spread = float(np.hypot(a.std(ddof=1) / before, b.std(ddof=1) / max(after, 1e-6))) / np.sqrt(len(_VIEWS))
        found.append(Proportion(name=name, before=before, after=after, jitter=spread * 100, box=boxes[name]))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Registration:
    """How the face after lies on the face before.

    Attributes:
        wider, higher: how far it became so, in per cent.
        moved: how far its centre went, px of the 512 crop.
    """

    wider: float
    higher: float
    moved: float


def register(scene: Scene) -> Registration | None:
    """Lay the face after on the face before; None if that cannot be done.

    At half the crop's resolution, on the face without hair and background, lumas normalised by the method itself.
    """
    side = SIDE // 2
    small = [resize(gaussian_blur(luma(pixels), 2.0), Size(side, side), "area") for pixels in scene.matched]
    area = (resize(scene.face * scene.valid, Size(side, side), "area") > 0.5).astype(np.uint8)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, found = cv2.findTransformECC(small[0], small[1], start, cv2.MOTION_AFFINE, criteria, area, 1)
    except cv2.error:  # raised where the iteration does not converge: pictures of different things
        return None
    matrix = np.asarray(found, dtype=np.float64)
    wide, high = (float(np.hypot(*matrix[:, axis])) for axis in range(2))
    rows, columns = np.nonzero(area)
    centre = np.array([columns.mean(), rows.mean(), 1.0])
    moved = float(np.hypot(*(matrix @ centre - centre[:2]))) * SIDE / side
    return Registration(wider=(wide - 1) * 100, higher=(high - 1) * 100, moved=moved)


def proportions(points: _Values) -> dict[str, float]:
    """The proportions of one mesh, 478 x 2."""

    def far(a: int, b: int) -> float:
        return float(np.hypot(*(points[a] - points[b])))

    # Indices of MediaPipe's canonical mesh.
    width, height = far(234, 454), far(10, 152)
    eyes = (far(33, 133) + far(362, 263)) / 2
    opening = (far(160, 144) + far(159, 145) + far(158, 153) + far(385, 380) + far(386, 374) + far(387, 373)) / 6
    mouth = far(61, 291)
    return {
        "face_shape": width / height,
        "jaw": far(172, 397) / width,
        "eye_opening": opening / eyes,
        "eye_distance": far(133, 362) / width,
        "nose_width": far(129, 358) / width,
        "nose_length": far(168, 2) / height,
        "mouth_width": mouth / width,
        "lip_thickness": (far(0, 13) + far(14, 17)) / mouth,
    }


def _views(pixels: Pixels, points: NDArray[np.float32]) -> dict[str, _Values] | None:
    """Each proportion in each view in which the mesh was found; None for fewer than three."""
    p = points.astype(np.float64)
    low, high = p.min(axis=0), p.max(axis=0)
    size = high - low
    keys = np.stack([p[468], p[473], p[4], (p[13] + p[14]) / 2, p[234], p[454]])
    found: list[dict[str, float]] = []
    for across, down, scale in _VIEWS:
        centre = (low + high) / 2 + size * (across, down)
        half = size * scale / 2
        box = Box(*(float(v) for v in (*(centre - half), *(centre + half))))
        marks = measure_mesh(pixels, Detection(box=box, score=1.0, key_points=keys))
        if marks.source == "mesh":
            found.append(proportions(marks.points.astype(np.float64)))
    if len(found) < 3:
        return None
    return {name: np.array([item[name] for item in found]) for name in PROPORTIONS}


def _boxes(p: _Values) -> dict[str, Box]:
    def around(*indices: int) -> Box:
        return box_around(p[list(indices)], margin=16.0)

    face = box_around(p, margin=16.0, least=SIDE / 2)
    eyes = around(33, 263, 159, 145)
    nose, mouth = around(129, 358, 168, 2), around(61, 291, 0, 17)
    return {
        "face_shape": face,
        "jaw": face,
        "eye_opening": eyes,
        "eye_distance": eyes,
        "nose_width": nose,
        "nose_length": nose,
        "mouth_width": mouth,
        "lip_thickness": mouth,
    }
