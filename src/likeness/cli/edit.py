"""``likeness edit``: the page on one file, as a picture editor's external program."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.opening import open_page
from likeness.cli.serve import model_name, need_server
from likeness.errors import ConfigError, LikenessError
from likeness.messages.notice import Notice, reason_of

if TYPE_CHECKING:
    from likeness.cli.ledger import Stamp
    from likeness.imaging.image import Image
    from likeness.restore.pipeline import Restorer
    from likeness.server.live.editing import Ending

__all__ = ["edit", "make_parser", "target_in_place"]

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

_ANYBODY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def edit(argv: Sequence[str], console: Console) -> int:
    """Run the command until the picture is saved or left.

    Returns:
        0 if it was saved, 1 if not, 2 if it could not begin.

    Raises:
        ConfigError: if the flags do not go together, or there is no address.
        MissingExtraError: if the server's libraries are not installed.
        SystemExit: for ``--help``, and for flags that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    need_server()
    from likeness.cli.edited import EditedFile
    from likeness.core.temporary import temporary_folder
    from likeness.server.app import create_app
    from likeness.server.http.listen import Listener
    from likeness.server.http.settings import ServerSettings

    try:
        image, target, before, restorer = _begun(flags, console)
    except LikenessError as error:
        console.error(str(error))
        return 2
    with temporary_folder("edit") as folder:
        settings = ServerSettings(port=0, data=folder / "data")

        def on_end(how: Ending) -> None:  # noqa: ARG001 - what was saved is known to the file
            listener.stop()

        editing = EditedFile(image, flags.file.name, target, before=before, overwrite=flags.overwrite, on_end=on_end)
        listener = Listener(create_app(settings, restorer, model=model_name(flags.model), editing=editing))

        def ready(url: str) -> None:
            console.show(url)
            console.say(f"{flags.file} is open there; Save writes {target}, Ctrl-C leaves it as it is")
            if not flags.no_browser and not open_page(url):
                console.warn(f"no browser could be opened; open {url} yourself")

        listener.run(ready)
        editing.close()
    if editing.saved:
        console.say(f"{flags.file} -> {target}")
        return 0
    console.say(f"{flags.file} is left as it is")
    return 1


def _begun(flags: argparse.Namespace, console: Console) -> tuple[Image, Path, Stamp | None, Restorer]:
    """What is needed before the page can be opened: the picture, where it goes, what is there now, and the network.

    Raises:
        LikenessError: if one of them cannot be had.
    """
    from likeness.cli.ledger import stamp_of
    from likeness.imaging.files import read_image
    from likeness.models.catalog import DEFAULT_MODEL
    from likeness.restore.pipeline import Restorer

    before = stamp_of(flags.file)
    image = read_image(flags.file)
    if flags.in_place:
        target = target_in_place(flags.file, image)
    else:
        target = _target(flags, console)
        before = stamp_of(target)
    return image, target, before, Restorer(flags.model or DEFAULT_MODEL, threads=flags.threads)


def target_in_place(source: Path, image: Image) -> Path:
    """The file itself; of a link, what it leads to, so that it stays one.

    Raises:
        ConfigError: if it may not be written, or would lose something.
    """
    from likeness.imaging.files import output_suffix
    from likeness.imaging.photoshop import holds_layers

    named = {"path": str(source)}
    codes = {note.code for note in image.notes}
    if codes.intersection(_OTHERS):
        raise ConfigError(Notice("edit.would-lose", named))
    if image.converted_from is not None or "hdr" in codes:
        raise ConfigError(Notice("edit.colours", {**named, "colours": image.converted_from or "HDR"}))
    if holds_layers(source):
        raise ConfigError(Notice("edit.layers", named))
    if output_suffix(source) != source.suffix:
        raise ConfigError(Notice("edit.not-in-place", {**named, "suffix": output_suffix(source)}))
    target = source.resolve()
    if not (target.stat().st_mode & _ANYBODY_WRITES and os.access(target, os.W_OK)):
        raise ConfigError(Notice("edit.read-only", named))
    return target


def _target(flags: argparse.Namespace, console: Console) -> Path:
    """Where the result goes if not in the picture's place.

    Raises:
        ConfigError: if it may not go there.
        ImageWriteError: if its format cannot be written.
    """
    from likeness.cli.plan import refuse_collisions
    from likeness.imaging.files import find_format, output_suffix
    from likeness.imaging.names import result_names

    source: Path = flags.file
    output: Path | None = flags.output
    if output is None:
        name = f"{source.stem}-likeness{output_suffix(source)}"
        folder = source.absolute().parent
        try:
            (free,) = result_names([name], taken=(path.name for path in folder.iterdir()))
        except OSError as error:
            raise ConfigError(Notice("file.folder-unread", {"folder": str(folder), "why": reason_of(error)})) from error
        return source.with_name(free)
    find_format(output.suffix)
    if not output.parent.is_dir():
        raise ConfigError(Notice("cli.no-parent", {"flag": "-o", "text": str(output), "parent": str(output.parent)}))
    refuse_collisions([source], [(output, "-o")])
    console.ledger.claim([output], overwrite=flags.overwrite)
    return output


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
