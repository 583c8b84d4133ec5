"""``likeness evaluate``: score a model, or another tool's results, on portraits and on old pictures."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.table import table
from likeness.errors import ConfigError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.evaluation.groups import GroupFigures
    from likeness.evaluation.old import OldPictures
    from likeness.evaluation.tables import Table
    from likeness.restore.controls import Controls
    from likeness.restore.pipeline import Restorer

__all__ = ["evaluate", "make_parser"]

_DESCRIPTION = """\
Degrade sharp, FFHQ-aligned portraits by fixed recipes with fixed seeds, restore them, and compare with the originals; each
figure stands beside the degraded input's own. With --old, restore pictures that have no original and compare each face
with itself. docs/cli.md explains the figures."""

_EPILOG = """\
exit status:
  0    measured
  1    a portrait could not be restored: the figures are of the others, and say so; or the model or a picture cannot be
       had, or a file cannot be written
  2    nothing was begun: a flag, a folder or a file cannot be used, or the extra is missing

examples:
  likeness evaluate portraits/ --json figures.json --sheets sheets/
  likeness evaluate portraits/ --recipes mild --write-pairs pairs/
  likeness evaluate portraits/ --recipes mild --outputs results/
  likeness evaluate --old scans/ --preset film-scan --sheets sheets/"""

_SIZE = 512
"""Side at which portraits are judged where no model says another."""


def evaluate(argv: Sequence[str], console: Console) -> int:
    """Degrade portraits by the fixed recipes, restore them, compare with the originals; or judge old pictures as they are.

    Returns:
        0, or 1 if a portrait failed; the tables are printed on stdout.

    Raises:
        MissingExtraError: if the identity model is not installed.
        ConfigError: for options that cannot be used, no portraits, or results of a tool that are missing or do not fit.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    _check(flags)
    _claim(flags, console)
    if flags.old:
        return _old(flags, console)
    return _portraits(flags, console)


def _check(flags: Namespace) -> None:
    from likeness.evaluation.sheets import MAX_ROWS

    if (flags.portraits is None) == (flags.old is None):
        raise ConfigError(Notice("cli.evaluate-what"))
    if flags.every < 1:
        raise ConfigError(Notice("cli.every", {"every": flags.every}))
    if not 1 <= flags.rows <= MAX_ROWS:
        raise ConfigError(Notice("cli.rows", {"most": MAX_ROWS, "rows": flags.rows}))
    if flags.size is not None and not 64 <= flags.size <= 4096:
        raise ConfigError(Notice("cli.size", {"size": flags.size}))
    if flags.old and (flags.write_pairs or flags.groups or flags.recipes or flags.size):
        raise ConfigError(Notice("cli.old-alone"))
    if flags.outputs and flags.write_pairs:
        raise ConfigError(Notice("cli.pairs-or-outputs"))
    if flags.outputs and flags.model:
        raise ConfigError(Notice("cli.outputs-alone"))


def _claim(flags: Namespace, console: Console) -> None:
    """See before any work, which may take hours, that its figures can be written where they are to be.

    Raises:
        ConfigError: if a file is there that is not to be replaced.
        FileWriteError: if a folder cannot be made.
    """
    from likeness.core.files import make_folder

    for folder in (flags.sheets, flags.json and flags.json.parent):
        if folder is not None:
            make_folder(folder)
    if flags.json is not None:
        console.ledger.claim([flags.json], overwrite=flags.overwrite)


def _restorer(flags: Namespace) -> tuple[Restorer, Controls]:
    from likeness.models.catalog import DEFAULT_MODEL
    from likeness.restore.controls import Controls
    from likeness.restore.pipeline import Restorer

    controls = Controls.preset(flags.preset)
    restorer = Restorer(flags.model or DEFAULT_MODEL, device=flags.device)
    restorer.need_faces()
    return restorer, controls


def _judged(flags: Namespace) -> dict[str, str]:
    """What the figures belong to, for the JSON file."""
    if flags.outputs:
        return {"outputs": str(flags.outputs)}
    return {"model": str(flags.model or "default"), "preset": flags.preset}


