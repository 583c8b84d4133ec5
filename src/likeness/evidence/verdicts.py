"""From measurements to verdicts: every threshold, and why it lies there.

"Controls" are what was done on purpose to sharp validation portraits: blur, unsharp mask, smoothing, JPEG, noise, stretching
and pasting. "Restored" are our own results on validation portraits, clean or degraded by the fixed recipes. docs/inspect.md
has the figures.
"""

from __future__ import annotations

from dataclasses import replace

from likeness.evidence.eyes import Iris, LidFold
from likeness.evidence.face_verdict import FaceVerdict
from likeness.evidence.figures import Figure, Verdict
from likeness.evidence.geometry import PROPORTIONS, Proportion, Registration
from likeness.evidence.hair import HairEdge
from likeness.evidence.seam import Seam
from likeness.evidence.texture import Highlights, Skin
from likeness.imaging.image import Box
from likeness.messages.notice import Notice

__all__ = [
    "colour_figure",
    "face_figure",
    "hair_figures",
    "highlight_figure",
    "identity_figure",
    "iris_figure",
    "lid_figure",
    "overshoot_figure",
    "proportion_figure",
    "seam_figure",
    "skin_figures",
    "stretch_figure",
]

_HARD = 3.0
"""Narrower than any clean validation portrait's hair edge (4.0 px): a cut-out."""

_HARDENED = 0.6
"""A width under this share of before's: an unsharp mask gives 0.4 to 0.6 on soft edges, restored pictures 0.6 and more."""

_SOFTER, _MUCH_SOFTER = 1.2, 1.5
"""A blur of 2 px widens sharp edges by these and more; restored pictures stay under 1.0."""

_JAGGED, _SAW = 0.12, 0.25
"""Growth of the wander, px: noise of 5 levels makes 0.10 at most, stairs of 6 px 0.27 and more on smooth hair."""

_TEXTURE_KEPT, _TEXTURE_LOST = 0.75, 0.5
"""Share of texture that is left: a fifth less is just seen (Legge and Foley, 1980), half is seen by all."""

_PLASTIC, _VERY_PLASTIC = 10.0, 30.0
"""Per cent of the skin that lost half of its texture: restored clean portraits have 0, smoothed ones 30 to 100."""

_DEAD = 0.6
"""Levels: highlights and skin that vary less are flat; clean portraits have 1 and more, a blur of 2 px leaves 0.4 to 0.7."""

_BURNT, _MUCH_BURNT = 0.03, 0.15
"""Growth of the share of highlights clipped to white."""

_IRIS_KEPT, _IRIS_LOST = 0.75, 0.5
"""As for skin; a blur of 1 px leaves 0.65 to 0.8, of 2 px 0.4 to 0.65."""

_SMALL_IRIS = 4.0
"""Radius in the picture's own pixels under which the ring is 2 px wide: no texture can show."""

_FOLD, _FOLD_SHARE = 5.0, 0.4
"""Levels and share: a fold that came or went. Restored pictures change by under 5; depth of true folds is 10 to 45."""

_SAME_PERSON, _OTHER_PERSON = 0.3, 0.5
"""Distance: degraded and clean versions of one portrait differ by up to 0.29, two persons of our set by 0.5 and more."""

_STRETCH, _STRETCHED = 0.8, 2.0
"""Per cent: restored pictures reach 0.5; 2% of a face's width is where a mother sees it."""

_JITTERS = 3.0
"""A change under so many standard errors of the mesh is jitter."""

_TOLERANCE = {
    "face_shape": 2.0,
    "jaw": 3.0,
    "eye_opening": 8.0,
    "eye_distance": 3.0,
    "nose_width": 3.0,
    "nose_length": 2.5,
    "mouth_width": 5.0,
    "lip_thickness": 10.0,
}
"""Per cent: what the mesh moves by on restored pictures without a change of the face ; twice that is a fault."""

_SHIFT, _CAST = 2.0, 5.0
_SHIFT_EYES, _CAST_EYES = 4.0, 8.0
"""CIEDE2000: 1 is just told apart side by side, 2 to 3 are accepted in print, 5 is another colour.
The whites of the eyes are few pixels between lashes: clean and degraded versions of one portrait differ by up to 4 there."""

_RINGS, _HALO = 2.0, 5.0
"""Per cent of an edge's height: restored pictures have under 1, a mild unsharp mask 2 to 4, a strong one 7 on."""

