"""What proofs say, in English and Chinese: titles, what was done, and what was kept, in plain words and in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from likeness.evidence.lenders import regions_by_name, regions_told, takes_references
from likeness.imaging.image import Image
from likeness.messages.notice import Language, Notice, Value, sentence
from likeness.restore.controls import PRESETS

__all__ = ["Captions", "Words", "done_line", "figures_line", "kept_line", "untouched"]


@dataclass(frozen=True, kw_only=True)
class Captions:
    """The lines of a proof.

    Attributes:
        done: what was done.
        kept: what was kept, in plain words.
        figures: the same in figures, which a page folds away; "" for none.
    """

    done: str
    kept: str
    figures: str = ""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a proof says apart from its captions, in one language."""

    language: Language

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return "zh-Hans" if self.language == "zh" else self.language

    def __call__(self, code: str, values: Mapping[str, Value] | None = None) -> str:
        return sentence(code, values or {}, self.language)


_PERSONS_DIFFER = 0.6
"""Distance of dlib's face embedding from which two faces are taken for two persons."""

_SAME_LEVEL = 2.5 / 255
"""What JPEG moves a flat area by when it is written again."""


def done_line(language: Language, record: Mapping[str, Any] | None, faces: int) -> str:
    """What was done, from a run's record (`likeness.studio.reports.Record`) as far as there is one."""
    if record is None:
        done = Notice("proof.done-portrait", {"faces": _faces(faces)}) if faces else Notice("proof.done-picture")
        return done.say(language)
    controls = cast("Mapping[str, Any]", record.get("controls") or {})
    preset: str = record.get("preset") or ""
    restored = sum(face.get("status") == "restored" for face in record.get("faces", ()))
    # One that a later version has is called as it is there.
    name = Notice(f"preset.{preset}") if preset in PRESETS else preset
    values: dict[str, Value] = {"preset": name, "strength": float(controls.get("strength", 1.0))}
    parts = [Notice("proof.with-preset" if preset else "proof.with-settings", values), _faces(restored)]
    lent = _lent(record)
    if lent:
        parts.append(Notice("proof.references", {"lent": lent}))
    own = [int(face["index"]) + 1 for face in record.get("faces", ()) if face.get("controls")]
    if own:
        parts.append(Notice("proof.own-settings", {"faces": ", ".join(map(str, own))}))
    if controls.get("keep_grain"):
        parts.append(Notice("proof.grain-kept"))
    if record.get("repairs") is not None:
        parts.append(Notice("proof.repaired"))
    if any(face.get("drawn_anew") for face in record.get("faces", ())):
        parts.append(Notice("proof.drawn-anew"))
    return Notice("proof.done", {"parts": parts}).say(language)


def _lent(record: Mapping[str, Any]) -> list[Notice]:
    """The other photographs that lent detail, with the regions of any face."""
    regions = regions_by_name(
        (str(gift["name"]), str(gift["region"]))
        for face in record.get("faces", ())
        if takes_references(record, face)
        for gift in face["references"].get("gifts", ())
    )
    return [Notice("proof.lent", {"name": name, "regions": regions_told(own)}) for name, own in regions.items()]


_PARTS = {
    "eyes": ("eye_distance", "eye_opening"),
    "nose": ("nose_width", "nose_length"),
    "mouth": ("mouth_width", "lip_thickness"),
    "shape": ("face_shape", "jaw"),
}
"""Parts of a face that people look at, and the figures that tell whether one is as it was."""


def kept_line(
    language: Language,
    figures: Sequence[Mapping[str, Any]],
    share: float | None,
    record: Mapping[str, Any] | None = None,
) -> str:
    """What was kept, in plain words: how much it is still the person, and which parts are as they were.

    The percentage is that of the way from the photograph (100%) to another person (0%, a distance of 0.6 of dlib's face
    embedding) which the face has not gone. A part is unchanged if the verdict on each of its figures is good; of a face
    that was drawn anew every part is to be looked at: it is a guess, however well its measures go with the photograph.

    Args:
        language: "en" or "zh".
        figures: of the largest face, as `likeness.evidence` puts them into JSON; those that were not measured are left out.
        share: of the picture that is as it was (`untouched`), None if the sizes differ.
        record: of how the picture was made, if it is known.
    """
    known = {figure["name"]: figure for figure in figures if figure.get("after") is not None}
    verdicts = {part: {known[name]["verdict"] for name in names if name in known} for part, names in _PARTS.items()}
    same = [Notice(f"proof.part.{part}") for part, found in verdicts.items() if found == {"good"}]
    moved = [Notice(f"proof.part.{part}") for part, found in verdicts.items() if found & {"look", "bad"}]
    parts: list[Notice] = []
    if "identity" in known:
        parts.append(Notice("proof.you", {"share": max(0.0, 1 - known["identity"]["after"] / _PERSONS_DIFFER)}))
    if _is_guess(record):
        same, moved = [], [Notice(f"proof.part.{part}") for part, found in verdicts.items() if found]
    if same:
        parts.append(Notice("proof.unchanged", {"parts": same}))
    if moved:
        parts.append(Notice("proof.moved", {"parts": moved}))
    if "colour_skin" in known:
        good = known["colour_skin"]["verdict"] == "good"
        parts.append(Notice("proof.skin-same" if good else "proof.skin-moved"))
    if share is not None:
        parts.append(Notice("proof.untouched", {"share": share}))
    return Notice("proof.plain", {"parts": parts}).say(language) if parts else ""


def figures_line(language: Language, figures: Sequence[Mapping[str, Any]], share: float | None) -> str:
    """What was kept, in figures.

    Arguments as the first three of `kept_line`.
    """
    values = {figure["name"]: figure["after"] for figure in figures if figure.get("after") is not None}
    shares = max((abs(change) for change in _proportions(figures)), default=None)
    parts: list[Notice] = []
    if "identity" in values:
        parts.append(Notice("proof.identity", {"distance": values["identity"], "limit": _PERSONS_DIFFER}))
    if shares is not None:
        parts.append(Notice("proof.proportions", {"share": shares}))
    if "colour_skin" in values:
        parts.append(Notice("proof.skin-tone", {"difference": values["colour_skin"]}))
    if "plastic_skin" in values:
        parts.append(Notice("proof.smoothed", {"percent": values["plastic_skin"]}))
    if share is not None:
        parts.append(Notice("proof.untouched", {"share": share}))
    return Notice("proof.kept", {"parts": parts}).say(language) if parts else ""


def _is_guess(record: Mapping[str, Any] | None) -> bool:
    """Whether the largest face was drawn anew."""
    faces = [face for face in (record or {}).get("faces", ()) if face.get("status") == "restored"]
    largest = max(faces, key=lambda face: float(face.get("native_side") or 0), default={})
    return bool(largest.get("drawn_anew"))


def _proportions(figures: Sequence[Mapping[str, Any]]) -> list[float]:
    """Relative changes of the face's large proportions; the small ones move with the mesh alone."""
    wanted = ("face_shape", "jaw", "eye_distance", "nose_length")
    return [
        figure["after"] / figure["before"] - 1
        for figure in figures
        if figure["name"] in wanted and figure.get("before") and figure.get("after") is not None
    ]


def untouched(before: Image, after: Image) -> float | None:
    """The share of pixels that moved by no more than two 8-bit levels, in [0, 1]; None if the sizes differ."""
    if before.size != after.size:
        return None
    return float((np.abs(before.pixels - after.pixels).max(axis=2) <= _SAME_LEVEL).mean())


def _faces(count: int) -> Notice:
    return Notice("proof.one-face") if count == 1 else Notice("proof.faces", {"count": count})
