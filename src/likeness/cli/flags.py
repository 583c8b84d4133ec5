"""Flags that several commands have, and what they come to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from likeness.cli.console import Console
from likeness.core.spelling import did_you_mean
from likeness.errors import ConfigError, ControlError
from likeness.messages.notice import Notice, notice_of
from likeness.restore.by_face import ByFace, Changes
from likeness.restore.config import Settings, read_settings
from likeness.restore.controls import AUTO, PRESETS
from likeness.restore.kinds import Choice, Number, Option, Switch, Text, Weights
from likeness.restore.options import OPTIONS

__all__ = [
    "AMOUNTS",
    "HelpLayout",
    "Parser",
    "add_findings",
    "add_options",
    "add_overwrite",
    "add_verbosity",
    "all_flags",
    "check_settings",
    "checked_settings",
    "format_names",
    "of_single_faces",
    "pixel_count",
    "scaled_number",
    "subparsers_of",
    "typed_settings",
    "verbosity",
    "with_amounts",
    "words_for",
]


class HelpLayout(argparse.RawDescriptionHelpFormatter):
    """Flags and their meaning side by side, lines as wide as the text above them."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=118)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # "-o, --output OUT" instead of "-o OUT, --output OUT".
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        choices = "|".join(map(str, action.choices or ()))
        metavar = action.metavar if isinstance(action.metavar, str) else choices or action.dest.upper()
        return f"{', '.join(action.option_strings)} {metavar}"


class Parser(argparse.ArgumentParser):
    """An argument parser as every command has it: laid out alike, no shortened flags, refusals in one sentence."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # As argparse has it: it makes the parsers of subcommands itself, and hands on what its version knows.
        super().__init__(*args, **{"formatter_class": HelpLayout, "allow_abbrev": False, **kwargs})

    def parse_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        found, unknown = self.parse_known_args(args, namespace or argparse.Namespace())
        self._refuse(unknown)
        return found

    def parse_intermixed_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        found, unknown = self.parse_known_intermixed_args(args, namespace or argparse.Namespace())
        self._refuse(unknown)
        return found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), known)
            raise argparse.ArgumentError(action, f'"{value}" is not one of {", ".join(known)}{hint}')

    def _refuse(self, unknown: Sequence[str]) -> None:
        for text in unknown:
            if text.startswith("-") and text != "-":
                name = text.partition("=")[0]
                self.error(f"there is no flag {name}{did_you_mean(name, all_flags(self))}")
        if unknown:
            self.error(f"too many arguments: {' '.join(unknown)}")

    def error(self, message: str) -> NoReturn:
        Console().error(f"{_plainly(message)}; see {self.prog} --help")
        raise SystemExit(2)

    def print_help(self, file: object = None) -> None:
        """On stdout, as everything that is asked for."""
        del file
        Console().show(self.format_help().rstrip("\n"))


_PLAINLY = (
    (r"argument (.+?): invalid float value: (.*)", r"\1 takes a number, not \2"),
    (r"argument (.+?): invalid int value: (.*)", r"\1 takes a whole number, not \2"),
    (r"argument (.+?): expected (?:one|at least one|\d+) arguments?", r"\1 needs a value"),
    (r"argument (.+?): not allowed with argument (.*)", r"\1 and \2 exclude each other"),
    (r"argument (.+?): (.*)", r"\1: \2"),
    (r"the following arguments are required: (.*)", r"missing: \1"),
)
"""What argparse says, and the same without its words for what people type."""


def _plainly(message: str) -> str:
    import re  # here, as only refusals need it

    for theirs, ours in _PLAINLY:
        if re.fullmatch(theirs, message, re.DOTALL):
            return re.sub(theirs, ours, message, count=1, flags=re.DOTALL)
    return message


def all_flags(parser: argparse.ArgumentParser) -> list[str]:
    """Every flag of a parser, and of its subcommands."""
    found: list[str] = []
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage] - argparse has no other way to list them
        found += action.option_strings
        for inner in subparsers_of(action).values():
            found += all_flags(inner)
    return found


def subparsers_of(action: argparse.Action) -> dict[str, argparse.ArgumentParser]:
    """The subcommands by name; none if it is another action."""
    if not isinstance(action, argparse._SubParsersAction):  # pyright: ignore[reportPrivateUsage]
        return {}
    return dict(cast("Mapping[str, argparse.ArgumentParser]", action.choices))


def verbosity(flags: argparse.Namespace) -> int:
    return -1 if flags.quiet else cast("int", flags.verbose)


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """``-v`` and ``-q``, as every command has them."""
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv says everything")
    loudness.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")


def add_overwrite(add: Callable[..., argparse.Action]) -> None:
    """``--overwrite``, as every command has it that writes files; `Ledger.claim` takes it."""
    add("--overwrite", action="store_true", help="replace files that this command line did not write before")


def typed_settings(flags: argparse.Namespace) -> Settings:
    """What the flags of `add_options` say."""
    said: dict[str, Any] = {}
    for row in OPTIONS:
        value = getattr(flags, row.key, None) if "flag" in row.given else None
        if isinstance(row.kind, ByFace) and value is not None:
            value = row.kind.joined(value)
        elif isinstance(value, list):  # of a flag that may be repeated
            value = dict(cast("Any", value)) if isinstance(row.kind, Weights) else tuple(cast("list[Any]", value))
        said[row.key] = value
    return Settings(said)


def checked_settings(path: Path) -> Settings:
    """The file's settings; a value out of range is told with the file's name, before flags may hide it."""
    settings = read_settings(path)
    try:
        check_settings(settings)
    except ValueError as error:  # ControlError and ConfigError
        raise ConfigError(Notice("file.named", {"file": str(path), "reason": notice_of(error)})) from error
    return settings


def check_settings(settings: Settings) -> dict[str, Any]:
    """Refuse what cannot be used; what can is given back as the fields of `PictureOptions`, by name.

    Raises:
        ConfigError, ControlError: naming the setting.
    """
    # Here and not at the top, as it loads NumPy, which --help can do without.
    from likeness.restore.picture_options import PictureOptions, parts_of

    parts = parts_of(settings)
    PictureOptions(**parts)
    settings.check_run()
    return parts


_GROUPS = {
    "controls": "controls (likeness presets shows what each preset sets)",
    "framing": "turning and cropping",
    "repairs": "repairs of the whole picture (off; X is 0 to 1, 1 if left out)",
    "faces": "which faces",
    "references": "other photographs of the same person",
    "enlarging": "size of the result",
    "files": "model and files",
}

AMOUNTS = {
    row.flag_name: row.kind.alone for row in OPTIONS if isinstance(row.kind, Number) and row.kind.alone is not None
}
"""Flags whose number may be left out, and what it is then: arguments go through `with_amounts` first."""


def add_options(parser: Parser, *, without: Collection[str] = ()) -> None:
    """The flags of the table of options; ``without`` names those that a command does not have."""
    for name, title in _GROUPS.items():
        group = parser.add_argument_group(title)
        for row in OPTIONS:
            if row.group == name and "flag" in row.given and row.key not in without:
                _add_option(group.add_argument, row)


def _add_option(add: Callable[..., argparse.Action], row: Option) -> None:
    kind = row.kind
    alone = isinstance(kind, Number) and kind.alone is not None
    span = "" if isinstance(kind, Choice) or alone else row.span
    usual = f" ({row.usual})" if row.usual and not alone and not row.unit else ""
    more: dict[str, Any] = {"metavar": row.placeholder}
    if isinstance(kind, Switch):
        more = {"action": "store_true", "default": None}
    elif isinstance(kind, Weights):
        more |= {"type": _weight, "action": "append"}
        span, usual = f"{span}, repeatable; regions: {', '.join(kind.regions)}", " (1)"
    elif isinstance(kind, ByFace):
        more |= {"type": _of_faces(kind), "action": "append"}
        usual = f"; names: {', '.join(kind.names)}"
    elif isinstance(kind, Choice):
        more = {"type": type(kind.values[0]), "choices": kind.values}
    elif isinstance(kind, Text) and kind.file:
        more["type"] = Path
        if kind.several:
            more |= {"nargs": "+", "action": "extend"}
    elif isinstance(kind, Number):
        more["type"] = pixel_count if kind.millions else _number(kind)
    if alone or isinstance(kind, Switch):
        off = 0.0 if alone else False
        add(f"--no-{row.flag_name[2:]}", dest=row.key, action="store_const", const=off, help=argparse.SUPPRESS)
    add(row.flag_name, dest=row.key, help=f"{f'{span}: ' if span else ''}{row.help.en}{usual}", **more)
    for alias in row.aliases:
        add(alias, dest=row.key, help=argparse.SUPPRESS, **more)


def words_for(action: argparse.Action) -> tuple[str, ...]:
    """What may stand behind a flag, as far as it is known beforehand: words, or beginnings such as "eye="."""
    if action.choices is not None:
        return tuple(map(str, action.choices))
    row = next((row for row in OPTIONS if row.flag_name in action.option_strings), None)
    if row is None:
        return ()
    if isinstance(row.kind, Weights):
        return tuple(f"{region}=" for region in ("all", *row.kind.regions))
    if isinstance(row.kind, ByFace):
        return row.kind.beginnings
    if isinstance(row.kind, Number):
        return row.kind.words
    return _WORDS.get(row.key, ())


def of_single_faces(action: argparse.Action) -> bool:
    """Whether `words_for` a flag stand behind faces' numbers and a colon, several with commas between them."""
    return any(isinstance(row.kind, ByFace) and row.flag_name in action.option_strings for row in OPTIONS)


