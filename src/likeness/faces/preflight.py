"""What is the matter with a picture, before any work: size, pose, eyes, light, background, colours, drawings.

Nothing here refuses anything by itself: who calls acts on the findings' codes and levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from likeness.errors import RawImageError
from likeness.faces.drawing import drawing_score
from likeness.faces.face import Face
from likeness.faces.findings import CODES, Finding, Limits
from likeness.faces.pose import eye_openings, head_pose
from likeness.faces.regions import OVAL_OUTLINE
from likeness.faces.tones import FaceTones, face_tones, face_view
from likeness.imaging.arguments import all_of_type, of_type, picture
from likeness.imaging.colour import is_colourless
from likeness.imaging.exif import is_adobe_rgb
from likeness.imaging.icc import gamut_volume, profile_space
from likeness.imaging.image import Image, Size
from likeness.imaging.origin import NoteCode

__all__ = ["preflight", "unreadable"]

_NOTES: dict[NoteCode, str] = {
    "file-damaged": "the file is damaged ({value}), but no pixel is missing: look at the picture, or copy it again",
    "several-pages": "the file holds {value} pictures, of which one is taken: save the others as files of their own",
    "animated": "the file holds an animation or a film, of which one picture is taken; the result does not move",
    "gain-map": "the file holds a gain map for HDR screens, which is left out; the result looks the same on all screens",
    "hdr": "the file is HDR ({value}); the result is sRGB, and what is brighter than white is cut: export it as SDR if "
    "there is detail in it",
}
"""What each of `Image.notes` says to a person."""

_ORDER = {code: place for place, code in enumerate(CODES)}


def preflight(image: Image, faces: Sequence[Face], limits: Limits | None = None) -> tuple[Finding, ...]:
    """Look at a picture before any work.

    Args:
        image: the picture, as `read_image` gives it.
        faces: the faces in it, in the order in which findings are to number them (`Restorer.find_faces`: reading order).
        limits: from where on something is the matter.

    Returns:
        the findings, gravest kind first (the order of `CODES`), then by face; none if nothing is the matter.
    """
    image, faces = picture("image", image), all_of_type("faces", faces, Face)
    limits = Limits() if limits is None else of_type("limits", limits, Limits)
    found = [*_of_picture(image, len(faces), limits), *_of_file(image, limits), *_of_colours(image, limits)]
    for index, face in enumerate(faces):
        found += _of_face(image, face, index, limits)
    kept = [finding for finding in found if finding.code not in limits.ignore]
    return tuple(sorted(kept, key=lambda finding: (_ORDER[finding.code], finding.face or 0)))


def unreadable(error: Exception | str) -> Finding:
    """The finding for a picture that could not be read, from the error or its sentence."""
    code = "raw" if isinstance(error, RawImageError) else "unreadable"
    return Finding(code=code, level="refuse", message=str(error))


def _finding(
    code: str, message: str, limits: Limits, face: int | None = None, measured: tuple[float, float, str] | None = None
) -> Finding:
    figure, limit, unit = measured or (None, None, "")
    return Finding(
        code=code,
        level=limits.level(code),
        message=message,
        face=face,
        figure=None if figure is None else float(figure),
        limit=limit,
        unit=unit,
    )


def _of_picture(image: Image, count: int, limits: Limits) -> Iterator[Finding]:
    short = min(image.size.width, image.size.height)
    if short < limits.min_side:
        yield _finding(
            "size-small",
            f"the picture is only {image.size} px: ask for a larger one, or the original instead of a preview",
            limits,
            measured=(short, limits.min_side, "px"),
        )
    if count == 0:
        yield _finding(
            "no-face",
            "no face was found: turn the picture upright, cut it closer to the face, or leave it out",
            limits,
            measured=(0, 1, "count"),
        )
    elif count > 1:
        yield _finding(
            "several-faces",
            f"{count} faces were found, and all would be restored: --faces largest or --faces 0,2 takes some of them",
            limits,
            measured=(count, 1, "count"),
        )


def _of_file(image: Image, limits: Limits) -> Iterator[Finding]:
    for note in image.notes:
        message = _NOTES[note.code].format(value=note.value or "several")
        measured = (note.value, 1, "count") if isinstance(note.value, int) else None
        yield _finding(note.code, message, limits, measured=measured)


def _of_colours(image: Image, limits: Limits) -> Iterator[Finding]:
    if image.converted_from == "CMYK":
        yield _finding(
            "cmyk",
            "the file is CMYK, made for print; the result will be sRGB: use the RGB original if there is one",
            limits,
        )
    if image.profile_fault and image.converted_from:
        yield _finding(
            "profile-missing",
            f"{image.profile_fault}: compare the result's colours with a print, or ask for a file with its profile",
            limits,
        )
    elif image.profile_fault:
        yield _finding(
            "profile-damaged",
            f"{image.profile_fault}: its colours are taken as sRGB; save the picture again with a sound profile",
            limits,
        )
    elif image.icc_profile is None and not image.grey and image.converted_from is None and is_adobe_rgb(image.exif):
        yield _finding(
            "profile-missing",
            "the camera says Adobe RGB, but the profile is missing, and colours will look dull: assign Adobe RGB first",
            limits,
        )
    if image.icc_profile is not None and profile_space(image.icc_profile) == "RGB":
        volume = gamut_volume(image.icc_profile)
        if volume is not None and volume > limits.max_gamut:
            yield _finding(
                "wide-gamut",
                "the picture's colour space is wider than sRGB; its colours are kept outside faces, and cut to sRGB where a "
                "face is restored",
                limits,
                measured=(volume, limits.max_gamut, "ratio"),
            )
    # A grid of about 250,000 pixels tells.
    step = max(1, int(np.sqrt(image.size.pixels / 250_000)))
    if image.grey or is_colourless(image.pixels[::step, ::step]):
        yield _finding("grey", "the picture has no colours: the result stays black and white", limits)


def _of_face(image: Image, face: Face, index: int, limits: Limits) -> Iterator[Finding]:
    width = face.box.width
    if width < limits.min_face:
        yield _finding(
            "face-small",
            f"the face is only {width:.0f} px wide, and little of the person is left in it: look at the result, use "
            f"--preset natural, or leave it alone with --min-face {limits.min_face:g}",
            limits,
            index,
            (width, limits.min_face, "px"),
        )
    outside = _outside(face, image.size)
    if outside > limits.max_outside:
        yield _finding(
            "face-cut",
            "part of the face lies outside the picture: use a picture with the whole head",
            limits,
            index,
            (outside, limits.max_outside, "share"),
        )
    if face.landmarks.source == "template":
        yield _finding(
            "face-unclear",
            "eyes and mouth could not be measured, so an average face took their place: look at the result, or leave this "
            "face out with --faces",
            limits,
            index,
        )
    else:
        yield from _of_pose(face, index, limits)
    try:
        view = face_view(image, face)
        tones = face_tones(view)
        score = drawing_score(view)
    except ValueError as error:
        if face.landmarks.source != "template" and outside <= limits.max_outside:
            yield _finding("face-unclear", f"{error}: look at the result, or leave this face out", limits, index)
        return
    yield from _of_light(tones, score, width, index, limits)


def _of_pose(face: Face, index: int, limits: Limits) -> Iterator[Finding]:
    pose = head_pose(face.landmarks)
    if abs(pose.yaw) > limits.max_yaw:
        yield _finding(
            "face-turned",
            f"the head is turned {abs(pose.yaw):.0f} degrees to the {'right' if pose.yaw > 0 else 'left'}, and the far eye "
            "may come out wrong: look at it, or use --preset natural",
            limits,
            index,
            (abs(pose.yaw), limits.max_yaw, "degrees"),
        )
    if abs(pose.pitch) > limits.max_pitch:
        yield _finding(
            "face-tilted",
            f"the head looks {abs(pose.pitch):.0f} degrees {'up' if pose.pitch > 0 else 'down'}, and nose and mouth may "
            "come out wrong: look at them, or use --preset natural",
            limits,
            index,
            (abs(pose.pitch), limits.max_pitch, "degrees"),
        )
    opening = sum(eye_openings(face.landmarks)) / 2
    if opening < limits.min_eye and face.box.width >= limits.min_eye_face:
        yield _finding(
            "eyes-closed",
            "both eyes look closed, and the network may open them: use another picture, or --face-weight eye=0",
            limits,
            index,
            (opening, limits.min_eye, "ratio"),
        )


def _of_light(tones: FaceTones, drawing: float, width: float, index: int, limits: Limits) -> Iterator[Finding]:
    if drawing > limits.max_drawing:
        yield _finding(
            "drawing",
            "the face looks drawn or engraved, and would be pulled toward a photograph: leave it as it is",
            limits,
            index,
            (drawing, limits.max_drawing, "share"),
        )
        return  # paper is no glare, and ink no shadow
    if tones.background_stops > limits.max_background:
        yield _finding(
            "backlit",
            "the light comes from behind and the face is in its own shadow: brighten the face first, then restore it "
            "with --preset low-light",
            limits,
            index,
            (tones.background_stops, limits.max_background, "stops"),
        )
    elif tones.white < limits.min_white:
        yield _finding(
            "face-dark",
            "the face is underexposed: brighten the picture first, then restore it with --preset low-light",
            limits,
            index,
            (tones.white, limits.min_white, "share"),
        )
    if tones.clipped > limits.max_clipped:
        yield _finding(
            "face-bright",
            "the face is overexposed, and its skin holds no texture to keep: develop the raw file darker or scan again",
            limits,
            index,
            (tones.clipped, limits.max_clipped, "share"),
        )
    elif width >= limits.min_eye_face:
        yield from _of_glare(tones, index, limits)
    if tones.background_edges > limits.max_edges:
        yield _finding(
            "background-busy",
            "the background is busy, and hair may melt into it: look at the hair's edge, or use --face-weight hair=0",
            limits,
            index,
            (tones.background_edges, limits.max_edges, "share"),
        )


def _of_glare(tones: FaceTones, index: int, limits: Limits) -> Iterator[Finding]:
    for code, where, share, limit, region in (
        ("glare-forehead", "forehead", tones.forehead_glare, limits.max_forehead_glare, "forehead"),
        ("glare-nose", "nose", tones.nose_glare, limits.max_nose_glare, "nose"),
        ("glare-spectacles", "spectacles or around the eyes", tones.eye_glare, limits.max_eye_glare, "eye"),
    ):
        if share > limit:
            yield _finding(
                code,
                f"a light is reflected on the {where}, and the reflection may change its shape: retouch it first, or use "
                f"--face-weight {region}=0.5",
                limits,
                index,
                (share, limit, "share"),
            )


def _outside(face: Face, size: Size) -> float:
    """Share of the points of the face's outline that lie outside the picture."""
    x, y = face.landmarks.points[list(OVAL_OUTLINE)].T
    return float(((x < -0.5) | (y < -0.5) | (x > size.width - 0.5) | (y > size.height - 0.5)).mean())
