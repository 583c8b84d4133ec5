"""The evidence as one HTML page: the crops side by side, to show to a client and to print. No script, no other file."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np

from likeness.core.files import write_bytes_atomically
from likeness.evidence.figures import FaceEvidence, Figure, Inspection, Verdict
from likeness.evidence.lenders import COLOURS, painted, regions_told
from likeness.imaging.encode import encode_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.imaging.thumbnail import data_uri

__all__ = ["COUNTED", "page", "shown", "write_page"]

_SIDE = 360
"""Side of an enlarged crop on the page, px."""

_WORDS: dict[Verdict, str] = {"good": "Good", "look": "Look", "bad": "Bad", "none": "Not judged"}

COUNTED: dict[Verdict, str] = {"good": "good", "look": "to look at", "bad": "bad", "none": "not judged"}
"""Verdicts after a number."""

_MEANING: dict[str, str] = {
    "face": "Eyes, teeth, hair and skin must be built as real ones are, and no finer than the photograph can say.",
    "hair edge": "Hair fades softly into its surroundings; a saw-tooth or cut-out edge gives a restoration away.",
    "highlights": "Bright skin on forehead and nose is made of small lights and shadows; a flat white patch is not.",
    "iris": "A living iris shows fibres that run outward; a drawn one is an even ring.",
    "skin": "Pores and fine lines that the photograph held must still be there.",
    "identity": "How far apart a face-recognition network finds the two: 0 is the same, persons differ by 0.6 and more.",
    "geometry": "A round face must stay round, a single eyelid single.",
    "colour": "Skin and the whites of the eyes keep their colour.",
    "edges": "No bright lines along edges, and no border where the face was laid back.",
}


def write_page(path: Path, inspection: Inspection, *, before: str, after: str) -> None:
    """Write the page; the file appears complete or not at all.

    Args:
        path: the file.
        inspection: what to show.
        before, after: the pictures' names.

    Raises:
        FileWriteError: if the folder is missing or may not be written to, or the disk is full.
    """
    text = page(inspection, before=before, after=after)
    write_bytes_atomically(text.encode("utf-8", errors="replace"), path)


def page(inspection: Inspection, *, before: str, after: str) -> str:
    """The page's HTML; see `write_page`."""
    style = files("likeness.evidence").joinpath("page.css").read_text(encoding="utf-8")
    names = escape(before), escape(after)
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in inspection.notes)
    faces = "".join(_face(face, alone=len(inspection.faces) == 1) for face in inspection.faces)
    enlarged = f"; the picture after is {inspection.scale:g} times as large" if inspection.scale != 1 else ""
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='color-scheme' content='light dark'>\n"
        f"<title>Evidence: {names[1]}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>Before and after</h1><p><b>{names[0]}</b> became <b>{names[1]}</b>{enlarged}. "
        "What was measured, and the places that show it.</p></header>\n"
        f"<main>{notes}{faces}</main>\n"
        f"<footer>Measured by Likeness {escape(version('likeness'))} on crops of 512 px. Sharper is not truer: a restored "
        "face is no evidence of what somebody looked like.</footer>\n</body>\n</html>\n"
    )


def shown(figure: Figure) -> tuple[str, str]:
    """A figure's values before and after as a person reads them; "-" where there is none."""
    return _value(figure.before, figure.unit), _value(figure.after, figure.unit, signed=figure.name == "stretch")


def _value(value: float | None, unit: str, *, signed: bool = False) -> str:
    if value is None:
        return "-"
    digits = 3 if not unit else 2 if unit in ("px", "levels") else 1
    number = f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"  # + 0.0: no minus zero
    return f"{number}{'%' if unit == '%' else f' {unit}' if unit else ''}"


