"""The persons of an album as one HTML page, to look at and to correct: no other file, and nothing is sent anywhere."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from likeness.imaging.thumbnail import data_uri
from likeness.reference.albums import Corrections, Person
from likeness.reference.people import Album

__all__ = ["people_page"]

_HOW = (
    "Tick faces, then press a button. <b>One person</b>: the ticked faces show the same person. <b>Somebody else</b>: the "
    "ticked faces are not the person of their group. <b>Never use</b>: the ticked faces lend nothing to others. <b>Save</b> "
    "stores <code>corrections.json</code>; put it beside this page and run <code>likeness people</code> again."
)


def people_page(album: Album, persons: Sequence[Person], corrections: Corrections) -> str:
    """The page's HTML.

    Args:
        album: the faces.
        persons: by group (`Album.persons`).
        corrections: what holds already; the page adds to it.
    """
    place = files("likeness.reference")
    style, script = (place.joinpath(f"people.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    groups = [person for person in persons if len(person.faces) > 1]
    counts = Counter(face.file for face in album.faces.values())

    def shown(key: str) -> str:
        return _face(key, album, corrections, alone=counts[album.faces[key].file] == 1)

    sections = "".join(_section(number, person, shown) for number, person in enumerate(groups, start=1))
    sections += _once([person for person in persons if len(person.faces) == 1], shown)
    known = {
        "merge": [list(row) for row in corrections.merge],
        "split": [list(row) for row in corrections.split],
        "never": sorted(corrections.never),
    }
    # In a script "</" would end it, whatever a file is called.
    data = json.dumps(known, ensure_ascii=False).replace("<", "\\u003c")
    title = f"{len(persons)} persons, {len(album.faces)} faces, {len(album.files)} photographs"
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{style}</style>"
        f"<header><h1>{escape(title)}</h1><p>{_HOW}</p>"
        "<p class='buttons'><button id='merge'>One person</button><button id='split'>Somebody else</button>"
        "<button id='never'>Never use</button><button id='save'>Save</button><output id='said'></output></p></header>"
        f"<main>{sections}</main><script id='corrections' type='application/json'>{data}</script>"
        f"<script>{script}</script></html>"
    )


def _section(number: int, person: Person, shown: Callable[[str], str]) -> str:
    faces = "".join(map(shown, person.faces))
    return f"<section><h2>Person {number} <small>{len(person.faces)} faces</small></h2>{faces}</section>"


def _once(persons: Sequence[Person], shown: Callable[[str], str]) -> str:
    """Everybody of whom there is one face, together: each is a person of its own."""
    if not persons:
        return ""
    faces = "".join(shown(key) for person in persons for key in person.faces)
    count = "1 face" if len(persons) == 1 else f"{len(persons)} faces, each of another person"
    return f"<section data-once><h2>Seen once <small>{count}</small></h2>{faces}</section>"


def _face(key: str, album: Album, corrections: Corrections, *, alone: bool) -> str:
    face = album.faces[key]
    never = " class='never'" if key in corrections.never else ""
    # People count the faces of a photograph from 1.
    name = escape(face.file if alone else f"{face.file}, face {face.number + 1}", quote=True)
    return (
        f"<label{never} title='{name}'><input type='checkbox' data-key='{escape(key, quote=True)}'>"
        f"<img src='{data_uri(face.shown)}' alt=''><span>{name}</span><small>{face.pixels:.0f} px</small></label>"
    )
