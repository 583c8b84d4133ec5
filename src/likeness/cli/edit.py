"""``likeness edit``: the page on one file, as a picture editor's external program."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.opening import open_page
from likeness.cli.serve import model_name, need_server
from likeness.errors import ConfigError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.imaging.image import Image
    from likeness.server.live.editing import Ending

__all__ = ["edit", "make_parser"]

_DESCRIPTION = """\
Open the page on one picture, and wait until it is saved there or left. The result is written beside the picture, with
its depth, colour profile and metadata; with --in-place it takes the picture's place, as picture editors want it that hand
over a copy and read it back: Lightroom, darktable, digiKam, Capture One. For those that take a program's name alone there
is the command likeness-edit, which is likeness edit --in-place (docs/editors.md)."""

_EPILOG = """\
exit status:
  0    the result is written
  1    it could not be, or the picture was left as it is
  2    it could not begin: a flag, the file or the model cannot be used

examples:
  likeness edit photo.tif
  likeness edit --in-place photo-Edit.tif
  likeness edit photo.jpg -o restored.png"""

_OTHERS = ("several-pages", "animated", "gain-map")
"""What a file may hold beside the picture, and would lose in place."""


def edit(argv: Sequence[str], console: Console) -> int:
    """Run the command until the picture is saved or left.

    Returns:
        0 if it was saved, else 1.

    Raises:
        ConfigError, ImageReadError, CheckpointError: if it cannot begin.
        MissingExtraError: if the server's libraries are not installed.
        SystemExit: for ``--help``, and for flags that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    need_server()
    from likeness.imaging.files import read_image
    from likeness.models.catalog import DEFAULT_MODEL
    from likeness.restore.pipeline import Restorer
    from likeness.server.app import create_app
    from likeness.server.http.listen import Listener
    from likeness.server.http.settings import ServerSettings
    from likeness.server.live.editing import Editing

    image = read_image(flags.file)
    target = _target(flags, image, console)
    restorer = Restorer(flags.model or DEFAULT_MODEL, threads=flags.threads)
    endings: list[Ending] = []
    with tempfile.TemporaryDirectory(prefix="likeness-edit-") as folder:
        settings = ServerSettings(port=0, data=Path(folder) / "data")

        def on_end(how: Ending) -> None:
            endings.append(how)
            listener.stop()

        editing = Editing(image, flags.file.name, target, on_end=on_end)
        listener = Listener(create_app(settings, restorer, model=model_name(flags.model), editing=editing))

        def ready(url: str) -> None:
            console.show(url)
            console.say(f"{flags.file} is open there; Save writes {target}, Ctrl-C leaves it as it is")
            if not flags.no_browser and not open_page(url):
                console.warn(f"no browser could be opened; open {url} yourself")

        listener.run(ready)
    if endings[:1] == ["saved"]:
        console.say(f"{flags.file} -> {target}")
        return 0
    console.say(f"{flags.file} is left as it is")
    return 1


def _target(flags: argparse.Namespace, image: Image, console: Console) -> Path:
    """Where the result goes.

    Raises:
        ConfigError: if it may not go there, or would lose something.
    """
    from likeness.imaging.files import find_format, output_suffix
    from likeness.imaging.names import result_names
    from likeness.imaging.photoshop import holds_layers

    source: Path = flags.file
    if flags.in_place:
        lost = next((note.code for note in image.notes if note.code in _OTHERS), None)
        if lost is not None:
            raise ConfigError(Notice("edit.would-lose", {"path": str(source)}))
        if holds_layers(source):
            raise ConfigError(Notice("edit.layers", {"path": str(source)}))
        if output_suffix(source) != source.suffix:
            raise ConfigError(Notice("edit.not-in-place", {"path": str(source), "suffix": output_suffix(source)}))
        return source
    if flags.output is not None:
        find_format(flags.output.suffix)
        console.ledger.claim([flags.output], overwrite=flags.overwrite)
        return flags.output
    (free,) = result_names(
        [f"{source.stem}-likeness{output_suffix(source)}"],
        taken=(path.name for path in source.absolute().parent.iterdir()),
    )
    return source.with_name(free)


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(prog="likeness edit", usage="likeness edit FILE [flags]", description=_DESCRIPTION, epilog=_EPILOG)
    add_verbosity(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="the picture")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the result there (FILE-likeness)")
    target.add_argument("--in-place", action="store_true", help="write the result over the picture")
    add_overwrite(parser.add_argument)
    parser.add_argument("--no-browser", action="store_true", help="open no browser; the address is shown")
    parser.add_argument("--model", metavar="NAME|FILE", help="likeness models list shows the names (likeness-512)")
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads of the network (all)")
    return parser
