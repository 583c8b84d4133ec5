"""What another photograph of the person brings, and how well the matcher knows a person: the tables of docs/reference.md.

    python benchmarks/reference.py transfer|matcher ../shared/portraits --cache FOLDER [--every N] [--sheets FOLDER]
                                                            [--persons reported|tuning]

Pairs are found by dlib, which judges as well and has no part in the matcher: persons of the London set (one picture
smiling, one neutral, each the other's reference), and persons who are in the training portraits on two days. Limits and
forms are chosen on the persons of `tuning` alone; figures that are told are those of the others. What the network answers
is kept in the cache folder, so that a second run takes a fifth of the time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.degradations import RECIPES
from likeness.faces.detect import MediaPipeDetector, face_of_crop
from likeness.faces.face import Face, Landmarks
from likeness.faces.outlines import OVAL_OUTLINE
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Pixels
from likeness.imaging.portraits import Portraits
from likeness.metrics import IdentityModel, landmark_distance
from likeness.reference.correspondence import mesh_map, sampled
from likeness.reference.expression import Expression
from likeness.reference.fusion import fuse, warp_reference
from likeness.reference.irises import iris_colours
from likeness.reference.matching import FaceMatcher, verdict
from likeness.reference.photographs import Reference
from likeness.reference.spectacles import thick_spectacles
from likeness.restore.arbitration import arbitrate, held_detail
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer

RECIPES_SHOWN = ("severe", "moderate", "messenger", "grey-film")
DAYS_APART = (0.12, 0.42)
"""dlib's distance of two pictures of one person on different days: nearer are copies of one, further may be relatives."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One degraded face with what the network made of it, and who else is there."""

    original: Pixels
    crop: Pixels
    target: Pixels
    landmarks: Landmarks | None
    reference: int
    stranger: int


class Album:
    """Portraits, aligned, with everything that is measured on them as they are."""

    def __init__(self, folder: Path, split: str, prefix: str = "") -> None:
        found = Portraits.read(folder, 512, split=split)
        keep = [n for n, name in enumerate(found.names) if Path(name).name.startswith(prefix)]
        self.pixels = [found.pixels(n) for n in keep]
        self.numbers = keep  # the seeds of `likeness evaluate`
        self.identity, self.matcher, self.detector = IdentityModel(), FaceMatcher(), MediaPipeDetector()
        self.judged = np.stack([self.identity.embed(x) for x in self.pixels])
        self.embedded = np.stack([self.matcher.embed(x) for x in self.pixels])
        self._references: dict[int, Reference] = {}

    def distances(self) -> NDArray[np.float64]:
        return np.linalg.norm(self.judged[:, None] - self.judged, axis=2) + 9 * np.eye(len(self.judged))

    def reference(self, number: int) -> Reference:
        if number not in self._references:
            face = largest(self.detector.detect(Image(pixels=self.pixels[number])))
            if face is None:
                raise SystemExit(f"no face in portrait {number}")
            self._references[number] = Reference(
                name=str(number),
                light=luma(self.pixels[number]),
                valid=np.ones((512, 512), np.float32),
                points=face.landmarks.points,
                depth=face.landmarks.depth,
                expression=Expression.of(face.landmarks),
                native_side=512,
                embedding=self.embedded[number].astype(np.float32),
                irises=iris_colours(self.pixels[number], face.landmarks.points),
                spectacles=thick_spectacles(self.pixels[number], face.landmarks.points),
            )
        return self._references[number]


def largest(faces: Sequence[Face]) -> Face | None:
    return max((f for f in faces if f.landmarks.source == "mesh"), key=lambda f: f.box.area, default=None)


def nearest_pairs(album: Album) -> list[tuple[int, int]]:
    """Pictures that are each other's nearest: one person, twice."""
    nearest = album.distances().argmin(axis=1)
    return [(one, int(other)) for one, other in enumerate(nearest) if nearest[other] == one]


def pairs_of_days(album: Album) -> list[tuple[int, int]]:
    """Each picture in one pair at most, the nearest first."""
    distances = album.distances()
    near = [tuple(map(int, pair)) for pair in np.argwhere((distances > DAYS_APART[0]) & (distances < DAYS_APART[1]))]
    taken: set[int] = set()
    found: list[tuple[int, int]] = []
    for one, other in sorted((pair for pair in near if pair[0] < pair[1]), key=lambda pair: distances[pair]):
        if not taken & {one, other}:
            taken |= {one, other}
            found.append((one, other))
    return found


def of_persons(pairs: Sequence[tuple[int, int]], persons: str, tuning: Callable[[int], bool]) -> list[tuple[int, int]]:
    """The pairs of the persons who are for tuning, or of the others; ``tuning`` says it by a pair's number."""
    own = {frozenset(pair) for number, pair in enumerate(pairs) if tuning(number)}
    return [pair for pair in pairs if (frozenset(pair) in own) == (persons == "tuning")]