_SEAM, _HARD_SEAM = 3.0, 4.5
"""Levels along a tenth of a line: without a seam restored portraits reach 2.3; a step of 10 levels round the face gives 8,
as what sharpening would explain is taken off, and less on a photograph's steep edges, where no eye finds it."""


_FIGURES = {
    "whole_face": ("face", ""),
    "hair_width": ("hair edge", "px"),
    "hair_jaggedness": ("hair edge", "px"),
    "highlights": ("highlights", "levels"),
    "skin_texture": ("skin", "levels"),
    "plastic_skin": ("skin", "%"),
    "iris": ("iris", "%"),
    "lid_fold": ("geometry", "levels"),
    "identity": ("identity", ""),
    "stretch": ("geometry", "%"),
    "overshoot": ("edges", "%"),
    "seam": ("edges", "levels"),
    "colour_skin": ("colour", "dE"),
    "colour_eyes": ("colour", "dE"),
    **dict.fromkeys(PROPORTIONS, ("geometry", "")),
}
"""Group and unit of every figure."""


def _figure(name: str) -> Figure:
    """A figure as it is before anything was measured."""
    group, unit = _FIGURES[name]
    return Figure(name=name, group=group, title=Notice(f"figure.{name}"), unit=unit, verdict="none", sentence="")


def _by(value: float, look: float, bad: float) -> Verdict:
    """Larger is worse."""
    return "bad" if value >= bad else "look" if value >= look else "good"


def _told(
    figure: Figure, value: float, limits: tuple[float, float], words: tuple[Notice, Notice, Notice], box: Box
) -> Figure:
    """A figure of one value that is worse the larger it is, with the words for good, look and bad."""
    verdict = _by(value, *limits)
    sentence = words[("good", "look", "bad").index(verdict)]
    return replace(figure, after=value, verdict=verdict, sentence=sentence, boxes=(box,))


def face_figure(verdict: FaceVerdict, box: Box) -> Figure:
    """The verdict on the face as a whole; it weighs too many things to have one value."""
    return replace(
        _figure("whole_face"),
        verdict=verdict.level,
        sentence=verdict.sentence or Notice("verdict.good"),
        boxes=(box,),
    )


def hair_figures(edge: HairEdge | None) -> tuple[Figure, Figure]:
    """Width and jaggedness of the hair's edge."""
    if edge is None:
        why = Notice("hair.unseen")
        return replace(_figure("hair_width"), sentence=why), replace(_figure("hair_jaggedness"), sentence=why)
    before, after = edge.width
    ratio = after / max(before, 0.1)
    verdict: Verdict = "good"
    sentence = Notice("hair.same" if 0.9 < ratio < 1.1 else "hair.clearer")
    if after < _HARD and ratio < _HARDENED:
        verdict, sentence = "bad", Notice("hair.cut-out")
    elif ratio < _HARDENED:
        verdict, sentence = "look", Notice("hair.harder")
    elif ratio > _MUCH_SOFTER:
        verdict, sentence = "bad", Notice("hair.smeared")
    elif ratio > _SOFTER:
        verdict, sentence = "look", Notice("hair.softer")
    elif ratio > 1.1:
        sentence = Notice("hair.little-softer")
    boxes = (edge.box,)
    width = replace(_figure("hair_width"), before=before, after=after, verdict=verdict, sentence=sentence, boxes=boxes)
    calm, wild = edge.jaggedness
    growth = wild - calm
    verdict, sentence = "good", Notice("hair.calm")
    if growth < -_JAGGED:
        sentence = Notice("hair.calmer")
    elif growth >= max(_JAGGED, 0.2 * calm):
        if ratio < 0.85:
            # Strands that blur had hidden wander, too: only an eye can tell them from teeth.
            verdict, sentence = "look", Notice("hair.wanders")
        elif growth >= max(_SAW, 0.4 * calm):
            verdict, sentence = "bad", Notice("hair.saw-teeth")
        else:
            verdict, sentence = "look", Notice("hair.jagged")
    return width, replace(
        _figure("hair_jaggedness"), before=calm, after=wild, verdict=verdict, sentence=sentence, boxes=boxes
    )


