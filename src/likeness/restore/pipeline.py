"""The pipeline: find faces, align, project, relax, lay back.

`Restorer.restore` does it all. Its two halves are public, as the second is what sliders call: `Restorer.project` runs the
network and keeps what it returned, `Restorer.compose` is arithmetic on it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.core.stopwatch import Stopwatch
from likeness.degradations import pre_degrade
from likeness.errors import NoFaceError
from likeness.faces.align import TEMPLATE_SIZE, align, rewarp, unwarp, valid_mask, warp
from likeness.faces.detect import Detector, MediaPipeDetector
from likeness.faces.face import Alignment, Face, Landmarks, reading_order
from likeness.faces.mesh import average_face, five_points
from likeness.faces.regions import face_mask, region_masks
from likeness.grain.regrain import FaceGrain
from likeness.imaging.arguments import all_of_type, of_type, picture
from likeness.imaging.colour import is_colourless, luma
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.models.catalog import DEFAULT_MODEL
from likeness.models.store import Store
from likeness.repair.repair import RepairResult, filled_in_crop, repair
from likeness.repair.repairs import Repairs
from likeness.restore.arbitration import arbitrate, held_detail
from likeness.restore.composite import Patch, own_share, paste
from likeness.restore.controls import Controls
from likeness.restore.lockstep import Answer, Steps, run_in_lockstep
from likeness.restore.outcome import FaceOutcome, FaceProjection, Restoration, face_warnings, gain_map
from likeness.restore.outline import without_background
from likeness.restore.relaxation import ITERATIONS, advance
from likeness.restore.selection import Selection
from likeness.runtimes.base import Batch, Runtime
from likeness.runtimes.load import load_runtime

__all__ = ["Restorer"]

_log = logging.getLogger(__name__)

_PRESETS = "Controls.preset takes the name of one"
_PARSED = "Selection.parse takes a text"

_TOGETHER = 8
"""Faces of a picture that the network gets at once: enough to fill a GPU together with a second picture's (docs/speed.md),
few enough that a group photograph takes 50 MB more and not a gigabyte."""


class Restorer:
    """Restores portraits. Loads its network on first use and keeps it; safe to use from several threads.

    Args:
        model: an embedded or imported model's name, a catalog name that was fetched, or a checkpoint file.
        device: "auto", "cpu" or "cuda".
        precision: "auto" (bfloat16 where the processor has it, float16 on a CUDA device), "f32" or "bf16".
        runtime: a ready runtime, instead of ``model``, ``device`` and ``precision``.
        detector: a face detector of your own.
        threads: processor threads of the network; None for all.
        store: where models are kept.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        precision: Literal["auto", "f32", "bf16"] = "auto",
        runtime: Runtime | None = None,
        detector: Detector | None = None,
        threads: int | None = None,
        store: Store | None = None,
    ) -> None:
        if detector is None:
            detector = MediaPipeDetector()
            if runtime is None:
                # Both load and compile networks, which leaves the interpreter free for the other.
                threading.Thread(target=_prepared, args=(detector,), name="likeness-detector").start()
        self._detector = detector
        self._runtime = runtime or load_runtime(
            store or Store(), model, device=device, precision=precision, threads=threads
        )

    @property
    def runtime(self) -> Runtime:
        return self._runtime

    def find_faces(self, image: Image) -> tuple[Face, ...]:
        """The faces of a picture in reading order: rows from top to bottom, left to right within a row."""
        return reading_order(self._detector.detect(picture("image", image)))

    def restore(
        self,
        image: Image,
        controls: Controls | None = None,
        *,
        selection: Selection | None = None,
        aligned: bool = False,
        repairs: Repairs | None = None,
        damage: NDArray[np.float32] | None = None,
    ) -> Restoration:
        """Restore the faces of a picture.

        Args:
            image: any picture; with ``aligned`` an FFHQ-aligned crop, whose whole area is then one face.
            controls: how; `Controls.standard` if None.
            selection: which faces; all if None.
            aligned: skip detection and alignment.
            repairs: what to repair first, all over the picture; nothing if None.
            damage: H x W in [0, 1], 1 where the picture holds nothing: filled first, and never restored (`Restorer.repair`).

        Returns:
            the picture, changed on the restored faces (and by repairs) only, and the outcome of every face found.

        Raises:
            ControlError: if the damage mask does not fit the picture, or more faces are selected than may be.
            NoFaceError: if there is no face, or the selection leaves none.
        """
        image = picture("image", image)
        controls = Controls.standard() if controls is None else of_type("controls", controls, Controls, hint=_PRESETS)
        selection = Selection() if selection is None else of_type("selection", selection, Selection, hint=_PARSED)
        if repairs is not None:
            of_type("repairs", repairs, Repairs)
        clock = Stopwatch()
        repaired: RepairResult | None = None
        if damage is not None or (repairs is not None and repairs.any):
            repaired = self.repair(image, repairs or Repairs(), damage, aligned=aligned)
            image = repaired.image
            clock.lap("repair")
        faces = (self._aligned_face(image),) if aligned else reading_order(self._detector.detect(image))
        clock.lap("detect")
        if not faces:
            raise NoFaceError("no face was found in the picture")
        refusals = selection.refusals(faces, image.size)
        if all(refusals):
            reasons = ", ".join(sorted({reason for reason in refusals if reason}))
            raise NoFaceError(f"none of the {len(faces)} faces found was selected ({reasons})")
        outcomes: dict[int, FaceOutcome] = {}
        projections: list[FaceProjection] = []
        wanted: list[tuple[int, Face]] = []
        for index, (face, reason) in enumerate(zip(faces, refusals, strict=True)):
            if reason:
                outcomes[index] = FaceOutcome(index=index, face=face, status="skipped", reason=reason)
            else:
                wanted.append((index, face))
        filled = None if repaired is None else repaired.filled
        for (index, face), done in self._project_each(image, wanted, controls, aligned=aligned, filled=filled):
            if isinstance(done, FaceProjection):
                projections.append(done)
            else:
                # One face that cannot be aligned must not cost the others; it is reported, not hidden.
                _log.info("face %d could not be restored: %s", index, done)
                outcomes[index] = FaceOutcome(index=index, face=face, status="failed", reason=str(done))
        clock.lap("project")
        composed = self.compose(image, projections, controls)
        outcomes.update({outcome.index: outcome for outcome in composed.faces})
        return Restoration(
            image=composed.image,
            faces=tuple(outcomes[index] for index in sorted(outcomes)),
            controls=controls,
            repaired=repaired,
            milliseconds={**clock.laps, **composed.milliseconds},
        )

    def repair(
        self,
        image: Image,
        repairs: Repairs,
        damage: NDArray[np.float32] | None = None,
        *,
        aligned: bool = False,
    ) -> RepairResult:
        """Repair a picture (`likeness.repair.repair.repair`), its own faces guarded; the network takes no part.

        Holes are filled first, as a face with a hole is not always found.

        Raises:
            ControlError: if the damage mask does not fit the picture.
        """
        whole = repair(image, Repairs(), damage)
        if not repairs.any:
            return replace(whole, repairs=repairs)
        faces: tuple[Face, ...] = ()
        if repairs.scratches > 0:
            faces = (self._aligned_face(whole.image),) if aligned else self.find_faces(whole.image)
        return replace(repair(whole.image, repairs, faces=faces), filled=whole.filled)

    def project(
        self,
        image: Image,
        face: Face,
        controls: Controls,
        *,
        index: int = 0,
        aligned: bool = False,
        filled: NDArray[np.float32] | None = None,
    ) -> FaceProjection:
        """Align one face and run the network on it; the result serves any step, weights, grain and strength.

        ``filled`` (H x W in [0, 1]) is where the picture was filled from its surroundings: what the network draws there
        would be invented, so none of it is ever laid back.

        Raises:
            ValueError: if the face's points are degenerate.
        """
        return self.project_all(image, [face], controls, indices=[index], aligned=aligned, filled=filled)[0]

    def project_all(
        self,
        image: Image,
        faces: Sequence[Face],
        controls: Controls,
        *,
        indices: Sequence[int] | None = None,
        aligned: bool = False,
        filled: NDArray[np.float32] | None = None,
    ) -> tuple[FaceProjection, ...]:
        """What `project` makes of each face, numbered by ``indices`` or as they stand; the network gets several at once.

        On a CUDA device that is several times faster than one after the other, on a processor it is the same.

        Raises:
            ValueError: if a face's points are degenerate, or the numbers are not as many as the faces.
        """
        image, faces = picture("image", image), all_of_type("faces", faces, Face)
        of_type("controls", controls, Controls, hint=_PRESETS)
        projections: list[FaceProjection] = []
        numbered = list(zip(range(len(faces)) if indices is None else indices, faces, strict=True))
        for _, done in self._project_each(image, numbered, controls, aligned=aligned, filled=filled):
            if not isinstance(done, FaceProjection):
                raise done
            projections.append(done)
        return tuple(projections)

    def _project_each(
        self,
        image: Image,
        faces: Sequence[tuple[int, Face]],
        controls: Controls,
        *,
        aligned: bool,
        filled: NDArray[np.float32] | None,
    ) -> Generator[tuple[tuple[int, Face], FaceProjection | Exception]]:
        """Every numbered face with its projection, or with the error that it failed with."""
        for begin in range(0, len(faces), _TOGETHER):
            group = faces[begin : begin + _TOGETHER]
            steps = [
                self._projecting(image, face, controls, index=index, aligned=aligned, filled=filled)
                for index, face in group
            ]
            yield from zip(group, run_in_lockstep(steps, self._runtime.run), strict=True)

    def _projecting(
        self,
        image: Image,
        face: Face,
        controls: Controls,
        *,
        index: int,
        aligned: bool,
        filled: NDArray[np.float32] | None,
    ) -> Steps[FaceProjection]:
        """The work on one face, to be run with others (`run_in_lockstep`)."""
        clock = Stopwatch()

        def seen(answer: Answer) -> Pixels:
            clock.skip()  # the time in which the other faces of a group had their turn
            clock.add("network", answer.milliseconds)
            return _seen(answer.face, grey)

        side = self._runtime.spec.side
        alignment = _whole(image.size, side) if aligned else align(face.five_points, image.size, side)
        crop = warp(image.pixels, alignment)
        clock.lap("align")
        points = alignment.to_crop(face.landmarks.points)
        masks = region_masks(points.astype(np.float32), side)
        mask = np.ones((side, side), np.float32) if aligned else face_mask(masks) * valid_mask(alignment)
        share = 0.0
        if filled is not None:
            inside, near = filled_in_crop(filled, alignment)
            share = float((mask * inside).sum() / max(float(mask.sum()), 1.0))
            mask = mask * (np.float32(1) - near)
        clock.lap("masks")
        start = crop
        grey = image.grey or is_colourless(crop)
        shown = _shown(crop, controls)
        clock.lap("network")
        projection = seen((yield shown))
        for _ in range(controls.refine - 1):
            held = held_detail(crop, projection)
            gain = gain_map(masks, controls, ITERATIONS // controls.refine, held.grain)
            start = start + advance(start, arbitrate(crop, projection, held), gain)
            shown = _shown(_clip(start), controls)
            clock.lap("network")
            projection = seen((yield shown))
        clock.lap("network")
        if not aligned:
            mask = without_background(mask, projection, points.astype(np.float32))
            clock.lap("masks")
        return FaceProjection(
            index=index,
            face=face,
            alignment=alignment,
            crop=crop,
            projection=projection,
            start=start,
            held=held_detail(crop, projection),
            masks=masks,
            mask=mask,
            filled=share,
            picture=image.pixels,
            grey=grey,
            controls=controls,
            milliseconds=clock.laps,
        )

    def compose(self, image: Image, projections: Sequence[FaceProjection], controls: Controls) -> Restoration:
        """Apply controls to kept projections and lay the faces back; never runs the network.

        Raises:
            ValueError: if a projection was made with another ``degradation_scale`` or ``refine`` (`FaceProjection.serves`).
        """
        of_type("image", image, Image)
        projections = all_of_type("projections", projections, FaceProjection)
        of_type("controls", controls, Controls, hint=_PRESETS)
        overall = Stopwatch()
        patches: list[Patch] = []
        reached: list[NDArray[np.float32]] = []
        laps: list[dict[str, float]] = []
        for item in projections:
            if not item.serves(controls):
                raise ValueError("these controls need a new projection: call project again")
            checkpoint()
            clock = Stopwatch()
            whole = gain_map(item.masks, controls, ITERATIONS, item.held.grain)
            # The last window takes the iterations that the others left of T.
            left = ITERATIONS - (controls.refine - 1) * (ITERATIONS // controls.refine)
            last = whole if left == ITERATIONS else gain_map(item.masks, controls, left, item.held.grain)
            change = advance(item.start, item.target, last)
            if item.start is not item.crop:
                change += item.start - item.crop
            change *= to_channels(item.mask * np.float32(controls.strength))
            patches.append(Patch(change=change, mask=item.mask, alignment=item.alignment))
            reached.append(whole)
            clock.lap("controls")
            laps.append(clock.laps)
        pixels = paste(image.pixels, patches)
        outcomes: list[FaceOutcome] = []
        for index, (item, patch, whole) in enumerate(zip(projections, patches, reached, strict=True)):
            checkpoint()
            clock = Stopwatch()
            share = whole * np.float32(controls.strength)
            after = item.crop + patch.change
            if controls.keep_grain and controls.grain_amount > 0 and item.grain is not None:
                after = after + self._lay_grain(pixels, item.grain, index, patches, share, controls.grain_amount)
                clock.lap("grain")
            outcomes.append(
                FaceOutcome(
                    index=item.index,
                    face=item.face,
                    status="restored",
                    before=Image(pixels=item.crop, grey=image.grey),
                    after=Image(pixels=_clip(after), grey=image.grey),
                    filled=item.filled,
                    gains=item.masks.means(share),
                    milliseconds={**item.milliseconds, **laps[index], **clock.laps},
                    warnings=face_warnings(item, controls, whole),
                )
            )
        overall.lap("compose")
        return Restoration(
            image=image.with_pixels(pixels), faces=tuple(outcomes), controls=controls, milliseconds=overall.laps
        )

    def _lay_grain(
        self,
        pixels: Pixels,
        grain: FaceGrain,
        index: int,
        patches: Sequence[Patch],
        share: NDArray[np.float32],
        amount: float,
    ) -> Pixels:
        """Add the grain that a face is missing to the picture, in place; returned as it looks in the face's crop."""
        patch = patches[index]
        laid_share, box = unwarp(share * patch.mask, patch.alignment)
        laid = grain.lay(pixels, laid_share, amount)
        counts = own_share(index, patches)
        if counts is not None:
            # Where faces overlap each lays its share of the variance.
            laid *= np.sqrt(counts)[:, :, None]
        area = pixels[box.to_slices()]
        np.clip(area + laid, 0.0, 1.0, out=area)
        return rewarp(laid, patch.alignment)

    def _aligned_face(self, image: Image) -> Face:
        """The face of an aligned crop: measured if the detector finds it, else the average face in the template's place."""
        size = image.size
        if size.width != size.height:
            raise NoFaceError(f"an aligned crop must be square, not {size}: leave out --aligned to have the face found")
        found = self._detector.detect(image)
        if found:
            return max(found, key=lambda face: face.box.area)
        mesh = average_face() * np.float32(size.width / TEMPLATE_SIZE)
        points = mesh[:, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        return Face(
            box=Box(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
            score=0.0,
            landmarks=Landmarks(points=points, depth=mesh[:, 2], source="template"),
            five_points=five_points(points),
        )


def _whole(size: Size, side: int) -> Alignment:
    """The alignment of a picture that is an aligned crop already: a change of scale, pixel centres at whole numbers."""
    scale = side / size.width
    shift = (scale - 1) / 2
    matrix = np.array([[scale, 0, shift], [0, scale, shift]], dtype=np.float64)
    return Alignment(matrix=matrix, crop_size=side, picture_size=size)


def _shown(crop: Pixels, controls: Controls) -> Batch:
    """What the network sees of a crop (S x S x 3 in [0, 1]): pre-degraded, 1 x 3 x S x S in [-1, 1]."""
    shown = np.stack(cv2.split(pre_degrade(crop, controls.degradation_scale)))[None]
    shown *= np.float32(2)
    shown -= np.float32(1)
    return shown


def _seen(answer: Batch, grey: bool) -> Pixels:
    """The network's answer (1 x 3 x S x S) as S x S x 3 in [0, 1]."""
    pixels = np.asarray(cv2.merge(tuple(answer[0])), np.float32)
    pixels *= np.float32(0.5)
    pixels += np.float32(0.5)
    np.clip(pixels, 0.0, 1.0, out=pixels)
    # A black-and-white photograph stays one: the network may not tint it.
    return to_channels(luma(pixels)) if grey else pixels


def _clip(pixels: Pixels) -> Pixels:
    return np.clip(pixels, 0.0, 1.0, dtype=np.float32)


def _prepared(detector: MediaPipeDetector) -> None:
    try:
        detector.prepare()
    except Exception as error:  # it comes again, in the caller's thread, when the detector is used
        _log.info("the detector is not ready yet: %s", error)
