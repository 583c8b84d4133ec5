"""The verdict on each restored face once it is laid back (`likeness.evidence.face_verdict`), and what bad ones get."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from likeness.compute.cancellation import checkpoint
from likeness.core.stopwatch import Stopwatch
from likeness.evidence.face_verdict import FaceVerdict, judge_face
from likeness.evidence.scene import SIDE, Scene, make_scene
from likeness.faces.align import valid_mask, warp
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.restore.composing import compose
from likeness.restore.dark_lenses import are_eyes_hidden
from likeness.restore.face_controls import ControlsByFace
from likeness.restore.on_bad import OnBad
from likeness.restore.outcome import FaceOutcome, FaceProjection, Restoration
from likeness.restore.placing import Canvas

__all__ = ["OnBad", "compose_judged", "judged"]

_LOWEST = 0.25
_BETWEEN = (0.75, 0.5)
"""Shares of the strength that are tried. What a face holds too little for is bad at the lowest as well, and looks the better
the more it is restored: blur stays blur. Lines that were drawn, doubled contours and moved features go with the strength."""

_log = logging.getLogger(__name__)


def compose_judged(
    image: Image,
    projections: Sequence[FaceProjection],
    controls: ControlsByFace,
    canvas: Canvas | None = None,
    on_bad: OnBad = "keep",
    *,
    keep_scenes: bool = False,
) -> Restoration:
    """`compose`, judged, and with what bad faces get instead; runs no network but that of the face's mesh.

    Returns:
        the picture with an outcome for each projection: "skipped" where a face was left alone as it came out bad.
    """
    restoration = judged(compose(image, projections, controls, canvas), projections, keep_scenes=keep_scenes)
    bad = {outcome.index: outcome for outcome in restoration.faces if _is_bad(outcome)}
    if not bad or on_bad == "keep":
        return restoration
    if on_bad == "skip":
        kept = [item for item in projections if item.index not in bad]
        left = [_left_alone(outcome) for outcome in bad.values()]
        rest = judged(compose(image, kept, controls, canvas), kept, keep_scenes=keep_scenes)
        faces = tuple(sorted([*rest.faces, *left], key=lambda outcome: outcome.index))
        return replace(rest, faces=faces, milliseconds=_added(restoration, rest))
    chosen: dict[int, float] = {}
    open_ones = set(bad)
    # The attempt whose strengths are those that were chosen so far: composed and judged already.
    best: tuple[dict[int, float], Restoration] | None = None
    for share in (_LOWEST, *_BETWEEN):
        tried = {index: share * controls[index].strength for index in open_ones}
        strengths = chosen | tried
        composed = compose(image, projections, replace(controls, strengths=strengths), canvas)
        attempt = judged(composed, projections, only=open_ones, keep_scenes=keep_scenes)
        restoration = replace(restoration, milliseconds=_added(restoration, attempt))
        good = {outcome.index for outcome in attempt.faces if outcome.index in open_ones and not _is_bad(outcome)}
        if share == _LOWEST:
            # What is bad with so little is bad with anything between.
            chosen, open_ones = {index: tried[index] for index in good}, good
        else:
            chosen |= {index: tried[index] for index in good}
            open_ones -= good
        if strengths == chosen:
            best = (strengths, attempt)
        if not open_ones:
            break
    if not chosen:
        return restoration
    if best is not None and best[0] == chosen:
        composed = replace(best[1], milliseconds={})  # its time is counted
    else:
        composed = compose(image, projections, replace(controls, strengths=chosen), canvas)
    settled = judged(composed, projections, keep_scenes=keep_scenes)
    faces = tuple(_lowered(outcome, bad.get(outcome.index), chosen) for outcome in settled.faces)
    return replace(settled, faces=faces, milliseconds=_added(restoration, settled))


def judged(
    restoration: Restoration,
    projections: Sequence[FaceProjection],
    *,
    only: Collection[int] | None = None,
    keep_scenes: bool = False,
) -> Restoration:
    """The same with the verdict on each restored face.

    Args:
        restoration: the picture with the faces laid back (`likeness.restore.composing`).
        projections: those that it was made of; a face without one gets no verdict, and none that was coloured or filled.
        only: numbers of the faces to judge; None for all. One that has its verdict keeps it.
        keep_scenes: whether what each verdict was told from is kept (`FaceOutcome.scene`).
    """
    clock = Stopwatch()
    made = {item.index: item for item in projections}
    faces = list(restoration.faces)
    for place, outcome in enumerate(faces):
        item = made.get(outcome.index)
        # Colours and holes that a network was asked to fill are meant to differ.
        if item is not None and (item.task.adds_colour or item.task.only_holes):
            continue
        if item is None or outcome.status != "restored" or outcome.verdict is not None:
            continue
        if only is not None and outcome.index not in only:
            continue
        checkpoint()
        own = Stopwatch()
        told = _verdict(item, restoration.image)
        own.lap("judge")
        faces[place] = replace(outcome, milliseconds={**outcome.milliseconds, **own.laps})
        if told is not None:
            verdict, scene = told
            faces[place] = replace(faces[place], verdict=verdict, scene=scene if keep_scenes else None)
    clock.lap("judge")
    return replace(restoration, faces=tuple(faces), milliseconds={**restoration.milliseconds, **clock.laps})


def _is_bad(outcome: FaceOutcome) -> bool:
    return outcome.verdict is not None and outcome.verdict.level == "bad"


def _left_alone(outcome: FaceOutcome) -> FaceOutcome:
    assert outcome.verdict is not None
    reason = Notice("outcome.bad-left", {"why": outcome.verdict.sentence})
    return FaceOutcome(
        index=outcome.index, face=outcome.face, status="skipped", reason=reason, milliseconds=outcome.milliseconds
    )


def _lowered(outcome: FaceOutcome, bad: FaceOutcome | None, chosen: Mapping[int, float]) -> FaceOutcome:
    """The outcome with what it would have been otherwise among its warnings."""
    if bad is None or bad.verdict is None or outcome.index not in chosen:
        return outcome
    values = {"strength": chosen[outcome.index], "why": bad.verdict.sentence}
    return replace(outcome, warnings=(Notice("outcome.lowered", values), *outcome.warnings))


def _added(first: Restoration, second: Restoration) -> dict[str, float]:
    """Time of both."""
    names = dict.fromkeys((*first.milliseconds, *second.milliseconds))
    return {name: first.milliseconds.get(name, 0.0) + second.milliseconds.get(name, 0.0) for name in names}


def _verdict(item: FaceProjection, after: Image) -> tuple[FaceVerdict, Scene] | None:
    try:
        scene = _scene(item, after)
        return judge_face(scene), scene
    except (ValueError, np.linalg.LinAlgError) as error:  # one face must not cost the others
        _log.warning("face %d could not be judged: %s", item.index + 1, error)
        return None


def _scene(item: FaceProjection, after: Image) -> Scene:
    """As `make_scene`, with what was already measured of the face."""
    alignment = item.alignment
    if alignment.crop_size != SIDE or alignment.template != "ffhq":
        return make_scene(Image(pixels=item.picture), Image(pixels=after.pixels), item.face)
    later = alignment.scaled(after.size)
    valid = valid_mask(alignment)
    scene = Scene(
        before=item.crop,
        after=warp(after.pixels, later),
        points=alignment.to_crop(item.face.landmarks.points).astype(np.float32),
        measured=item.face.landmarks.source == "mesh",
        masks=item.masks,
        valid=valid if after.size == alignment.picture_size else valid * valid_mask(later),
        native_side=alignment.native_side,
        eyes_seen=not are_eyes_hidden(
            item.crop,
            item.masks.masks["glasses"],
            alignment.to_crop(item.face.landmarks.points).astype(np.float32),
            item.resolution.blur,
        ),
    )
    # Both are of the face before: measured once, however often the face is composed and judged.
    vars(scene)["resolution"] = item.resolution
    if scene.measured:
        vars(scene)["followed"] = item.followed
    return scene
