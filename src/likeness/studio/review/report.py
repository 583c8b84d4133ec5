"""The results of a review as JSON and as one HTML page without script or other files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np

from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Size
from likeness.imaging.thumbnail import data_uri
from likeness.studio.intervals import shown
from likeness.studio.review.results import PairResult, RaterResult, Results, SideResult
from likeness.studio.review.session import LETTERS, MAX_SCORE, ORIGINAL, ReviewSession

__all__ = [
    "METHOD",
    "SCHEMA",
    "agreement_words",
    "by_place",
    "page",
    "pair_figures",
    "rater_figures",
    "side_figures",
    "to_dict",
]

SCHEMA = 1
"""Number of the JSON's structure; raised when a key changes its meaning or goes away."""

METHOD = (
    "Each picture's score is the mean over its raters; means and differences are over pictures, with 95% Student "
    "t-intervals, so that they say how the next pictures would fare with these raters, not with others. Where several "
    "pairs are compared, their intervals hold together (Bonferroni). A picture prefers the side with the higher mean; the "
    "share is of pictures that are not tied, with Wilson's interval. Agreement is Krippendorff's alpha for ordered grades."
)

_THUMBNAIL = 150
"""Height of the small pictures on the page, px; files hold twice as much, for dense screens."""


def agreement_words(alpha: float) -> str:
    """What an alpha means, by Krippendorff's own limits."""
    if math.isnan(alpha):
        return "cannot be told: it takes two raters of the same pictures, and scores that differ"
    if alpha >= 0.8:
        return "good"
    if alpha >= 0.667:
        return "fair: enough for tentative conclusions"
    return "weak: the raters see different things, or the sides hardly differ"


def to_dict(session: ReviewSession, results: Results) -> dict[str, Any]:
    """Ready for JSON; null where a figure cannot be told."""
    content = {
        "schema": SCHEMA,
        "likeness": version("likeness"),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "title": session.title,
        "method": METHOD,
        "ratings": {"given": results.given, "asked": results.asked},
        "sides": [asdict(side) for side in results.sides],
        "pairs": [{**asdict(pair), "sentence": pair.sentence} for pair in results.pairs],
        "agreement": {"krippendorff_alpha_ordinal": results.alpha, "words": agreement_words(results.alpha)},
        "raters": [asdict(rater) for rater in results.raters],
        "mean_by_position": results.positions,
        "key": [asdict(ballot) for ballot in results.ballots],
    }
    return _without_nan(content)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def page(session: ReviewSession, results: Results) -> str:
    """The page's HTML: it shows which side was which."""
    base = files("likeness.evidence").joinpath("page.css").read_text(encoding="utf-8")
    own = files("likeness.studio.review").joinpath("report.css").read_text(encoding="utf-8")
    title = escape(session.title or "Blind review")
    raters = len(results.raters)
    lines = "".join(f"<li>{escape(pair.sentence)}.</li>" for pair in results.pairs)
    open_votes = results.asked - results.given
    missing = f"<p class='note'>{open_votes} of {results.asked} ratings are still open.</p>" if open_votes else ""
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='color-scheme' content='light dark'>\n"
        f"<title>{title}: results</title>\n<style>\n{base}{own}</style>\n</head>\n<body>\n"
        f"<header><h1>{title}: results</h1><p>{len(session.items)} pictures, {len(session.sides)} sides, {raters} "
        f"rater{'' if raters == 1 else 's'}, {results.given} ratings.</p></header>\n<main>{missing}"
        f"<ul class='said'>{lines}</ul>{_chart(results.sides)}{_sides(results)}{_pairs(results)}{_raters(results)}"
        f"{_pictures(session, results)}{_comments(results)}{_key(results)}</main>\n"
        f"<footer><p>{escape(METHOD)}</p><p>Counted by Likeness {escape(version('likeness'))}.</p></footer>\n"
        "</body>\n</html>\n"
    )


def _chart(sides: tuple[SideResult, ...]) -> str:
    """Means with their intervals on the scale, as a drawing."""
    left, right, line = 190, 700, 46
    height = line * len(sides) + 36

    def x(score: float) -> float:
        return left + (min(max(score, 1.0), float(MAX_SCORE)) - 1) / (MAX_SCORE - 1) * (right - left)

    parts = [
        f"<line class='grid' x1='{x(score):.1f}' x2='{x(score):.1f}' y1='6' y2='{height - 26}'/>"
        f"<text class='tick' x='{x(score):.1f}' y='{height - 8}'>{score}</text>"
        for score in range(1, MAX_SCORE + 1)
    ]
    for row, side in enumerate(sides):
        y = 6 + line * (row + 0.5)
        parts.append(f"<text class='name' x='{left - 18}' y='{y + 5:.1f}'>{escape(_short(side.name))}</text>")
        if side.mean.n:
            if not math.isnan(side.mean.low):
                parts.append(
                    f"<line class='bar' x1='{x(side.mean.low):.1f}' x2='{x(side.mean.high):.1f}' y1='{y}' y2='{y}'/>"
                )
            parts.append(
                f"<circle class='dot' cx='{x(side.mean.value):.1f}' cy='{y}' r='7'/>"
                f"<text class='value' x='{right + 18}' y='{y + 5:.1f}'>{side.mean.value:.2f}</text>"
            )
    label = "Mean score of each side with its 95% interval, from 1 (bad) to 5 (excellent)"
    return (
        f"<figure class='chart'><svg viewBox='0 0 780 {height}' role='img' aria-label='{label}'>{''.join(parts)}</svg>"
        f"<figcaption>{label}.</figcaption></figure>"
    )


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def side_figures(side: SideResult) -> tuple[str, ...]:
    """Mean, its interval, pictures, and how often each score was given."""
    return shown(side.mean.value), side.mean.bounds(), str(side.mean.n), *map(str, side.scores)