def _portraits(flags: Namespace, console: Console) -> int:
    from likeness.evaluation.groups import by_group, read_groups
    from likeness.evaluation.outputs import outputs_in
    from likeness.evaluation.pairs import EVALUATION_RECIPES, make_pairs, restored_by, write_pairs
    from likeness.evaluation.sheets import pair_sheet
    from likeness.evaluation.tables import evaluate as score
    from likeness.imaging.files import write_image
    from likeness.imaging.portraits import Portraits

    recipes = tuple(flags.recipes.split(",")) if flags.recipes else EVALUATION_RECIPES
    groups = read_groups(flags.groups) if flags.groups else None
    ours = None if flags.outputs or flags.write_pairs else _restorer(flags)
    size = flags.size or (ours[0].runtime.spec.side if ours else _SIZE)
    found = Portraits.read(flags.portraits, size, split=flags.split)
    portraits = [(found.names[i], found.pixels(i)) for i in range(0, len(found.names), flags.every)]

    def report(recipe: str, done: int) -> None:
        if done % 20 == 0 or done == len(portraits):
            console.detail(f"{recipe}: {done} of {len(portraits)}")

    if flags.write_pairs:
        written = write_pairs(portraits, flags.write_pairs, recipes=recipes, report=report)
        console.say(f"{written} degraded pictures of {len(portraits)} portraits written to {flags.write_pairs}")
        return 0
    if ours:
        source, judged = restored_by(*ours), ours[0].runtime.description
    else:
        source, judged = outputs_in(flags.outputs, [name for name, _ in portraits], recipes), str(flags.outputs)
    console.say(f"{len(portraits)} portraits, {len(recipes)} recipes, {judged}")
    tables = score(source, portraits, recipes=recipes, report=report)
    console.show(_text(tables))
    figures: tuple[GroupFigures, ...] = ()
    if groups is not None:
        figures = by_group(tables, groups)
        console.show("\n" + _group_text(figures))
    if flags.json:
        described = [_described(item) for item in tables]
        _write_json(flags.json, {**_judged(flags), "tables": described, "groups": [asdict(item) for item in figures]})
    if flags.sheets:
        step = max(1, len(portraits) // flags.rows)
        for item in tables:
            failed = {failure.picture for failure in item.failures}
            pairs = islice(make_pairs(portraits, item.recipe, every=step), flags.rows)
            if shown := [pair for pair in pairs if pair.name not in failed]:
                write_image(pair_sheet(shown, source), flags.sheets / f"{item.recipe}.jpg")
    return 1 if any(item.failures for item in tables) else 0


def _old(flags: Namespace, console: Console) -> int:
    from likeness.evaluation.old import evaluate_old, old_pictures, pictures_by
    from likeness.evaluation.outputs import whole_outputs_in
    from likeness.evaluation.sheets import contact_sheet
    from likeness.imaging.files import write_image

    paths = old_pictures(flags.old)[:: flags.every]
    if flags.outputs:
        source = whole_outputs_in(flags.outputs, [path.name for path in paths])
    else:
        source = pictures_by(*_restorer(flags))

    def report(done: int) -> None:
        if done % 20 == 0 or done == len(paths):
            console.detail(f"{done} of {len(paths)}")

    samples = flags.rows if flags.sheets else 0
    result = evaluate_old(source, paths, samples=samples, report=report)
    console.show(_old_text(flags.old, result))
    if flags.json:
        _write_json(
            flags.json,
            {
                **_judged(flags),
                "summary": result.summary(),
                "faces": [asdict(face) for face in result.faces],
                "failures": [asdict(failure) for failure in result.failures],
            },
        )
    if flags.sheets and result.samples:
        write_image(contact_sheet(result.samples), flags.sheets / "old.jpg")
    return 0


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness evaluate",
        usage="likeness evaluate FOLDER [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "portraits", metavar="FOLDER", nargs="?", type=Path, help="portraits: pictures, or tar shards <split>-*.tar"
    )
    parser.add_argument(
        "--old", metavar="FOLDER", type=Path, help="old pictures without originals, instead of portraits"
    )
    parser.add_argument("--split", default="val", help="which shards (default: val)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth portrait or picture")
    parser.add_argument("--recipes", metavar="A,B", help="default: clean,mild,moderate,severe,grey-film,messenger")
    parser.add_argument(
        "--size", type=int, metavar="PX", help="side to judge at (default: the model's; 512 without one)"
    )
    parser.add_argument(
        "--groups", type=Path, metavar="CSV", help="figures by group too: columns file, and one per grouping"
    )
    other = parser.add_argument_group("another tool")
    other.add_argument("--write-pairs", type=Path, metavar="DIR", help="write DIR/<recipe>/<name>.png for it, and stop")
    other.add_argument(
        "--outputs", type=Path, metavar="DIR", help="score its results, DIR/<recipe>/<name>.*, not a model"
    )
    ours = parser.add_argument_group("a model")
    ours.add_argument("--preset", default="standard", help="controls (default: standard)")
    ours.add_argument("--model", help="a model's name or a checkpoint file")
    ours.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    written = parser.add_argument_group("what else is written")
    written.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    written.add_argument("--sheets", type=Path, metavar="FOLDER", help="write a contact sheet per recipe, or of --old")
    written.add_argument("--rows", type=int, default=8, metavar="N", help="pictures on a sheet, 1 to 64 (default: 8)")
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser


_FIGURES = ("psnr", "ssim", "identity", "landmarks", "found", "skin", "hair", "eye", "plastic", "piqe")


def _text(tables: Sequence[Table]) -> str:
    rows: list[list[str]] = []
    for item in tables:
        counted = _of(item.pictures, item.asked)
        for label, score in (("degraded", item.degraded), ("restored", item.restored)):
            values = score.to_dict()
            cells = [_number(values[name], 2 if name in ("psnr", "piqe") else 3) for name in _FIGURES]
            rows.append([item.recipe, label, counted, *cells])
        ratios = _ratios(item)
        cells = [_number(ratios[name]) if name in ratios else "" for name in _FIGURES]
        rows.append([item.recipe, "ratio", counted, *cells])
    lines = [table(("recipe", "picture", "faces", *_FIGURES), rows)]
    lines += [f"failed: {item.recipe}: {one.picture}: {one.reason}" for item in tables for one in item.failures]
    return "\n".join(lines)


def _of(count: int, asked: int) -> str:
    return str(count) if count == asked else f"{count} of {asked}"


def _ratios(item: Table) -> dict[str, float]:
    from likeness.evaluation.tables import identity_ratio, landmarks_ratio

    return {"identity": identity_ratio(item.results), "landmarks": landmarks_ratio(item.results)}


def _described(item: Table) -> dict[str, Any]:
    return {
        "recipe": item.recipe,
        "pictures": item.pictures,
        "asked": item.asked,
        "left_out": list(item.left_out),
        "failures": [asdict(failure) for failure in item.failures],
        "degraded": item.degraded.to_dict(),
        "restored": item.restored.to_dict(),
        "ratios": _ratios(item),
    }


def _group_text(figures: Sequence[GroupFigures]) -> str:
    rows = [
        [
            item.recipe,
            f"{item.column} {item.value}",
            _of(item.pictures, item.pictures + item.failed),
            f"{item.psnr_gain:+.2f}" if math.isfinite(item.psnr_gain) else "-",
            _number(item.identity_degraded),
            _number(item.identity_restored),
            _number(item.identity_ratio),
        ]
        for item in figures
    ]
    return table(("recipe", "group", "pictures", "psnr gain", "identity degraded", "restored", "ratio"), rows)


def _old_text(folder: Path, result: OldPictures) -> str:
    values = result.summary()
    head = ("pictures", "faces", "failures", "identity_mean", "identity_p90", "piqe_before", "piqe_after")
    cells = [f"{values[name]:.0f}" for name in head[:3]]
    cells += [_number(values[name], 2 if name.startswith("piqe") else 3) for name in head[3:]]
    lines = [table(("set", *(name.replace("_", " ") for name in head)), [[folder.name, *cells]])]
    lines += [f"failed: {failure.picture}: {failure.reason}" for failure in result.failures]
    return "\n".join(lines)


def _number(value: float, places: int = 3) -> str:
    return f"{value:.{places}f}" if math.isfinite(value) else "-"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    from likeness.core.files import write_bytes_atomically

    write_bytes_atomically((json.dumps(_finite(content), indent=2, allow_nan=False) + "\n").encode(), path)


def _finite(value: Any) -> Any:
    """The same with null where there is no figure: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
