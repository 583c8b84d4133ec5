"""The pipeline: find faces, align, project, enlarge, relax, lay back. What is done to a face is a task's.

`Restorer.restore` does it all. Its parts are public, as sliders call the last one alone: `Restorer.project` runs the network
and keeps what it returned, `Restorer.canvas` enlarges, `Restorer.compose` is arithmetic on both.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from likeness.core.parallel import map_in_order
from likeness.core.stopwatch import Stopwatch
from likeness.errors import ArgumentError, LikenessError, NoFaceError
from likeness.faces.detect import face_of_crop
from likeness.faces.face import Face, reading_order
from likeness.imaging.accepting import ImageInput, any_picture
from likeness.imaging.arguments import all_of_type, finite_number, of_type
from likeness.imaging.image import Image
from likeness.messages.notice import Notice, notice_of
from likeness.repair.repairs import Repairs
from likeness.restore.automatic import Automatic, Choice
from likeness.restore.canvas import CanvasPlan, plan_canvas, suggested_upscale
from likeness.restore.composing import compose
from likeness.restore.controls import AUTO, Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.face_controls import ControlsByFace, FaceControls, GivenFaceControls
from likeness.restore.following import Mapped, OnProgress, Progress, tell_nobody
from likeness.restore.judging import compose_judged, judged
from likeness.restore.networks import NetworkHolder
from likeness.restore.on_bad import OnBad
from likeness.restore.outcome import FaceOutcome, FaceProjection, ReferenceSource, Restoration
from likeness.restore.placing import Canvas, make_canvas
from likeness.restore.projecting import project_each
from likeness.restore.selection import Selection, none_selected

if TYPE_CHECKING:
    from likeness.repair.repair import RepairResult

__all__ = ["Restorer"]

_log = logging.getLogger(__name__)

_PARSED = "Selection.parse takes a text"
_REFERENCES = "likeness.References takes images and the names of files and folders"


class Restorer(NetworkHolder):
    """Restores portraits. Loads its network on first use and keeps it; safe to use from several threads.

    It may be used as a context, which gives the networks' memory back at its end (`close`).

    Args:
        model: an embedded or imported model's name, a catalog name that was fetched, or a checkpoint file.
        device: "auto", "cpu", "cuda", "directml" or "coreml".
        precision: "auto" (bfloat16 where the processor has it, float16 on a CUDA device), "f32" or "bf16".
        runtime: what runs the network, "auto" (by the device), "openvino", "pytorch" or "onnx"; or a ready runtime, instead
            of ``model``, ``device`` and ``precision``.
        detector: a face detector of your own.
        threads: processor threads of the network; None for all.
        store: where models are kept.
        task: what the model does, "restore", "colourise" or "inpaint", where its file does not tell; a model that is for
            something else is refused.
        fidelity: the model's own weight between fidelity (1) and quality (0), CodeFormer's w; None for its authors', 0.5. A
            model without one refuses it.
        picture_model: a network for whole pictures that works before faces are restored: it colours (DDColor), or fills the
            holes of ``damage`` outside of faces (LaMa); a model's name, a checkpoint file, or a ready runtime. One that is
            ``model`` itself works alone, and restores no face.
    """

    def find_faces(self, image: ImageInput) -> tuple[Face, ...]:
        """The faces of a picture in reading order: rows from top to bottom, left to right within a row."""
        return reading_order(self.detector.detect(any_picture("image", image)))

    def restore(
        self,
        image: ImageInput,
        controls: Controls | Automatic | str | None = None,
        *,
        selection: Selection | None = None,
        aligned: bool = False,
        faces: Sequence[Face] | None = None,
        repairs: Repairs | None = None,
        damage: NDArray[np.float32] | None = None,
        face_controls: GivenFaceControls | None = None,
        references: ReferenceSource | None = None,
        enlargement: Enlargement | None = None,
        on_bad: OnBad = "keep",
        verdicts: bool = True,
        keep_scenes: bool = False,
        seed: int | None = None,
        progress: OnProgress = tell_nobody,
    ) -> Restoration:
        """Restore the faces of a picture, and enlarge it if that is wanted.

        Args:
            image: any picture (a path, the bytes of a file, one of Pillow's, an array as `Image.from_array` takes it, or an
                `Image`); with ``aligned`` an FFHQ-aligned crop, whose whole area is then one face.
            controls: how; the name of a preset is taken as well, and None is `Controls.standard`. "auto", or an `Automatic`,
                chooses them by what the picture shows (`Restoration.chosen`).
            face_controls: what single faces have of their own, by their index (from 0): a dictionary of what is not as in
                ``controls``, such as ``{1: {"strength": 0.5}}``, the name of a preset, or `Controls`.
            selection: which faces; all if None.
            aligned: skip detection and alignment.
            faces: the picture's faces, numbered as they stand, where they are known (`Restorer.find_faces`): no detection.
            repairs: what to repair first, all over the picture; nothing if None.
            damage: H x W in [0, 1], 1 where the picture holds nothing: filled first (`Restorer.repair`). A restorer draws
                nothing there, an inpainter draws there alone.
            references: other photographs of the persons (`likeness.References`), which lend their detail to the faces that
                they fit; ``controls.reference_strength`` says how much.
            enlargement: how the result is enlarged, after all repairs; not at all if None.
            on_bad: what becomes of a face that came out bad (`FaceOutcome.verdict`): "keep" leaves it, "lower" restores it
                with the largest strength with which it is not bad, if there is one, and "skip" leaves it as it was.
            verdicts: whether each restored face is judged; it takes some 50 ms of one core a face. Without, none is bad.
            keep_scenes: whether what each verdict was told from is kept (`FaceOutcome.scene`), some 10 MB a face.
            seed: of the grain that is laid over faces and what was filled; None for one that comes from the picture itself,
                so that the same picture gets the same grain.
            progress: hears how far the work is (`Progress`).

        Returns:
            the picture, changed on the restored faces (and by repairs) only unless it is enlarged, and the outcome of every
            face found.

        Raises:
            ArgumentError: if something is of a type that is not taken, or both ``aligned`` and ``faces`` are given.
            ImageReadError: if the picture's file, or that of a reference, cannot be read.
            ImageTooLargeError: if the picture is too large, or the enlarged result would be; told before any work
                (`plan_canvas`).
            ControlError: if the damage mask does not fit the picture, more faces are selected than may be, or a face that is
                not there has controls of its own.
            NoFaceError: if there is no face, the selection leaves none, or none has a hole for an inpainter; if a reference
                shows none; or with ``on_bad`` "skip" if each came out bad.
        """
        if on_bad not in get_args(OnBad):
            raise ArgumentError(f"on_bad must be one of {', '.join(get_args(OnBad))}, not {on_bad!r}")
        image, asked = any_picture("image", image), _asked(controls)
        selection, enlargement = _checked(selection, aligned, repairs, enlargement)
        own = FaceControls.of(face_controls)
        if references is not None:
            of_type("references", references, ReferenceSource, hint=_REFERENCES)
        if not callable(progress):
            raise ArgumentError(f"progress must be something to call, not {type(progress).__name__}")
        if faces is not None:
            faces = all_of_type("faces", faces, Face)
            if aligned:
                raise ArgumentError("an aligned crop is one face as a whole: leave out faces, or aligned")
        _check_seed(seed)
        plan = self._plan(image, (), enlargement)
        if enlargement.any:
            # What cannot be had is told of before the work.
            self._enlargers.get(enlargement.background, deep=image.bit_depth == 16)
        clock, alone, repaired = Stopwatch(), aligned and self.for_faces, None
        if damage is not None or (repairs is not None and repairs.any):
            progress(Progress(step="repair"))
            repaired = self.repair(image, repairs or Repairs(), damage, aligned=alone, faces=faces, seed=seed)
            image = repaired.image
            clock.lap("repair")
        if faces is None:
            progress(Progress(step="detect"))
            faces = (face_of_crop(image, self.detector),) if alone else reading_order(self.detector.detect(image))
        clock.lap("detect")
        change = self._change_picture(image, None if repaired is None else repaired.filled, faces, progress)
        changed = change is not None and change.area > 0
        if change is not None:
            image, faces = change.image, faces if self.for_faces else ()
            clock.lap("picture")
        if not faces and not changed:
            raise NoFaceError(Notice("no-face.none"))
        own.check(len(faces))
        refusals = selection.refusals(faces, image.size)
        if all(refusals) and not changed:
            raise none_selected(refusals)
        outcomes: dict[int, FaceOutcome] = {}
        projections: list[FaceProjection] = []
        wanted: list[tuple[int, Face]] = []
        for index, (face, reason) in enumerate(zip(faces, refusals, strict=True)):
            if reason:
                outcomes[index] = FaceOutcome(index=index, face=face, status="skipped", reason=reason)
            else:
                wanted.append((index, face))
        chosen: Choice | None = None
        if isinstance(asked, Automatic):
            chosen = asked.choose(image, [face for _, face in wanted])
            clock.lap("choose")
            controls = chosen.controls
        else:
            controls = asked
        by_face = own.over(controls)
        filled, total = None if repaired is None else repaired.filled, len(wanted)
        progress(Progress(step="project", total=total))
        each = project_each(self.runtime, image, wanted, by_face, aligned=aligned, filled=filled, seed=seed)
        for count, ((index, face), done) in enumerate(each, start=1):
            progress(Progress(step="project", done=count, total=total))
            if isinstance(done, FaceProjection):
                projections.append(done)
            elif isinstance(done, Notice):
                outcomes[index] = FaceOutcome(index=index, face=face, status="skipped", reason=done)
            else:
                # One face that cannot be aligned must not cost the others; it is reported, not hidden.
                _log.info("face %d could not be restored: %s", index + 1, done)
                outcomes[index] = FaceOutcome(index=index, face=face, status="failed", reason=notice_of(done))
        if not changed and all(
            index in outcomes and outcomes[index].status == "skipped" for index in range(len(faces))
        ):
            raise none_selected([outcome.reason or None for outcome in outcomes.values()])
        clock.lap("project")
        if references is not None:
            projections = list(self.serve(projections, references))
            clock.lap("references")
        restored = [item.face for item in projections]
        if enlargement.upscale == "auto":
            plan = self._plan(image, restored, enlargement)
        canvas: Canvas | None = None
        if plan.upscale > 1:
            progress(Progress(step="enlarge", done=total, total=total))
            canvas = self._canvas(image, projections, enlargement, plan)
            clock.lap("enlarge")
        progress(Progress(step="compose", done=total, total=total))
        if verdicts:
            composed = compose_judged(image, projections, by_face, canvas, on_bad, keep_scenes=keep_scenes)
        else:
            composed = compose(image, projections, by_face, canvas)
        left = all(outcome.status == "skipped" for outcome in (*composed.faces, *outcomes.values()))
        if left and composed.faces and not changed:
            reasons = sorted({outcome.reason for outcome in composed.faces if outcome.reason})
            raise NoFaceError(Notice("no-face.all-bad", {"reasons": reasons}))
        progress(Progress(step="done", done=total, total=total))
        outcomes.update({outcome.index: outcome for outcome in composed.faces})
        return Restoration(
            image=composed.image,
            faces=tuple(outcomes[index] for index in sorted(outcomes)),
            controls=controls,
            chosen=chosen,
            repaired=repaired,
            picture=change,
            milliseconds={**clock.laps, **composed.milliseconds},
            upscale=plan.upscale,
            suggested_upscale=suggested_upscale(image.size, restored, plan.upscale, enlargement, side=self._side),
        )

    def map(
        self,
        images: Iterable[ImageInput],
        controls: Controls | Automatic | str | None = None,
        *,
        selection: Selection | None = None,
        aligned: bool = False,
        repairs: Repairs | None = None,
        enlargement: Enlargement | None = None,
        workers: int = 2,
    ) -> Generator[Mapped]:
        """Restore many pictures, one after the other; while one is in the network, the next is read.

        The results come in the order of the pictures. One that cannot be read or has no face costs the others nothing: its
        error is in its result. Hundreds of pictures that must survive a power cut are for `likeness batch`.

        Args:
            images: as `restore` takes them; taken from an iterator only when there is room for them.
            controls, selection, aligned, repairs, enlargement: see `restore`.
            workers: how many pictures are worked on at a time; each takes its memory.

        Raises:
            ArgumentError, ControlError: for options that cannot be used, at once.
        """
        asked = _asked(controls)
        if isinstance(images, (str, bytes, os.PathLike, Image, np.ndarray)) or not hasattr(images, "__iter__"):
            raise ArgumentError("images must be a list of pictures or paths, not a single one; restore takes that")
        _checked(selection, aligned, repairs, enlargement)
        if finite_number("workers", workers) < 1 or workers != int(workers):
            raise ArgumentError(f"workers must be a whole number from 1, not {workers}")

        def one(source: ImageInput) -> Mapped:
            try:
                done = self.restore(
                    source, asked, selection=selection, aligned=aligned, repairs=repairs, enlargement=enlargement
                )
            except LikenessError as error:
                return Mapped(source=source, error=error)
            return Mapped(source=source, restoration=done)

        return map_in_order(one, images, workers=workers)

    def repair(
        self,
        image: ImageInput,
        repairs: Repairs,
        damage: NDArray[np.float32] | None = None,
        *,
        aligned: bool = False,
        faces: Sequence[Face] | None = None,
        seed: int | None = None,
    ) -> RepairResult:
        """Repair a picture (`likeness.repair.repair.repair`), its own faces guarded; the restoring network takes no part.
        Holes are filled first, as a face with a hole is not always found.

        Args:
            image, repairs, damage, aligned, faces: as in `restore`.
            seed: of the grain that is laid over what was filled; None is 0.

        Raises:
            ControlError: if the damage mask does not fit the picture.
        """
        from likeness.repair.repair import repair  # here, as most pictures need none

        of_type("repairs", repairs, Repairs)
        _check_seed(seed)
        whole = repair(image, Repairs(), damage, seed=seed or 0)
        if not repairs.any:
            return replace(whole, repairs=repairs)
        if repairs.scratches > 0 and faces is None:
            faces = (face_of_crop(whole.image, self.detector),) if aligned else self.find_faces(whole.image)
        mended = repair(whole.image, repairs, faces=faces or (), seed=seed or 0)
        both = [filled for filled in (whole.filled, mended.filled) if filled is not None]
        return replace(mended, filled=np.maximum.reduce(both) if both else None)

    def project(
        self,
        image: ImageInput,
        face: Face,
        controls: Controls,
        *,
        index: int = 0,
        aligned: bool = False,
        filled: NDArray[np.float32] | None = None,
        seed: int | None = None,
    ) -> FaceProjection:
        """Align one face and run the network on it; the result serves any step, weights, grain and strength.

        ``filled`` (H x W in [0, 1]) is where the picture was filled from its surroundings: what a restorer draws there would
        be invented, so none of it is ever laid back; an inpainter changes nothing else.

        Raises:
            ValueError: if the face's points are degenerate, or there is nothing for an inpainter to fill.
        """
        indices = [index]
        return self.project_all(image, [face], controls, indices=indices, aligned=aligned, filled=filled, seed=seed)[0]

    def project_all(
        self,
        image: ImageInput,
        faces: Sequence[Face],
        controls: Controls | ControlsByFace,
        *,
        indices: Sequence[int] | None = None,
        aligned: bool = False,
        filled: NDArray[np.float32] | None = None,
        seed: int | None = None,
    ) -> tuple[FaceProjection, ...]:
        """What `project` makes of each face, numbered by ``indices`` or as they stand; the network gets several at once.

        On a CUDA device that is several times faster than one after the other, on a processor it is the same.

        Raises:
            ValueError: as `project`, or if the numbers are not as many as the faces.
        """
        image, faces = any_picture("image", image), all_of_type("faces", faces, Face)
        by_face = ControlsByFace.of(controls)
        _check_seed(seed)
        projections: list[FaceProjection] = []
        numbered = list(zip(range(len(faces)) if indices is None else indices, faces, strict=True))
        for _, done in project_each(self.runtime, image, numbered, by_face, aligned=aligned, filled=filled, seed=seed):
            if not isinstance(done, FaceProjection):
                raise ValueError(done) if isinstance(done, Notice) else done
            projections.append(done)
        return tuple(projections)

    def serve(self, projections: Sequence[FaceProjection], references: ReferenceSource) -> tuple[FaceProjection, ...]:
        """The projections of one picture's faces with what other photographs give to each, ready for `compose`.

        Raises:
            NoFaceError, ImageReadError: if a reference shows no face, or cannot be read.
        """
        projections = all_of_type("projections", projections, FaceProjection)
        of_type("references", references, ReferenceSource, hint=_REFERENCES)
        served = references.serve(projections, self.detector)
        return tuple(item.with_references(given) for item, given in zip(projections, served, strict=True))

    def canvas(
        self,
        image: ImageInput,
        projections: Sequence[FaceProjection],
        enlargement: Enlargement,
        *,
        kept: Canvas | None = None,
    ) -> Canvas:
        """The picture enlarged, ready for faces to be laid on (`compose`) as often as controls change.

        Args:
            image: the picture that the projections were made from.
            projections: the faces; "auto" is decided by them.
            enlargement: how much larger, and how.
            kept: an earlier canvas, of which everything that serves is taken over.

        Raises:
            ImageTooLargeError: if the result would be too large (`plan_canvas`).
            CheckpointError, ConfigError: if the background's network cannot be had, or cannot run here.
        """
        image, projections = any_picture("image", image), all_of_type("projections", projections, FaceProjection)
        of_type("enlargement", enlargement, Enlargement)
        faces = [item.face for item in projections]
        return self._canvas(image, projections, enlargement, self._plan(image, faces, enlargement), kept)

    def enlarge(self, image: ImageInput, enlargement: Enlargement) -> Image:
        """The whole picture enlarged, no face restored: for one that has none. "auto" leaves it as large as it is.

        Raises:
            ImageTooLargeError, CheckpointError, ConfigError: as `canvas`.
        """
        image, enlargement = any_picture("image", image), of_type("enlargement", enlargement, Enlargement)
        plan = self._plan(image, (), enlargement)
        return image if plan.upscale == 1 else self._canvas(image, (), enlargement, plan).image

    def compose(
        self,
        image: Image,
        projections: Sequence[FaceProjection],
        controls: Controls | ControlsByFace,
        *,
        canvas: Canvas | None = None,
    ) -> Restoration:
        """Apply controls to kept projections and lay the faces back, on the picture or on an enlarged one; runs no network.

        Raises:
            ValueError: if a projection is of a picture of another size, or was made with another ``degradation_scale`` or
                ``refine`` (`FaceProjection.serves`), or the canvas was made without one of the faces.
        """
        of_type("image", image, Image)
        projections = all_of_type("projections", projections, FaceProjection)
        return compose(image, projections, ControlsByFace.of(controls), canvas)

    def judge(self, restoration: Restoration, projections: Sequence[FaceProjection]) -> Restoration:
        """What `compose` made, with the verdict on each face (`FaceOutcome.verdict`), as `restore` gives it; runs no network
        but that of the face's mesh."""
        of_type("restoration", restoration, Restoration)
        return judged(restoration, all_of_type("projections", projections, FaceProjection))

    def _plan(self, image: Image, faces: Sequence[Face], enlargement: Enlargement) -> CanvasPlan:
        return plan_canvas(image.size, faces, enlargement, side=self._side)

    def _canvas(
        self,
        image: Image,
        projections: Sequence[FaceProjection],
        enlargement: Enlargement,
        plan: CanvasPlan,
        kept: Canvas | None = None,
    ) -> Canvas:
        enlarger = self._enlargers.get(enlargement.background, deep=image.bit_depth == 16)
        return make_canvas(image, projections, plan, enlargement, enlarger, kept=kept)


def _asked(controls: Controls | Automatic | str | None) -> Controls | Automatic:
    if isinstance(controls, Automatic):
        return controls
    if isinstance(controls, str):
        return Automatic() if controls == AUTO else Controls.preset(controls, others=(AUTO,))
    return Controls.of(controls)


def _checked(
    selection: Selection | None, aligned: bool, repairs: Repairs | None, enlargement: Enlargement | None
) -> tuple[Selection, Enlargement]:
    """The selection and the enlargement, or what stands for none; ArgumentError if one of the four is of another type."""
    if repairs is not None:
        of_type("repairs", repairs, Repairs)
    of_type("aligned", aligned, bool)
    return (
        Selection() if selection is None else of_type("selection", selection, Selection, hint=_PARSED),
        Enlargement() if enlargement is None else of_type("enlargement", enlargement, Enlargement),
    )


def _check_seed(seed: int | None) -> None:
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"seed must be a whole number from 0, or None, not {seed!r}")
