"""What may stand in a header: judged by the bytes that leave, never by what a parser makes of its own output."""

from __future__ import annotations

import random
from base64 import b64encode
from email import message_from_bytes, policy
from email.policy import SMTP
from pathlib import Path

import pytest

from likeness.errors import ConfigError
from likeness.faces.findings import Finding
from likeness.studio.notices.compose import compose
from likeness.studio.notices.headers import WrittenHeader, mailbox, subject_line
from likeness.studio.notices.ledger import open_ledger
from likeness.studio.notices.letters import Letter, Trouble, checked_address
from likeness.studio.notices.postman import Postman
from likeness.studio.notices.sending import send_letters
from likeness.studio.notices.settings import MailSettings
from likeness.studio.notices.templates import LetterTemplate, read_template

SMALL = Finding(code="size-small", level="refuse", message="small", figure=120, limit=150, unit="px")
STUDIO = "Foto, Ana <x@example.org>"

OURS = sorted([
    b"From", b"To", b"Reply-To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted",
    b"MIME-Version", b"Content-Type",
])  # fmt: skip


def _words() -> list[str]:
    """Encoded words that hide a header, in both encodings, folded, cut and inside each other."""
    hidden = "x\r\nBcc: q@example.org"
    b = b64encode(hidden.encode()).decode()
    q = "=?utf-8?q?x=0D=0ABcc:_q@e.org?="
    return [
        q,
        q.upper(),
        f"=?utf-8?b?{b}?=",
        f"=?UTF-8?B?{b}?=",
        "=?utf-8*en?q?x=0D=0ABcc:_q@e.org?=",
        "=?us-ascii?q?x=0ABcc:_q@e.org?=",
        "=?iso-8859-1?q?x=0DBcc:_q@e.org?=",
        "=?utf-16?b?AA0ACgBCAGMAYwA6?=",
        "=?utf-7?q?+AA0ACg-Bcc:_q@e.org?=",
        f"{q} {q}",
        f"{q}\r\n {q}",
        f"Ana {q} Lima",
        f"王 {q} 小",
        f'"{q}"',
        f"({q})",
        f"<{q}@e.org>",
        f"{q}, {q}",
        f"=?utf-8?b?{b64encode(q.encode()).decode()}?=",
        f"=?utf-8?q?{q.replace('=', '=3D').replace('?', '=3F').replace(' ', '_')}?=",
        "=?utf-8?q?x=00y?=",
        "=?utf-8?q?x=E2=80=A8Bcc:_q@e.org?=",
        "=\u200b?utf-8?q?x=0D=0ABcc:_q@e.org?=",
        "=\x00?utf-8?q?x=0D=0ABcc:_q@e.org?=",
        "==?utf-8?q?x=0D=0ABcc:_q@e.org?==",
        "=?utf-8?q?x=0D=0ABcc:_q@e.org",
        "=?utf-8?q?" + "=0D=0ABcc:_q@e.org" * 40 + "?=",
        f"x{q}" * 50,
    ]


HOSTILE = [
    *_words(),
    "Ana\r\nBcc: q@e.org",
    "Ana\nBcc: q@e.org",
    "Ana\rBcc: q@e.org",
    "Ana\x0bBcc: q@e.org\x0c\x1c\x1d\x1e\x85\u2028\u2029Bcc: q@e.org",
    "Ana\x00\x07\x1b[31m\x7f\x9b",
    "Ana\r\n\r\nbody",
    "evil@example.org, " * 10,
    "a <evil@example.org>, b " * 6,
    "evil@example.org; " * 10,
    "group: evil@example.org;" * 5,
    '"' * 120,
    "\\" * 120,
    '\\"' * 60,
    "(" * 150,
    ")" * 150,
    "王, <e@example.org>" * 20,
    "x" * 5000,
    "x " * 3000,
    "\u202egpj.exe\u202d\u2066\u2069\ufeff",
    "\ud800\udfff",
    "e\u0301" * 300,
    "👩‍👩‍👧‍👦" * 60,
    "${client} $studio $$ $",
    "Bcc: q@e.org",
    " ",
    "",
]


def _random(seed: int, number: int) -> list[str]:
    """Seeded mixtures of the pieces that mail programs trip over."""
    chance = random.Random(seed)
    pieces = [*_words(), "\r\n", "\n ", "\r", "\t", ",", ";", ":", "<", ">", "@", '"', "\\", "(", ")", "=?", "?=", "=",
              "?", "Bcc:", "To: q@e.org", "\u2028", "\x00", "é", "王", "x" * 70, " " * 80, "_", "=0D=0A", "q",
              "b"]  # fmt: skip
    return ["".join(chance.choices(pieces, k=chance.randint(1, 12))) for _ in range(number)]


def header_names(content: bytes) -> list[bytes]:
    """The names of a mail's headers by RFC 5322's letter: lines up to the first empty one that do not begin with a blank."""
    head = content.partition(b"\r\n\r\n")[0]
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert b"\x00" not in content
    assert head.isascii()
    lines = head.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert all(line.strip() for line in lines)
    return sorted(line.partition(b":")[0] for line in lines if line[:1] not in b" \t")


def settings(port: int | None = None) -> MailSettings:
    return MailSettings(
        studio=STUDIO, sender="studio@example.com", reply_to="answers@example.com", host="localhost", port=port,
        security="none", timeout=10,
    )  # fmt: skip


def letter(client: str, *, email: str = "ana@example.com", picture: str = "a.jpg") -> Letter:
    return Letter(
        email=email,
        client=client,
        language="en",
        troubles=(Trouble(picture=picture, content="digest", findings=(SMALL,)),),
    )


def template(subject: str) -> LetterTemplate:
    own = read_template("en")
    return LetterTemplate(subject=subject, text=own.text, html=own.html)


def addresses(content: bytes, header: str) -> list[str]:
    return [str(found.addr_spec) for found in message_from_bytes(content, policy=policy.default)[header].addresses]


def check(content: bytes, email: str = "ana@example.com") -> None:
    assert header_names(content) == OURS
    assert addresses(content, "To") == [email]
    assert addresses(content, "From") == ["studio@example.com"]
    assert addresses(content, "Reply-To") == ["answers@example.com"]


def check_passed_on(content: bytes) -> None:
    # A program that reads the mail and writes it again undoes encoded words a second time.
    again = message_from_bytes(content, policy=SMTP).as_bytes(policy=SMTP.clone(refold_source="all"))
    assert b"\nBcc:" not in again.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_a_file_or_a_subject_begins_no_header_and_adds_no_address(text: str) -> None:
    for each, subject in (
        (letter(text), "$studio: $pictures"),
        (letter("Ana", picture=text), "$studio: $pictures"),
        (letter(text), "$client, $studio"),
        (letter("Ana"), text.replace("$", "$$")),
    ):
        message = compose(each, template(subject), settings())
        for content in (message.as_bytes(), message.as_bytes(policy=SMTP)):
            check(content)
        check_passed_on(content)


def test_hundreds_of_mixtures_in_every_field() -> None:
    long = "a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".com"
    for text in _random(7, 400):
        content = compose(letter(text, email=long), template("$client: $pictures"), settings()).as_bytes(policy=SMTP)
        check(content, long)


def test_every_name_arrives_as_it_is() -> None:
    """An encoded word where one is needed, plain words where they do: and either way the client's own name."""
    for name in ("Ana", "O'Neil-Lima", "Lima, Ana", "Dr. Ana (Studio) <3", "王小宝", 'Ana "Anita" Lima', "Zoë"):
        content = compose(letter(name), template("$client"), settings()).as_bytes(policy=SMTP)
        read = message_from_bytes(content, policy=policy.default)
        assert read["To"].addresses[0].display_name == name
        assert read["Subject"] == name
    assert b"To: Ana <ana@example.com>\r\n" in compose(letter("Ana"), template("Hi"), settings()).as_bytes()


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?x=0D=0ABcc=3A_q?=@example.org",
        "a=?b@example.org",
        "ana@example.org,bo@example.org",
        "ana@example.org;bo@example.org",
        "ana@=?utf-8?q?example?=.org",
        "ana@例子.cn\u2028Bcc",
        "ana@\u2025.cn",
        "ana@exam\u00adple..org",
        "ana@" + "例" * 5000 + ".cn",
        "ana@" + "a." * 100_000 + "cn",
        "ana@\ud800.cn",
        "ana\u202e@example.org",
    ],
)
def test_what_is_no_address_of_one_person(address: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked_address(address)
    assert str(refused.value).isprintable()
    with pytest.raises(ConfigError):
        letter("Ana", email=address)
    with pytest.raises(ConfigError):
        MailSettings(studio="A", sender=address)
    with pytest.raises(ConfigError):
        MailSettings(studio="A", sender="a@example.com", reply_to=address)


def test_a_header_takes_only_its_own_lines() -> None:
    assert mailbox("To", "", "a@example.com").fold(policy=SMTP) == "To: a@example.com\r\n"
    assert subject_line("Hi").fold(policy=SMTP) == "Subject: Hi\r\n"
    for lines in (("a\nBcc: q@e.org",), ("a", "Bcc: q@e.org"), ("é",), ("a\x00",)):
        with pytest.raises(ValueError, match="lines of one header"):
            WrittenHeader("To", "a", lines)


def test_what_a_server_receives_has_only_the_headers_that_we_wrote(mail_server, tmp_path: Path) -> None:
    box = mail_server()
    written = [letter(name, email=f"a{n}@example.com", picture=name) for n, name in enumerate(HOSTILE)]
    with open_ledger(tmp_path / "ledger") as ledger, Postman(settings(box.port), None) as postman:
        told = list(
            send_letters(
                written,
                ledger=ledger,
                postman=postman,
                templates={"en": template("$client: $pictures")},
                settings=settings(box.port),
            )
        )
    assert {each.fate for each in told} == {"sent"}
    assert box.asked == [each.email for each in written]
    for content, each in zip(box.raw, written, strict=True):
        check(content, each.email)
