"""``--preset auto``: controls chosen from what a photograph's face shows, before any network, and why.

What is measured: how many pixels the face holds and their noise (`likeness.faces.effective_resolution`), grain, its colours,
and what repeats in it, JPEG's cells or printed dots (`likeness.grain`), edges that a camera sharpened, the light, and
whether the file says that a generator made it. Each finding is told; those that change a control say so in
`_RULES`, in whose order they are asked. The limits are measured: docs/situations.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import TEMPLATE_SIZE, align, warp
from likeness.faces.effective_resolution import EffectiveResolution, effective_resolution
from likeness.faces.face import Face
from likeness.faces.findings import Limits
from likeness.faces.tones import face_tones, face_view
from likeness.grain.measure import BLOCK, measure_grain
from likeness.grain.periodic_noise import cell_steps
from likeness.imaging.colour import is_colourless, luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Pixels
from likeness.imaging.metadata_fields import MADE_BY_NETWORK
from likeness.messages.notice import Notice
from likeness.restore.controls import PRESETS, Controls

__all__ = ["Automatic", "Choice", "FaceSigns", "choose", "measure_signs"]

_MOST = 1024
"""Largest side of the part of a photograph that grain is measured on, px."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FaceSigns:
    """What a face shows of its photograph's history.

    Attributes:
        held: pixels across that the face holds, in the direction that holds least (`EffectiveResolution.narrowest`).
        native: side of the aligned crop in the photograph's own pixels.
        grain: standard deviation of grain and noise in the photograph's own pixels, levels of 255, mean of the colours.
        colours: how much of that is colour, 0 (grey) to 1.
        cells: standard deviation of the steps between JPEG's cells, levels of 255; 0 where no grid is found.
        dots: share of the fine energy that repeats and is no step between cells, 0 to 1: a printed screen.
        halo: power beside edges that a blurred edge does not have, over that of the edges (`_halo`).
        white: luma of the face's whites, 0 to 1 (`FaceTones.white`); None where it cannot be told.
        backlight: how much brighter the surroundings are, stops; None where they cannot be seen.
        generated: whether the file says that a generator made the picture.
    """

    held: float
    native: float
    grain: float
    colours: float
    cells: float
    dots: float
    halo: float
    white: float | None
    backlight: float | None
    generated: bool

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen for a photograph.

    Attributes:
        controls: as they are in force, with what was set by hand.
        preset: the preset that they are; "" if they are none's.
        reasons: what was found, the weightiest first; at least one.
        signs: of the face that it was chosen for, the largest.
    """

    controls: Controls
    preset: str
    reasons: tuple[Notice, ...]
    signs: FaceSigns | None

    @property
    def sentence(self) -> Notice:
        """What was chosen and why, in one line."""
        return Notice("auto.chosen", {"what": _named(self.controls, self.preset), "reasons": self.reasons})

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "preset": self.preset,
            "controls": asdict(self.controls),
            "sentence": str(self.sentence),
            "notice": self.sentence.to_dict(),
            "reasons": [reason.to_dict() for reason in self.reasons],
            "signs": None if self.signs is None else self.signs.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Automatic:
    """Controls that are chosen for each photograph.

    Attributes:
        own: controls set by hand.
        by_hand: names of the fields of ``own`` that were; the others are chosen.
    """

    own: Controls = field(default_factory=Controls)
    by_hand: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {one.name for one in fields(Controls)}
        if unknown := [name for name in self.by_hand if name not in known]:
            raise ValueError(f"no control is called {unknown[0]!r}")

    def choose(self, image: Image, faces: Sequence[Face]) -> Choice:
        """For a photograph with these faces, of which the largest decides."""
        chosen = choose(image, faces)
        controls = replace(chosen.controls, **{name: getattr(self.own, name) for name in self.by_hand})
        return replace(chosen, controls=controls, preset=controls.preset_name)


def choose(image: Image, faces: Sequence[Face]) -> Choice:
    """Controls for a photograph, by the largest of these faces; `standard` where it cannot be measured, which is said."""
    try:
        signs = measure_signs(image, max(faces, key=lambda face: face.box.area))
    except ValueError:  # no face, or points that allow no crop
        return Choice(controls=PRESETS["standard"], preset="standard", reasons=(Notice("auto.unmeasured"),), signs=None)
    controls = PRESETS["standard"]
    reasons: list[Notice] = []
    for told, change in _RULES:
        reason = told(signs)
        if reason is None:
            continue
        reasons.append(reason)
        if change is not None:
            controls = change(controls)
    return Choice(
        controls=controls,
        preset=controls.preset_name,
        reasons=tuple(reasons) or (Notice("auto.nothing"),),
        signs=signs,
    )


def measure_signs(image: Image, face: Face) -> FaceSigns:
    """Measure a face.

    Raises:
        ValueError: if its points allow no crop.
    """
    alignment = align(face.five_points, image.size, TEMPLATE_SIZE)
    crop = warp(image.pixels, alignment)
    held: EffectiveResolution = effective_resolution(crop, alignment.native_side)
    tones = face_tones(face_view(image, face))
    rows, columns = alignment.box.expanded(0.5).clipped(image.size).to_slices()
    around = _middle(image.pixels[rows, columns])
    level, colours, repeats, cells = 0.0, 0.0, 0.0, 0.0
    if min(around.shape[:2]) >= 2 * BLOCK:
        grain = measure_grain(around)
        light = luma(around)
        cells = 255 * float(np.sqrt(cell_steps(light, np.ones(light.shape, np.bool_))[0]))
        level, repeats = grain.level, grain.left_out
        colours = 0.0 if is_colourless(around) or level == 0 else float(np.clip(1.0 - grain.correlation, 0.0, 1.0))
    return FaceSigns(
        held=held.narrowest,
        native=alignment.native_side,
        grain=level,
        colours=colours,
        cells=cells,
        dots=repeats if cells == 0 else 0.0,
        halo=_halo(luma(crop)),
        white=tones.white,
        backlight=None if np.isnan(tones.background_stops) else tones.background_stops,
        generated=image.metadata.source_type == MADE_BY_NETWORK,
    )


def _middle(pixels: Pixels) -> Pixels:
    """The middle of a large part of a picture."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - _MOST) // 2), max(0, (width - _MOST) // 2)
    return np.ascontiguousarray(pixels[top : top + _MOST, left : left + _MOST])


