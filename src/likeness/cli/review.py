"""``likeness review``: a blind comparison of settings or tools by people, and its results."""

from __future__ import annotations

import json
import textwrap
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.small_server import add_address, is_local, require_server, serve_until_stopped
from likeness.cli.table import counted, table
from likeness.core.home import expanded
from likeness.errors import ConfigError
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.studio.review.results import Results
    from likeness.studio.review.session import ReviewSession

__all__ = ["make_parser", "review"]

_DESCRIPTION = """\
Let people rate versions of the same pictures without knowing which is which: several settings, or several tools.

NAME=FOLDER names a side and the folder of its pictures; they belong together by their names, but for the suffix. The
session is made in --session DIR and served as a page for this machine's browser until Ctrl-C. Without sides, a session
that exists goes on. Votes are kept the moment they are given."""

_EPILOG = """\
exit status:
  0    done; the page was served until Ctrl-C
  1    a picture cannot be read, or the session cannot be read or written
  2    nothing was begun: a flag, a folder or a name cannot be used, or a program is missing

examples:
  likeness review standard=out/standard natural=out/natural --session tuesday --originals photos
  likeness review --session tuesday
  likeness review --report tuesday --html tuesday.html"""


def review(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        0.

    Raises:
        ConfigError: for options that cannot be used; nothing was made then.
        MissingExtraError: if the web server is not installed.
        RecordError, ImageReadError, PairError: if a session cannot be made or read.
        FileWriteError: if a report cannot be written.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    _check(flags)
    if flags.report is not None:
        return _report(flags, console)
    if not flags.no_serve:
        require_server()
    session = _session(flags, console)
    if not flags.no_serve:
        _serve(session, flags, console)
    return 0


def _check(flags: Namespace) -> None:
    if (flags.session is None) == (flags.report is None):
        raise ConfigError(Notice("cli.review-what"))
    if flags.report is not None and (flags.sides or flags.no_serve):
        raise ConfigError(Notice("cli.report-alone"))
    if flags.report is None and (flags.json or flags.html):
        raise ConfigError(Notice("cli.report-files"))
    if not flags.sides and (flags.originals or flags.title or flags.question or flags.max_side is not None):
        raise ConfigError(Notice("cli.new-session"))
    if len({name for name, _ in flags.sides}) < len(flags.sides):
        raise ConfigError(Notice("review.same-side"))
    if not 0 <= flags.port <= 65535:
        raise ConfigError(Notice("cli.port", {"port": flags.port}))
    if flags.json is not None and flags.html is not None and flags.json.resolve() == flags.html.resolve():
        raise ConfigError(Notice("cli.same-file"))


def _session(flags: Namespace, console: Console) -> ReviewSession:
    from likeness.studio.review.session import ReviewSession

    if not flags.sides:
        return ReviewSession(flags.session)
    from likeness.studio.review.making import SessionOptions, make_session

    options = SessionOptions(
        title=flags.title,
        question=flags.question,
        originals=flags.originals,
        max_side=SessionOptions.max_side if flags.max_side is None else flags.max_side,
    )
    session = make_session(flags.session, dict(flags.sides), options)
    console.say(f"{flags.session}: {len(session.items)} pictures of {len(session.sides)} sides")
    return session


def _serve(session: ReviewSession, flags: Namespace, console: Console) -> None:
    from likeness.studio.review.app import make_app

    if not is_local(flags.host):
        console.warn("everybody in this network who has the address can rate; it is not encrypted")
    serve_until_stopped(
        flags.host,
        flags.port,
        lambda hosts, key: make_app(session, hosts=hosts, key=key),
        lambda address, key: [f"raters open {address}/{key and f'#key={key}'}   (Ctrl-C ends)"],
        console,
    )
    console.say(f"count the votes with: likeness review --report {flags.session}")


def _report(flags: Namespace, console: Console) -> int:
    from likeness.core.files import write_text_atomically
    from likeness.studio.review.report import page, to_dict
    from likeness.studio.review.results import count
    from likeness.studio.review.session import ReviewSession

    outputs = [path for path in (flags.json, flags.html) if path is not None and str(path) != "-"]
    console.ledger.claim(outputs, overwrite=flags.overwrite)
    session = ReviewSession(flags.report)
    results = count(session)
    as_json = json.dumps(to_dict(session, results), indent=2, ensure_ascii=False, allow_nan=False)
    if str(flags.json) == "-":
        console.show(as_json)
    else:
        console.show(_text(session, results))
        if flags.json is not None:
            write_text_atomically(as_json, flags.json)
    if flags.html is not None:
        write_text_atomically(page(session, results), flags.html)
        console.say(f"page written to {flags.html}")
    return 0


def _text(session: ReviewSession, results: Results) -> str:
    from likeness.studio.intervals import shown
    from likeness.studio.review.report import (
        METHOD,
        agreement_words,
        by_place,
        pair_figures,
        rater_figures,
        side_figures,
    )

    sides = [(side.name, *side_figures(side)) for side in results.sides]
    pairs = [(f"{pair.first} - {pair.second}", *pair_figures(pair)) for pair in results.pairs]
    raters = [(rater.name, *rater_figures(rater)) for rater in results.raters]
    people = counted(len(raters), "rater")
    parts = [
        f"{len(session.items)} pictures, {people}, {results.given} of {results.asked} ratings given",
        "\n".join(pair.sentence for pair in results.pairs),
        table(("side", "mean", "95% interval", "pictures", "1", "2", "3", "4", "5"), sides),
        table(("pair", "difference", "interval", "won, lost, tied", "preferred", "interval", "votes"), pairs),
        f"agreement: alpha {shown(results.alpha)}, {agreement_words(results.alpha)}\n"
        f"mean by place on the screen: {by_place(results)}",
    ]
    if raters:
        parts.append(table(("rater", "ratings", "mean"), raters))
    if results.comments:
        rows = [(b.item, b.side, b.rater, str(b.score or "-"), " ".join(b.comment.split())) for b in results.comments]
        parts.append(table(("picture", "side", "rater", "score", "comment"), rows))
    return "\n\n".join([*parts, textwrap.fill(METHOD, 100)])


def _side(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or not name.strip() or not folder:
        raise ArgumentTypeError(f'"{text}" is no side; write NAME=FOLDER, such as natural=out/natural')
    return name.strip(), expanded(folder)


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness review",
        usage="likeness review NAME=FOLDER NAME=FOLDER... --session DIR [flags]\n"
        "       likeness review --session DIR | --report DIR [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("sides", metavar="NAME=FOLDER", nargs="*", type=_side, help="2 to 4 sides and their pictures")
    parser.add_argument("--session", type=Path, metavar="DIR", help="the session's folder; made if sides are named")
    made = parser.add_argument_group("a new session")
    made.add_argument("--originals", type=Path, metavar="FOLDER", help="show the pictures before the work, too")
    made.add_argument(
        "--title", default="", metavar="TEXT", help="shown to the raters; it must not give the sides away"
    )
    made.add_argument("--question", default="", metavar="TEXT", help="what they are asked, instead of the page's own")
    made.add_argument("--max-side", type=int, metavar="PX", help="reduce pictures to this longest side (2048)")
    add_address(parser, port=8766)
    parser.add_argument("--no-serve", action="store_true", help="make the session, and stop")
    report = parser.add_argument_group("results")
    report.add_argument("--report", type=Path, metavar="DIR", help="count the votes of a session, and tell the sides")
    report.add_argument("--json", type=Path, metavar="FILE", help='write everything as JSON; "-" prints it instead')
    report.add_argument("--html", type=Path, metavar="FILE", help="write one page with pictures")
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser
