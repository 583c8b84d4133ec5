"""From measurements to verdicts: every threshold, and why it lies there.

"Controls" are what was done on purpose to sharp validation portraits: blur, unsharp mask, smoothing, JPEG, noise, stretching
and pasting. "Restored" are our own results on validation portraits, clean or degraded by the fixed recipes. docs/inspect.md
has the figures.
"""

from __future__ import annotations

from dataclasses import replace

from likeness.evidence.eyes import Iris, LidFold
from likeness.evidence.figures import Figure, Verdict
from likeness.evidence.geometry import PROPORTIONS, Proportion, Registration
from likeness.evidence.hair import HairEdge
from likeness.evidence.seam import Seam
from likeness.evidence.texture import Highlights, Skin
from likeness.imaging.image import Box

__all__ = [
    "colour_figure",
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
"""Levels along a tenth of a line: without a seam degraded, restored and coded pictures reach 2.7; a step of 5 levels
(2% of the range, several times what is seen along an edge) gives 5."""


def _figure(name: str, group: str, title: str, unit: str = "") -> Figure:
    """A figure as it is before anything was measured."""
    return Figure(name=name, group=group, title=title, unit=unit, verdict="none", sentence="")


_HAIR_WIDTH = _figure("hair_width", "hair edge", "Width of the fade", "px")
_HAIR_JAGGEDNESS = _figure("hair_jaggedness", "hair edge", "Jaggedness", "px")
_HIGHLIGHTS = _figure("highlights", "highlights", "Variation on forehead and nose", "levels")
_SKIN = _figure("skin_texture", "skin", "Finest texture", "levels")
_PLASTIC_SKIN = _figure("plastic_skin", "skin", "Plastic skin", "%")
_IRIS = _figure("iris", "iris", "Radial texture", "%")
_LID_FOLD = _figure("lid_fold", "geometry", "Fold of the upper lid", "levels")
_IDENTITY = _figure("identity", "identity", "Distance from before")
_OUTLINE = _figure("stretch", "geometry", "Face outline, wider against higher", "%")
_OVERSHOOT = _figure("overshoot", "edges", "Overshoot (bright or dark lines)", "%")
_BORDER = _figure("seam", "edges", "Seam around the face", "levels")


def _by(value: float, look: float, bad: float) -> Verdict:
    """Larger is worse."""
    return "bad" if value >= bad else "look" if value >= look else "good"


def _told(figure: Figure, value: float, limits: tuple[float, float], words: tuple[str, str, str], box: Box) -> Figure:
    """A figure of one value that is worse the larger it is, with the words for good, look and bad."""
    verdict = _by(value, *limits)
    sentence = words[("good", "look", "bad").index(verdict)]
    return replace(figure, after=value, verdict=verdict, sentence=sentence, boxes=(box,))


def hair_figures(edge: HairEdge | None) -> tuple[Figure, Figure]:
    """Width and jaggedness of the hair's edge."""
    if edge is None:
        why = "no hair edge with enough contrast in the crop"
        return replace(_HAIR_WIDTH, sentence=why), replace(_HAIR_JAGGEDNESS, sentence=why)
    before, after = edge.width
    ratio = after / max(before, 0.1)
    verdict: Verdict = "good"
    sentence = "fades as softly as before" if 0.9 < ratio < 1.1 else "a soft fade, clearer than before"
    if after < _HARD and ratio < _HARDENED:
        verdict, sentence = "bad", "cut out hard: the soft fade is gone"
    elif ratio < _HARDENED:
        verdict, sentence = "look", "much harder than before: see that it still fades"
    elif ratio > _MUCH_SOFTER:
        verdict, sentence = "bad", "smeared: much softer than before"
    elif ratio > _SOFTER:
        verdict, sentence = "look", "softer than before"
    elif ratio > 1.1:
        sentence = "fades a little more softly than before"
    boxes = (edge.box,)
    width = replace(_HAIR_WIDTH, before=before, after=after, verdict=verdict, sentence=sentence, boxes=boxes)
    calm, wild = edge.jaggedness
    growth = wild - calm
    verdict, sentence = "good", "no saw teeth: the outline is as calm as before"
    if growth < -_JAGGED:
        sentence = "the outline is calmer than before"
    elif growth >= max(_JAGGED, 0.2 * calm):
        if ratio < 0.85:
            # Strands that blur had hidden wander, too: only an eye can tell them from teeth.
            verdict, sentence = "look", "the outline wanders more: regained strands, or saw teeth?"
        elif growth >= max(_SAW, 0.4 * calm):
            verdict, sentence = "bad", "saw teeth or stairs along the edge"
        else:
            verdict, sentence = "look", "the edge is more jagged than before"
    return width, replace(_HAIR_JAGGEDNESS, before=calm, after=wild, verdict=verdict, sentence=sentence, boxes=boxes)


def highlight_figure(found: Highlights | None) -> Figure:
    """Micro-variation in the highlights of forehead and nose."""
    if found is None:
        return replace(_HIGHLIGHTS, sentence="too little of forehead and nose to see")
    before, after = found.variation
    burnt = found.clipped[1] - found.clipped[0]
    verdict, sentence = _texture(found.ratio, after, before, "the highlights are")
    if burnt >= _MUCH_BURNT:
        verdict, sentence = "bad", f"{burnt:.0%} more of the highlights is burnt out to white"
    elif burnt >= _BURNT and verdict != "bad":
        verdict, sentence = "look", f"{burnt:.0%} more of the highlights is burnt out to white"
    return replace(_HIGHLIGHTS, before=before, after=after, verdict=verdict, sentence=sentence, boxes=(found.box,))


def _texture(ratio: float | None, after: float, before: float, subject: str) -> tuple[Verdict, str]:
    """Verdict on texture: against what the picture held, or, if it held none, on what is there now.

    What is said is what the figure's two values come to; ``ratio``, which decides, leaves out the noise's share as well.
    """
    if ratio is None:
        if before < _DEAD:
            return "good", f"{subject} as plain as they were"
        if after >= max(_DEAD, 0.5 * before):
            return "good", f"{subject} alive; before held no texture above its noise"
        return "look", f"{subject} smooth now; before held only noise, no texture to keep"
    if ratio >= _TEXTURE_KEPT:
        return "good", f"{subject} alive" if ratio < 1.15 else f"{subject} alive, with more contrast than before"
    if ratio >= _TEXTURE_LOST:
        return "look", f"{subject} smoother: {after / before:.0%} of the variation is left"
    return "bad", f"{subject} flattened: {after / before:.0%} of the variation is left"


def skin_figures(found: Skin | None) -> tuple[Figure, Figure]:
    """Fine texture and plastic-skin index."""
    if found is None:
        why = "too little skin to see"
        return replace(_SKIN, sentence=why), replace(_PLASTIC_SKIN, sentence=why)
    before, after = found.variation
    verdict: Verdict = "good"
    if found.ratio is None:
        sentence = "before held no texture above its noise, so none was lost"
        if before >= _DEAD and after < 0.5 * before:
            verdict, sentence = "look", "smooth now; before held only noise, no texture to keep"
    elif found.ratio >= _TEXTURE_KEPT:
        sentence = "pores and lines are there as before"
        if found.ratio > 1.5:
            verdict = "look"
            sentence = f"{after / before:.1f} times the texture of before: oversharpened, or really regained?"
        elif found.ratio > 1.15:
            sentence = "more texture than before"
    elif found.ratio >= _TEXTURE_LOST:
        verdict, sentence = "look", f"smoother: {after / before:.0%} of the texture above the noise is left"
    else:
        verdict, sentence = "bad", f"smoothed away: {after / before:.0%} of the texture above the noise is left"
    texture = replace(_SKIN, before=before, after=after, verdict=verdict, sentence=sentence, boxes=(found.box,))
    share = found.plastic
    if share is None:
        return texture, replace(_PLASTIC_SKIN, sentence="before held no texture above its noise")
    words = (
        "no waxed places",
        f"{share:.0%} of the skin lost half of its texture",
        f"waxed: {share:.0%} of the skin lost half of its texture",
    )
    return texture, _told(_PLASTIC_SKIN, share * 100, (_PLASTIC, _VERY_PLASTIC), words, found.box)


def iris_figure(found: Iris | None) -> Figure:
    """Radial texture of the irises."""
    if found is None:
        return replace(_IRIS, sentence="no iris can be seen: eyes closed, covered, or without a mesh")
    before, after = found.texture
    if found.radius < _SMALL_IRIS:
        why = f"irises of {found.radius:.1f} px radius in the picture before are too small to hold texture"
        return replace(_IRIS, sentence=why)
    # What was noise before is no loss.
    true = max(before**2 - found.noise**2, 0.0) ** 0.5
    share = after / true if true > 0.02 * 100 else None
    verdict: Verdict = "good"
    if share is None:
        sentence = "before showed no texture above its noise"
    elif share >= _IRIS_KEPT:
        sentence = "fibres as before, no flat ring" if share < 1.15 else "more texture than before, no flat ring"
        if found.noise > 0.4 * before:
            sentence = "no flat ring, though much of the texture is noise"
    elif share >= _IRIS_LOST:
        verdict, sentence = "look", f"plainer: {after / before:.0%} of the texture is left"
    else:
        verdict, sentence = "bad", f"a flat ring: {after / before:.0%} of the texture is left"
    return replace(_IRIS, before=before, after=after, verdict=verdict, sentence=sentence, boxes=found.boxes)


def lid_figure(found: LidFold | None) -> Figure:
    """The fold of the upper lid: a single eyelid must stay single."""
    if found is None:
        return replace(_LID_FOLD, sentence="no mesh to find the lids by")
    before, after = found.depth
    verdict: Verdict = "good"
    sentence = "as before"
    change = after - before
    if abs(change) >= max(_FOLD, _FOLD_SHARE * max(before, after)):
        if before < _FOLD and after >= 2 * _FOLD:
            verdict, sentence = "bad", "a fold where there was none"
        elif after < _FOLD and before >= 2 * _FOLD:
            verdict, sentence = "bad", "the fold is gone"
        else:
            verdict, sentence = "look", "a deeper fold" if change > 0 else "a shallower fold"
    return replace(_LID_FOLD, before=before, after=after, verdict=verdict, sentence=sentence, boxes=(found.box,))


def identity_figure(distance: float | None, why: str, box: Box) -> Figure:
    """Distance of dlib's face embedding."""
    if distance is None:
        return replace(_IDENTITY, sentence=why)
    words = (
        "the same person",
        "probably the same person, but moved far: look at both",
        "as far apart as two persons",
    )
    return _told(_IDENTITY, distance, (_SAME_PERSON, _OTHER_PERSON), words, box)


def stretch_figure(found: Registration | None, box: Box) -> Figure:
    """How much wider than higher the face has become."""
    if found is None:
        why = "the faces cannot be laid on one another: pictures of different things?"
        return replace(_OUTLINE, sentence=why)
    change = ((1 + found.wider / 100) / (1 + found.higher / 100) - 1) * 100
    verdict = _by(abs(change), _STRETCH, _STRETCHED)
    way = "wider" if change > 0 else "narrower"
    sentence = "as round as before" if verdict == "good" else f"{abs(change):.1f}% {way} than before"
    return replace(_OUTLINE, after=change, verdict=verdict, sentence=sentence, boxes=(box,))


def proportion_figure(found: Proportion) -> Figure:
    """One proportion of the mesh."""
    limit = max(_TOLERANCE[found.name], _JITTERS * found.jitter)
    verdict = _by(abs(found.change), limit, 2 * limit)
    if verdict == "good":
        sentence = f"as before (within {limit:.1f}%)"
    else:
        sentence = (
            f"{abs(found.change):.1f}% {'more' if found.change > 0 else 'less'}; the mesh alone moves by {limit:.1f}%"
        )
    return Figure(
        name=found.name,
        group="geometry",
        title=PROPORTIONS[found.name],
        before=found.before,
        after=found.after,
        verdict=verdict,
        sentence=sentence,
        boxes=(found.box,),
    )


def colour_figure(name: str, title: str, difference: float | None, lean: str, box: Box) -> Figure:
    """Colour difference of an area; ``lean`` says which way, such as "redder"."""
    figure = _figure(name, "colour", title, "dE")
    if difference is None:
        return replace(figure, sentence="too little of it to see")
    limits = (_SHIFT_EYES, _CAST_EYES) if name == "colour_eyes" else (_SHIFT, _CAST)
    return _told(figure, difference, limits, ("the same colour", f"a little {lean}", f"another colour: {lean}"), box)


def overshoot_figure(value: float | None, box: Box | None) -> Figure:
    """Ringing at edges."""
    if value is None or box is None:
        return replace(_OVERSHOOT, sentence="too few clear edges")
    words = ("no lines along edges", "faint lines along edges", "bright or dark lines along edges")
    return _told(_OVERSHOOT, value * 100, (_RINGS, _HALO), words, box)


def seam_figure(found: Seam | None) -> Figure:
    """The edge of what was laid back."""
    if found is None:
        return replace(_BORDER, sentence="the face's surroundings are not in the picture")
    words = ("no seam", "a faint seam", "a seam that can be seen")
    return _told(_BORDER, found.step, (_SEAM, _HARD_SEAM), words, found.box)