def highlight_figure(found: Highlights | None) -> Figure:
    """Micro-variation in the highlights of forehead and nose."""
    if found is None:
        return replace(_figure("highlights"), sentence=Notice("highlights.unseen"))
    before, after = found.variation
    burnt = found.clipped[1] - found.clipped[0]
    verdict, sentence = _liveliness(found, after, before)
    if burnt >= _MUCH_BURNT:
        verdict, sentence = "bad", Notice("highlights.burnt", {"share": burnt})
    elif burnt >= _BURNT and verdict != "bad":
        verdict, sentence = "look", Notice("highlights.burnt", {"share": burnt})
    return replace(
        _figure("highlights"), before=before, after=after, verdict=verdict, sentence=sentence, boxes=(found.box,)
    )


def _liveliness(found: Highlights, after: float, before: float) -> tuple[Verdict, Notice]:
    """Verdict on highlights: against what the picture held, or, if it held none, on what is there now.

    What is said is what the figure's two values come to; ``ratio``, which decides, leaves out the noise's share as well.
    """
    ratio = found.ratio
    if ratio is None:
        if before < _DEAD:
            return "good", Notice("highlights.plain")
        if after >= max(_DEAD, 0.5 * before):
            return "good", Notice("highlights.alive-above-noise")
        return "look", Notice("highlights.smooth-noise")
    if ratio >= _TEXTURE_KEPT:
        if found.kept is not None and found.kept < _TEXTURE_KEPT:
            return "look", Notice("highlights.drawn", {"share": found.kept})
        return "good", Notice("highlights.alive" if ratio < 1.15 else "highlights.contrast")
    if ratio >= _TEXTURE_LOST:
        return "look", Notice("highlights.smoother", {"share": after / before})
    return "bad", Notice("highlights.flattened", {"share": after / before})


def skin_figures(found: Skin | None) -> tuple[Figure, Figure]:
    """Fine texture and plastic-skin index."""
    if found is None:
        why = Notice("skin.unseen")
        return replace(_figure("skin_texture"), sentence=why), replace(_figure("plastic_skin"), sentence=why)
    before, after = found.variation
    verdict: Verdict = "good"
    if found.ratio is None:
        sentence = Notice("skin.no-texture")
        if before >= _DEAD and after < 0.5 * before:
            verdict, sentence = "look", Notice("skin.smooth-noise")
    elif found.ratio >= _TEXTURE_KEPT:
        sentence = Notice("skin.same")
        if found.ratio > 1.5:
            verdict = "look"
            sentence = Notice("skin.much-more", {"times": after / before})
        elif found.ratio > 1.15:
            sentence = Notice("skin.more")
        if found.kept is not None and found.kept < _TEXTURE_KEPT:
            # As much as there was, but not what there was.
            verdict, sentence = "look", Notice("skin.drawn", {"share": found.kept})
    elif found.ratio >= _TEXTURE_LOST:
        verdict, sentence = "look", Notice("skin.smoother", {"share": after / before})
    else:
        verdict, sentence = "bad", Notice("skin.smoothed-away", {"share": after / before})
    texture = replace(
        _figure("skin_texture"), before=before, after=after, verdict=verdict, sentence=sentence, boxes=(found.box,)
    )
    share = found.plastic
    if share is None:
        return texture, replace(_figure("plastic_skin"), sentence=Notice("skin.nothing-to-wax"))
    words = (Notice("skin.no-wax"), Notice("skin.some-lost", {"share": share}), Notice("skin.waxed", {"share": share}))
    return texture, _told(_figure("plastic_skin"), share * 100, (_PLASTIC, _VERY_PLASTIC), words, found.box)


def iris_figure(found: Iris | None) -> Figure:
    """Radial texture of the irises."""
    if found is None:
        return replace(_figure("iris"), sentence=Notice("iris.unseen"))
    before, after = found.texture
    if found.radius < _SMALL_IRIS:
        why = Notice("iris.small", {"radius": found.radius})
        return replace(_figure("iris"), sentence=why)
    # What was noise before is no loss.
    true = max(before**2 - found.noise**2, 0.0) ** 0.5
    share = after / true if true > 0.02 * 100 else None
    verdict: Verdict = "good"
    if share is None:
        sentence = Notice("iris.no-texture")
    elif share >= _IRIS_KEPT:
        sentence = Notice("iris.same" if share < 1.15 else "iris.more")
        if found.noise > 0.4 * before:
            sentence = Notice("iris.noise")
    elif share >= _IRIS_LOST:
        verdict, sentence = "look", Notice("iris.plainer", {"share": after / before})
    else:
        verdict, sentence = "bad", Notice("iris.flat", {"share": after / before})
    return replace(_figure("iris"), before=before, after=after, verdict=verdict, sentence=sentence, boxes=found.boxes)


