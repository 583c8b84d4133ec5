"""``likeness compare``: networks and presets side by side on one's own pictures."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.table import counted, table
from likeness.errors import CheckpointError, ConfigError, LikenessError, NoFaceError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.evaluation.comparison import Comparison, Entrant
    from likeness.imaging.image import Image
    from likeness.restore.pipeline import Restorer

__all__ = ["compare", "make_parser"]

_DESCRIPTION = """\
Restore pictures with several networks, under several presets, and show the results side by side: a page for each picture
(every face in the same crop, all crops zoom together), a sheet, and a table of seconds, memory, identity to the
photograph, sharpness, texture, verdicts and failures, as CSV and JSON too. Networks run one after the other."""

_EPILOG = """\
exit status:
  0    compared
  1    some network is not here or cannot be loaded (the others were compared), a picture cannot be read, or no face was
       found in any
  2    nothing was begun: a flag, a preset or a file name cannot be used

examples:
  likeness compare portrait.jpg --presets standard,natural,plain
  likeness compare pictures/ --models likeness-512,GPEN-BFR-512,./my-network.pth --presets natural,plain -o comparison/
  likeness compare pictures/ --presets natural,plain --results -o comparison/
  likeness compare pictures/ --presets natural,plain --review tuesday -o comparison/ --overwrite"""

_LEAST = 4
"""The lowest grade of a review, of 5, with which a result is taken as accepted: "good"."""

_LINES = (
    "size",
    "seconds",
    "megabytes",
    "identity",
    "least",
    "sharpness",
    "texture",
    "accepted",
    "failed",
    "good",
    "look",
    "bad",
)


def compare(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        0, or 1 if a network is not here or cannot be loaded.

    Raises:
        ConfigError, ControlError: for flags that cannot be used.
        LikenessError: if no network is here or can be loaded, a picture cannot be read, no face was restored, or a file
            cannot be written.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    from likeness.core.files import make_folder
    from likeness.evaluation.comparison import Entrant
    from likeness.restore.controls import Controls

    models, presets = _listed(flags.models, "--models"), _listed(flags.presets, "--presets")
    for preset in presets:
        Controls.preset(preset)
    paths = list(_pictures(flags.inputs))
    names = _names(paths)
    folder: Path = flags.output
    tables = [folder / "comparison.csv", folder / "faces.csv", folder / "comparison.json"]
    shown = [folder / f"{name}{suffix}" for name in names for suffix in (".html", ".jpg")]
    entrants = [Entrant(model=model, preset=preset) for model in models for preset in presets]
    if (flags.results or flags.review is not None) and len({entrant.name for entrant in entrants}) < len(entrants):
        raise ConfigError(Notice("compare.same-names"))
    results = {entrant: _results_folder(folder, entrant) for entrant in entrants} if flags.results else {}
    kept = [place / f"{name}.png" for place in results.values() for name in names]
    console.ledger.claim([*tables, *shown, *kept], overwrite=flags.overwrite)
    accepted = {} if flags.review is None else _accepted(flags.review, entrants)
    here, missing = _here(models, console)

    from likeness.evaluation.comparison import compare_networks
    from likeness.imaging.decoding.pool import DecoderPool
    from likeness.imaging.files import write_image

    with DecoderPool() as decoder:
        decoder.start()
        pictures: list[tuple[str, Image]] = [
            (name, decoder.read(path)) for name, path in zip(names, paths, strict=True)
        ]

    def load(model: str) -> Restorer:
        from likeness.restore.pipeline import Restorer

        restorer = Restorer(model, device=flags.device)
        restorer.need_faces()
        return restorer

    def keep(entrant: Entrant, name: str, image: Image) -> None:
        make_folder(results[entrant])
        write_image(image, results[entrant] / f"{name}.png")

    found = compare_networks(
        pictures,
        here,
        presets,
        load=load,
        keep=keep if results else None,
        report=lambda entrant, done: console.detail(f"{entrant.name}: {done} of {len(pictures)}"),
    )
    found = replace(found, accepted=accepted)
    for error in found.missing.values():
        console.warn(str(error))
    missing |= {model: str(error) for model, error in found.missing.items()}
    _write(found, folder, missing)
    console.show(_text(found))
    for item in found.compared:
        if item.status == "failed":
            console.warn(f"{item.picture}: {item.entrant.name if item.entrant else ''}: {item.reason}")
    console.say(f"{counted(len(found.pictures), 'page')} written; see {folder / f'{found.pictures[0]}.html'}")
    if results:
        sides = " ".join(shlex.quote(f"{entrant.name}={results[entrant]}") for entrant in found.entrants)
        console.say(f"let people rate them: likeness review {sides} --session NAME")
    if not any(item.status == "restored" for item in found.compared):
        raise NoFaceError(Notice("compare.nothing"))
    return 1 if missing else 0


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness compare",
        usage="likeness compare PICTURE... [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("inputs", metavar="PICTURE", nargs="+", type=Path, help="pictures, or folders of them")
    parser.add_argument(
        "--models", metavar="A,B", default="likeness-512", help="names or files of networks (default: likeness-512)"
    )
    parser.add_argument("--presets", metavar="A,B", default="standard", help="presets of each (default: standard)")
    parser.add_argument(
        "--results",
        action="store_true",
        help="write the whole results too, a folder for each, as likeness review takes them",
    )
    parser.add_argument(
        "--review",
        metavar="DIR",
        type=Path,
        help="session of likeness review whose sides are named so: its ratings are a column of the table",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", type=Path, default=Path("comparison"), help="(default: comparison)"
    )
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser


def _listed(text: str, flag: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ConfigError(Notice("compare.empty-list", {"flag": flag}))
    return names


def _pictures(inputs: Sequence[Path]) -> Iterator[Path]:
    """The files that are named, and those in the folders that are.

    Raises:
        ConfigError: if a folder holds none.
    """
    from likeness.imaging.folders import pictures_in

    for path in inputs:
        if not path.is_dir():
            yield path
            continue
        names = pictures_in(path)
        if not names:
            raise ConfigError(Notice("compare.empty-folder", {"folder": str(path)}))
        for name in names:
            yield path / name


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each picture's page, the file's own where no other has it."""
    own = {path.name for path in paths}
    names: dict[str, None] = {}
    for path in paths:
        numbered = (f"{path.stem}-{number}{path.suffix}" for number in count(2))
        free = (name for name in numbered if name not in names and name not in own)
        names[path.name if path.name not in names else next(free)] = None
    return list(names)


