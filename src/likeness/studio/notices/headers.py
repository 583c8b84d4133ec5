"""Mail headers that hold foreign text: written here to the last byte, never parsed and folded again.

Python's `email` package reads a header when it is set: it undoes encoded words (RFC 2047) in a client's name, with the line
breaks inside them, and it loses the quotes round a long name, whose commas then part addresses. So a name that is more than
a few plain words is encoded whole, and the lines of a header go out as they were made.
"""

from __future__ import annotations

import re
from email.header import Header
from email.policy import EmailPolicy

__all__ = ["WrittenHeader", "mailbox", "subject_line"]

_WIDTH = 76
"""Longest line with an encoded word (RFC 2047, 2)."""

_NAME_LIMIT = 100
_SUBJECT_LIMIT = 250
"""Characters that are sent of a name and of a subject."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9'-]+( [A-Za-z0-9'-]+)*")
"""Atoms (RFC 5322, 3.2.3) that need neither quotes nor encoding."""

_PLAIN_SUBJECT = re.compile(r"[!-~]+( [!-~]+)*")


class WrittenHeader(str):
    """A header's value as a person reads it, with the lines that are sent; `email` keeps it as it is.

    It has what `email.policy.EmailPolicy` asks of a header object: a name, and ``fold``.

    Attributes:
        name: of the header.
        lines: its value in ASCII, without the ends of the lines.
    """

    name: str
    lines: tuple[str, ...]

    def __new__(cls, name: str, shown: str, lines: tuple[str, ...]) -> WrittenHeader:
        """Raises ValueError for lines that are not one header's."""
        if not all(line.isascii() and line.isprintable() for line in lines) or not all(
            line.startswith(" ") for line in lines[1:]
        ):
            raise ValueError(f"these are not the lines of one header: {lines!r}")
        header = super().__new__(cls, shown)
        header.name, header.lines = name, lines
        return header

    def fold(self, *, policy: EmailPolicy) -> str:
        """The header as it is sent, with its name."""
        return f"{self.name}: {policy.linesep.join(self.lines)}{policy.linesep}"


def mailbox(header: str, name: str, address: str) -> WrittenHeader:
    """An address with a name before it.

    Args:
        header: such as "To".
        name: of one line; "" for none. Sent up to its 100th character.
        address: a checked one, in ASCII.
    """
    name = _cut(name, _NAME_LIMIT)
    if not name:
        return WrittenHeader(header, address, (address,))
    lines = (name,) if _PLAIN_NAME.fullmatch(name) and len(name) < _WIDTH // 2 else _encoded(name, header)
    last = f"{lines[-1]} <{address}>"
    used = len(last) + (len(header) + 2 if len(lines) == 1 else 0)
    lines = (*lines[:-1], last) if used <= _WIDTH else (*lines, f" <{address}>")
    return WrittenHeader(header, f"{name} <{address}>", lines)


def subject_line(text: str) -> WrittenHeader:
    """A subject of one line; sent up to its 250th character."""
    text = _cut(text, _SUBJECT_LIMIT)
    plain = _PLAIN_SUBJECT.fullmatch(text) and len(text) + len("Subject: ") <= _WIDTH
    return WrittenHeader("Subject", text, (text,) if plain or not text else _encoded(text, "Subject"))


def _cut(text: str, limit: int) -> str:
    # A program that passes the mail on may undo more encoded words than are ours: none is left in the text.
    text = text.replace("=?", "= ?")
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _encoded(text: str, header: str) -> tuple[str, ...]:
    """Every character inside encoded words, so that none of them means anything to a mail program."""
    return tuple(Header(text, "utf-8", maxlinelen=_WIDTH, header_name=header).encode(linesep="\n").split("\n"))