def _face(face: FaceEvidence, *, alone: bool) -> str:
    title = "The face" if alone else f"Face {face.index + 1}"
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in face.notes)
    whole = Box(0.0, 0.0, 512.0, 512.0)
    groups: dict[str, list[Figure]] = {}
    for figure in face.figures:
        groups.setdefault(figure.group, []).append(figure)
    summary = "".join(
        _row(figure, first=figure is figures[0], rows=len(figures)) for figures in groups.values() for figure in figures
    )
    sections = "".join(_group(face, name, figures) for name, figures in groups.items())
    counts = ", ".join(f"{face.count(verdict)} {words}" for verdict, words in COUNTED.items() if face.count(verdict))
    return (
        f"<article><h2>{title}</h2>"
        f"<p>{face.box.width:.0f} px wide in the picture before. {len(face.figures)} figures: {counts}.</p>{notes}"
        f"{_pair(face, whole, 'the whole face', large=True)}{_lent(face)}"
        "<table><caption>All figures</caption><thead><tr><th scope='col'>Group</th><th scope='col'>Figure</th>"
        "<th scope='col' class='n'>Before</th><th scope='col' class='n'>After</th><th scope='col'>Verdict</th>"
        f"<th scope='col'>In words</th></tr></thead><tbody>{summary}</tbody></table>"
        f"{sections}</article>\n"
    )


def _row(figure: Figure, *, first: bool, rows: int) -> str:
    before, after = shown(figure)
    group = f"<th scope='rowgroup' rowspan='{rows}'>{escape(figure.group.capitalize())}</th>" if first else ""
    return (
        f"<tr>{group}<th scope='row'>{escape(figure.title)}</th><td class='n'>{before}</td><td class='n'>{after}</td>"
        f"<td>{_badge(figure.verdict)}</td><td>{escape(figure.sentence)}</td></tr>"
    )


def _badge(verdict: Verdict) -> str:
    return f"<span class='badge {verdict}'>{_WORDS[verdict]}</span>"


def _group(face: FaceEvidence, name: str, figures: list[Figure]) -> str:
    """A group's heading, its figures in words, and each place that shows one of them, once."""
    lines = "".join(
        f"<li>{_badge(figure.verdict)} <b>{escape(figure.title)}</b>: {escape(figure.sentence)}</li>"
        for figure in figures
    )
    places: dict[Box, list[str]] = {}
    for figure in figures:
        for box in figure.boxes:
            places.setdefault(box, []).append(figure.title.lower())
    pairs = "".join(_pair(face, box, ", ".join(titles)) for box, titles in places.items())
    return (
        f"<section><h3>{escape(name.capitalize())}</h3><p>{_MEANING[name]}</p><ul>{lines}</ul>"
        f"<div class='pairs'>{pairs}</div></section>"
    )


def _lent(face: FaceEvidence) -> str:
    """What came from other photographs, and from which where."""
    if not face.lenders:
        return ""
    rows = "".join(
        f"<li><svg viewBox='0 0 12 12' aria-hidden='true'><rect width='12' height='12' rx='3' fill='{colour}'/></svg> "
        f"<b>{escape(lender.name)}</b>: {escape(regions_told(lender.regions))}</li>"
        for lender, colour in zip(face.lenders, COLOURS, strict=False)
    )
    whole = Box(0.0, 0.0, 512.0, 512.0)
    picture = _picture(painted(face.after, face.lenders), whole, large=True)
    return (
        "<section><h3>From other photographs</h3><p>Detail in the coloured places is another photograph's, the more the "
        f"stronger the colour; light and colours are this photograph's.</p><ul class='lenders'>{rows}</ul>"
        f"<figure class='map'><img src='{picture}' alt='where detail came from' width='{_SIDE}' height='{_SIDE}'></figure>"
        "</section>"
    )


def _pair(face: FaceEvidence, box: Box, subject: str, *, large: bool = False) -> str:
    cells = "".join(
        f"<div><img src='{_picture(pixels, box, large=large)}' alt='{escape(subject)}, {moment}' width='{_SIDE}' "
        f"height='{_SIDE}'><span>{moment.capitalize()}</span></div>"
        for moment, pixels in (("before", face.before), ("after", face.after))
    )
    caption = escape(subject[:1].upper() + subject[1:])
    return f"<figure><div class='pair'>{cells}</div><figcaption>{caption}</figcaption></figure>"


def _picture(pixels: Pixels, box: Box, *, large: bool) -> str:
    """A part of a crop as a data URI, enlarged by cubic interpolation, the same way before and after."""
    rows, columns = box.to_slices()
    part = np.ascontiguousarray(pixels[rows, columns])
    side = 512 if large else _SIDE * 2 if box.width > _SIDE else _SIDE
    if part.shape[0] != side:
        part = np.clip(resize(part, Size(side, side), "cubic"), 0.0, 1.0)
    data = encode_image(Image(pixels=part.astype(np.float32)), "JPEG", quality=90)
    return data_uri(data)
