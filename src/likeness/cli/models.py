"""``likeness models``: which networks there are, and fetching or importing them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.table import table
from likeness.errors import ConfigError, LicenceError
from likeness.messages.notice import Notice
from likeness.models.spec import FACE_PURPOSES, Purpose

__all__ = ["make_parser", "models"]

_DESCRIPTION = """\
The networks by name; those with the purpose "restore" are for likeness restore --model.

  likeness models list               what there is
  likeness models fetch NAME         fetch published weights, after showing their licence
  likeness models import FILE        take a checkpoint (.pth or .safetensors) into the store
  likeness models find [FOLDER...]   weights that other programs have on this machine, to be used where they lie
  likeness models accept NAME        accept the licence of published weights without fetching them
  likeness models path NAME          where a model's file lies
  likeness models export NAME -o F   write a network as ONNX, for other programs
  likeness models clean              delete the compiled networks; they are made again when needed

The store is the folder LIKENESS_HOME, or the user's cache folder; LIKENESS_OFFLINE=1 forbids fetching. Compiled networks
lie in the store's folder compiled, or in the folder LIKENESS_CACHE; LIKENESS_CACHE=off keeps none."""

_EPILOG = """\
exit status:
  0    done
  1    a licence was not accepted, or the model cannot be had
  2    an argument cannot be used

examples:
  likeness models list
  likeness models fetch GPEN-BFR-512
  likeness models import studio.pth --name studio"""

_STATES = {"available": "not fetched"}


