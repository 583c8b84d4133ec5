"""A comparison to look at: one page for each picture, with crops that zoom together, and one sheet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from likeness.evaluation.comparison import INPUT, Compared, Comparison, Summary
from likeness.faces.align import TEMPLATE_SIZE
from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image, Pixels
from likeness.imaging.thumbnail import data_uri

__all__ = ["SHOWN", "comparison_page", "comparison_sheet", "in_figures", "named"]

SHOWN: dict[str, tuple[str, str]] = {
    "size": ("Size, px", "side of the faces that the network takes and draws"),
    "seconds": ("Seconds", "of a photograph, median, all its faces, verdicts included"),
    "megabytes": ("Memory, MB", "the most that the program held while this network ran"),
    "identity": ("Identity", "to the photograph's own face: 1 is the same, strangers lie under 0.5"),
    "least": (
        "Least identity",
        "that of the face which moved the furthest: what to expect at worst over many pictures",
    ),
    "sharpness": ("Sharpness, px", "how many pixels across the face holds, of 512"),
    "texture": ("Texture, levels", "skin finer than 2 px, of 255 levels; the photograph's own includes its noise"),
    "accepted": ("Accepted, %", "ratings of 4 or 5 in a blind review, of all that were given"),
}
"""Figures of the table: title, and what it says."""

_OF_ALL = ("size", "megabytes", "least", "accepted")
"""Figures of a network over all pictures, not of a face."""

_DIGITS = {"seconds": 2, "megabytes": 0, "identity": 3, "least": 3, "sharpness": 0, "texture": 2}
_QUALITY = 92
_GAP, _CAPTION = 8, 30
_GROUND, _INK = (64, 64, 64), (235, 235, 235)
_MOST_FACES = 6


def named(item: Compared | Summary) -> str:
    """What a result is called."""
    return INPUT if item.entrant is None else item.entrant.name


def comparison_page(comparison: Comparison, picture: str, missing: Mapping[str, str] = MappingProxyType({})) -> str:
    """The page of one picture, as HTML that needs no other file.

    Args:
        comparison: what was found.
        picture: which.
        missing: the networks that were asked for and are not here, each with the sentence that says what to do.
    """
    folder = files("likeness.evaluation")
    style = folder.joinpath("comparison.css").read_text(encoding="utf-8")
    script = folder.joinpath("comparison.js").read_text(encoding="utf-8")
    own = comparison.of(picture)
    faces = sorted({item.face for item in own if item.face is not None})
    sections = "".join(_face([item for item in own if item.face == face], face, len(faces)) for face in faces)
    failures = "".join(
        f"<li><b>{escape(named(item))}</b>: {escape(item.reason)}</li>" for item in own if item.face is None
    )
    absent = "".join(f"<li><b>{escape(name)}</b>: {_with_code(why)}</li>" for name, why in missing.items())
    not_compared = f"<section><h2>Not compared</h2><ul>{absent}</ul></section>" if absent else ""
    failed = f"<section><h2>Failed</h2><ul>{failures}</ul></section>" if failures else ""
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='color-scheme' content='light dark'>\n"
        f"<title>Comparison: {escape(picture)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(picture)}</h1><p>Every face in the same crop of 512 px. Zoom with the wheel, two fingers or "
        "the buttons, and drag: all crops move together.</p></header>\n"
        "<div class='tools' role='toolbar' aria-label='Zoom'><button type='button' data-zoom='out'>&minus;</button>"
        "<output>100%</output><button type='button' data-zoom='in'>+</button>"
        "<button type='button' data-zoom='fit'>Whole</button>"
        "<button type='button' data-zoom='actual'>Full size</button></div>\n"
        f"<main>{sections}{failed}{_table(comparison)}{not_compared}</main>\n"
        f"<footer>Made by Likeness {escape(version('likeness'))}. Sharper is not truer: what the photograph does not hold, "
        f"every network invents.</footer>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _with_code(sentence: str) -> str:
    """A sentence as HTML, what stands in backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(sentence))


