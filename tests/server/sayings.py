"""What the library says of faces, for tests of the page."""

from __future__ import annotations

from itertools import product

from likeness.evidence.eyes import Iris, LidFold
from likeness.evidence.figures import Figure
from likeness.evidence.geometry import PROPORTIONS, Proportion, Registration
from likeness.evidence.hair import HairEdge
from likeness.evidence.seam import Seam
from likeness.evidence.texture import Highlights, Skin
from likeness.evidence.verdicts import (
    colour_figure,
    hair_figures,
    highlight_figure,
    identity_figure,
    iris_figure,
    lid_figure,
    overshoot_figure,
    proportion_figure,
    seam_figure,
    skin_figures,
    stretch_figure,
)
from likeness.imaging.image import Box
from likeness.messages.notice import Notice

__all__ = ["capital", "every_verdict"]


def capital(sentence: str) -> str:
    """As the page begins a sentence."""
    return sentence[0].upper() + sentence[1:]


def every_verdict() -> list[Notice]:
    """Every kind of sentence that evidence says of a face: the judges over a grid of measurements."""
    box = Box(0, 0, 9, 9)
    pairs = list(product((0.2, 2.0, 5.0, 20.0), (0.1, 0.5, 1.5, 2.1, 4.6, 5.2, 5.7, 7.0, 21.0)))
    found: list[Figure] = [
        *hair_figures(None),
        highlight_figure(None),
        *skin_figures(None),
        iris_figure(None),
        lid_figure(None),
        stretch_figure(None, box),
        overshoot_figure(None, None),
        seam_figure(None),
        colour_figure("colour_skin", None, None, box),
    ]
    for pair in pairs:
        for width in ((5.0, 5.0), (5.0, 2.0), (10.0, 5.0), (5.0, 4.2), (5.0, 5.7), (5.0, 7.0), (5.0, 9.0)):
            found += hair_figures(HairEdge(width=width, jaggedness=pair, box=box))
        found.append(lid_figure(LidFold(depth=(pair[0] * 2, pair[1] * 2), box=box)))
        for ratio in (None, 0.2, 0.6, 1.0, 1.3, 2.0):
            for kept in {ratio, ratio and ratio / 4}:
                for burnt in (0.0, 0.05, 0.2):
                    highlights = Highlights(variation=pair, ratio=ratio, kept=kept, clipped=(0, burnt), box=box)
                    found.append(highlight_figure(highlights))
                for plastic in (None, 0.0, 0.2, 0.5):
                    found += skin_figures(Skin(variation=pair, ratio=ratio, kept=kept, plastic=plastic, box=box))
        for noise, radius in product((0.0, pair[0] / 2), (2.0, 8.0)):
            found.append(iris_figure(Iris(texture=pair, noise=noise, radius=radius, boxes=(box,))))
    for value in (0.0, 0.03, 0.4, 1.0, 3.5, 9.0):
        found.append(identity_figure(value, None, box))
        found.append(overshoot_figure(value, box))
        found.append(seam_figure(Seam(step=value, box=box)))
        found += (stretch_figure(Registration(wider=sign * value, higher=0, moved=0), box) for sign in (1, -1))
        for name in PROPORTIONS:
            found += (
                proportion_figure(Proportion(name=name, before=1, after=1 + sign * value / 20, jitter=0.1, box=box))
                for sign in (1, -1)
            )
        for lean in ("darker", "lighter", "greener", "redder", "bluer", "yellower"):
            found.append(colour_figure("colour_skin", value, Notice(f"lean.{lean}"), box))
    # As they travel: numbers are rounded on their way.
    told = {figure.sentence: Notice.of("", Notice.of(figure.sentence).to_dict()) for figure in found}
    return list(told.values())
