"""The index of a folder of proofs: one page with a small before and after for each, which leads to its proof."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from likeness.imaging.image import Image
from likeness.imaging.thumbnail import data_uri, thumbnail
from likeness.studio.answers import Asking, bar, buttons, script
from likeness.studio.captions import Words
from likeness.studio.proof import Proof, ProofOptions

__all__ = ["INDEX", "IndexEntry", "entry_of", "index_page", "is_index"]

INDEX = "index.html"
"""Its name in the folder."""

_MARK = "<meta name='generator' content='Likeness proofs'>"
"""By which an index of ours is known, so that no other page of that name is replaced."""

_SIDE = 240
"""Longer side of its pictures, px."""


@dataclass(frozen=True, kw_only=True)
class IndexEntry:
    """One proof.

    Attributes:
        name: the picture's.
        link: its page, or its sheet if there is none, relative to the index; "/" between folders.
        before, after: small JPEGs, with the proof's watermark.
        kept: what was kept, in plain words.
        mark: `Proof.mark`.
    """

    name: str
    link: str
    before: bytes
    after: bytes
    kept: str
    mark: str


def entry_of(proof: Proof, link: str) -> IndexEntry:
    """The entry of a proof that was made."""
    before, after = (thumbnail(Image(pixels=pixels), side=_SIDE) for pixels in (proof.before, proof.after))
    return IndexEntry(
        name=proof.name,
        link=link,
        before=before,
        after=after,
        kept=proof.captions.kept or proof.captions.done,
        mark=proof.mark,
    )


def index_page(entries: Sequence[IndexEntry], options: ProofOptions, asking: Asking | None = None) -> str:
    """The page's HTML, in the language of the proofs; light or dark as the reader's system is.

    Args:
        entries: in the order in which they are shown.
        options: of the proofs.
        asking: whom it asks for answers; None asks nobody.
    """
    words = Words(language=options.language)
    style = files("likeness.studio").joinpath("proof.css").read_text(encoding="utf-8")
    title = words("proof.index-one" if len(entries) == 1 else "proof.index", {"count": len(entries)})
    studio = f"<p class='studio'>{escape(options.studio)}</p>" if options.studio else ""
    client = f"<p class='client'>{escape(asking.client)}</p>" if asking is not None and asking.client else ""
    cards = "".join(_card(entry, words, asks=asking is not None) for entry in entries)
    ask = end = ""
    if asking is not None:
        ask, end = bar(asking, words), script(asking, {entry.name: entry.mark for entry in entries}, words)
    return (
        f"<!doctype html>\n<html lang='{words.tag}'>\n<head>\n<meta charset='utf-8'>\n{_MARK}\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>{studio}{client}<h1>{escape(title)}</h1></header>\n<main>\n"
        f"<div class='proofs'>\n{cards}</div>\n{ask}</main>\n"
        f"<footer><p>{escape(words('proof.small-print'))}</p></footer>\n{end}</body>\n</html>\n"
    )


def is_index(path: Path) -> bool:
    """Whether this file is an index that an earlier run wrote.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace") as stream:
        return _MARK in stream.read(400)


def _card(entry: IndexEntry, words: Words, *, asks: bool) -> str:
    cells = "".join(
        f"<span><img loading='lazy' src='{data_uri(data)}' alt='{escape(f'{entry.name}, {moment}')}'></span>"
        for moment, data in ((words("proof.before"), entry.before), (words("proof.after"), entry.after))
    )
    said = f" <span class='what'>{escape(entry.kept)}</span>" if entry.kept else ""
    return (
        f"<article class='card'><a data-carry href='{quote(os.fsencode(entry.link))}'><span class='small'>{cells}</span>"
        f"<b>{escape(entry.name)}</b>{said}</a>{buttons(entry.name, words) if asks else ''}</article>\n"
    )