def lid_figure(found: LidFold | None) -> Figure:
    """The fold of the upper lid: a single eyelid must stay single."""
    if found is None:
        return replace(_figure("lid_fold"), sentence=Notice("lid.unseen"))
    before, after = found.depth
    verdict: Verdict = "good"
    sentence = Notice("lid.same")
    change = after - before
    if abs(change) >= max(_FOLD, _FOLD_SHARE * max(before, after)):
        if before < _FOLD and after >= 2 * _FOLD:
            verdict, sentence = "bad", Notice("lid.new-fold")
        elif after < _FOLD and before >= 2 * _FOLD:
            verdict, sentence = "bad", Notice("lid.fold-gone")
        else:
            verdict, sentence = "look", Notice("lid.deeper" if change > 0 else "lid.shallower")
    return replace(
        _figure("lid_fold"), before=before, after=after, verdict=verdict, sentence=sentence, boxes=(found.box,)
    )


def identity_figure(distance: float | None, why: Notice | None, box: Box) -> Figure:
    """Distance of dlib's face embedding; ``why`` says why there is none."""
    if distance is None:
        return replace(_figure("identity"), sentence=why or "")
    words = (Notice("identity.same"), Notice("identity.moved"), Notice("identity.other"))
    return _told(_figure("identity"), distance, (_SAME_PERSON, _OTHER_PERSON), words, box)


def stretch_figure(found: Registration | None, box: Box) -> Figure:
    """How much wider than higher the face has become."""
    if found is None:
        why = Notice("outline.no-fit")
        return replace(_figure("stretch"), sentence=why)
    change = ((1 + found.wider / 100) / (1 + found.higher / 100) - 1) * 100
    verdict = _by(abs(change), _STRETCH, _STRETCHED)
    code = "outline.round" if verdict == "good" else "outline.wider" if change > 0 else "outline.narrower"
    sentence = Notice(code, {"percent": abs(change)})
    return replace(_figure("stretch"), after=change, verdict=verdict, sentence=sentence, boxes=(box,))


def proportion_figure(found: Proportion) -> Figure:
    """One proportion of the mesh."""
    limit = max(_TOLERANCE[found.name], _JITTERS * found.jitter)
    verdict = _by(abs(found.change), limit, 2 * limit)
    code = "proportion.same" if verdict == "good" else "proportion.more" if found.change > 0 else "proportion.less"
    sentence = Notice(code, {"percent": abs(found.change), "limit": limit})
    return replace(
        _figure(found.name),
        before=found.before,
        after=found.after,
        verdict=verdict,
        sentence=sentence,
        boxes=(found.box,),
    )


def colour_figure(name: str, difference: float | None, lean: Notice | None, box: Box) -> Figure:
    """Colour difference of an area; ``lean`` says which way, such as "redder"."""
    figure = _figure(name)
    if difference is None or lean is None:
        return replace(figure, sentence=Notice("colour.unseen"))
    limits = (_SHIFT_EYES, _CAST_EYES) if name == "colour_eyes" else (_SHIFT, _CAST)
    words = (Notice("colour.same"), Notice("colour.little", {"lean": lean}), Notice("colour.other", {"lean": lean}))
    return _told(figure, difference, limits, words, box)


def overshoot_figure(value: float | None, box: Box | None) -> Figure:
    """Ringing at edges."""
    if value is None or box is None:
        return replace(_figure("overshoot"), sentence=Notice("overshoot.unseen"))
    words = (Notice("overshoot.none"), Notice("overshoot.faint"), Notice("overshoot.lines"))
    return _told(_figure("overshoot"), value * 100, (_RINGS, _HALO), words, box)


def seam_figure(found: Seam | None) -> Figure:
    """The edge of what was laid back."""
    if found is None:
        return replace(_figure("seam"), sentence=Notice("seam.unseen"))
    words = (Notice("seam.none"), Notice("seam.faint"), Notice("seam.seen"))
    return _told(_figure("seam"), found.step, (_SEAM, _HARD_SEAM), words, found.box)
