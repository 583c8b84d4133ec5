"""Fill in the column "skin" of validation-groups.csv: `python benchmarks/skin.py PORTRAITS` (see validation-groups.md)."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from likeness.faces.detect import MediaPipeDetector
from likeness.faces.regions import region_masks
from likeness.imaging.image import Image, Pixels
from likeness.imaging.portraits import Portraits
from likeness.metrics import typology_angle

TABLE = Path(__file__).with_name("validation-groups.csv")
LIGHT, DARK = 41.0, -30.0
"""Degrees of typology angle: light is above the first, dark below the second (bounds of Chardon's classes)."""


def skin(angle: float) -> str:
    """The class of a typology angle in degrees; "" for none."""
    if angle != angle:
        return ""
    return "light" if angle > LIGHT else "dark" if angle < DARK else "medium"


def angle_of(pixels: Pixels, detector: MediaPipeDetector) -> float:
    """The typology angle of the cheeks of the largest face, NaN where there is none."""
    faces = detector.detect(Image(pixels=pixels))
    if not faces:
        return float("nan")
    face = max(faces, key=lambda face: face.box.area)
    cheek = region_masks(face.landmarks.points, Image(pixels=pixels).size.width)["cheek"]
    return typology_angle(pixels, cheek)


def main() -> None:
    portraits = Portraits.read(Path(sys.argv[1]), 512, split="val")
    detector = MediaPipeDetector()
    angles = {name: angle_of(portraits.pixels(i), detector) for i, name in enumerate(portraits.names)}
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    with TABLE.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, ["file", "age", "sex", "skin"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            angle = angles.get(row["file"], float("nan"))
            print(f"{row['file']}: {angle:.0f} degrees")
            writer.writerow({**row, "skin": skin(angle)})


if __name__ == "__main__":
    main()
