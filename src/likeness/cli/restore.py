"""``likeness restore``: its flags, and what they come to. The work itself is `likeness.cli.run`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, cast

from likeness.cli.console import Console
from likeness.errors import ConfigError, LikenessError
from likeness.restore.config import Settings, read_settings
from likeness.restore.controls import PRESETS, Controls, RegionWeights
from likeness.restore.repairs import Repairs

if TYPE_CHECKING:
    from likeness.cli.plan import Targets
    from likeness.restore.selection import Selection

__all__ = [
    "AMOUNTS",
    "HelpLayout",
    "Parser",
    "RestoreOptions",
    "add_controls",
    "add_faces",
    "add_flag",
    "add_repairs",
    "add_technical",
    "add_verbosity",
    "check_ranges",
    "checked_settings",
    "pixel_count",
    "restore",
    "typed_settings",
    "verbosity",
    "with_amounts",
]

_DESCRIPTION = """\
Restore the faces in pictures and keep the people: everything outside a face stays as it is.

INPUT is a picture, a folder (with its subfolders), a quoted pattern such as "scans/*.tif", or - for standard input.
photo.jpg becomes output_photo.jpg, a folder family becomes output_family, in the current directory, unless -o says
otherwise. HEIC becomes .jpg and GIF .png, which are not written; other pictures keep their format."""

_EPILOG = """\
exit status:
  0    every picture was restored
  1    at least one picture, or a face in one, failed; the others were restored
  2    nothing was begun: a flag, a value, a file name or the model cannot be used
  3    no picture failed, but at least one holds no face (or none that was selected)
  130  interrupted; what was finished is complete

examples:
  likeness restore portrait.jpg --preset natural
  likeness restore family/ -o restored/ --preset film-scan --report restored/report.json
  likeness restore group.jpg --faces 0,2 --face-weight eye=1.3 --face-weight lip=1.2 --compare
  likeness restore - < in.jpg > out.jpg"""


@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """Everything that one run of ``likeness restore`` needs to know.

    Attributes:
        inputs: as typed.
        targets: where results go.
        settings: file and flags together.
        preset, controls, repairs, selection: what the settings come to.
        damage_mask: the file that says where the picture holds nothing, or None.
        max_pixels: None for the library's own limit.
    """

    inputs: tuple[str, ...]
    targets: Targets
    settings: Settings
    preset: str
    controls: Controls
    repairs: Repairs
    damage_mask: Path | None
    selection: Selection
    aligned: bool
    copy_unrestored: bool
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "f32", "bf16"]
    threads: int | None
    quality: int
    max_pixels: int | None


class HelpLayout(argparse.RawDescriptionHelpFormatter):
    """Flags and their meaning side by side, lines as wide as the text above them."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=118)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # "-o, --output OUT" instead of "-o OUT, --output OUT".
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        metavar = action.metavar if isinstance(action.metavar, str) else "|".join(map(str, action.choices or ()))
        return f"{', '.join(action.option_strings)} {metavar}"


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses in one sentence instead of printing every flag first."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def restore(
    argv: Sequence[str], console: Console, *, prog: str = "likeness restore", default_input: Path | None = None
) -> int:
    """Run the command.

    Args:
        argv: its arguments.
        console: where it speaks; made as loud as the arguments ask.
        prog: how it was called.
        default_input: the picture to restore if the arguments name none; None makes that an error.

    Returns:
        the exit status (see ``--help``).

    Raises:
        SystemExit: for ``--help``, and for flags that cannot be parsed.
        ConfigError, ControlError: for a value that cannot be used.
    """
    parser = _parser(prog)
    flags = parser.parse_intermixed_args(with_amounts(argv, dict.fromkeys(AMOUNTS, 1.0)))
    console.verbosity = verbosity(flags)
    options = _options(flags, parser, default_input)
    from likeness.cli.run import run

    try:
        return run(options, console)
    except LikenessError as error:
        console.error(str(error))
        return 2


def verbosity(flags: argparse.Namespace) -> int:
    return -1 if flags.quiet else cast("int", flags.verbose)


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """``-v`` and ``-q``, as every command has them."""
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv says everything")
    loudness.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")


