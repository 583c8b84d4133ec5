"""A proof as one HTML page: a slider between before and after, and the enlarged places. It needs no other file."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image, Pixels
from likeness.imaging.thumbnail import data_uri
from likeness.studio.answers import Asking, bar, buttons, script
from likeness.studio.captions import Words
from likeness.studio.proof import Detail, LentMap, Proof, Section, sections

__all__ = ["proof_page"]

_QUALITY = 88

# A range input under the picture's whole area: mouse, touch and keyboard come with it, and screen readers know it.
_SCRIPT = """\
for (const box of document.querySelectorAll(".compare")) {
  const input = box.querySelector("input");
  const show = () => {
    box.style.setProperty("--at", input.value + "%");
    input.setAttribute("aria-valuetext", input.dataset.text.replace("{percent}", Math.round(input.value)));
  };
  input.addEventListener("input", show);
  show();
}
"""

_ARROWS = (
    "<svg viewBox='0 0 44 44' aria-hidden='true'><path d='M17 15l-7 7 7 7M27 15l7 7-7 7' fill='none' stroke='#222' "
    "stroke-width='2.4' stroke-linecap='round' stroke-linejoin='round'/></svg>"
)


def proof_page(proof: Proof, asking: Asking | None = None, *, index: str = "") -> str:
    """The page's HTML, in the language of the proof; light or dark as the reader's system is.

    Args:
        proof: what it shows.
        asking: whom it asks for an answer; None asks nobody.
        index: the page of all proofs among which it is, relative to this one; "" if it stands alone.
    """
    words, options = Words(language=proof.options.language), proof.options
    style = files("likeness.studio").joinpath("proof.css").read_text(encoding="utf-8")
    title = words("proof.title", {"name": proof.name})
    studio = f"<p class='studio'>{escape(options.studio)}</p>" if options.studio else ""
    details = "".join(_section(section, words) for section in sections(proof)) + _maps(proof, words)
    kept = f"<p class='kept'>{escape(proof.captions.kept)}</p>" if proof.captions.kept else ""
    figures = proof.captions.figures
    if figures:
        kept += f"<details><summary>{escape(words('answers.figures'))}</summary><p>{escape(figures)}</p></details>"
    answer = end = ""
    if asking is not None:
        answer = f"<h2 class='asked'>{escape(words('answers.title'))}</h2>{buttons(proof.name, words)}\n"
        details += bar(asking, words, index=index)
        end = script(asking, {proof.name: proof.mark}, words)
    return (
        f"<!doctype html>\n<html lang='{words.tag}'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>{studio}<h1>{escape(title)}</h1></header>\n<main>\n"
        f"{_slider(proof, words)}\n"
        f"<div class='captions'><p class='done'>{escape(proof.captions.done)}</p>{kept}</div>\n"
        f"{answer}{details}</main>\n<footer><p>{escape(words('proof.small-print'))}</p></footer>\n"
        f"<script>\n{_SCRIPT}</script>\n{end}</body>\n</html>\n"
    )


def _slider(proof: Proof, words: Words) -> str:
    height, width = proof.before.shape[:2]
    before, after = words("proof.before"), words("proof.after")
    size = f"width='{width}' height='{height}' draggable='false'"
    pictures = "".join(
        f"<img class='{place}' src='{_data(pixels)}' alt='{escape(text)}' {size}>"
        for place, pixels, text in (("second", proof.after, after), ("first", proof.before, before))
    )
    # Its script puts the number in.
    position = words("proof.position", {"percent": "{percent}"})
    return (
        f"<div class='compare' style='--ratio: {width / height:.5f}; --width: {width}px'>{pictures}"
        f"<span class='tag one' aria-hidden='true'>{escape(before)}</span>"
        f"<span class='tag two' aria-hidden='true'>{escape(after)}</span>"
        f"<div class='handle'>{_ARROWS}</div>"
        f"<input type='range' min='0' max='100' step='1' value='50' aria-label='{escape(words('proof.slider'))}' "
        f"data-text='{escape(position)}'></div>\n<p class='hint'>{escape(words('proof.hint'))}</p>"
    )


def _section(section: Section, words: Words) -> str:
    figures = "".join(_figure(label, detail, words) for label, detail in section.details)
    return f"<section><h2>{escape(section.title)}</h2><div class='details'>{figures}</div></section>\n"


def _maps(proof: Proof, words: Words) -> str:
    """Where detail came from; "" where no other photograph lent any."""
    if not proof.maps:
        return ""
    title, note = escape(words("lent.map")), escape(words("lent.map-note"))
    figures = "".join(_map(one, title, words) for one in proof.maps)
    return f"<section><h2>{title}</h2><p class='what'>{note}</p><div class='details'>{figures}</div></section>\n"


def _map(lent: LentMap, title: str, words: Words) -> str:
    height, width = lent.picture.shape[:2]
    rows = "".join(
        f"<p><svg viewBox='0 0 12 12' aria-hidden='true'><rect width='12' height='12' rx='3' fill='{colour}'/></svg> "
        f"{escape(told.say(words.language))}</p>"
        for colour, told in lent.legend
    )
    return (
        f"<figure><div class='pair'><div><img src='{_data(lent.picture)}' alt='{title}' width='{width}' "
        f"height='{height}'></div></div><figcaption class='lenders'>{rows}</figcaption></figure>"
    )


def _figure(name: str, detail: Detail, words: Words) -> str:
    note = "" if detail.name == "face" else escape(words(f"proof.note.{detail.name}"))
    height, width = detail.before.shape[:2]
    cells = "".join(
        f"<div><img src='{_data(pixels)}' alt='{escape(f'{name}, {moment}')}' width='{width}' height='{height}'>"
        f"<span aria-hidden='true'>{escape(moment)}</span></div>"
        for moment, pixels in ((words("proof.before"), detail.before), (words("proof.after"), detail.after))
    )
    return f"<figure><div class='pair'>{cells}</div><figcaption><b>{escape(name)}</b> {note}</figcaption></figure>"


def _data(pixels: Pixels) -> str:
    """Pixels as a data URI."""
    data = encode_image(Image(pixels=pixels), "JPEG", quality=_QUALITY)
    return data_uri(data)
