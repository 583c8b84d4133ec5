"""A letter as an e-mail: text and HTML, the pictures' thumbnails inline."""

from __future__ import annotations

import textwrap
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid
from html import escape

from likeness.studio.notices.headers import mailbox, subject_line
from likeness.studio.notices.letters import Letter, Trouble, on_one_line
from likeness.studio.notices.settings import MailSettings
from likeness.studio.notices.templates import LetterTemplate
from likeness.studio.notices.words import counted, reason_and_advice, salutation

__all__ = ["THUMBNAIL", "compose"]

THUMBNAIL = 96
"""Longer side of a picture in a letter as it is shown, px; the file holds twice as much for dense screens."""

_LINE = 76


def compose(letter: Letter, template: LetterTemplate, settings: MailSettings) -> EmailMessage:
    """Make the mail.

    It has a Message-ID of the sender's domain, a Date, and "Auto-Submitted: auto-generated" (RFC 3834), so that absence
    notes do not answer it. Nothing of a client's name or file name can begin a header, add an address or be read as HTML.
    """
    domain = settings.sender.rpartition("@")[2]
    shown = [_picture(number, trouble, letter, settings) for number, trouble in enumerate(letter.troubles, start=1)]
    values = {
        "salutation": salutation(letter.client, letter.language),
        "client": letter.client,
        "studio": settings.studio,
        "pictures": counted(len(letter.troubles), letter.language),
        "count": str(len(letter.troubles)),
        "reply_to": settings.answers_to,
    }
    message = EmailMessage(policy=SMTP)
    message["From"] = mailbox("From", settings.studio, settings.sender)
    message["To"] = mailbox("To", letter.client, letter.email)
    message["Reply-To"] = mailbox("Reply-To", settings.studio, settings.answers_to)
    message["Subject"] = subject_line(on_one_line(template.fill(template.subject, values, ())))
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = {"en": "en", "zh": "zh-Hans"}[letter.language]
    text = [
        {**part, "reason": _wrapped(part["reason"]), "advice": _wrapped(part["advice"]), "thumbnail": ""}
        for part in shown
    ]
    message.set_content(template.fill(template.text, values, text))
    names = {
        number: make_msgid(domain=domain) for number, trouble in enumerate(letter.troubles, 1) if trouble.thumbnail
    }
    marked = [
        {**{key: escape(value) for key, value in part.items()}, "thumbnail": _cell(names.get(number), part["picture"])}
        for number, part in enumerate(shown, start=1)
    ]
    escaped = {key: escape(value) for key, value in values.items()}
    message.add_alternative(template.fill(template.html, escaped, marked), subtype="html")
    html = message.get_body(("html",))
    for number, name in names.items():
        data = letter.troubles[number - 1].thumbnail
        if isinstance(html, EmailMessage) and data is not None:
            html.add_related(
                data, maintype="image", subtype="jpeg", cid=name, disposition="inline", filename=f"{number}.jpg"
            )
    return message


def _picture(number: int, trouble: Trouble, letter: Letter, settings: MailSettings) -> dict[str, str]:
    said = [
        reason_and_advice(finding, trouble.size, letter.language, wanted=settings.wanted_side)
        for finding in trouble.findings
    ]
    between = "" if letter.language == "zh" else " "
    return {
        "number": str(number),
        "picture": on_one_line(trouble.picture),
        # Several findings may lead to the same advice, which is given once.
        "reason": between.join(dict.fromkeys(reason for reason, _ in said)),
        "advice": between.join(dict.fromkeys(advice for _, advice in said)),
    }


def _wrapped(text: str) -> str:
    """Lines of a length that every mail program shows; a text without spaces stays as it is."""
    return textwrap.fill(text, _LINE, break_long_words=False, break_on_hyphens=False)


def _cell(name: str | None, picture: str) -> str:
    if name is None:
        return ""
    return (
        f'<td valign="top" width="{THUMBNAIL}"><img src="cid:{name[1:-1]}" alt="{escape(picture)}" width="{THUMBNAIL}" '
        f'style="display:block;width:{THUMBNAIL}px;height:auto;border-radius:6px;"></td>'
    )
