"""What is the matter with a picture, before any work: size, pose, eyes, light, background, colours, drawings.

Nothing here refuses anything by itself: who calls acts on the findings' codes and levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from likeness.errors import RawImageError
from likeness.faces.drawing import drawing_score
from likeness.faces.effective_resolution import face_resolution
from likeness.faces.face import Face
from likeness.faces.findings import CODES, Finding, Limits
from likeness.faces.outlines import OVAL_OUTLINE
from likeness.faces.pose import eye_openings, head_pose
from likeness.faces.tones import FaceTones, face_tones, face_view
from likeness.imaging.accepting import ImageInput, any_picture
from likeness.imaging.arguments import all_of_type, of_type
from likeness.imaging.colour import is_colourless
from likeness.imaging.exif import is_adobe_rgb
from likeness.imaging.icc import gamut_volume, profile_space
from likeness.imaging.image import Image, Size
from likeness.imaging.origin import Note
from likeness.messages.notice import Notice, Value, notice_of

__all__ = ["preflight", "unreadable"]

_BLURRED = 1.5
"""A face has so many times the pixels, a side, that it holds before it is called blurred."""

_LYING = 55.0
"""Degrees from which on a head leans so far that the picture lies on its side: further than one leans on a shoulder."""

_ORDER = {code: place for place, code in enumerate(CODES)}


def preflight(image: ImageInput, faces: Sequence[Face], limits: Limits | None = None) -> tuple[Finding, ...]:
    """Look at a picture before any work.

    Args:
        image: the picture, as `read_image` gives it, or its file.
        faces: the faces in it, in the order in which findings are to number them (`Restorer.find_faces`: reading order).
        limits: from where on something is the matter.

    Returns:
        the findings, gravest kind first (the order of `CODES`), then by face; none if nothing is the matter.
    """
    image, faces = any_picture("image", image), all_of_type("faces", faces, Face)
    limits = Limits() if limits is None else of_type("limits", limits, Limits)
    found = [*_of_picture(image, faces, limits), *_of_file(image, limits), *_of_colours(image, limits)]
    for index, face in enumerate(faces):
        found += _of_face(image, face, index, limits)
    kept = [finding for finding in found if finding.code not in limits.ignore]
    return tuple(sorted(kept, key=lambda finding: (_ORDER[finding.code], finding.face or 0)))


def unreadable(error: Exception | str) -> Finding:
    """The finding for a picture that could not be read, from the error or its sentence."""
    code = "raw" if isinstance(error, RawImageError) else "unreadable"
    return Finding(code=code, level="refuse", message=Notice.of(error) if isinstance(error, str) else notice_of(error))


def _finding(
    notice: Notice, limits: Limits, face: int | None = None, measured: tuple[float, float, str] | None = None
) -> Finding:
    """A finding from its sentence, whose code is "finding.", the finding's own, and "." with a variant where it has some."""
    code = notice.code.split(".")[1]
    figure, limit, unit = measured or (None, None, "")
    return Finding(
        code=code,
        level=limits.level(code),
        message=notice,
        face=face,
        figure=None if figure is None else float(figure),
        limit=limit,
        unit=unit,
    )


def _of_picture(image: Image, faces: Sequence[Face], limits: Limits) -> Iterator[Finding]:
    count = len(faces)
    short = min(image.size.width, image.size.height)
    if short < limits.min_side:
        said = Notice("finding.size-small", {"size": str(image.size), "side": short})
        yield _finding(said, limits, measured=(short, limits.min_side, "px"))
    if count == 0:
        yield _finding(Notice("finding.no-face"), limits, measured=(0, 1, "count"))
    elif count > 1:
        yield _finding(Notice("finding.several-faces", {"count": count}), limits, measured=(count, 1, "count"))
    leans = [head_pose(face.landmarks).roll for face in faces if face.landmarks.source != "template"]
    for turn in (90, 180, 270):  # clockwise, to bring it upright
        agree = [lean for lean in leans if abs((lean + turn + 180) % 360 - 180) < 90 - _LYING]
        if 2 * len(agree) > count:
            said = Notice("finding.sideways.over" if turn == 180 else "finding.sideways.side", {"turn": turn})
            lean = float(np.median(np.abs(agree)))
            yield _finding(said, limits, measured=(lean, _LYING, "degrees"))


def _of_file(image: Image, limits: Limits) -> Iterator[Finding]:
    for note in image.notes:
        measured = (note.value, 1, "count") if isinstance(note.value, int) else None
        yield _finding(_of_note(note), limits, measured=measured)


def _of_note(note: Note) -> Notice:
    """What a note of reading says to a person."""
    match note.code:
        case "file-damaged":
            return Notice("finding.file-damaged", {"fault": note.value})
        case "several-pages":
            return Notice("finding.several-pages", {"pages": note.value or "several"})
        case "animated":
            return Notice("finding.animated")
        case "gain-map":
            return Notice("finding.gain-map")
        case "hdr":
            return Notice("finding.hdr", {"curve": note.value})


