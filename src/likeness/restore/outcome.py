"""What is kept of a face between the network and the picture, and what is told of it afterwards."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from likeness.evidence.face_verdict import FaceVerdict, Level, worst
from likeness.evidence.scene import Scene, followed_mesh
from likeness.faces.align import unwarp
from likeness.faces.detect import Detector
from likeness.faces.effective_resolution import EffectiveResolution
from likeness.faces.face import Alignment, Face
from likeness.faces.regions import RegionMasks
from likeness.grain.regrain import FaceGrain, measure_face_grain
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice
from likeness.restore.arbitration import HeldDetail, unexplained
from likeness.restore.automatic import Choice
from likeness.restore.controls import Controls
from likeness.restore.kinds import rows_of
from likeness.restore.references import FaceReferences
from likeness.restore.relaxation import CONVERGED, ITERATIONS, PLAIN_STEP, relaxation_gain, step_in_grain, weight_map
from likeness.restore.tasks.picture import PictureChange
from likeness.restore.tasks.task import Task

if TYPE_CHECKING:
    from likeness.repair.repair import RepairResult

__all__ = [
    "DRAWN_ANEW",
    "FaceOutcome",
    "FaceProjection",
    "ReferenceSource",
    "Restoration",
    "face_warnings",
    "gain_maps",
    "whole_way",
]

DRAWN_ANEW = ("outcome.drawn-anew", "outcome.drawn-beside-lent")
"""Codes of what says that a face was drawn anew: alone, and where other photographs lent detail as well."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceProjection:
    """One face with what the network made of it; everything that `Restorer.compose` needs.

    Attributes:
        index: number of the face in the picture.
        face: where it is.
        alignment: from picture to crop.
        crop: S x S x 3 in [0, 1], the aligned input.
        projection: S x S x 3, the network's answer, P_s(crop) (with ``refine`` over 1: of the last window's estimate).
        task: what that means.
        start: S x S x 3, where the last window starts from; ``crop`` itself with ``refine`` 1.
        resolution: what the picture holds there.
        held: what of the crop stays, for what it holds itself, and how grainy it is (`Task.held_detail`).
        masks: the regions.
        mask: S x S, the paste-back mask.
        within: H x W in [0, 1], the only places of the picture that may change; None for all.
        filled: share of the face that lies in a filled region, in [0, 1].
        picture: H x W x 3, the picture that the crop was taken from; not a copy.
        grey: whether the result is black and white, as that is.
        controls: those the projection was made with.
        seed: of the grain that is laid over the face; None for one that comes from the crop itself.
        milliseconds: time of each step.
        references: what other photographs of the person give; None where none were asked for.
    """

    index: int
    face: Face
    alignment: Alignment
    crop: Pixels
    projection: Pixels
    task: Task
    start: Pixels
    resolution: EffectiveResolution
    held: HeldDetail
    masks: RegionMasks
    mask: NDArray[np.float32]
    within: NDArray[np.float32] | None
    filled: float
    picture: Pixels
    grey: bool
    controls: Controls
    seed: int | None
    milliseconds: dict[str, float]
    references: FaceReferences | None = None

    def __repr__(self) -> str:
        return f"FaceProjection({self.index}, {self.crop.shape[0]} px)"

    @cached_property
    def target(self) -> Pixels:
        """S x S x 3: where relaxation leads; of a restored face the answer with the crop's own detail and tone put back."""
        return self.task.target(self.crop, self.projection, self.held)

    @cached_property
    def followed(self) -> NDArray[np.float64]:
        """478 x 2: `likeness.evidence.scene.followed_mesh` of the crop."""
        return followed_mesh(self.crop, self.alignment.to_crop(self.face.landmarks.points))

    @cached_property
    def unexplained(self) -> Pixels:
        """S x S x 3: what goes of the crop and is no fainter form of the answer; grain, in a grainy picture."""
        return unexplained(self.crop, self.projection, self.held)

    @cached_property
    def grain(self) -> FaceGrain | None:
        """The grain around the face; measured when it is first wanted, and kept, as no control changes it.

        None if the picture is too small to measure any.
        """
        # The same picture gets the same grain, two pictures or two faces do not.
        key = np.ascontiguousarray(self.crop).tobytes() if self.seed is None else str(self.seed).encode()
        seed = zlib.crc32(key, self.index)
        try:
            return measure_face_grain(self.picture, self.alignment, self.mask, seed=seed, grey=self.grey)
        except ValueError as error:
            _log.info("face %d: %s", self.index + 1, error)
            return None

    def drawn_anew(self, controls: Controls) -> float:
        """How far what is seen of the face was drawn anew, in [0, 1], where it is laid on under these controls."""
        return self.task.share_drawn(self.resolution.blur) * controls.strength

    def take_grain(self, other: FaceProjection) -> None:
        """Have the grain that another projection of the same face has measured, if it has: the network has no part in it."""
        if "grain" in vars(other):
            vars(self)["grain"] = other.grain

    def with_references(self, references: FaceReferences | None) -> FaceProjection:
        """The same projection with what other photographs give; what was measured of it is kept."""
        copy = replace(self, references=references)
        for name in ("target", "unexplained", "followed"):
            if name in vars(self):
                vars(copy)[name] = vars(self)[name]
        copy.take_grain(self)
        return copy

    @property
    def nbytes(self) -> int:
        """Memory of what is kept here, ``target`` included; the picture, which is shared, is not."""
        arrays = [self.crop, self.projection, self.mask, *self.held.shares, *self.masks.masks.values()]
        total = sum(array.nbytes for array in arrays) + self.projection.nbytes
        if "unexplained" in vars(self):
            total += self.unexplained.nbytes
        if self.start is not self.crop:
            total += self.start.nbytes
        grain: FaceGrain | None = vars(self).get("grain")
        if grain is not None:
            total += grain.nbytes
        return total + (0 if self.references is None else self.references.nbytes)

    def serves(self, controls: Controls) -> bool:
        """Whether these controls can be applied to this projection without running the network again."""
        made = self.controls
        if any(row.projects and getattr(controls, row.key) != getattr(made, row.key) for row in rows_of(Controls)):
            return False
        # With several windows, the later projections depend on how far the earlier ones went.
        return controls.refine == 1 or (
            controls.latent_step_decay == made.latent_step_decay
            and controls.face_mask_weights == made.face_mask_weights
        )


