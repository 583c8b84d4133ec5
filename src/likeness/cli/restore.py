"""``likeness restore``: its flags, and what they come to. The work itself is `likeness.cli.run`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import (
    AMOUNTS,
    Parser,
    add_options,
    add_overwrite,
    add_verbosity,
    check_settings,
    checked_settings,
    typed_settings,
    verbosity,
    with_amounts,
)
from likeness.errors import LikenessError
from likeness.restore.config import Settings

if TYPE_CHECKING:
    from likeness.cli.run import RestoreOptions

__all__ = ["make_parser", "restore"]

_DESCRIPTION = """\
Restore the faces in pictures and keep the people: everything outside a face stays as it is, or is enlarged as it is.

INPUT is a picture, a folder (with its subfolders), a quoted pattern such as "scans/*.tif", or - for standard input.
photo.jpg becomes output_photo.jpg, a folder family becomes output_family, in the current directory, unless -o says
otherwise. HEIC becomes .jpg and GIF .png, which are not written; other pictures keep their format."""

_EPILOG = """\
exit status:
  0    every picture was restored
  1    at least one picture, or a face in one, failed; the others were restored
  2    nothing was begun: a flag, a value, a file name or the model cannot be used
  3    no picture failed, but at least one holds no face (or none that was selected)
  4    with --fail-on only: no picture failed, but a face came out bad (or, with look, is to be looked at)
  130  interrupted; what was finished is complete

examples:
  likeness restore portrait.jpg --preset natural
  likeness restore family/ -o restored/ --preset film-scan --report restored/report.json
  likeness restore group.jpg --faces 1,3 --face-weight eye=1.3 --face-weight lip=1.2 --compare
  likeness restore family.jpg --face 2:strength=0.5,grain --face 1,3:natural
  likeness restore avatar.jpg --upscale auto
  likeness restore blurred.jpg --reference sharp.jpg another-day.jpg
  likeness restore - < in.jpg > out.jpg"""


def restore(
    argv: Sequence[str],
    console: Console,
    *,
    prog: str = "likeness restore",
    default_input: Path | None = None,
    least_side: int | None = None,
) -> int:
    """Run the command.

    Args:
        argv: its arguments.
        console: where it speaks; made as loud as the arguments ask.
        prog: how it was called.
        default_input: the picture to restore if the arguments name none; None makes that an error.
        least_side: the longer side, px, that smaller pictures are enlarged to if nothing says otherwise; None for no such.

    Returns:
        the exit status (see ``--help``).

    Raises:
        SystemExit: for ``--help``, and for flags that cannot be parsed.
        ConfigError, ControlError: for a value that cannot be used.
    """
    parser = make_parser(prog)
    flags = parser.parse_intermixed_args(with_amounts(argv, AMOUNTS))
    console.verbosity = verbosity(flags)
    options = _options(flags, parser, default_input, least_side)
    from likeness.cli.run import run

    try:
        return run(options, console)
    except LikenessError as error:
        console.error(str(error))
        return 2


def _options(
    flags: argparse.Namespace, parser: Parser, default_input: Path | None, least_side: int | None
) -> RestoreOptions:
    inputs: list[str] = [*flags.inputs, *flags.input]
    if not inputs and default_input is not None:
        inputs = [str(default_input)]
    if not inputs:
        parser.error("name at least one picture, folder or pattern")
    if flags.only_center_face and flags.faces not in (None, "centre", "center"):
        parser.error(f"--only-center-face and --faces {flags.faces} contradict each other")
    if flags.only_center_face:
        flags.faces = "centre"
    if flags.background is not None and flags.background.lower() == "none":
        flags.background = "lanczos"  # as GFPGAN has it: no network
    settings = typed_settings(flags).over(Settings() if flags.config is None else checked_settings(flags.config))
    if least_side is not None and settings["upscale"] is None and settings["long_side"] is None:
        settings = settings.over(Settings({"long_side": least_side}))
    parts = check_settings(settings)
    # Here and not at the top, as these load NumPy and the picture formats, which --help can do without.
    from likeness.faces.networks import begin_loading

    begin_loading()  # meanwhile the rest is imported
    from likeness.cli.plan import Targets
    from likeness.cli.run import RestoreOptions

    return RestoreOptions(
        inputs=tuple(inputs),
        targets=Targets(
            output=flags.output,
            compare=flags.compare,
            compare_to=flags.compare_to,
            save_faces=flags.save_faces,
            report=flags.report,
            overwrite=flags.overwrite,
            bit_depth=settings["bit_depth"],
        ),
        settings=settings,
        fail_on=flags.fail_on,
        **parts,
    )


def make_parser(prog: str) -> Parser:
    """The command's flags."""
    parser = Parser(
        prog=prog,
        usage=f"{prog} INPUT... [-o OUT] [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="pictures, folders, quoted patterns, or -")
    parser.add_argument("-o", "--output", metavar="OUT", help="file for one picture, folder for several, - for stdout")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings from a .toml or .json file; flags win over it"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write what was done to each face of each picture"
    )
    parser.add_argument("--compare", action="store_true", help="write a before/after sheet beside each result")
    parser.add_argument("--compare-to", metavar="OUT", help="the same into this file (one picture) or folder")
    parser.add_argument(
        "--save-faces", type=Path, metavar="FOLDER", help="save each face's aligned crop, before and after"
    )
    parser.add_argument(
        "--fail-on",
        choices=("bad", "look"),
        help="exit with 4 if a face came out bad, or is to be looked at; the pictures are written all the same",
    )
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    add_options(parser)
    _add_aliases(parser)
    return parser


def _add_aliases(parser: Parser) -> None:
    group = parser.add_argument_group(
        "names known from other tools", "Underscores are taken as well: --input_path, --only_center_face and so on."
    )
    hidden = argparse.SUPPRESS
    for names, text in ((("-i", "--input", "--input-path"), "INPUT"), (("--input_path",), hidden)):
        group.add_argument(*names, dest="input", metavar="INPUT", nargs="+", action="extend", default=[], help=text)
    for names, text in ((("--output-path",), "-o"), (("--output_path",), hidden)):
        group.add_argument(*names, dest="output", metavar="OUT", help=text)
    for name, text in (("--only-center-face", "--faces centre"), ("--only_center_face", hidden)):
        group.add_argument(name, dest="only_center_face", action="store_true", help=text)