def _of_colours(image: Image, limits: Limits) -> Iterator[Finding]:
    fault = {"fault": image.profile_fault}
    if image.converted_from == "CMYK":
        yield _finding(Notice("finding.cmyk"), limits)
    if image.profile_fault and image.converted_from:
        yield _finding(Notice("finding.profile-missing", fault), limits)
    elif image.profile_fault:
        yield _finding(Notice("finding.profile-damaged", fault), limits)
    elif image.icc_profile is None and not image.grey and image.converted_from is None and is_adobe_rgb(image.exif):
        yield _finding(Notice("finding.profile-missing.adobe-rgb"), limits)
    if image.icc_profile is not None and profile_space(image.icc_profile) == "RGB":
        volume = gamut_volume(image.icc_profile)
        if volume is not None and volume > limits.max_gamut:
            yield _finding(Notice("finding.wide-gamut"), limits, measured=(volume, limits.max_gamut, "ratio"))
    # A grid of about 250,000 pixels tells.
    step = max(1, int(np.sqrt(image.size.pixels / 250_000)))
    if image.grey or is_colourless(image.pixels[::step, ::step]):
        yield _finding(Notice("finding.grey"), limits)


def _of_face(image: Image, face: Face, index: int, limits: Limits) -> Iterator[Finding]:
    width = face.box.width
    if width < limits.min_face:
        said = Notice("finding.face-small", {"width": width, "limit": limits.min_face})
        yield _finding(said, limits, index, (width, limits.min_face, "px"))
    else:
        yield from _of_detail(image, face, index, limits)
    outside = _outside(face, image.size)
    if outside > limits.max_outside:
        said = Notice("finding.face-cut", {"outside": outside})
        yield _finding(said, limits, index, (outside, limits.max_outside, "share"))
    if face.landmarks.source == "template":
        yield _finding(Notice("finding.face-unclear"), limits, index)
    else:
        yield from _of_pose(face, index, limits)
    try:
        view = face_view(image, face)
        tones = face_tones(view)
        score = drawing_score(view)
    except ValueError as error:
        if face.landmarks.source != "template" and outside <= limits.max_outside:
            yield _finding(Notice("finding.face-unclear.tones", {"reason": notice_of(error)}), limits, index)
        return
    yield from _of_light(tones, score, width, index, limits)


def _of_detail(image: Image, face: Face, index: int, limits: Limits) -> Iterator[Finding]:
    try:
        held = face_resolution(image, face)
    except ValueError:  # points that allow no crop: the mesh and the outline have their own findings
        return
    if held.narrowest < limits.min_held and held.native_side > _BLURRED * held.pixels:
        said = Notice("finding.blur", {"held": held.narrowest})
        yield _finding(said, limits, index, (held.narrowest, limits.min_held, "px"))


def _of_pose(face: Face, index: int, limits: Limits) -> Iterator[Finding]:
    pose = head_pose(face.landmarks)
    if abs(pose.yaw) > limits.max_yaw:
        turned = "finding.face-turned.right" if pose.yaw > 0 else "finding.face-turned.left"
        said = Notice(turned, {"degrees": abs(pose.yaw)})
        yield _finding(said, limits, index, (abs(pose.yaw), limits.max_yaw, "degrees"))
    if abs(pose.pitch) > limits.max_pitch:
        tilted = "finding.face-tilted.up" if pose.pitch > 0 else "finding.face-tilted.down"
        said = Notice(tilted, {"degrees": abs(pose.pitch)})
        yield _finding(said, limits, index, (abs(pose.pitch), limits.max_pitch, "degrees"))
    opening = sum(eye_openings(face.landmarks)) / 2
    if opening < limits.min_eye and face.box.width >= limits.min_eye_face:
        yield _finding(Notice("finding.eyes-closed"), limits, index, (opening, limits.min_eye, "ratio"))


def _of_light(tones: FaceTones, drawing: float, width: float, index: int, limits: Limits) -> Iterator[Finding]:
    def found(
        code: str, share: float, limit: float, unit: str = "share", values: Mapping[str, Value] | None = None
    ) -> Finding:
        return _finding(Notice(code, values), limits, index, (share, limit, unit))

    if drawing > limits.max_drawing:
        yield found("finding.drawing", drawing, limits.max_drawing)
        return  # paper is no glare, and ink no shadow
    stops, white = tones.background_stops, tones.white
    if stops > limits.max_background:
        yield found("finding.backlit", stops, limits.max_background, "stops", {"stops": stops})
    elif white < limits.min_white:
        yield found("finding.face-dark", white, limits.min_white)
    if tones.clipped > limits.max_clipped:
        yield found("finding.face-bright", tones.clipped, limits.max_clipped, values={"clipped": tones.clipped})
    elif width >= limits.min_eye_face:
        for code, share, limit in (
            ("finding.glare-forehead", tones.forehead_glare, limits.max_forehead_glare),
            ("finding.glare-nose", tones.nose_glare, limits.max_nose_glare),
            ("finding.glare-spectacles", tones.eye_glare, limits.max_eye_glare),
        ):
            if share > limit:
                yield found(code, share, limit)
    if tones.background_edges > limits.max_edges:
        yield found("finding.background-busy", tones.background_edges, limits.max_edges)


def _outside(face: Face, size: Size) -> float:
    """Share of the points of the face's outline that lie outside the picture."""
    x, y = face.landmarks.points[list(OVAL_OUTLINE)].T
    return float(((x < -0.5) | (y < -0.5) | (x > size.width - 0.5) | (y > size.height - 0.5)).mean())