def comparison_sheet(comparison: Comparison, picture: str) -> Image:
    """All crops of one picture's faces in a grid: a row for each face, at most six, the photograph's first.

    Raises:
        ValueError: if nothing of the picture can be shown.
    """
    own = [item for item in comparison.of(picture) if item.crop is not None]
    faces = sorted({item.face for item in own if item.face is not None})[:_MOST_FACES]
    if not faces:
        raise ValueError(f"there is no crop of {picture}")
    columns = (None, *comparison.entrants)
    step, height = TEMPLATE_SIZE + _GAP, TEMPLATE_SIZE + _CAPTION + _GAP
    canvas = PillowImage.new("RGB", (len(columns) * step + _GAP, len(faces) * height + _GAP), _GROUND)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=18)
    for row, face in enumerate(faces):
        for column, entrant in enumerate(columns):
            left, top = _GAP + column * step, _GAP + row * height
            found = [item for item in own if item.face == face and item.entrant == entrant]
            label = INPUT if entrant is None else entrant.name
            draw.text((left, top + 4), label, fill=_INK, font=font)
            for item in found:
                crop = Image(pixels=_clipped(item.crop)).to_uint8()
                canvas.paste(PillowImage.fromarray(crop), (left, top + _CAPTION))
    return Image.from_array(np.asarray(canvas))


def _face(items: Sequence[Compared], face: int, count: int) -> str:
    heading = f"<h2>Face {face + 1}</h2>" if count > 1 else ""
    return f"<section>{heading}<div class='tiles'>{''.join(map(_tile, items))}</div></section>\n"


def _tile(item: Compared) -> str:
    name = escape(named(item))
    lines = [f"<b>{name}</b>"]
    if item.level:
        lines.append(f"<span class='badge {item.level}'>{item.level.capitalize()}</span>")
    facts = [
        f"{title.partition(',')[0].lower()} {in_figures(getattr(item, key), key)}"
        for key, (title, _) in SHOWN.items()
        if key not in _OF_ALL and getattr(item, key) is not None and (item.entrant is not None or key != "identity")
    ]
    caption = f"<span class='name'>{' '.join(lines)}</span><span>{escape(', '.join(facts))}</span>"
    if item.reason:
        caption += f"<span>{escape(item.reason)}</span>"
    if item.crop is None:
        return f"<figure><div class='none'>{escape(item.status)}</div><figcaption>{caption}</figcaption></figure>"
    jpeg = data_uri(encode_image(Image(pixels=_clipped(item.crop)), "JPEG", quality=_QUALITY))
    side = TEMPLATE_SIZE
    return (
        f"<figure><div class='view' tabindex='0' aria-label='{name}'><img src='{jpeg}' alt='{name}' width='{side}' "
        f"height='{side}' draggable='false'></div><figcaption>{caption}</figcaption></figure>"
    )


def _table(comparison: Comparison) -> str:
    # Without a review nobody has accepted or refused anything.
    shown = {key: said for key, said in SHOWN.items() if key != "accepted" or comparison.accepted}
    heads = "".join(f"<th scope='col' class='n'>{title}</th>" for title, _ in shown.values())
    rows: list[str] = []
    for line in comparison.summaries():
        cells = "".join(f"<td class='n'>{in_figures(getattr(line, key), key)}</td>" for key in shown)
        counts = (
            "<td class='n'></td><td></td>"
            if line.entrant is None
            else f"<td class='n'>{line.failed}</td><td>{line.good} good, {line.look} to look at, {line.bad} bad</td>"
        )
        rows.append(f"<tr><th scope='row'>{escape(named(line))}</th>{cells}{counts}</tr>")
    meaning = "".join(f"<dt>{title}</dt><dd>{text}</dd>" for title, text in shown.values())
    return (
        "<section><h2>All pictures</h2><div class='scroll' tabindex='0' role='region' aria-label='All figures'><table>"
        f"<thead><tr><th scope='col'>Network, preset</th>{heads}<th scope='col' class='n'>Failed</th>"
        f"<th scope='col'>Verdicts</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div><dl>{meaning}</dl></section>"
    )


def in_figures(value: float | None, key: str) -> str:
    """A figure of the table as a person reads it; "-" where there is none."""
    return "-" if value is None else f"{value:.{_DIGITS.get(key, 0)}f}"


def _clipped(crop: Pixels | None) -> Pixels:
    assert crop is not None
    return np.clip(crop, 0.0, 1.0, dtype=np.float32)