def models(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        0, or 1 if a licence was not accepted.

    Raises:
        CheckpointError: if a model cannot be had.
        ConfigError: if a folder is none.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    if flags.action == "fetch":
        return _fetch(flags.name, flags.accept_licence, console)
    if flags.action == "import":
        return _import(flags.file, flags.name, flags.accept_licence, flags.replace, flags.task, console)
    if flags.action == "path":
        return _path(flags.name, console)
    if flags.action == "find":
        return _find(flags.folders, console)
    if flags.action == "accept":
        return _accept(flags.name, flags.accept_licence, console)
    if flags.action == "export":
        return _export(flags, console)
    if flags.action == "clean":
        return _clean(console)
    return _list(console)


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness models",
        usage="likeness models list|fetch|import|find|accept|path|export|clean ...",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    actions = parser.add_subparsers(
        dest="action", prog="likeness models", required=True, metavar="ACTION", help=argparse.SUPPRESS
    )
    listing = actions.add_parser(
        "list", description="Show every model: name, purpose, size, licence, whether it is here."
    )
    fetch = actions.add_parser("fetch", description="Fetch a model. An interrupted fetch goes on where it stopped.")
    fetch.add_argument("name", metavar="NAME", help="as likeness models list shows it")
    taking = actions.add_parser("import", description="Take a checkpoint into the store, as safetensors.")
    taking.add_argument("file", metavar="FILE", type=Path, help="a checkpoint, .pth or .safetensors")
    taking.add_argument("--name", metavar="NAME", help="the name it gets (that of the file)")
    taking.add_argument("--replace", action="store_true", help="replace a model of that name")
    finding = actions.add_parser(
        "find",
        description="Show weights that other programs have on this machine: ModelScope, torch hub, GFPGAN, CodeFormer, "
        "GPEN, stable-diffusion-webui, ComfyUI, FaceFusion. likeness restore --model FILE uses them where they lie.",
    )
    finding.add_argument(
        "folders", metavar="FOLDER", nargs="*", type=Path, help="where such programs are installed as well"
    )
    accepting = actions.add_parser("accept", description="Show the licence of published weights, and accept it.")
    accepting.add_argument("name", metavar="NAME", help="as likeness models list shows it")
    path = actions.add_parser("path", description="Print where a model's file lies.")
    path.add_argument("name", metavar="NAME", help="as likeness models list shows it")
    writing = actions.add_parser(
        "export",
        description="Write a network as ONNX, from input to output (N x 3 x H x W, RGB), with its licence, size, face "
        "template and range in the file.",
    )
    writing.add_argument(
        "name",
        metavar="NAME|FILE",
        help="a model, a checkpoint file, or likeness-enlarge, likeness-embed, likeness-marks, likeness-lend, "
        "likeness-features-face, likeness-features-eyes or likeness-features-mouth",
    )
    writing.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the ONNX file")
    add_overwrite(writing.add_argument)
    writing.add_argument("--scale", type=int, metavar="2|4", help="of likeness-enlarge (2)")
    for one in (taking, writing):
        one.add_argument("--task", choices=FACE_PURPOSES, help="what the network does, where the file does not tell")
    for one in (fetch, taking, accepting):
        one.add_argument(
            "--accept-licence", "--accept-license", action="store_true", help="you have read the licence and accept it"
        )
    clean = actions.add_parser("clean", description="Delete the compiled networks; they are made again when needed.")
    for one in (listing, fetch, taking, finding, accepting, path, writing, clean):
        add_verbosity(one)
    return parser


def _list(console: Console) -> int:
    from likeness.models.store import Store

    store = Store()
    head = ["name", "purpose", "size", "state", "licence"]
    rows = [
        [
            model.name,
            model.purpose,
            _megabytes(model.size),
            _STATES.get(model.state, model.state),
            model.licence or "not named",
        ]
        for model in store.list()
    ]
    if console.verbose:
        head.append("description")
        for row, model in zip(rows, store.list(), strict=True):
            row.append(model.description)
    console.show(table(head, rows))
    console.detail(f"the store is {store.root}")
    return 0


def _fetch(name: str, accept_licence: bool, console: Console) -> int:
    from likeness.models.store import Store

    store = Store()
    if not _licence_settled(name, accept_licence, console, f"likeness models fetch {name} --accept-licence"):
        return 1
    with _progress(console) as progress:
        path = store.fetch(name, progress=progress)
    console.say(f"{name} is here: {path}")
    return 0


def _import(
    file: Path, name: str | None, accept_licence: bool, replace: bool, task: Purpose | None, console: Console
) -> int:
    from likeness.models.store import Store

    store = Store()
    name = name or file.stem
    if not _licence_settled(
        name, accept_licence, console, f"likeness models import {file} --name {name} --accept-licence"
    ):
        return 1
    path = store.import_(file, name, accept_licence=accept_licence, replace=replace, task=task)
    console.say(f"{file} is now the model {path.stem} ({path})")
    return 0


def _find(folders: Sequence[Path], console: Console) -> int:
    from likeness.models.find import PLACES, find_weights

    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(Notice("model.no-folder", {"folder": str(folder)}))
    found = find_weights(folders)
    rows = [
        (file.program, file.spec.purpose, file.spec.title, str(file.path)) for file in found if file.spec is not None
    ]
    if rows:
        console.show(table(("program", "purpose", "network", "file"), rows))
    if others := [file.reason for file in found if file.spec is None]:
        console.show("\n".join([*([""] if rows else []), "what cannot be run:", *(f"  {why}" for why in others)]))
    if not found:
        console.show(f"nothing was found of {', '.join(place.program for place in PLACES)}")
    return 0


def _accept(name: str, accepted: bool, console: Console) -> int:
    from likeness.models.store import Store

    if not _licence_settled(name, accepted, console, f"likeness models accept {name} --accept-licence"):
        return 1
    Store().accept_licence(name)
    console.say(f"the licence of {name} is accepted")
    return 0


def _path(name: str, console: Console) -> int:
    from likeness.models.store import Store

    console.hand_over(str(Store().path(name)))
    return 0


def _export(flags: argparse.Namespace, console: Console) -> int:
    from likeness.cli.plan import refuse_collisions
    from likeness.models.onnx_export import PACKAGED, export_onnx
    from likeness.models.store import Store

    name: str = flags.name
    target: Path = flags.output
    network = None if name in PACKAGED else Store().load(name, task=flags.task)
    if network is not None:
        refuse_collisions([network.path], [(target, "-o")])
    console.ledger.claim([target], overwrite=flags.overwrite)
    export_onnx(network, target, name=Path(name).stem, scale=flags.scale)
    console.say(f"{name} is written as ONNX: {target} ({_megabytes(target.stat().st_size)})")
    return 0


def _clean(console: Console) -> int:
    from likeness.compute.compiled import default_cache

    cache = default_cache()
    count = 0 if cache is None else len(cache.files())
    freed = 0 if cache is None else cache.clear()
    place = "" if cache is None else f" in {cache.folder}"
    console.say(f"{count} compiled networks deleted{place} ({_megabytes(freed)})")
    return 0


def _licence_settled(name: str, accepted: bool, console: Console, command: str) -> bool:
    """Whether the model may be used; shows its licence, and asks if there is somebody to ask.

    Raises:
        LicenceError: if it was not accepted and nobody can be asked.
    """
    from likeness.models.catalog import CATALOG, entry_meant_by
    from likeness.models.store import Store

    entry = entry_meant_by(name, CATALOG)
    store = Store()
    if entry is None or not entry.licence.must_accept or store.licence_accepted(entry.name):
        return True
    console.notice(f"{entry.name} has its own licence: {entry.licence.name}")
    console.notice(f"  {entry.licence.summary}")
    console.notice(f"  {entry.licence.url}")
    if not accepted:
        if not sys.stdin.isatty():
            raise LicenceError(Notice("cli.licence", {"name": entry.name, "command": command}))
        if console.ask("Do you accept it? [y/N]").lower() not in ("y", "yes"):
            console.notice("not accepted; nothing was done")
            return False
    store.accept_licence(entry.name)
    return True


@contextmanager
def _progress(console: Console) -> Generator[Callable[[int, int | None], None] | None]:
    """A progress bar in bytes on a terminal; nothing elsewhere."""
    if console.verbosity < 0 or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="B", unit_scale=True, unit_divisor=1000, file=sys.stderr, dynamic_ncols=True, leave=False) as bar:

        def show(here: int, total: int | None) -> None:
            bar.total = total
            bar.update(here - bar.n)

        yield show


def _megabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e6:.0f} MB"
