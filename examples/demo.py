"""Draws the before/after picture of the README from the samples, as `likeness demo` restores them.

python examples/demo.py --out out --picture before-after.jpg
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from likeness import LikenessError, write_image
from likeness.cli.console import Console
from likeness.cli.demo import draw_sheet, restore_samples

__all__ = ["main"]

README_FILES = ("avatar.png", "spectacles.jpg", "portrait.jpg", "grey-film.png")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Draw the before/after picture of the README.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results (out)")
    parser.add_argument("--model", default="likeness-512", help="a model's name or file (likeness-512)")
    parser.add_argument("--picture", type=Path, required=True, help="where it is drawn")
    options = parser.parse_args(argv)
    try:
        shown = {row.sample.file: row for row in restore_samples(options.out, options.model, Console())}
        write_image(draw_sheet([shown[file] for file in README_FILES]), options.picture, quality=90)
    except LikenessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
