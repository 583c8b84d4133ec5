"""Inspecting a pair of pictures: the same portrait before and after restoration, by whatever tool."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from likeness.errors import MissingExtraError, NoFaceError, PairError
from likeness.evidence import verdicts
from likeness.evidence.colour import colour_shift
from likeness.evidence.eyes import EYES, eye_box, iris_texture, lid_fold, sclera
from likeness.evidence.face_verdict import judge_face
from likeness.evidence.figures import FaceEvidence, Figure, Inspection
from likeness.evidence.geometry import measure_proportions, register
from likeness.evidence.hair import hair_edge
from likeness.evidence.scene import Scene, box_around, make_scene, scale_between
from likeness.evidence.seam import seam
from likeness.evidence.texture import highlights, skin_texture
from likeness.faces.detect import Detector, MediaPipeDetector
from likeness.faces.face import Face, reading_order
from likeness.imaging.accepting import ImageInput, any_picture
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Box, Image
from likeness.messages.notice import Notice, notice_of
from likeness.metrics import IdentityModel, overshoots

__all__ = ["Inspector", "inspect"]


def inspect(before: ImageInput, after: ImageInput) -> Inspection:
    """Measure what became of every face; see `Inspector.inspect`. For many pairs keep an `Inspector`."""
    return Inspector().inspect(before, after)


class Inspector:
    """Measures pairs of pictures. Loads its models on first use and keeps them; safe to use from several threads.

    Args:
        detector: a face detector of your own.
    """

    def __init__(self, *, detector: Detector | None = None) -> None:
        self._detector = detector or MediaPipeDetector()

    def inspect(self, before: ImageInput, after: ImageInput) -> Inspection:
        """Find the faces in ``before`` and measure what became of each in ``after``.

        Args:
            before: the picture as it was.
            after: any restorer's output: of the same size, or enlarged or reduced as a whole.

        Returns:
            the evidence, faces in reading order.

        Raises:
            PairError: if the sizes do not fit.
            NoFaceError: if there is no face in ``before``, or none that can be aligned.
        """
        before, after = any_picture("before", before), any_picture("after", after)
        scale = _checked_scale(before, after)
        faces = reading_order(self._detector.detect(before))
        if not faces:
            raise NoFaceError(Notice("no-face.before"))
        found: list[FaceEvidence] = []
        notes: list[Notice] = []
        for index, face in enumerate(faces):
            try:
                found.append(self.inspect_face(before, after, face, index=index))
            except (ValueError, np.linalg.LinAlgError) as error:  # noqa: PERF203 - one face must not cost the others
                notes.append(Notice("evidence.not-measured", {"number": index + 1, "reason": notice_of(error)}))
        if not found:
            raise NoFaceError(Notice("no-face.measured", {"count": len(faces), "reason": notes[0]}))
        return Inspection(faces=tuple(found), scale=scale, notes=tuple(notes))

    def inspect_face(self, before: Image, after: Image, face: Face, *, index: int = 0) -> FaceEvidence:
        """Measure one face that was found in ``before``.

        Raises:
            PairError: if the sizes do not fit.
            ValueError: if the face's points allow no alignment.
        """
        _checked_scale(before, after)
        scene = make_scene(before, after, face)
        face_box = box_around(scene.points, margin=16.0)
        figures = (
            verdicts.face_figure(judge_face(scene), face_box),
            *verdicts.hair_figures(hair_edge(scene)),
            verdicts.highlight_figure(highlights(scene)),
            verdicts.iris_figure(iris_texture(scene)),
            *verdicts.skin_figures(skin_texture(scene)),
            self._identity(scene, face_box),
            verdicts.stretch_figure(register(scene), face_box),
            *(verdicts.proportion_figure(item) for item in measure_proportions(scene)),
            verdicts.lid_figure(lid_fold(scene)),
            *_colours(scene, face_box),
            _overshoot(scene),
            verdicts.seam_figure(seam(scene)),
        )
        return FaceEvidence(
            index=index,
            box=face.box,
            native_side=scene.native_side,
            figures=figures,
            before=scene.before,
            after=scene.after,
            notes=_notes(scene),
        )

    def kept_figures(self, before: Image, after: Image, face: Face) -> tuple[Figure, ...]:
        """What was kept of one person: identity, proportions, skin colour and texture; as in `inspect_face`, but sooner.

        Raises:
            PairError: if the sizes do not fit.
            ValueError: if the face's points allow no alignment.
        """
        _checked_scale(before, after)
        scene = make_scene(before, after, face)
        face_box = box_around(scene.points, margin=16.0)
        return (
            *verdicts.skin_figures(skin_texture(scene)),
            self._identity(scene, face_box),
            *(verdicts.proportion_figure(item) for item in measure_proportions(scene)),
            *_colours(scene, face_box),
        )

    @cached_property
    def _identity_model(self) -> IdentityModel | Notice:
        """The model, or the sentence that says how to get it."""
        try:
            return IdentityModel().loaded()
        except MissingExtraError as error:
            return notice_of(error)

    def _identity(self, scene: Scene, box: Box) -> Figure:
        model = self._identity_model
        if isinstance(model, Notice):
            return verdicts.identity_figure(None, model, box)
        return verdicts.identity_figure(model.distance(scene.after, scene.before), None, box)


def _checked_scale(before: Image, after: Image) -> float:
    try:
        return scale_between(before, after)
    except ValueError as error:
        raise PairError(notice_of(error)) from None


def _colours(scene: Scene, face_box: Box) -> tuple[Figure, ...]:
    eyes = eye_box(scene, EYES[0])
    found: list[Figure] = []
    for name, area, box in (("colour_skin", scene.skin > 0.5, face_box), ("colour_eyes", sclera(scene), eyes)):
        shift = colour_shift(scene.before, scene.after, area)
        lean = _lean(shift[1], shift[2]) if shift else None
        found.append(verdicts.colour_figure(name, shift[0] if shift else None, lean, box))
    return tuple(found)


def _lean(before: NDArray[np.float64], after: NDArray[np.float64]) -> Notice:
    """Which way a colour went, by the axis of L*, a*, b* on which it went furthest."""
    codes = (("lean.darker", "lean.lighter"), ("lean.greener", "lean.redder"), ("lean.bluer", "lean.yellower"))
    change = after - before
    axis = int(np.argmax(np.abs(change)))
    return Notice(codes[axis][int(change[axis] > 0)])


def _overshoot(scene: Scene) -> Figure:
    """`metrics.overshoots` on the head, and the place where the edges ring most."""
    points, values = overshoots(scene.after, scene.before, (scene.pasted * scene.valid).astype(np.float32))
    if len(values) < 50:
        return verdicts.overshoot_figure(None, None)
    total = np.zeros(scene.valid.shape, np.float32)
    count = np.zeros_like(total)
    x, y = points.astype(int).T
    np.add.at(total, (y, x), np.maximum(values, 0))
    np.add.at(count, (y, x), 1)
    # The mean over a neighbourhood; a few stray edges count little against the constant.
    worst = gaussian_blur(total, 12.0) / (gaussian_blur(count, 12.0) + 0.005)
    row, column = np.unravel_index(int(np.argmax(worst)), worst.shape)
    box = box_around(np.array([[column, row]], dtype=np.float64), margin=48.0, least=96.0)
    return verdicts.overshoot_figure(max(0.0, float(values.mean())), box)


def _notes(scene: Scene) -> tuple[Notice, ...]:
    notes: list[Notice] = []
    if not scene.measured:
        notes.append(Notice("evidence.average-face"))
    if scene.native_side < 150:
        notes.append(Notice("evidence.face-small", {"side": scene.native_side}))
    return tuple(notes)