_REACH = 12
"""How far a profile across an edge reaches to each side, px of a 512 crop."""

_EDGES = 400
"""Edges that are looked at, the steepest."""


def _halo(light: _Map) -> float:
    """How far edges overshoot, as a share of their height: the median over the steepest edges.

    Across an edge, luma of an optical image rises from one side to the other; an unsharp mask adds a dark line before it
    and a bright one behind (Polesel et al., "Image enhancement via adaptive unsharp masking", 2000).
    """
    smooth = gaussian_blur(light, 1.0)
    wide = gaussian_blur(light, 2.0)
    across, down = (np.asarray(cv2.Sobel(wide, cv2.CV_32F, x, 1 - x), np.float32) for x in (1, 0))
    steep = np.hypot(across, down)
    steep[:_REACH], steep[-_REACH:], steep[:, :_REACH], steep[:, -_REACH:] = 0, 0, 0, 0
    # The crest of each edge: one sample for a neighbourhood of 8 px.
    crest = steep * (steep >= cv2.dilate(steep, np.ones((9, 9), np.uint8)))
    chosen = np.argsort(crest, axis=None)[-_EDGES:]
    rows, columns = np.unravel_index(chosen, crest.shape)
    height = np.maximum(steep[rows, columns], 1e-6)
    unit_x, unit_y = across[rows, columns] / height, down[rows, columns] / height
    steps = np.arange(-_REACH, _REACH + 1, dtype=np.float32)
    x = (columns[:, None] + steps * unit_x[:, None]).astype(np.float32)
    y = (rows[:, None] + steps * unit_y[:, None]).astype(np.float32)
    profile = cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    low, high = (np.median(side, axis=1) for side in (profile[:, :4], profile[:, -4:]))
    trough, peak = profile[:, 4:_REACH].min(axis=1), profile[:, _REACH + 1 : -4].max(axis=1)
    rise = high - low
    telling = rise > 16 / 255
    if telling.sum() < 20:
        return 0.0
    over = (np.maximum(peak - high, 0) + np.maximum(low - trough, 0))[telling] / rise[telling]
    return float(np.median(over))


_SHARP, _CLEAN = 200.0, 2.0
"""Pixels held from which on a face is sharp, and grain, levels of 255, over which it is not left alone."""

_GRAINY = 4.0
_COLOURED = 0.4
_CELLS = 1.0
_DOTS = 0.5
_HALO = 0.5
_BACKLIT = 2.0

_Told = Callable[[FaceSigns], "Notice | None"]
_Change = Callable[[Controls], Controls]


def _if(code: str, test: Callable[[FaceSigns], bool], *values: str) -> _Told:
    def told(signs: FaceSigns) -> Notice | None:
        return Notice(code, {name: getattr(signs, name) for name in values}) if test(signs) else None

    return told


def _preset(name: str) -> _Change:
    return lambda _: PRESETS[name]


_RULES: tuple[tuple[_Told, _Change | None], ...] = (
    (_if("auto.generated", lambda s: s.generated), _preset("ai-portrait")),
    (
        _if("auto.sharp", lambda s: not s.generated and s.held >= _SHARP and s.grain < _CLEAN, "held"),
        _preset("natural"),
    ),
    (_if("auto.blurred", lambda s: s.held < Limits.min_held and s.native > 1.5 * s.held, "held"), None),
    (_if("auto.grain", lambda s: s.grain >= _GRAINY and s.colours < _COLOURED, "grain"), None),
    (_if("auto.colour-noise", lambda s: s.grain >= _GRAINY and s.colours >= _COLOURED, "grain"), None),
    (_if("auto.cells", lambda s: s.cells >= _CELLS), None),
    (_if("auto.dots", lambda s: s.dots >= _DOTS), None),
    (_if("auto.sharpened", lambda s: s.halo >= _HALO), None),
    (_if("auto.backlit", lambda s: s.backlight is not None and s.backlight > _BACKLIT), None),
    (_if("auto.dark", lambda s: s.white is not None and s.white < Limits.min_white), None),
)
"""What is asked of a face, in this order: the sentence if it is so, and what then becomes of the controls."""


def _named(controls: Controls, preset: str) -> Notice:
    """What was chosen, in words."""
    return Notice(f"preset.{preset}") if preset else Notice("auto.own", {"step": controls.latent_step_decay})
