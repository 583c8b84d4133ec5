"""``likeness evaluate``: score a model on portraits that it has never seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.restore import Parser, add_verbosity, verbosity
from likeness.cli.table import table
from likeness.errors import ConfigError

if TYPE_CHECKING:
    from likeness.evaluation import Table

__all__ = ["evaluate"]


def evaluate(argv: Sequence[str], console: Console) -> int:
    """Degrade portraits by the fixed recipes, restore them, and compare with the originals.

    Returns:
        0; the table is printed on stdout.

    Raises:
        MissingExtraError: if the identity model is not installed.
        ConfigError: for unknown recipes, or no portraits.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = _parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    from likeness import evaluation
    from likeness.checkpoints.catalog import DEFAULT_MODEL
    from likeness.imaging.files import write_bytes_atomically, write_image
    from likeness.imaging.portraits import Portraits
    from likeness.restore.controls import Controls
    from likeness.restore.pipeline import Restorer

    recipes = tuple(flags.recipes.split(",")) if flags.recipes else evaluation.EVALUATION_RECIPES
    controls = Controls.preset(flags.preset)
    restorer = Restorer(flags.model or DEFAULT_MODEL, device=flags.device)
    found = Portraits.read(flags.portraits, restorer.runtime.config.size, split=flags.split)
    if flags.every < 1:
        raise ConfigError(f"--every must be at least 1, not {flags.every}")
    portraits = [(found.names[i], found.pixels(i)) for i in range(0, len(found.names), flags.every)]
    console.say(f"{len(portraits)} portraits, {len(recipes)} recipes, {restorer.runtime.description}")

    def report(recipe: str, done: int) -> None:
        if done % 20 == 0 or done == len(portraits):
            console.detail(f"{recipe}: {done} of {len(portraits)}")

    tables = evaluation.evaluate(restorer, portraits, recipes=recipes, controls=controls, report=report)
    console.show(_text(tables))
    if flags.json:
        lines = json.dumps({"preset": flags.preset, "tables": [asdict(t) for t in tables]}, indent=2)
        write_bytes_atomically(lines.encode(), flags.json)
    if flags.sheets:
        flags.sheets.mkdir(parents=True, exist_ok=True)
        step = max(1, len(portraits) // flags.rows)
        for recipe in recipes:
            pairs = list(islice(evaluation.make_pairs(portraits, recipe, every=step), flags.rows))
            write_image(evaluation.sheet(restorer, pairs, controls=controls), flags.sheets / f"{recipe}.jpg")
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="likeness evaluate",
        description="Degrade sharp, FFHQ-aligned portraits by fixed recipes with fixed seeds, restore them, and compare "
        "with the originals. Each figure stands beside the degraded input's own.",
        allow_abbrev=False,
    )
    parser.add_argument("portraits", metavar="FOLDER", type=Path, help="pictures, or tar shards <split>-*.tar")
    parser.add_argument("--split", default="val", help="which shards (default: val)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth portrait")
    parser.add_argument("--recipes", metavar="A,B", help="default: clean,mild,moderate,severe,grey-film,messenger")
    parser.add_argument("--preset", default="standard", help="controls (default: standard)")
    parser.add_argument("--model", help="a model's name or a checkpoint file")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER", help="write a contact sheet per recipe")
    parser.add_argument("--rows", type=int, default=8, metavar="N", help="portraits on a sheet (default: 8)")
    add_verbosity(parser)
    return parser


def _text(tables: Sequence[Table]) -> str:
    names = ("psnr", "ssim", "identity", "landmarks", "found", "skin", "hair")
    rows: list[list[str]] = []
    for item in tables:
        for label, score in (("degraded", item.degraded), ("restored", item.restored)):
            values = score.to_dict()
            rows.append([item.recipe, label, *(f"{values[name]:.{2 if name == 'psnr' else 3}f}" for name in names)])
    return table(("recipe", "picture", *names), rows)
