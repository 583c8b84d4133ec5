"""``likeness acceptance``: what clients say of delivered pictures, and how many are accepted first time."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.small_server import add_address, is_local, require_server, serve_until_stopped
from likeness.cli.table import table
from likeness.errors import ConfigError
from likeness.messages.notice import Notice, reason_of

if TYPE_CHECKING:
    from likeness.studio.acceptance import AcceptanceBook, Period

__all__ = ["acceptance", "make_parser"]

_DESCRIPTION = """\
Keep a book of what clients say of delivered pictures, and count how many they accept first time. Nothing in the book is
ever changed or deleted: a mistake is corrected by a further entry."""

_EPILOG = """\
answers:
  accepted   the client takes the picture
  revise     wants it changed; accepted later, it counts as revised
  rejected   does not want it

exit status:
  0    done
  1    the book cannot be read or written, or there is no such entry
  2    nothing was done: a flag, a value or a row of a CSV cannot be used

examples:
  likeness acceptance add accepted portrait.jpg backlit.jpg --client "Ana Lima"
  likeness acceptance add revise scan.tif --client Wang --note "hair too soft"
  likeness acceptance rate --by week
  likeness acceptance ask out/proofs/
  likeness acceptance import answers.csv
  likeness acceptance correct 3f9a41c07be2 rejected"""

_HEAD = ("entry", "day", "picture", "client", "answer", "note")


def acceptance(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        0.

    Raises:
        ConfigError: for values that cannot be used; nothing was written then.
        RecordError: if the book cannot be used, or holds no such entry.
        FileWriteError: if an export cannot be written.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    from likeness.studio.acceptance import open_book

    create = flags.run in (_add, _import, _ask)
    if create and not flags.book.absolute().parent.is_dir():
        raise ConfigError(Notice("cli.book-folder", {"book": str(flags.book), "parent": str(flags.book.parent)}))
    if flags.run is _ask:
        # The book is opened for each answer, so that others may write into it meanwhile.
        _ask(flags, console)
        return 0
    with open_book(flags.book, create=create) as book:
        run: Callable[[AcceptanceBook, Namespace, Console], None] = flags.run
        run(book, flags, console)
    return 0


def _add(book: AcceptanceBook, flags: Namespace, console: Console) -> None:
    entries = book.add(flags.pictures, flags.answer, client=flags.client, day=flags.day, note=flags.note)
    for entry in entries:
        console.say(f"{entry.entry}  {entry.day}  {entry.picture}: {entry.answer}")


def _correct(book: AcceptanceBook, flags: Namespace, console: Console) -> None:
    entry = book.correct(flags.entry, flags.answer, day=flags.day, note=flags.note)
    console.say(f"{entry.entry}  {entry.day}  {entry.picture}: {entry.answer} (instead of {entry.corrects})")


def _list(book: AcceptanceBook, flags: Namespace, console: Console) -> None:
    if flags.history:
        history = [entry for entry in book.history() if flags.client in ("", entry.client)]
        rows = [
            (e.entry, str(e.day), e.picture, e.client, e.answer, f"{e.note}{_corrected(e.corrects)}".strip())
            for e in history
        ]
        console.show(table(_HEAD, rows))
        return
    states = [state for state in book.pictures() if flags.client in ("", state.client)]
    rows = [
        (state.picture, state.client, str(state.first), _stands(state.outcome, state.open), ", ".join(state.answers))
        for state in states
    ]
    console.show(table(("picture", "client", "since", "stands", "answers"), rows))


def _corrected(entry: str) -> str:
    return f" (instead of {entry})" if entry else ""


def _stands(outcome: str, pending: bool) -> str:
    return "being revised" if pending else {"first time": "accepted first time"}.get(outcome, outcome)


def _rate(book: AcceptanceBook, flags: Namespace, console: Console) -> None:
    from likeness.studio.acceptance import rates

    states = [
        state
        for state in book.pictures()
        if flags.client in ("", state.client)
        and (flags.since is None or state.first >= flags.since)
        and (flags.until is None or state.first <= flags.until)
    ]
    periods, whole = rates(states, by=flags.by), rates(states, by="all")
    if flags.json:
        content = {"by": flags.by, "periods": [_described(period) for period in periods]}
        content["all"] = [_described(period) for period in whole]
        console.show(json.dumps(content, indent=2))
        return
    rows = [_row(str(period.start), period) for period in periods]
    rows += [_row("all", period) for period in whole] if flags.by != "all" else []
    console.show(table((flags.by, "pictures", "first time", "revised", "rejected", "rate", "95% interval"), rows))


def _row(name: str, period: Period) -> tuple[str, ...]:
    counts = (period.rate.n, period.first_time, period.revised, period.rejected)
    return name, *map(str, counts), period.rate.percent(), period.rate.percent_bounds()


def _described(period: Period) -> dict[str, object]:
    return {
        "start": str(period.start),
        "pictures": period.rate.n,
        "first_time": period.first_time,
        "revised": period.revised,
        "rejected": period.rejected,
        "rate": period.rate.value,
        "low": period.rate.low,
        "high": period.rate.high,
    }


def _ask(flags: Namespace, console: Console) -> None:
    require_server()
    from likeness.studio.asking import AskingFolder, make_app

    folder = AskingFolder(flags.folder)
    if not is_local(flags.host):
        if len(folder.pages) > 1:
            raise ConfigError(Notice("answers.several-clients", {"folder": str(flags.folder)}))
        console.warn("everybody in this network who has the address can answer; it is not encrypted")

    def told(address: str, key: str) -> list[str]:
        base = f"{address}/{key}/" if key else f"{address}/"
        lines = [f"{client or 'the client'} opens {base}{quote(page)}" for client, page in folder.pages.items()]
        return [*lines, f"answers go to {flags.book} (Ctrl-C ends)"]

    serve_until_stopped(
        flags.host,
        flags.port,
        lambda hosts, key: make_app(folder, flags.book, hosts=hosts, key=key),
        told,
        console,
    )


def _import(book: AcceptanceBook, flags: Namespace, console: Console) -> None:
    from likeness.studio.answers import answers_in

    try:
        data = sys.stdin.buffer.read() if str(flags.file) == "-" else flags.file.read_bytes()
    except OSError as error:
        raise ConfigError(Notice("cli.file-unread", {"file": str(flags.file), "why": reason_of(error)})) from error
    name = str(flags.file)
    added, known = book.import_csv(answers_in(data, name=name), name=name)
    console.say(f"{added} entries added, {known} there already")


def _export(book: AcceptanceBook, flags: Namespace, console: Console) -> None:
    from likeness.cli.plan import refuse_collisions
    from likeness.core.files import write_text_atomically
    from likeness.studio.acceptance import to_csv

    text = to_csv(book.history()).rstrip("\n")
    if flags.file is None:
        console.hand_over(text)
        return
    refuse_collisions([flags.book], [(flags.file, "export")])
    console.ledger.claim([flags.file], overwrite=flags.overwrite)
    write_text_atomically(text, flags.file)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f'"{text}" is no day; write it as 2026-11-21') from None


def make_parser() -> Parser:
    """The command's flags."""
    from likeness.studio.acceptance import ANSWERS

    parser = Parser(
        prog="likeness acceptance",
        usage="likeness acceptance add|ask|correct|list|rate|import|export ... [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[..., None], text: str) -> Parser:
        made = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        made.set_defaults(run=run)
        made.add_argument(
            "--book", type=Path, default=Path("acceptance.sqlite"), metavar="FILE", help="the book (acceptance.sqlite)"
        )
        add_verbosity(made)
        return made

    add = command("add", _add, "write down a client's answer to pictures")
    add.add_argument("answer", choices=ANSWERS)
    add.add_argument("pictures", metavar="PICTURE", nargs="+", help="the pictures' names")
    add.add_argument("--client", default="", metavar="NAME")
    correct = command("correct", _correct, "put another answer in the place of an entry")
    correct.add_argument("entry", metavar="ENTRY", help="as list --history shows it")
    correct.add_argument(
        "answer", choices=(*ANSWERS, "withdrawn"), help="withdrawn: the entry was a mistake altogether"
    )
    for parsed in (add, correct):
        parsed.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="when the client said so")
        parsed.add_argument("--note", default="", metavar="TEXT")
    listed = command("list", _list, "show where each picture stands")
    listed.add_argument("--client", default="", metavar="NAME", help="only this client's")
    listed.add_argument("--history", action="store_true", help="show every entry instead, corrected ones, too")
    rate = command("rate", _rate, "count how many pictures were accepted first time")
    rate.add_argument(
        "--by", choices=("day", "week", "month", "all"), default="week", help="of the first answer (week)"
    )
    rate.add_argument("--client", default="", metavar="NAME", help="only this client's")
    rate.add_argument("--since", type=_day, metavar="YYYY-MM-DD")
    rate.add_argument("--until", type=_day, metavar="YYYY-MM-DD")
    rate.add_argument("--json", action="store_true", help="as JSON")
    taken = command(
        "import",
        _import,
        "take in what clients answered to proofs (a saved file, or the mail), a CSV with the columns picture and answer, "
        "or an export",
    )
    taken.add_argument("file", type=Path, metavar="FILE", help="- for standard input")
    ask = command("ask", _ask, "show proofs in a browser, and write down what the client answers")
    ask.add_argument("folder", type=Path, metavar="PROOFS", help="a folder of pages that likeness proof wrote")
    add_address(ask, port=8767)
    export = command("export", _export, "write every entry as CSV")
    export.add_argument("file", type=Path, nargs="?", metavar="CSV", help="standard output without it")
    add_overwrite(export.add_argument)
    return parser
