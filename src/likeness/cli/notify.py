"""``likeness notify``: mail to the clients whose pictures cannot be restored as they are."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_verbosity, verbosity
from likeness.cli.table import counted
from likeness.errors import ConfigError
from likeness.messages.notice import Notice, reason_of

if TYPE_CHECKING:
    from likeness.cli.refused import Refused
    from likeness.messages.notice import Language
    from likeness.studio.notices.ledger import Ledger
    from likeness.studio.notices.letters import Letter, Trouble
    from likeness.studio.notices.sending import LetterOutcome
    from likeness.studio.notices.settings import MailSettings
    from likeness.studio.notices.templates import LetterTemplate

__all__ = ["make_parser", "notify"]

_DESCRIPTION = """\
Tell clients by e-mail which of their pictures cannot be restored as they are, why, and what to do: one mail per address.

SOURCE is the output of likeness batch, or a file of likeness check --json. Addresses come from the CSV of the batch
(columns client, email), or from --clients. Without --send nothing is sent: the mails are shown, or written with --eml."""

_EPILOG = """\
login:
  never a flag: LIKENESS_SMTP_USER and LIKENESS_SMTP_PASSWORD, or a login_file in the mail settings

exit status:
  0    everything that was to be told is told, or was shown
  1    somebody could not be told: no address, refused, deferred or in doubt; or the server cannot be used
  2    nothing was begun: a flag, a file or a setting cannot be used