def _here(models: Sequence[str], console: Console) -> tuple[list[str], dict[str, str]]:
    """The networks that are on this machine, and of the others why not, with the command that fetches them.

    Raises:
        CheckpointError: if none is.
    """
    from likeness.models.store import Store

    store = Store()
    here: list[str] = []
    missing: dict[str, LikenessError] = {}
    for model in models:
        try:
            store.path(model)
        except CheckpointError as error:  # noqa: PERF203 - one network must not cost the others
            missing[model] = error
        else:
            here.append(model)
    if not here:
        raise next(iter(missing.values()))
    for error in missing.values():
        console.warn(str(error))
    return here, {model: str(error) for model, error in missing.items()}


def _results_folder(folder: Path, entrant: Entrant) -> Path:
    return folder / "results" / entrant.name


def _accepted(folder: Path, entrants: Sequence[Entrant]) -> dict[Entrant, float]:
    """The share of ratings of 4 and 5 in a review, per cent, of those that are among its sides and were rated.

    Raises:
        RecordError: if there is no such session.
        ConfigError: if none of them is among its sides.
    """
    from likeness.studio.review import results
    from likeness.studio.review.session import ReviewSession

    sides = {side.name: side.scores for side in results.count(ReviewSession(folder)).sides}
    if not any(entrant.name in sides for entrant in entrants):
        names = {"sides": ", ".join(sides), "entrants": ", ".join(entrant.name for entrant in entrants)}
        raise ConfigError(Notice("compare.other-sides", {"folder": str(folder), **names}))
    scores = {entrant: sides[entrant.name] for entrant in entrants if entrant.name in sides}
    return {entrant: 100 * sum(given[_LEAST - 1 :]) / sum(given) for entrant, given in scores.items() if sum(given)}


def _write(found: Comparison, folder: Path, missing: dict[str, str]) -> None:
    from likeness.core.files import make_folder, write_bytes_atomically, write_text_atomically
    from likeness.core.tables import write_csv
    from likeness.evaluation.comparison_page import comparison_page, comparison_sheet
    from likeness.imaging.files import write_image

    make_folder(folder)
    summaries = [line.to_dict() for line in found.summaries()]
    faces = [item.to_dict() for item in found.compared]
    for name, rows in (("comparison.csv", summaries), ("faces.csv", faces)):
        text = write_csv(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
        write_bytes_atomically(text.encode("utf-8-sig", errors="backslashreplace"), folder / name)
    content = {"networks": summaries, "faces": faces, "missing": missing}
    write_text_atomically(
        json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False), folder / "comparison.json"
    )
    for picture in found.pictures:
        write_text_atomically(comparison_page(found, picture, missing), folder / f"{picture}.html")
        if any(item.crop is not None for item in found.of(picture)):
            write_image(comparison_sheet(found, picture), folder / f"{picture}.jpg")


def _text(found: Comparison) -> str:
    from likeness.evaluation.comparison_page import in_figures, named

    lines = [key for key in _LINES if key != "accepted" or found.accepted]
    rows = [(named(line), *(in_figures(getattr(line, key), key) for key in lines)) for line in found.summaries()]
    return table(("network, preset", *lines), rows)