@runtime_checkable
class ReferenceSource(Protocol):
    """Other photographs, which may show the persons of a picture: `likeness.References`, say."""

    def serve(self, faces: Sequence[FaceProjection], detector: Detector) -> Sequence[FaceReferences]:
        """What they give to each face of one picture, in its order.

        Raises:
            LikenessError: if a photograph cannot be read, or shows no face.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceOutcome:
    """What became of one face.

    Attributes:
        index: number of the face in the picture, reading order, from 0.
        face: where it is.
        status: "restored", "skipped" (not selected, or left alone as it came out bad) or "failed".
        reason: why it was skipped or failed, else "".
        before, after: S x S aligned crops, only of a restored face.
        mask: S x S in [0, 1], where the crop was laid on; only of a restored face.
        alignment: from the result to the crop; only of a restored face.
        filled: share of the face that held no pixels and was filled from its surroundings, in [0, 1].
        drawn_anew: how far what the photograph is too blurred to show of it was drawn anew, in [0, 1], with
            the strength: a guess. 0 where the photograph shows enough, and under ``features`` 0.
        own_controls: that it was restored with, where it had its own; None where it had the picture's, or was not restored.
        strength: that it was restored with; under the controls' where it would have come out bad with that (``on_bad``), and
            0 where it was not restored.
        gains: mean share of the way to the projection in each region, in [0, 1].
        milliseconds: time of each step.
        warnings: what the user should know about this face.
        references: what other photographs of the person gave; None where none were asked for.
        verdict: whether it came out well; None if it was not restored, or nothing could be measured.
        scene: what the verdict was told from, some 10 MB, for whoever measures more of the face; None where nobody asked for
            it (``keep_scenes`` of `Restorer.restore`), or there is no verdict.
    """

    index: int
    face: Face
    status: Literal["restored", "skipped", "failed"]
    reason: Notice | Literal[""] = ""
    before: Image | None = None
    after: Image | None = None
    mask: NDArray[np.float32] | None = None
    alignment: Alignment | None = None
    filled: float = 0.0
    drawn_anew: float = 0.0
    own_controls: Controls | None = None
    strength: float = 0.0
    gains: dict[str, float] = field(default_factory=dict[str, float])
    milliseconds: dict[str, float] = field(default_factory=dict[str, float])
    warnings: tuple[Notice, ...] = ()
    references: FaceReferences | None = None
    verdict: FaceVerdict | None = None
    scene: Scene | None = None

    def __repr__(self) -> str:
        return f"FaceOutcome({self.index}, {self.status}{f': {self.reason}' if self.reason else ''})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Restoration:
    """A restored picture.

    Attributes:
        image: the picture.
        faces: the outcome of each face found, whose positions are in the photograph's pixels.
        controls: how they were restored, but for faces that have their own (`FaceOutcome.own_controls`).
        milliseconds: time of each step.
        repaired: what was repaired before; None where nothing was asked for.
        upscale: how many times as wide and high as the photograph it is.
        chosen: what was chosen for the picture, and why; None where controls were given.
        picture: what a network for whole pictures did; None where there was none.
        suggested_upscale: where a restored face has so few pixels (`likeness.restore.canvas.SMALL_FACE`) that most of what
            the network drew does not show, the factor at which it would, as "auto" has it; else None.
    """

    image: Image
    faces: tuple[FaceOutcome, ...]
    controls: Controls
    milliseconds: dict[str, float]
    repaired: RepairResult | None = None
    upscale: float = 1.0
    suggested_upscale: float | None = None
    chosen: Choice | None = None
    picture: PictureChange | None = None

    def __repr__(self) -> str:
        counted = Counter(outcome.status for outcome in self.faces)
        faces = ", ".join(f"{count} {status}" for status, count in counted.items())
        return f"Restoration({self.image.size}, faces: {faces or 'none'})"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the picture."""
        return self.image._repr_png_()  # pyright: ignore[reportPrivateUsage] - IPython's name for it

    @property
    def restored(self) -> tuple[FaceOutcome, ...]:
        return tuple(outcome for outcome in self.faces if outcome.status == "restored")

    @property
    def failed(self) -> tuple[FaceOutcome, ...]:
        return tuple(outcome for outcome in self.faces if outcome.status == "failed")

    @property
    def done(self) -> bool:
        """Whether a face was restored, or a network changed the whole picture."""
        return bool(self.restored) or (self.picture is not None and self.picture.area > 0)

    def area(self) -> NDArray[np.float32]:
        """H x W of the result, in [0, 1]: where restored faces were laid on, softly; 0 where nothing is seen of them."""
        area = np.zeros((self.image.size.height, self.image.size.width), np.float32)
        for outcome in self.restored:
            if outcome.mask is not None and outcome.alignment is not None:
                mask, box = unwarp(outcome.mask, outcome.alignment)
                part = area[box.to_slices()]
                np.maximum(part, np.clip(mask, 0.0, 1.0), out=part)
        return area

    @property
    def level(self) -> Level | None:
        """The worst verdict on its faces; None if there is none."""
        return worst(face.verdict for face in self.faces)

    @property
    def failure(self) -> Notice:
        """What to say where no face was restored."""
        reasons = sorted({Notice.of(face.reason) for face in self.failed})
        return Notice("outcome.all-failed", {"reasons": reasons})


