"""Who is to be told of what: pictures in trouble, gathered into one letter per client's address."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from likeness.errors import ConfigError
from likeness.faces.findings import Finding
from likeness.imaging.image import Size
from likeness.messages.notice import Language, Notice

__all__ = ["Letter", "Trouble", "checked_address", "gather", "on_one_line"]

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A picture that cannot be restored as it is.

    Attributes:
        picture: its name, as the client knows it.
        content: digest of the file's bytes: a client who sends another file of the same name is told anew.
        findings: what is the matter.
        client, email: whose it is, as the CSV has it.
        language: of the client; None for the studio's usual one.
        size: of the picture, None where it could not be read.
        thumbnail: a small JPEG of it, to show in the letter, or None.
    """

    picture: str
    content: str
    findings: tuple[Finding, ...]
    client: str = ""
    email: str = ""
    language: Language | None = None
    size: Size | None = None
    thumbnail: bytes | None = None

    def __post_init__(self) -> None:
        if not self.findings:
            raise ValueError(f"nothing is the matter with {self.picture}")

    @property
    def key(self) -> str:
        """The same for the same fault of the same file."""
        codes = sorted({finding.code for finding in self.findings})
        return f"{self.content}:{','.join(codes)}"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """All that one address is to be told.

    Attributes:
        email: a valid address, its domain in ASCII.
        client: the name to write to, on one line; "" if none is known.
        language: of the letter.
        troubles: at least one, in the order in which they came.

    Raises:
        ConfigError: for what is no address.
    """

    email: str
    client: str
    language: Language
    troubles: tuple[Trouble, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "email", checked_address(self.email))
        object.__setattr__(self, "client", on_one_line(self.client))


def gather(troubles: Iterable[Trouble], *, language: Language) -> tuple[list[Letter], list[tuple[Trouble, str]]]:
    """One letter per address, in the order in which the addresses come first.

    Addresses that differ only by the case of their letters are one person's. Of several names and languages given for an
    address the first counts; of a file that came twice, too.

    Args:
        troubles: all of them.
        language: of clients for whom none is given.

    Returns:
        the letters, and the troubles that nobody can be told of, with the reason in a sentence.
    """
    groups: dict[str, tuple[str, dict[str, Trouble]]] = {}
    left: list[tuple[Trouble, str]] = []
    for trouble in troubles:
        try:
            address = checked_address(trouble.email)
        except ConfigError as error:
            left.append((trouble, str(error)))
            continue
        _, group = groups.setdefault(address.casefold(), (address, {}))
        group.setdefault(f"{trouble.picture}:{trouble.key}", trouble)
    return [_letter(address, list(group.values()), language) for address, group in groups.values()], left


def _letter(address: str, troubles: Sequence[Trouble], usual: Language) -> Letter:
    names = (on_one_line(trouble.client) for trouble in troubles)
    languages: list[Language] = [trouble.language for trouble in troubles if trouble.language is not None]
    return Letter(
        email=address,
        client=next((name for name in names if name), ""),
        language=languages[0] if languages else usual,
        troubles=tuple(troubles),
    )


def on_one_line(text: str) -> str:
    """Text from a table as it may stand in a header or a line: no control or invisible formatting characters."""
    plain = "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text)
    # Formatting characters (Cf) can turn the order of what is read around.
    return " ".join("".join(letter for letter in plain if unicodedata.category(letter) not in ("Cf", "Cs")).split())


def checked_address(text: str) -> str:
    """An e-mail address that may stand in a header and an envelope; its domain in ASCII (IDNA).

    Stricter than RFC 5321, which also allows quoted names and addresses of machines: nobody's client has those, and
    mistakes look like them.

    Raises:
        ConfigError: with the reason.
    """
    address = text.strip()
    if not address:
        raise ConfigError(Notice("mail.no-recipient"))
    # repr, cut: what stands in a table may be anything.
    shown = repr(address if len(address) <= 80 else f"{address[:77]}...")
    # Before anything that takes time with the length squared, as IDNA does.
    if len(address) > 320:
        raise ConfigError(Notice("mail.long-address", {"shown": shown}))
    if any(separator in address for separator in ",; \t\r\n"):
        raise ConfigError(Notice("mail.several-addresses", {"shown": shown}))
    local, at, domain = address.rpartition("@")
    # "=?" begins an encoded word, which mail programs would take for something else than an address.
    if not at or not local or "=?" in local:
        raise ConfigError(Notice("mail.no-mail-address", {"shown": shown}))
    if not local.isascii():
        raise ConfigError(Notice("mail.not-ascii", {"shown": shown}))
    try:
        plain = domain.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        plain = ""
    labels = plain.split(".")
    if not _LOCAL.fullmatch(local) or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ConfigError(Notice("mail.no-mail-address", {"shown": shown}))
    if len(local) > 64 or len(local) + 1 + len(plain) > 254:
        raise ConfigError(Notice("mail.long-address", {"shown": shown}))
    return f"{local}@{plain.lower()}"
