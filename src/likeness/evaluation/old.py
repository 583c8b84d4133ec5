"""Old pictures as they are, without an original: is the restored face still the person of the input?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from likeness.errors import ConfigError, LikenessError
from likeness.evaluation.pairs import Failure, restored
from likeness.faces.align import TEMPLATE_SIZE, align, warp
from likeness.faces.detect import Detector, MediaPipeDetector
from likeness.faces.face import Alignment, Face, reading_order
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.files import is_picture
from likeness.imaging.image import Image, Pixels, Size
from likeness.messages.notice import Notice
from likeness.metrics import IdentityModel, piqe
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer

__all__ = ["FaceChange", "OldPictures", "PictureSource", "evaluate_old", "old_pictures", "pictures_by"]

PictureSource: TypeAlias = Callable[[str, Image], Image]
"""A restorer of whole pictures: given a file's name and the picture, the restored one of the same size."""


@dataclass(frozen=True, kw_only=True)
class FaceChange:
    """What restoration did to one face: the identity distance from the input to the restored face, and PIQE of both."""

    picture: str
    face: int
    identity: float
    piqe_before: float
    piqe_after: float


@dataclass(frozen=True, kw_only=True, eq=False)
class OldPictures:
    """The figures of a set of old pictures.

    Attributes:
        pictures: how many were looked at.
        faces: one per face that was found, restored and measured.
        failures: those that were not.
        samples: aligned crops before and after, as many as were asked for, of the largest face in a picture.
    """

    pictures: int
    faces: tuple[FaceChange, ...]
    failures: tuple[Failure, ...]
    samples: tuple[tuple[Pixels, Pixels], ...] = ()

    def summary(self) -> dict[str, float]:
        """Counts and means; identity_p90: nine in ten faces moved less. NaN without faces."""

        def mean(values: list[float]) -> float:
            return float(np.mean(values)) if values else float("nan")

        distances = [face.identity for face in self.faces]
        return {
            "pictures": self.pictures,
            "faces": len(self.faces),
            "failures": len(self.failures),
            "identity_mean": mean(distances),
            "identity_p90": float(np.percentile(distances, 90)) if distances else float("nan"),
            "piqe_before": mean([face.piqe_before for face in self.faces]),
            "piqe_after": mean([face.piqe_after for face in self.faces]),
        }


def old_pictures(folder: Path) -> tuple[Path, ...]:
    """The picture files of a folder, by name.

    Raises:
        ConfigError: if there are none.
    """
    found = tuple(sorted(path for path in folder.iterdir() if is_picture(path))) if folder.is_dir() else ()
    if not found:
        raise ConfigError(Notice("evaluate.no-pictures", {"folder": str(folder)}))
    return found


def pictures_by(restorer: Restorer, controls: Controls | None = None) -> PictureSource:
    """A restorer of ours as a source of whole pictures; it raises LikenessError where no face could be restored."""

    def source(_: str, image: Image) -> Image:
        return restored(restorer, image, controls)

    return source


def evaluate_old(
    source: PictureSource,
    paths: Sequence[Path],
    *,
    samples: int = 0,
    report: Callable[[int], None] | None = None,
) -> OldPictures:
    """Restore pictures that have no original, and compare each face with itself before.

    Faces are found in the input; the restored picture is cropped in the same places, at 512 px. An identity distance
    near 0 says that the person was kept, not that anything was restored, and one that grows may be damage undone: read it
    beside PIQE and the sheet.

    Args:
        source: the restorer (`pictures_by`), another tool's results (`whole_outputs_in`), or any other function.
        samples: how many crops to keep, spread over the pictures.
        report: called with the number of pictures done.

    Raises:
        MissingExtraError: if the identity model is not installed.
        ConfigError: what the source raises for a result that cannot be used.
    """
    identity = IdentityModel()
    detector: Detector = MediaPipeDetector()
    faces: list[FaceChange] = []
    failures: list[Failure] = []
    kept: list[tuple[Pixels, Pixels]] = []
    decoder = DecoderPool()
    for done, path in enumerate(paths, start=1):
        try:
            crops = _crops(source, decoder, path, detector, failures)
        except ConfigError:
            raise
        except LikenessError as error:
            failures.append(Failure(picture=path.name, reason=str(error)))
            continue
        finally:
            if report is not None:
                report(done)
        for index, _, before, after in crops:
            faces.append(
                FaceChange(
                    picture=path.name,
                    face=index,
                    identity=identity.distance(after, before),
                    piqe_before=piqe(before),
                    piqe_after=piqe(after),
                )
            )
        # As many as the share of the pictures that were looked at so far.
        if crops and len(kept) < round(samples * done / len(paths)):
            kept.append(max(crops, key=lambda crop: crop[1])[2:])
    return OldPictures(pictures=len(paths), faces=tuple(faces), failures=tuple(failures), samples=tuple(kept[:samples]))


def _crops(
    source: PictureSource, decoder: DecoderPool, path: Path, detector: Detector, failures: list[Failure]
) -> list[tuple[int, float, Pixels, Pixels]]:
    """Index, size, and aligned crops before and after of every face; faces that cannot be aligned join the failures."""
    image = decoder.read(path)
    found = reading_order(detector.detect(image))
    if not found:
        failures.append(Failure(picture=path.name, reason="no face was found"))
        return []
    restored = source(path.name, image)
    if restored.size != image.size:
        raise ConfigError(
            Notice("evaluate.other-size-old", {"name": path.name, "size": str(restored.size), "input": str(image.size)})
        )
    crops: list[tuple[int, float, Pixels, Pixels]] = []
    for index, face in enumerate(found):
        alignment = _aligned(face, image.size)
        if isinstance(alignment, ValueError):
            failures.append(Failure(picture=path.name, reason=f"face {index + 1}: {alignment}"))
        else:
            crops.append((index, face.box.area, warp(image.pixels, alignment), warp(restored.pixels, alignment)))
    return crops


def _aligned(face: Face, size: Size) -> Alignment | ValueError:
    try:
        return align(face.five_points, size, TEMPLATE_SIZE)
    except ValueError as error:
        return error