def tuning_same_day(number: int) -> bool:
    """22 of the 50 London persons: everything before was looked at on them."""
    return number % 4 == 0


def tuning_days(number: int) -> bool:
    """Seven of every ten persons on two days; the others were held out of the matcher's training as well."""
    return number % 5 != 0 and number % 10 != 2


def cases(
    album: Album, pairs: Sequence[tuple[int, int]], recipe: str, cache: Path, restorer: Restorer, tag: str
) -> Iterator[Case]:
    """Every first of a pair, degraded and restored; the stranger is the next pair's first who is another."""
    for place, (one, other) in enumerate(pairs):
        seed = album.numbers[one]
        drawn = RECIPES[recipe].draw(seed)
        degraded = Image.from_uint8(Image(pixels=drawn.apply(album.pixels[one], seed)).to_uint8())
        file = cache / f"{tag}-{recipe}-{seed}.npz"
        if not file.is_file():
            face = face_of_crop(degraded, restorer.detector)
            answer = restorer.project(degraded, face, Controls.standard(), aligned=True).projection
            np.savez(file, answer=answer.astype(np.float16))
        with np.load(file) as kept:
            answer = kept["answer"].astype(np.float32)
        target = arbitrate(degraded.pixels, answer, held_detail(degraded.pixels, answer))
        face = largest(album.detector.detect(Image(pixels=np.clip(target, 0, 1))))
        later = (pairs[(place + step) % len(pairs)][0] for step in range(1, len(pairs)))
        yield Case(
            original=drawn.tone().apply(album.pixels[one], seed),
            crop=degraded.pixels,
            target=target,
            landmarks=None if face is None else face.landmarks,
            reference=other,
            stranger=next(number for number in later if number not in (one, other)),
        )


def naive(case: Case, reference: Reference, sigma: float) -> Pixels:
    """The pilot's form: bands finer than sigma inside an oval, whatever they show."""
    assert case.landmarks is not None
    laid = sampled(reference.light, mesh_map(case.landmarks.points, reference.points, 512))
    own = luma(case.target)
    oval = np.zeros((512, 512), np.float32)
    cv2.fillPoly(oval, [np.round(case.landmarks.points[list(OVAL_OUTLINE)]).astype(np.int32)], (1.0,))
    detail = (laid - gaussian_blur(laid, sigma)) - (own - gaussian_blur(own, sigma))
    return case.target + (gaussian_blur(oval, 8) * detail)[:, :, None]


def measure(album: Album, found: Iterator[Case], sheet: Path | None) -> dict[str, NDArray[np.float64]]:
    rows: list[dict[str, float]] = []
    shown: list[Pixels] = []
    for case in found:
        if case.landmarks is None:
            continue
        landmarks = album.identity.locate(case.original)
        truth = album.identity.embed(case.original, landmarks)
        own = album.matcher.embed(case.original)
        points = largest(album.detector.detect(Image(pixels=case.original)))

        def far(x: Pixels, goal: NDArray[np.float64] = truth, at: object = landmarks) -> float:
            return float(np.linalg.norm(album.identity.embed(np.clip(x, 0, 1), at) - goal))

        def moved(x: Pixels, goal: Face | None = points) -> float:
            face = largest(album.detector.detect(Image(pixels=np.clip(x, 0, 1, dtype=np.float32))))
            if face is None or goal is None:
                return float("nan")
            return landmark_distance(face.landmarks.points, goal.landmarks.points)

        warped, forced = (
            warp_reference(album.reference(n), crop=case.crop, target=case.target, landmarks=case.landmarks)
            for n in (case.reference, case.stranger)
        )
        ours, wrong = fuse(case.target, warped), fuse(case.target, forced)
        judge = {"restored": case.target, "ours": ours}
        embedded = album.matcher.embed(case.crop, np.clip(case.target, 0, 1))
        stranger = album.judged[case.stranger]
        rows.append(
            {
                "input": far(case.crop),
                "restored": far(case.target),
                "naive 2 px": far(naive(case, album.reference(case.reference), 2)),
                "naive 8 px": far(naive(case, album.reference(case.reference), 8)),
                "ours": far(ours),
                "sigma": warped.sigma,
                "share": float(warped.shares[128:400, 128:384].mean()),
                **{f"landmarks {name}": moved(x) for name, x in judge.items()},
                **{
                    f"second {name}": 1 - float(album.matcher.embed(np.clip(x, 0, 1)) @ own)
                    for name, x in judge.items()
                },
                "stranger before": far(case.target, stranger),
                "stranger after": far(wrong, stranger),
                "forced": far(wrong),
                "own likeness": float(embedded @ album.embedded[case.reference]),
                "stranger likeness": float(embedded @ album.embedded[case.stranger]),
            }
        )
        if sheet is not None and len(shown) < 12:
            columns = (case.crop, case.target, ours, album.pixels[case.reference], case.original)
            shown.append(np.hstack([np.clip(x, 0, 1) for x in columns]))
    if sheet is not None:
        pixels = np.vstack(shown)[:, :, ::-1]
        cv2.imwrite(str(sheet), (pixels * 255 + 0.5).astype(np.uint8))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def told(title: str, figures: dict[str, NDArray[np.float64]]) -> None:
    means = {name: float(np.nanmean(values)) for name, values in figures.items()}
    ratio: Callable[[str], str] = lambda name: f"{means[name]:.3f} ({means[name] / means['input']:.2f})"  # noqa: E731
    count = len(figures["input"])
    print(
        f"| {title} | {count} | {means['input']:.3f} | "
        + " | ".join(ratio(name) for name in ("restored", "naive 2 px", "naive 8 px", "ours"))
        + f" | {means['landmarks restored']:.4f} | {means['landmarks ours']:.4f}"
        f" | {means['second restored']:.3f} | {means['second ours']:.3f} | {means['sigma']:.1f} | {means['share']:.2f} |"
    )
    own, other = ([verdict(float(v)) for v in figures[name]] for name in ("own likeness", "stranger likeness"))
    print(
        f"<!-- {title}: verdicts of the person's own {[own.count(v) for v in ('same', 'doubt', 'other')]}, of a stranger "
        f"{[other.count(v) for v in ('same', 'doubt', 'other')]} (same, doubt, other); a stranger forced: his distance "
        f"{means['stranger before']:.3f} -> {means['stranger after']:.3f}, the person's {means['forced']:.3f} -->",
        flush=True,
    )


