"""The summary as one HTML page: what needs a person first, with thumbnails. No script, no other file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from likeness.batch.groups import items_of
from likeness.batch.journal import Item, Journal, State
from likeness.imaging.thumbnail import data_uri
from likeness.messages.notice import Notice
from likeness.restore.report import done_to_picture, drawn_anew, level_of

__all__ = ["summary_page"]

_MOST = 1000
"""Pictures on a page, those that need a person first: a browser is slow with more, and the CSV has them all."""

_FEW = 60
"""So many delivered pictures are shown at once; more are folded away until they are asked for."""

_SECTIONS: tuple[tuple[str, str, str, bool], ...] = (
    (
        "review",
        "To review",
        "Restored, but doubtful. They are in the folder review: look at each, and move what may go out to final.",
        True,
    ),
    ("failed", "Failed", "An error: the reason says what to do.", True),
    ("skipped", "Left alone", "Refused before any work, or without a face to restore; nothing was written.", True),
    ("waiting", "Not done yet", "The run was broken off before them; run the same command again.", True),
    (
        "warned",
        "Delivered, worth a look",
        "Restored into final; preflight found something, or a face came out so, that an eye should see it.",
        True,
    ),
    ("final", "Delivered", "Restored into final; nothing was found.", False),
)
"""Name, title, what it means, and whether it is open however many there are."""

_WORDS: dict[State, tuple[str, str]] = {
    "queued": ("Waiting", "none"),
    "running": ("Waiting", "none"),
    "final": ("Delivered", "good"),
    "review": ("Review", "look"),
    "skipped": ("Left alone", "none"),
    "failed": ("Failed", "bad"),
}

_FOUND: dict[str, str] = {
    "unreadable": "Cannot be read",
    "raw": "Raw file",
    "size-small": "Picture too small",
    "no-face": "No face",
    "several-faces": "Several faces",
    "sideways": "On its side or upside down",
    "face-small": "Small face",
    "blur": "Blurred",
    "face-cut": "Face cut off",
    "face-unclear": "Eyes and mouth unclear",
    "face-turned": "Head turned away",
    "face-tilted": "Head looks up or down",
    "eyes-closed": "Eyes closed",
    "face-dark": "Underexposed",
    "face-bright": "Overexposed",
    "backlit": "Light from behind",
    "glare-forehead": "Glare on the forehead",
    "glare-nose": "Glare on the nose",
    "glare-spectacles": "Glare on spectacles",
    "drawing": "Drawing or engraving",
    "background-busy": "Busy background",
    "file-damaged": "Damaged file",
    "several-pages": "Several pictures in one file",
    "animated": "Animation",
    "gain-map": "HDR gain map",
    "hdr": "HDR",
    "cmyk": "CMYK",
    "profile-damaged": "Damaged colour profile",
    "profile-missing": "No colour profile",
    "wide-gamut": "Colours beyond sRGB",
    "grey": "Black and white",
}
"""What the page calls each of `likeness.faces.findings.CODES`; the codes themselves are in summary.csv and summary.json."""

_VERDICTS = {"look": "Worth a look", "bad": "Came out bad"}


def summary_page(journal: Journal, run: Mapping[str, Any], *, model: str) -> str:
    """The page's HTML.

    Args:
        journal: what became of each picture.
        run: figures of the run, `RunFigures.to_dict`.
        model: the network.
    """
    sections: dict[str, list[Item]] = {name: [] for name, *_ in _SECTIONS}
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for item in items_of(journal):
        name = _section(item)
        counts[name] += 1
        codes.update({finding["code"] for finding in item.outcome.get("findings", []) if finding["level"] != "note"})
        if len(sections[name]) < _MOST:
            sections[name].append(item)
    left = _MOST
    parts: list[str] = []
    for name, title, meaning, is_open in _SECTIONS:
        shown = sections[name][:left]
        left -= len(shown)
        if counts[name]:
            is_open = is_open or counts[name] <= _FEW
            parts.append(_part(journal, name, title, meaning, shown, counts[name], is_open=is_open))
    own = files("likeness.batch").joinpath("summary.css").read_text(encoding="utf-8")
    style = files("likeness.evidence").joinpath("page.css").read_text(encoding="utf-8") + own
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='color-scheme' content='light dark'>\n"
        f"<title>Batch summary: {sum(counts.values())} pictures</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>Batch summary</h1>{_tiles(counts)}{_run(run, now)}</header>\n"
        f"<main>{_findings(codes)}{''.join(parts)}</main>\n"
        f"<footer>Made by Likeness {escape(version('likeness'))} with {escape(model)}. All figures of every picture are in "
        "summary.csv and summary.json. Sharper is not truer: a restored face is no evidence of what somebody looked like."
        "</footer>\n</body>\n</html>\n"
    )


def _section(item: Item) -> str:
    if item.state in ("queued", "running"):
        return "waiting"
    outcome = item.outcome
    if (
        item.state == "final"
        and not outcome.get("approved")
        and (
            any(finding["level"] == "warn" for finding in outcome.get("findings", []))
            or level_of(outcome.get("faces") or []) in ("look", "bad")
            or drawn_anew(outcome.get("faces") or [])
        )
    ):
        return "warned"
    return item.state


def _tiles(counts: Counter[str]) -> str:
    tiles = [
        ("Pictures", sum(counts.values()), ""),
        ("Delivered", counts["final"] + counts["warned"], "good"),
        ("To review", counts["review"], "look"),
        ("Left alone", counts["skipped"], ""),
        ("Failed", counts["failed"], "bad"),
    ]
    if counts["waiting"]:
        tiles.append(("Not done yet", counts["waiting"], ""))
    cells = "".join(
        f"<div class='tile {kind if number else ''}'><b>{number}</b><span>{title}</span></div>"
        for title, number, kind in tiles
    )
    return f"<div class='tiles'>{cells}</div>"


def _run(run: Mapping[str, Any], now: str) -> str:
    done, seconds = int(run["pictures"]), float(run["seconds"])
    rate = f", {done / seconds:.1f} a second" if done and seconds >= 1 else ""
    kept = int(run["faces_kept_from_before"])
    faces = f" {kept} face{'s'[: kept != 1]} did not need the network again." if kept else ""
    broken = " The run was interrupted." if run["interrupted"] else ""
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in run["notes"])
    pictures = f"worked on {done} picture{'' if done == 1 else 's'} in {seconds:.0f} s{rate}"
    worked = pictures if done else "had nothing to do"
    return f"<p>{now} UTC. The last run {worked}.{faces}{broken}</p>{notes}"


def _findings(codes: Counter[str]) -> str:
    if not codes:
        return ""
    rows = "".join(
        f"<li>{escape(_found(code))} <b>{count}</b></li>"
        for code, count in sorted(codes.items(), key=lambda found: (-found[1], found[0]))
    )
    return f"<section class='codes'><h2>Found before the work</h2><ul>{rows}</ul></section>"


def _part(
    journal: Journal, name: str, title: str, meaning: str, shown: Sequence[Item], count: int, *, is_open: bool
) -> str:
    cards = "".join(_card(journal, item) for item in shown)
    more = count - len(shown)
    rest = f"<p>and {more} more, in summary.csv</p>" if more else ""
    opened = " open" if is_open else ""
    return (
        f"<details id='{name}'{opened}><summary><h2>{title} <span class='count'>{count}</span></h2></summary>"
        f"<p>{meaning}</p><div class='cards'>{cards}</div>{rest}</details>\n"
    )


def _card(journal: Journal, item: Item) -> str:
    outcome = item.outcome
    word, kind = ("Approved by hand", "good") if outcome.get("approved") else _WORDS[item.state]
    output = outcome.get("output")
    name = escape(item.target if output else item.source)
    # The bytes of the file's name, also where they are no UTF-8.
    title = f"<a href='{quote(os.fsencode(output))}'>{name}</a>" if output else name
    client = f"<p class='client'>{escape(', '.join(filter(None, (item.client, item.email))))}</p>"
    reason = f"<p class='reason'>{escape(item.reason)}</p>" if item.reason else ""
    findings = "".join(
        f"<li><b>{escape(_found(finding['code']))}</b>{_face(finding['face'])}: {escape(finding['message'])}</li>"
        for finding in outcome.get("findings", [])
        # A refusal's message is the reason above.
        if finding["level"] != "note" and finding["message"] not in item.reason
    )
    findings += "".join(
        f"<li><b>{_VERDICTS[verdict['level']]}</b>{_face(face['index'])}: {escape(verdict['sentence'])}</li>"
        for face in outcome.get("faces") or []
        if (verdict := face.get("verdict")) and verdict["level"] != "good" and verdict["sentence"] not in item.reason
    )
    findings += "".join(
        f"<li><b>Not in the photograph</b>{_face(index)}: {escape(told)}</li>"
        for index, told in drawn_anew(outcome.get("faces") or []).items()
    )
    findings += "".join(f"<li>{escape(warning)}</li>" for warning in (outcome.get("video") or {}).get("warnings", ()))
    findings += "".join(
        f"<li>{escape(Notice('batch.replaced', {'name': name, 'source': item.target}))}</li>"
        for name in outcome.get("replaced", [])
    )
    fixes = "".join(f"<li>{escape(fix)}</li>" for fix in outcome.get("fixes", []))
    return (
        f"<article class='card'>{_pictures(journal, item)}<div class='text'>"
        f"<h3>{title}</h3><p><span class='badge {kind}'>{word}</span> {_figures(item)}</p>"
        f"{client if item.client or item.email else ''}{reason}"
        f"{f'<ul>{findings}</ul>' if findings else ''}{f'<ul class=fixes>{fixes}</ul>' if fixes else ''}</div></article>"
    )


def _found(code: str) -> str:
    """What a finding is called; a journal of another version may hold codes that this one has no words for."""
    return _FOUND.get(code, code)


def _face(index: int | None) -> str:
    return "" if index is None else f", face {index + 1}"


def _pictures(journal: Journal, item: Item) -> str:
    small = journal.thumbnails(item)
    if small is None:
        return "<div class='pair none'><span>no picture</span></div>"
    cells = "".join(
        f"<div><img loading='lazy' src='{data_uri(data)}' "
        f"alt='{escape(item.target)}, {moment.lower()}'><span>{moment}</span></div>"
        for moment, data in (("Before", small.before), ("After", small.after))
        if data is not None
    )
    return f"<div class='pair{'' if small.after is not None else ' single'}'>{cells}</div>"


def _figures(item: Item) -> str:
    """Such as "1200 x 900 px, natural at 80%, 2 faces restored, identity 0.12, skin dE 0.10, 0.8 s"."""
    outcome = item.outcome
    found: list[str] = []
    if outcome.get("width"):
        found.append(f"{outcome['width']} &times; {outcome['height']} px")
    faces = outcome.get("faces") or []
    restored = sum(face["status"] == "restored" for face in faces)
    controls = outcome.get("controls")
    if controls:
        strength = "" if controls["strength"] == 1 else f" at {controls['strength']:.0%}"
        found.append(f"{outcome['preset'] or 'own settings'}{strength}")
    if faces:
        whole = (
            f"{restored} of {len(faces)} faces" if restored < len(faces) else f"{restored} face{'s'[: restored != 1]}"
        )
        own = sum(face.get("controls") is not None for face in faces)
        found.append(f"{whole} restored{f' ({own} by own settings)' if own else ''}")
    if words := done_to_picture(outcome.get("picture")):
        found.append(words)
    if video := outcome.get("video"):
        people = len(video["people"])
        found.append(f"video of {video['frames']} frames, {people} {'person' if people == 1 else 'people'}")
    measured = (outcome.get("guard") or {}).get("faces") or []
    for name, title in (("identity", "identity"), ("colour", "skin dE"), ("blotch", "largest dE"), ("seam", "seam")):
        values = [face[name] for face in measured if face[name] is not None]
        if values:
            found.append(f"{title} {max(values):.2f}")
    seconds = sum(outcome.get("milliseconds", {}).values()) / 1e3
    if seconds:
        found.append(f"{seconds:.1f} s")
    return ", ".join(found)