def gain_maps(
    masks: RegionMasks, controls: Controls, held: HeldDetail, iterations: int = ITERATIONS
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """S x S each: the share of the way to the target after so many iterations, and the share of the grain that is taken out;
    None where that is the same."""
    weights = weight_map(masks, controls.face_mask_weights)
    gain = relaxation_gain(controls.latent_step_decay, weights, iterations=iterations)
    if controls.plain:
        gain = np.minimum(gain / whole_way(controls, iterations), np.float32(1))
    if held.grain == 0 or controls.latent_step_decay >= PLAIN_STEP:
        return gain, None
    step = step_in_grain(controls.latent_step_decay, held.grain)
    return gain, relaxation_gain(step, weights, iterations=iterations)


def whole_way(controls: Controls, iterations: int) -> np.float32:
    """The share of the way that counts as all of it; with ``plain`` that of the plain step."""
    if not controls.plain:
        return np.float32(1)
    return relaxation_gain(PLAIN_STEP, np.ones(1, np.float32), iterations=iterations)[0]


def face_warnings(
    item: FaceProjection, controls: Controls, gain: NDArray[np.float32], *, cleaned: bool = False
) -> tuple[Notice, ...]:
    """What the user should know about one face, one sentence each.

    Args:
        item: the face.
        controls: how it was restored.
        gain: S x S, the whole way's (`gain_maps`).
        cleaned: whether what it is laid on was enlarged without its grain.
    """
    found: list[Notice] = []
    if item.face.landmarks.source == "template":
        found.append(Notice("outcome.average-face"))
    if item.alignment.native_side < 60:
        found.append(Notice("outcome.face-small", {"side": item.alignment.native_side}))
    if item.drawn_anew(controls) > 0:
        lent = item.references is not None and item.references.gifts and controls.reference_strength > 0
        found.append(Notice(DRAWN_ANEW[bool(lent)]))
    reached = item.masks.means(gain)
    # A weight under 1 asks for less than the whole way.
    wanted = [name for name, weight in controls.face_mask_weights.to_dict().items() if weight >= 1]
    short = {name: reached[name] for name in wanted if 0 < reached[name] < CONVERGED}
    if short:
        regions = [Notice(f"region.{name}") for name in short]
        found.append(Notice("outcome.not-converged", {"regions": regions, "share": min(short.values())}))
    if controls.keep_grain and item.grain is None:
        found.append(Notice("outcome.no-grain"))
    elif controls.keep_grain and controls.grain_amount > 0 and cleaned:
        found.append(Notice("outcome.grain-cleaned"))
    if item.within is not None:
        return tuple(found)  # what was filled is what the network was asked for
    if item.filled >= 0.01:
        found.append(Notice("outcome.filled", {"share": item.filled}))
    elif item.filled > 0.001:
        found.append(Notice("outcome.filled-little"))
    if item.references is not None:
        found += item.references.warnings
    return tuple(found)