examples:
  likeness notify --init studio-mail.toml
  likeness notify out/ --mail studio-mail.toml
  likeness notify out/ --mail studio-mail.toml --send
  likeness notify check.json --clients clients.csv --mail studio-mail.toml --eml mails/"""


def notify(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status: 0 all told or shown, 1 somebody could not be told.

    Raises:
        ConfigError: for options, files and settings that cannot be used; nothing was sent then.
        MailError: if the server cannot be used; what was sent before is in the ledger.
        RecordError, BatchError: if the ledger or the journal cannot be used.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    parser = make_parser()
    flags = parser.parse_args(argv)
    console.verbosity = verbosity(flags)
    if flags.init is not None:
        return _init(flags.init, console)
    for name, given in (("SOURCE", flags.source), ("--mail", flags.mail)):
        if given is None:
            parser.error(f"missing: {name}")
    if flags.send and flags.eml:
        raise ConfigError(Notice("cli.eml-or-send"))
    from likeness.cli.refused import read_clients, with_clients
    from likeness.studio.notices.letters import checked_address, gather
    from likeness.studio.notices.settings import read_mail_settings
    from likeness.studio.notices.templates import read_template
    from likeness.studio.notices.words import as_language

    settings = read_mail_settings(flags.mail)
    language = as_language(flags.language, "--language") if flags.language else settings.language
    again = tuple(checked_address(address) for address in flags.again)
    clients = read_clients(flags.clients) if flags.clients else {}
    refused, ledger_file = _read(flags)
    letters, left = gather(with_clients(refused.troubles, clients), language=language)
    used: list[Language] = [letter.language for letter in letters]
    templates: dict[Language, LetterTemplate] = {
        code: read_template(code, settings.templates) for code in dict.fromkeys(used)
    }
    console.say(f"{refused.pictures} pictures, {len(refused.troubles)} to be told of, to {_addresses(len(letters))}")
    for name, reason in refused.others:
        console.warn(f"{name} was not restored, for a reason that is none of the client's: {reason}")
    for trouble, reason in left:
        console.warn(f"{trouble.picture}: {reason}")
    if flags.send:
        undone = _send(letters, templates, settings, ledger_file, again, console)
    else:
        undone = _show(letters, templates, settings, ledger_file, again, flags.eml, console)
    return 1 if undone or left else 0


def _init(path: Path, console: Console) -> int:
    """Write mail settings to begin with."""
    from likeness.core.files import write_text_atomically
    from likeness.studio.notices.settings import NEW_SETTINGS

    console.ledger.claim([path], overwrite=False)
    write_text_atomically(NEW_SETTINGS, path)
    console.say(f"{path}: fill in the studio, its address and the mail server")
    return 0


def _read(flags: Namespace) -> tuple[Refused, Path]:
    """What was refused, and where the ledger lies."""
    from likeness.cli.refused import refused_by_batch, refused_by_check
    from likeness.core.outputs import JOURNAL

    source: Path = flags.source
    if source.suffix.lower() == ".json":
        found, folder = refused_by_check(source, thumbnails=flags.thumbnails), source.parent
    else:
        journal = source / JOURNAL if source.is_dir() else source
        found, folder = refused_by_batch(journal, thumbnails=flags.thumbnails), journal.parent
    return found, flags.ledger or folder / "notices.sqlite"


def _send(
    letters: Sequence[Letter],
    templates: dict[Language, LetterTemplate],
    settings: MailSettings,
    ledger_file: Path,
    again: Sequence[str],
    console: Console,
) -> bool:
    from likeness.studio.notices.ledger import open_ledger
    from likeness.studio.notices.postman import Postman
    from likeness.studio.notices.sending import send_letters
    from likeness.studio.notices.settings import read_login

    done: list[LetterOutcome] = []
    postman = Postman(settings, read_login(settings))
    with open_ledger(ledger_file) as ledger, postman:
        for outcome in send_letters(
            letters, ledger=ledger, postman=postman, templates=templates, settings=settings, again=again
        ):
            done.append(outcome)
            _tell(outcome, console)
    count = {
        fate: sum(outcome.fate == fate for outcome in done) for fate in dict.fromkeys(outcome.fate for outcome in done)
    }
    console.say("; ".join(f"{number} {fate}" for fate, number in count.items()) or "nothing to send")
    return any(outcome.fate not in ("sent", "told before") for outcome in done)


def _tell(outcome: LetterOutcome, console: Console) -> None:
    what = f"{outcome.letter.email}: {_counted(outcome.letter.troubles)}"
    if outcome.fate == "sent":
        console.say(f"{what}, sent")
    elif outcome.fate == "told before":
        console.detail(f"{what}, told before {outcome.detail}")
    elif outcome.fate == "in doubt":
        console.warn(
            f"{what}: a run ended {outcome.detail} while this mail was handed over, and it may have arrived; ask, or send "
            f"it once more with --again {outcome.letter.email}"
        )
    elif outcome.fate == "refused before":
        console.warn(
            f"{what}, refused before ({outcome.detail}); correct the address, or try --again {outcome.letter.email}"
        )
    else:
        console.error(f"{what}, {outcome.fate}: {outcome.detail}")


def _show(
    letters: Sequence[Letter],
    templates: dict[Language, LetterTemplate],
    settings: MailSettings,
    ledger_file: Path,
    again: Sequence[str],
    folder: Path | None,
    console: Console,
) -> bool:
    """Show what would be sent; nothing is sent, and no ledger is begun."""
    from likeness.core.files import write_bytes_atomically
    from likeness.studio.notices.compose import compose
    from likeness.studio.notices.ledger import open_ledger

    new = list(letters)
    doubtful = False
    if ledger_file.is_file():
        with open_ledger(ledger_file) as ledger:
            new, doubtful = _untold(letters, ledger, again, console)
    mails = [(letter, compose(letter, templates[letter.language], settings)) for letter in new]
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(Notice("cli.eml-folder", {"folder": str(folder), "why": reason_of(error)})) from error
    written: set[Path] = set()
    for number, (letter, message) in enumerate(mails, start=1):
        if folder is None:
            console.show(_text(message))
        else:
            path = folder / f"{number:03}-{re.sub(r'[^A-Za-z0-9.@_-]', '_', letter.email)}.eml"
            write_bytes_atomically(message.as_bytes(), path)
            written.add(path)
            console.say(f"{path}: {_counted(letter.troubles)}")
    if folder is not None and (others := set(folder.glob("*.eml")) - written):
        console.warn(
            f"{folder} holds mails of another run as well: {counted(len(others), 'mail')}, such as {min(others).name}"
        )
    console.say(f"{counted(len(mails), 'mail')} would be sent with --send; nothing was sent")
    return doubtful


def _untold(
    letters: Sequence[Letter], ledger: Ledger, again: Sequence[str], console: Console
) -> tuple[list[Letter], bool]:
    from likeness.studio.notices.sending import split_by_ledger

    new: list[Letter] = []
    undone = False
    for letter in letters:
        rest, decided = split_by_ledger(letter, ledger, again=again)
        new += [rest] if rest is not None else []
        for part in decided:
            _tell(part, console)
            undone |= part.fate != "told before"
    return new, undone


def _text(message: EmailMessage) -> str:
    """A mail as a person reads it: headers, and the text part."""
    heads = "\n".join(f"{name}: {message[name]}" for name in ("From", "To", "Reply-To", "Subject"))
    body = message.get_body(("plain",))
    text = body.get_content().replace("\r\n", "\n") if isinstance(body, EmailMessage) else ""
    rule = "-" * 76
    return f"{rule}\n{heads}\n\n{text.rstrip()}\n{rule}"


def _counted(troubles: Sequence[Trouble]) -> str:
    from likeness.studio.notices.words import counted

    return counted(len(troubles), "en")


def _addresses(number: int) -> str:
    return f"{number} address{'' if number == 1 else 'es'}"


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness notify",
        usage="likeness notify SOURCE --mail FILE.toml [flags]\n       likeness notify --init FILE.toml",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "source", metavar="SOURCE", type=Path, nargs="?", help="a batch's output, or a file of check --json"
    )
    parser.add_argument("--mail", type=Path, metavar="FILE.toml", help="who writes, and the mail server")
    parser.add_argument("--init", type=Path, metavar="FILE.toml", help="write such a file to fill in, and stop")
    parser.add_argument(
        "--clients", type=Path, metavar="CSV", help="columns file and email; client and language if wanted"
    )
    parser.add_argument(
        "--language", metavar="en|zh", help="of clients without one in the CSV, instead of the settings'"
    )
    parser.add_argument("--thumbnails", action="store_true", help="show each picture small in the mail")
    parser.add_argument("--send", action="store_true", help="really send; without it nothing leaves this machine")
    parser.add_argument("--eml", type=Path, metavar="DIR", help="write the mails as .eml files instead of showing them")
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="who was told what; notices.sqlite beside SOURCE")
    parser.add_argument(
        "--again", action="append", default=[], metavar="ADDRESS", help="tell this address once more; repeatable"
    )
    add_verbosity(parser)
    return parser