def _options(flags: argparse.Namespace, parser: Parser, default_input: Path | None) -> RestoreOptions:
    inputs: list[str] = [*flags.inputs, *flags.input]
    if not inputs and default_input is not None:
        inputs = [str(default_input)]
    if not inputs:
        parser.error("name at least one picture, folder or pattern")
    if flags.only_center_face and flags.faces not in (None, "centre", "center"):
        parser.error(f"--only-center-face and --faces {flags.faces} contradict each other")
    typed = replace(
        typed_settings(flags, faces="centre" if flags.only_center_face else flags.faces),
        copy_unrestored=flags.copy_unrestored,
    )
    in_file = Settings() if flags.config is None else checked_settings(flags.config)
    settings = typed.over(in_file)
    check_ranges(settings)
    # Here and not at the top, as these load NumPy and the picture formats, which --help can do without.
    from likeness.cli.plan import Targets
    from likeness.restore.selection import Selection

    depth = cast("Literal[8, 16] | None", settings.bit_depth)
    return RestoreOptions(
        inputs=tuple(inputs),
        targets=Targets(
            output=flags.output,
            compare=flags.compare,
            compare_to=flags.compare_to,
            save_faces=flags.save_faces,
            report=flags.report,
            bit_depth=depth,
        ),
        settings=settings,
        preset=settings.preset or "standard",
        controls=settings.controls(),
        repairs=settings.repairs(),
        damage_mask=settings.damage_mask,
        selection=Selection.parse(
            settings.faces or "all", min_size=settings.min_face or 0.0, max_size=settings.max_face
        ),
        aligned=bool(settings.aligned),
        copy_unrestored=bool(settings.copy_unrestored),
        device=cast('Literal["auto", "cpu", "cuda"]', settings.device or "auto"),
        precision=cast('Literal["auto", "f32", "bf16"]', settings.precision or "auto"),
        threads=settings.threads,
        quality=95 if settings.quality is None else settings.quality,
        max_pixels=settings.max_pixels,
    )


def typed_settings(flags: argparse.Namespace, *, faces: str | None) -> Settings:
    """What the flags of `add_controls`, `add_repairs`, `add_faces` and `add_technical` say; ``faces`` is told apart, as
    other names set it as well."""
    return Settings(
        model=flags.model,
        preset=flags.preset,
        degradation_scale=flags.degradation_scale,
        latent_step_decay=flags.latent_step_decay,
        face_mask_weights=dict(flags.face_weight) if flags.face_weight else None,
        keep_grain=flags.keep_grain,
        grain_amount=flags.grain_amount,
        strength=flags.strength,
        refine=flags.refine,
        mend_scratches=flags.mend_scratches,
        balance=flags.balance,
        defringe=flags.defringe,
        damage_mask=flags.damage_mask,
        faces=faces,
        min_face=flags.min_face,
        max_face=flags.max_face,
        aligned=flags.aligned,
        device=flags.device,
        precision=flags.precision,
        threads=flags.threads,
        quality=flags.quality,
        bit_depth=flags.bit_depth,
        max_pixels=flags.max_pixels,
    )


def checked_settings(path: Path) -> Settings:
    """The file's settings; a value out of range is told with the file's name, before flags may hide it."""
    settings = read_settings(path)
    try:
        settings.controls()
        settings.repairs()
        check_ranges(settings)
    except ValueError as error:  # ControlError and ConfigError
        raise ConfigError(f"{path}: {error}") from error
    return settings


def check_ranges(settings: Settings) -> None:
    """Refuse what `Settings` itself does not check.

    Raises:
        ConfigError: naming the setting.
    """
    if settings.quality is not None and not 1 <= settings.quality <= 100:
        raise ConfigError(f"quality must be 1 to 100, not {settings.quality}")
    if settings.bit_depth not in (None, 8, 16):
        raise ConfigError(f"bit_depth must be 8 or 16, not {settings.bit_depth}")
    for name in ("threads", "max_pixels"):
        value = cast("int | None", getattr(settings, name))
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, not {value}")


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        usage=f"{prog} INPUT... [-o OUT] [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpLayout,
        allow_abbrev=False,
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
    add_flag(
        parser.add_argument, "--copy-unrestored", "where there is no face to restore, copy the picture to its result"
    )
    add_verbosity(parser)
    add_controls(parser)
    add_repairs(parser)
    add_faces(parser)
    add_technical(parser)
    _add_aliases(parser)
    return parser


def add_controls(parser: Parser) -> None:
    """The flags of `Controls`."""
    group = parser.add_argument_group("controls (likeness presets shows what each preset sets)")
    group.add_argument("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} (standard)")
    group.add_argument(
        "--degradation-scale",
        type=float,
        metavar="X",
        help="0.3 to 1.2, or 0: lower keeps more of the photograph's own texture (1)",
    )
    group.add_argument(
        "--latent-step-decay", type=float, metavar="X", help="0.02 to 0.1: smaller is more conservative (0.1)"
    )
    group.add_argument(
        "--face-weight",
        type=_weight,
        action="append",
        metavar="REGION=X",
        help=f"0 to 2, repeatable; regions: {', '.join(RegionWeights().to_dict())}; all sets every one (1)",
    )
    add_flag(group.add_argument, "--keep-grain", "lay the photograph's own grain back over the restored skin")
    group.add_argument("--grain-amount", type=float, metavar="X", help="0 to 2: how much of it, with --keep-grain (1)")
    group.add_argument("--strength", type=float, metavar="X", help="0 to 1: opacity of the whole change (1)")
    group.add_argument("--refine", type=int, metavar="N", help="1 to 8: how often the network runs on a face (1)")


