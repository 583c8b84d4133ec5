"""Several networks, or settings of one, on the same photographs: what each makes of every face, in figures and crops.

A face is looked at in one crop, FFHQ-aligned at 512, cut from each whole result, whatever crop the network itself worked in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from likeness.core.memory import forget_peak, peak_megabytes
from likeness.errors import LikenessError
from likeness.faces.align import TEMPLATE_SIZE, align, warp
from likeness.faces.effective_resolution import effective_resolution
from likeness.faces.face import Face
from likeness.faces.regions import region_masks
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import notice_of
from likeness.reference.matching import Embedding, FaceMatcher, likeness
from likeness.restore.controls import Controls
from likeness.restore.outcome import Restoration
from likeness.restore.pipeline import Restorer

__all__ = ["INPUT", "Compared", "Comparison", "Entrant", "Summary", "compare_networks", "skin_texture"]

INPUT = "input"
"""What the photograph itself is called among the results."""

_FINE = 2.0
"""Sigma that parts texture from form, px of 512."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """What is compared: a network under a preset."""

    model: str
    preset: str

    @property
    def name(self) -> str:
        """What tables and pages call it."""
        return f"{Path(self.model).name}, {self.preset}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """What became of one face, or, with the entrant None, the face as it came.

    Attributes:
        picture: the photograph's name.
        face: number of the face, reading order, from 0; None if the whole picture failed.
        entrant: what restored it; None for the photograph itself.
        status: "input", "restored", "skipped" or "failed".
        reason: why it was skipped or failed, or what speaks against it; "" if nothing does.
        level: the verdict, "good", "look" or "bad"; "" where there is none.
        seconds: of the whole picture, all its faces; None for the photograph.
        identity: cosine of the face's embedding and the photograph's (`likeness.reference.matching`), at most 1.
        sharpness: how many px across the face holds (`likeness.faces.effective_resolution`).
        texture: root mean square of skin finer than 2 px of 512, in levels of 255.
        crop: 512 x 512 x 3 in [0, 1]; None if there is no result.
    """

    picture: str
    face: int | None
    entrant: Entrant | None
    status: Literal["input", "restored", "skipped", "failed"]
    reason: str = ""
    level: str = ""
    seconds: float | None = None
    identity: float | None = None
    sharpness: float | None = None
    texture: float | None = None
    crop: Pixels | None = None

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON and CSV, without the crop; faces count from 1 as everywhere that people read."""
        return {
            "picture": self.picture,
            "face": None if self.face is None else self.face + 1,
            "model": INPUT if self.entrant is None else self.entrant.model,
            "preset": "" if self.entrant is None else self.entrant.preset,
            "status": self.status,
            "verdict": self.level,
            "reason": self.reason,
            "seconds": _rounded(self.seconds),
            "identity": _rounded(self.identity),
            "sharpness": _rounded(self.sharpness),
            "texture": _rounded(self.texture),
        }


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One line of the table: an entrant over all photographs; means are of what was restored, None where nothing was.

    Attributes:
        entrant: None for the photographs themselves.
        restored, failed: faces; a picture that failed as a whole counts once.
        size: side of the faces that the network takes, px.
        seconds: of a photograph, median.
        megabytes: the most memory that the program held meanwhile, 10^6 bytes; None where the system does not tell.
        identity, sharpness, texture: means.
        least: identity of the face that moved the furthest.
        accepted: share of a blind review's ratings, in per cent, that would let the results go out; None without a review.
        good, look, bad: verdicts.
    """

    entrant: Entrant | None
    restored: int
    failed: int
    size: int | None
    seconds: float | None
    megabytes: float | None
    identity: float | None
    least: float | None
    sharpness: float | None
    texture: float | None
    accepted: float | None
    good: int
    look: int
    bad: int

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON and CSV."""
        names = ("size", "seconds", "megabytes", "identity", "least", "sharpness", "texture", "accepted")
        return {
            "model": INPUT if self.entrant is None else self.entrant.model,
            "preset": "" if self.entrant is None else self.entrant.preset,
            **{name: _rounded(getattr(self, name)) for name in names},
            **{name: getattr(self, name) for name in ("restored", "failed", "good", "look", "bad")},
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """All that was found.

    Attributes:
        entrants: in the order in which they were asked for.
        compared: face by face: the photograph's own first, then each entrant's.
        sizes: `Summary.size` of each model.
        megabytes: of each entrant, where the system tells.
        accepted: `Summary.accepted` of each entrant that people have rated.
        missing: models that could not be loaded, and why; none of the entrants is of these.
    """

    entrants: tuple[Entrant, ...]
    compared: tuple[Compared, ...]
    sizes: Mapping[str, int]
    megabytes: Mapping[Entrant, float]
    accepted: Mapping[Entrant, float] = field(default_factory=dict[Entrant, float])
    missing: Mapping[str, LikenessError] = field(default_factory=dict[str, LikenessError])

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names, in order, each once."""
        return tuple(dict.fromkeys(item.picture for item in self.compared))

    def of(self, picture: str) -> tuple[Compared, ...]:
        """What became of one picture's faces."""
        return tuple(item for item in self.compared if item.picture == picture)

    def summaries(self) -> tuple[Summary, ...]:
        """The table: the photographs first, then the entrants."""
        return tuple(self._summary(entrant) for entrant in (None, *self.entrants))

    def _summary(self, entrant: Entrant | None) -> Summary:
        own = [item for item in self.compared if item.entrant == entrant]
        seconds = list({item.picture: item.seconds for item in own if item.seconds is not None}.values())
        levels = [item.level for item in own]
        identities = [item.identity for item in own if item.identity is not None]
        return Summary(
            entrant=entrant,
            restored=sum(item.status == "restored" for item in own),
            failed=sum(item.status == "failed" for item in own),
            size=None if entrant is None else self.sizes[entrant.model],
            seconds=float(np.median(seconds)) if seconds else None,
            megabytes=None if entrant is None else self.megabytes.get(entrant),
            identity=_mean(identities),
            least=min(identities, default=None),
            sharpness=_mean([item.sharpness for item in own]),
            texture=_mean([item.texture for item in own]),
            accepted=None if entrant is None else self.accepted.get(entrant),
            good=levels.count("good"),
            look=levels.count("look"),
            bad=levels.count("bad"),
        )


def compare_networks(
    pictures: Sequence[tuple[str, Image]],
    models: Sequence[str],
    presets: Sequence[str],
    *,
    load: Callable[[str], Restorer],
    keep: Callable[[Entrant, str, Image], None] | None = None,
    report: Callable[[Entrant, int], None] | None = None,
) -> Comparison:
    """Restore every picture by every network under every preset, one network after the other.

    Args:
        pictures: names and images.
        models, presets: all pairs of them are compared.
        load: makes a restorer; it is closed when its turn is over, so that only one network lies in memory. A model that it
            cannot load is missing in the comparison, and does not cost the others.
        keep: is given each whole result: of which entrant, of which picture, the image.
        report: hears which entrant has done how many pictures.

    Raises:
        ControlError: for an unknown preset, before any work.
        LikenessError: if no network can be loaded.
    """
    controls = {preset: Controls.preset(preset) for preset in presets}
    matcher = FaceMatcher()
    own: dict[tuple[str, int], Embedding] = {}
    faces: dict[str, Sequence[Face]] = {}
    rows: dict[str, list[Compared]] = {name: [] for name, _ in pictures}
    sizes: dict[str, int] = {}
    megabytes: dict[Entrant, float] = {}
    missing: dict[str, LikenessError] = {}
    for model in models:
        forgotten = forget_peak()
        try:
            loaded = load(model)
        except LikenessError as error:
            missing[model] = error
            continue
        with loaded as restorer:
            sizes[model] = restorer.runtime.spec.side
            if not faces:
                for name, image in pictures:
                    faces[name] = restorer.find_faces(image)
                    rows[name] += [_as_it_came(name, image, face, i) for i, face in enumerate(faces[name])]
                    own |= {(name, i): matcher.embed(x.crop) for i, x in enumerate(rows[name]) if x.crop is not None}
            for preset in presets:
                entrant = Entrant(model=model, preset=preset)
                for count, (name, image) in enumerate(pictures, start=1):
                    found, whole = _restored(
                        restorer, entrant, name, image, faces[name], controls[preset], matcher, own
                    )
                    rows[name] += found
                    if keep is not None and whole is not None:
                        keep(entrant, name, whole)
                    if report is not None:
                        report(entrant, count)
                peak = peak_megabytes() if forgotten else None
                if peak is not None:
                    megabytes[entrant] = peak
    if missing and not sizes:
        raise next(iter(missing.values()))
    entrants = tuple(Entrant(model=model, preset=preset) for model in sizes for preset in presets)
    ordered = (item for name, _ in pictures for item in rows[name])
    return Comparison(entrants=entrants, compared=tuple(ordered), sizes=sizes, megabytes=megabytes, missing=missing)


def _as_it_came(name: str, image: Image, face: Face, index: int) -> Compared:
    item = Compared(picture=name, face=index, entrant=None, status="input")
    try:
        return replace(_measured(item, image, image, face), identity=1.0)
    except (ValueError, np.linalg.LinAlgError) as error:  # a face that cannot be aligned
        return replace(item, reason=str(notice_of(error)))


def _restored(
    restorer: Restorer,
    entrant: Entrant,
    name: str,
    image: Image,
    faces: Sequence[Face],
    controls: Controls,
    matcher: FaceMatcher,
    own: Mapping[tuple[str, int], Embedding],
) -> tuple[list[Compared], Image | None]:
    """What became of a picture's faces, and the whole result; None if it failed."""
    began = time.perf_counter()
    try:
        done: Restoration = restorer.restore(image, controls, faces=faces)
    except LikenessError as error:
        return [Compared(picture=name, face=None, entrant=entrant, status="failed", reason=str(error))], None
    seconds = time.perf_counter() - began
    found: list[Compared] = []
    for outcome in done.faces:
        verdict = outcome.verdict
        item = Compared(
            picture=name,
            face=outcome.index,
            entrant=entrant,
            status=outcome.status,
            reason=str(outcome.reason or ("" if verdict is None or verdict.level == "good" else verdict.sentence)),
            level="" if verdict is None else verdict.level,
            seconds=seconds,
        )
        if outcome.before:
            item = _measured(item, done.image, image, outcome.face)
            assert item.crop is not None
            item = replace(item, identity=likeness(matcher.embed(item.crop), own[name, outcome.index]))
        found.append(item)
    return found, done.image


def _measured(item: Compared, after: Image, before: Image, face: Face) -> Compared:
    """With the figures of a face, cut from a whole result, but for its identity."""
    alignment = align(face.five_points, before.size, TEMPLATE_SIZE)
    crop = warp(after.pixels, alignment.scaled(after.size))
    points = alignment.to_crop(face.landmarks.points).astype(np.float32)
    native = alignment.native_side * after.size.width / before.size.width
    return replace(
        item,
        sharpness=effective_resolution(crop, native).pixels,
        texture=skin_texture(crop, points),
        crop=crop,
    )


def skin_texture(crop: Pixels, points: Pixels) -> float:
    """Root mean square of what is finer than a Gaussian of 2 px on cheeks and forehead, luma, in levels of 255.

    Args:
        crop: 512 x 512 x 3 in [0, 1], FFHQ-aligned.
        points: 478 x 2, the mesh in crop pixels.
    """
    light = luma(crop)
    masks = region_masks(points, crop.shape[0])
    skin = masks["cheek"] + masks["forehead"]
    fine = np.square(light - gaussian_blur(light, _FINE))
    return 255.0 * float(np.sqrt((fine * skin).sum() / max(float(skin.sum()), 1e-6)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