def _sides(results: Results) -> str:
    rows = [(side.name, *side_figures(side)) for side in results.sides]
    return _table(("Side",), ("Mean", "95% interval", "Pictures", *range(1, MAX_SCORE + 1)), rows, "Scores")


def pair_figures(pair: PairResult) -> tuple[str, ...]:
    """Difference, its interval, pictures won, lost and tied, preference, its interval, and single votes."""
    return (
        shown(pair.difference.value, signed=True),
        pair.difference.bounds(signed=True),
        f"{pair.wins}, {pair.losses}, {pair.ties}",
        pair.preference.percent(),
        pair.preference.percent_bounds(),
        ", ".join(map(str, pair.ballots)),
    )


def _pairs(results: Results) -> str:
    figures = ("Difference", "Interval", "Pictures won, lost, tied", "Preferred", "Interval", "Single votes")
    rows = [(f"{pair.first} against {pair.second}", *pair_figures(pair)) for pair in results.pairs]
    return _table(("Sides",), figures, rows, "Against each other")


def rater_figures(rater: RaterResult) -> tuple[str, ...]:
    """Ratings given of those asked for, and their mean."""
    return f"{rater.given} of {rater.asked}", shown(rater.mean)


def _raters(results: Results) -> str:
    rows = [(rater.name, *rater_figures(rater)) for rater in results.raters]
    agreement = f"Agreement: alpha {shown(results.alpha)}, {agreement_words(results.alpha)}."
    places = f"Mean score by place on the screen: {by_place(results)}."
    return f"<h2>Raters</h2><p>{escape(agreement)} {places}</p>{_table(('Rater',), ('Ratings', 'Mean'), rows)}"


def by_place(results: Results) -> str:
    """Mean scores by place on the screen, such as "A 3.10, B 3.08"."""
    return ", ".join(f"{letter} {shown(mean)}" for letter, mean in zip(LETTERS, results.positions, strict=False))


def _table(
    words: Sequence[object], figures: Sequence[object], rows: Sequence[Sequence[object]], caption: str = ""
) -> str:
    """A table; the first columns hold words, the others figures, which stand to the right."""
    kinds = [""] * len(words) + [" class='n'"] * len(figures)
    head = "".join(
        f"<th scope='col'{kind}>{escape(str(cell))}</th>" for cell, kind in zip((*words, *figures), kinds, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(str(cell))}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<div class='wide'><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _pictures(session: ReviewSession, results: Results) -> str:
    versions = [*([(ORIGINAL, "Original")] if session.has_originals else []), *enumerate(session.sides)]
    means = {name: side.items for name, side in zip(session.sides, results.sides, strict=True)}
    rows = ""
    for item, name in enumerate(session.items):
        cells = "".join(
            f"<figure><img src='{_thumbnail(session, item, side)}' alt='{escape(name)}, {escape(label)}' "
            f"height='{_THUMBNAIL}'><figcaption>{escape(label)}"
            f"{'' if side == ORIGINAL else f' <b>{shown(means[label].get(name, math.nan))}</b>'}</figcaption></figure>"
            for side, label in versions
        )
        rows += f"<section class='picture'><h3>{escape(name)}</h3><div class='versions'>{cells}</div></section>"
    return f"<h2>Pictures</h2><div class='pictures'>{rows}</div>"


def _thumbnail(session: ReviewSession, item: int, side: int) -> str:
    image = read_image(session.file(item, side))
    height = min(2 * _THUMBNAIL, image.size.height)
    size = Size(max(1, round(image.size.width * height / image.size.height)), height)
    pixels = np.clip(resize(image.pixels, size, "area"), 0.0, 1.0)
    data = encode_image(Image(pixels=pixels), "JPEG", quality=85)
    return data_uri(data)


def _comments(results: Results) -> str:
    rows = [(b.item, b.side, b.rater, b.comment, b.score or "-") for b in results.comments]
    return f"<h2>Comments</h2>{_table(('Picture', 'Side', 'Rater', 'Comment'), ('Score',), rows)}" if rows else ""


def _key(results: Results) -> str:
    rows = [(b.rater, b.item, LETTERS[b.position], b.side, b.place + 1, b.score or "-") for b in results.ballots]
    table = _table(("Rater", "Picture", "Shown as", "Side"), ("Screen", "Score"), rows)
    return f"<h2>The key</h2><details><summary>Who saw which side where</summary>{table}</details>"