AMOUNTS = {
    "--mend-scratches": "fill scratches and dust from their surroundings",
    "--balance": "take yellowing and fading back",
    "--defringe": "fade purple fringes at edges",
}
"""Repairs, whose amount may be left out."""


def add_repairs(parser: Parser) -> None:
    """The flags of `Repairs`; their arguments go through `with_amounts` first."""
    group = parser.add_argument_group("repairs of the whole picture (off; X is 0 to 1, 1 if left out)")
    for name, text in AMOUNTS.items():
        group.add_argument(name, type=float, metavar="[X]", help=text)
        destination = name[2:].replace("-", "_")
        group.add_argument(
            f"--no-{name[2:]}", dest=destination, action="store_const", const=0.0, help=argparse.SUPPRESS
        )
    group.add_argument(
        "--damage-mask",
        type=Path,
        metavar="FILE",
        help="a picture as large as the one to restore, white where that holds nothing (ink, holes): filled, never restored",
    )


def with_amounts(argv: Sequence[str], defaults: Mapping[str, float]) -> list[str]:
    """The arguments with ``--balance`` and its like given their default amount where none follows: argparse would take the
    next picture's name for it."""
    taken: list[str] = []
    for index, text in enumerate(argv):
        if text == "--":
            return [*taken, *argv[index:]]
        following = argv[index + 1] if index + 1 < len(argv) else ""
        taken.append(f"{text}={defaults[text]:g}" if text in defaults and not _is_number(following) else text)
    return taken


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def add_faces(parser: Parser) -> None:
    """The flags of `Selection`."""
    group = parser.add_argument_group("which faces")
    group.add_argument("--faces", metavar="WHICH", help="all, largest, centre, or numbers in reading order: 0,2 (all)")
    group.add_argument("--min-face", type=float, metavar="PX", help="leave faces alone that are narrower")
    group.add_argument("--max-face", type=float, metavar="PX", help="leave faces alone that are wider")
    add_flag(group.add_argument, "--aligned", "the pictures are FFHQ-aligned crops of one face each")


def add_technical(parser: Parser) -> None:
    """The network, the machine, and how files are read and written."""
    group = parser.add_argument_group("model and files")
    group.add_argument("--model", metavar="NAME|FILE", help="likeness models list shows the names (likeness-512)")
    group.add_argument("--device", choices=("auto", "cpu", "cuda"), help="auto takes a CUDA device if there is one")
    group.add_argument("--precision", choices=("auto", "f32", "bf16"), help="arithmetic of the network")
    group.add_argument("--threads", type=int, metavar="N", help="processor threads of the network (all)")
    group.add_argument("--quality", type=int, metavar="N", help="1 to 100, for JPEG, WebP and AVIF (95)")
    group.add_argument("--bit-depth", type=int, choices=(8, 16), help="of PNG and TIFF results (the picture's own)")
    group.add_argument(
        "--max-pixels", type=pixel_count, metavar="N", help="refuse larger pictures; 200M is 200 megapixels (100M)"
    )


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
    for name, text in (("--bg-upsampler", "only none: the background is never changed"), ("--bg_upsampler", hidden)):
        group.add_argument(name, type=_no_background, metavar="none", help=text)
    group.add_argument("--upscale", type=_no_upscale, metavar="1", help="only 1: the picture keeps its size")


def add_flag(add: Callable[..., argparse.Action], name: str, text: str) -> None:
    """A flag with its ``--no-`` form, which is what overrides a configuration file; None if neither is given."""
    destination = name[2:].replace("-", "_")
    add(name, action="store_true", default=None, help=text)
    add(f"--no-{name[2:]}", dest=destination, action="store_false", help=argparse.SUPPRESS)


def _weight(text: str) -> tuple[str, float]:
    region, equals, number = text.partition("=")
    try:
        if equals:
            return region.strip(), float(number)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f'"{text}" is no weight; write it as eye=1.3')


def pixel_count(text: str) -> int:
    """A number of pixels, as typed: "200000000" or "200M"."""
    digits, factor = (text[:-1], 1_000_000) if text[-1:] in "Mm" else (text, 1)
    try:
        return round(float(digits) * factor)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f'"{text}" is no number of pixels; write it as 200000000 or 200M') from None


def _no_background(text: str) -> str:
    if text.lower() != "none":
        raise argparse.ArgumentTypeError(
            f'"{text}" is not available: Likeness restores faces and leaves the background as it is; only none is possible'
        )
    return text


def _no_upscale(text: str) -> str:
    if text not in ("1", "1.0"):
        raise argparse.ArgumentTypeError(f'"{text}" is not available: the picture keeps its size; only 1 is possible')
    return text
