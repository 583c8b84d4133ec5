"""Flags that several commands have, and what they come to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, cast

from likeness.cli.console import Console
from likeness.errors import ConfigError
from likeness.restore.config import Settings, read_settings
from likeness.restore.controls import PRESETS, RegionWeights

__all__ = [
    "AMOUNTS",
    "HelpLayout",
    "Parser",
    "add_controls",
    "add_faces",
    "add_findings",
    "add_flag",
    "add_repairs",
    "add_technical",
    "add_verbosity",
    "checked_settings",
    "format_names",
    "pixel_count",
    "typed_settings",
    "verbosity",
    "with_amounts",
]


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
        Console().error(f"{message}; see {self.prog} --help")
        raise SystemExit(2)

    def print_help(self, file: object = None) -> None:
        """On stdout, as everything that is asked for."""
        del file
        Console().show(self.format_help().rstrip("\n"))


def verbosity(flags: argparse.Namespace) -> int:
    return -1 if flags.quiet else cast("int", flags.verbose)


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """``-v`` and ``-q``, as every command has them."""
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv says everything")
    loudness.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")


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
        settings.check_ranges()
    except ValueError as error:  # ControlError and ConfigError
        raise ConfigError(f"{path}: {error}") from error
    return settings


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
    group.add_argument(
        "--quality", type=int, metavar="N", help="1 to 100, for JPEG, WebP and AVIF (as the picture's file)"
    )
    group.add_argument("--bit-depth", type=int, choices=(8, 16), help="of PNG and TIFF results (the picture's own)")
    group.add_argument(
        "--max-pixels", type=pixel_count, metavar="N", help="refuse larger pictures; 200M is 200 megapixels (100M)"
    )


def add_findings(add: Callable[..., argparse.Action], *, ignore: str) -> None:
    """``--refuse`` and ``--ignore``: lists of codes, once or several times; ``ignore`` says what the second does."""
    for name, text in (("--refuse", "refuse pictures with these findings, too"), ("--ignore", ignore)):
        add(name, type=_codes, action="extend", default=[], metavar="CODE,...", help=text)


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


def format_names(text: str) -> frozenset[str]:
    """Picture formats, as typed: "jpeg,png,heic"."""
    from likeness.imaging.sniff import FORMATS_READ

    known = {name.lower(): name for name in FORMATS_READ} | {"heic": "HEIF", "jpg": "JPEG", "tif": "TIFF"}
    return frozenset(known.get(name.lower(), name) for name in _codes(text))


def _codes(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