def matcher_told(
    title: str, embedded: NDArray[np.float32], goal: NDArray[np.float32], pairs: NDArray[np.int64]
) -> None:
    """One row of the error rates: ``embedded`` rows against ``goal`` rows, ``pairs`` their persons."""
    likenesses = embedded @ goal.T
    same = pairs[0][:, None] == pairs[1]
    own, others = likenesses[same], np.sort(likenesses[~same])
    area = float((np.searchsorted(others, own) / len(others)).mean())
    steps = np.quantile(others, np.linspace(0.5, 0.9999, 1000))
    equal = min(max(float((others > t).mean()), float((own < t).mean())) for t in steps)
    missed = [float((own < np.quantile(others, 1 - rate)).mean()) for rate in (0.01, 0.02, 0.05)]
    verdicts = [[verdict(float(v)) for v in values] for values in (own, others)]
    shares = " | ".join(
        f"{v.count('same') / len(v):.1%}, {v.count('doubt') / len(v):.1%}, {v.count('other') / len(v):.1%}"
        for v in verdicts
    )
    print(
        f"| {title} | {area:.3f} | {equal:.1%} | " + " | ".join(f"{m:.0%}" for m in missed) + f" | {shares} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("matcher", "transfer"))
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--persons", choices=("reported", "tuning"), default="reported")
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES_SHOWN))
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    restorer = Restorer()
    london = Album(asked.portraits, "val", "london-")
    pairs = nearest_pairs(london)
    owner = np.arange(len(london.pixels))
    for one, other in pairs:
        owner[other] = owner[one] = min(one, other)
    embed = london.matcher.embed
    firsts = np.array([one for one, _ in pairs])
    partners = np.array([other for _, other in pairs])
    persons = np.stack([owner[firsts], owner[partners]])
    if asked.what == "matcher":
        matcher_told("sharp", london.embedded[firsts], london.embedded[partners], persons)
    for recipe in asked.recipes:
        if asked.what == "matcher":
            embedded = [
                (embed(case.crop), embed(np.clip(case.target, 0, 1)), embed(case.crop, np.clip(case.target, 0, 1)))
                for case in cases(london, pairs, recipe, asked.cache, restorer, "london")
            ]
            for title, column in zip(("", ", restored", ", both"), zip(*embedded, strict=True), strict=True):
                matcher_told(f"{recipe}{title}", np.stack(column), london.embedded[partners], persons)
        else:
            chosen = of_persons(pairs, asked.persons, tuning_same_day)[:: asked.every]
            found = cases(london, chosen, recipe, asked.cache, restorer, "london")
            told(f"{recipe}, same day", measure(london, found, asked.sheets and asked.sheets / f"london-{recipe}.png"))
    if asked.what == "matcher":
        return
    album = Album(asked.portraits, "train")
    pairs = of_persons(pairs_of_days(album), asked.persons, tuning_days)[:: asked.every]
    for recipe in asked.recipes[:2]:
        sheet = asked.sheets and asked.sheets / f"days-{recipe}.png"
        told(
            f"{recipe}, another day", measure(album, cases(album, pairs, recipe, asked.cache, restorer, "days"), sheet)
        )


if __name__ == "__main__":
    main()
