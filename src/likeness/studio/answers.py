"""What a client says to proofs: Yes, Change or No on a page, and the way back into the book of acceptance.

A proof's page has the three buttons. Served by the studio (`likeness.studio.asking`) it hands each answer over at once.
Opened from a file, or on any other web server, it prepares a mail to the studio, or saves a table; `answers_in` finds the
table in either, for `likeness.studio.acceptance.AcceptanceBook.import_csv`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from html import escape
from importlib.resources import files
from urllib.parse import quote

from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.studio.acceptance import ANSWERS
from likeness.studio.captions import Words

__all__ = ["Asking", "answers_in", "asked_in", "bar", "buttons", "script"]

_CODED = re.compile(rb"\[\[likeness([A-Za-z0-9+/=\s>]*)likeness\]\]")
"""The table in a mail; what mail programs put in between (new lines, marks of quotations) means nothing."""

_HEADER = re.compile(rb"\A[A-Za-z][A-Za-z0-9-]*:[ \t]")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Whom a page of proofs asks.

    Attributes:
        client: whose the pictures are, as the book is to have it.
        reply: the studio's e-mail address; "" offers no mail.
    """

    client: str = ""
    reply: str = ""


def buttons(picture: str, words: Words) -> str:
    """Yes, Change and No to one picture, as HTML."""
    label = escape(words("answers.of", {"name": picture}))
    pressed = "".join(
        f"<button type='button' value='{answer}' aria-pressed='false'>{escape(words(f'answers.{answer}'))}</button>"
        for answer in ANSWERS
    )
    note = escape(words("answers.note"))
    return (
        f"<div class='answer' role='group' aria-label='{label}' data-picture='{escape(picture)}'>{pressed}"
        f"<textarea hidden rows='2' maxlength='1000' aria-label='{note}' placeholder='{note}'></textarea>"
        "<span class='reached' role='status'></span></div>"
    )


def bar(asking: Asking, words: Words, *, index: str = "") -> str:
    """How many are answered, and the ways to send the answers, as HTML; with a link to the page of all, if there is one."""
    mail = f"<a class='mail' hidden>{escape(words('answers.mail'))}</a>" if asking.reply else ""
    back = f"<p><a href='{index}' data-carry>{escape(words('proof.back'))}</a></p>" if index else ""
    how = escape(words("answers.how" if asking.reply else "answers.how-file"))
    return (
        f"<section class='send'>{back}<p class='answered' role='status'></p><div class='ways'><p>{how}</p>"
        f"<p>{mail}<button type='button'>{escape(words('answers.file'))}</button></p></div></section>\n"
    )


def script(asking: Asking, pictures: Mapping[str, str], words: Words) -> str:
    """What makes `buttons` and `bar` work, as HTML; it stands after them.

    Args:
        asking: whom it asks.
        pictures: their names, each with the mark of what is shown of it (`likeness.studio.proof.Proof.mark`).
        words: of its language.
    """
    said = ("kept", "lost", "subject", "attach", "machine", "count", *ANSWERS)
    told = {
        "client": asking.client,
        "reply": quote(asking.reply, safe="@"),
        "all": list(pictures),
        "marks": list(pictures.values()),
        # The script fills the numbers in.
        "words": {name: words(f"answers.{name}", _PLACES) for name in said},
    }
    # Inside of a script "<" could end it.
    data = json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")
    code = files("likeness.studio").joinpath("answers.js").read_text(encoding="utf-8")
    return f"<script type='application/json' id='answering'>{data}</script>\n<script type='module'>\n{code}</script>\n"


_PLACES = {name: f"{{{name}}}" for name in ("done", "all", "count", "file")}


def asked_in(page: str) -> dict[str, str]:
    """The pictures that a page of proofs asks about, each with its client; empty for another page."""
    found = re.search(r"<script type='application/json' id='answering'>(.*?)</script>", page, re.DOTALL)
    if found is None:
        return {}
    try:
        told = json.loads(found[1])
        return {str(picture): str(told["client"]) for picture in told["all"]}
    except (ValueError, KeyError, TypeError):
        return {}


def answers_in(data: bytes, *, name: str) -> bytes:
    """The table of answers in a file that came back: the table itself, or a mail that holds it or has it attached.

    Raises:
        ConfigError: if it is a mail without answers, or they are damaged.
    """
    texts = [data]
    mail = _HEADER.match(data) is not None
    if mail:
        texts = list(_parts(data))
    for text in texts:
        coded = _CODED.search(text)
        if coded is not None:
            try:
                return base64.b64decode(re.sub(rb"[\s>]", b"", coded[1]), validate=True)
            except binascii.Error as error:
                raise ConfigError(Notice("answers.damaged", {"name": name})) from error
    tables = [text for text in texts if text.lstrip(b"\xef\xbb\xbf").startswith(b"picture,")]
    if tables:
        return tables[0]
    if mail:
        raise ConfigError(Notice("answers.none", {"name": name}))
    return data


def _parts(data: bytes) -> Iterator[bytes]:
    """Texts of a mail, and what is attached to it."""
    for part in message_from_bytes(data, policy=policy.default).walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            yield content if isinstance(content, bytes) else b""