_WORDS = {
    "preset": (*PRESETS, AUTO),
    "faces": ("all", "largest", "centre"),
    "background": ("faithful", "clean", "lanczos"),
    "model": ("likeness-512",),
}
"""Of rows whose values are any text."""


def _number(kind: Number) -> Callable[[str], float | str]:
    """What reads a number, or a word that stands for one."""
    plain = int if kind.whole else float

    def read(text: str) -> float | str:
        return text if text in kind.words else plain(text)

    read.__name__ = plain.__name__  # argparse says "invalid float value"
    return read


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


def add_findings(add: Callable[..., argparse.Action], *, ignore: str) -> None:
    """``--refuse`` and ``--ignore``: lists of codes, once or several times; ``ignore`` says what the second does."""
    for name, text in (("--refuse", "refuse pictures with these findings, too"), ("--ignore", ignore)):
        add(name, type=_codes, action="extend", default=[], metavar="CODE,...", help=text)


def _of_faces(kind: ByFace) -> Callable[[str], dict[str, Changes]]:
    """What reads the settings of single faces."""

    def read(text: str) -> dict[str, Changes]:
        try:
            found = kind.read(text)
        except ControlError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        assert found is not None  # as it was a text
        return found

    return read


def _weight(text: str) -> tuple[str, float]:
    region, equals, number = text.partition("=")
    try:
        if equals:
            return region.strip(), float(number)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f'"{text}" is no weight; write it as eye=1.3')


def scaled_number(text: str, factors: Mapping[str, int], wanted: str) -> int:
    """A whole number, as typed with or without a letter for its factor, such as "200M".

    Args:
        text: what was typed.
        factors: by lower-case letter.
        wanted: how a refusal ends: '"200Q" is no ...'.

    Raises:
        argparse.ArgumentTypeError: if it is no such number.
    """
    factor = factors.get(text[-1:].lower())
    try:
        return round(float(text if factor is None else text[:-1]) * (factor or 1))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f'"{text}" is no {wanted}') from None


def pixel_count(text: str) -> int:
    """A number of pixels, as typed: "200000000" or "200M"."""
    return scaled_number(text, {"m": 1_000_000}, "number of pixels; write it as 200000000 or 200M")


def format_names(text: str) -> frozenset[str]:
    """Picture formats, as typed: "jpeg,png,heic"."""
    from likeness.imaging.sniff import FORMATS_READ

    known = {name.lower(): name for name in FORMATS_READ} | {"heic": "HEIF", "jpg": "JPEG", "tif": "TIFF"}
    return frozenset(known.get(name.lower(), name) for name in _codes(text))


def _codes(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
