"""Against real SMTP servers on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from likeness.errors import MailError, RecordError
from likeness.faces.findings import Finding
from likeness.imaging.image import Size
from likeness.messages.notice import Language, notice_of
from likeness.studio.notices.ledger import open_ledger
from likeness.studio.notices.letters import Letter, Trouble
from likeness.studio.notices.postman import Delivery, Postman
from likeness.studio.notices.sending import LetterOutcome, send_letters
from likeness.studio.notices.settings import Login, MailSettings
from likeness.studio.notices.templates import LetterTemplate, read_template

pytest.importorskip("aiosmtpd", reason="aiosmtpd is the SMTP server of these tests")

SMALL = Finding(code="size-small", level="refuse", message="small", figure=120, limit=150, unit="px")
TEMPLATES: dict[Language, LetterTemplate] = {"en": read_template("en")}


def letter(email: str = "ana@example.com", *pictures: str) -> Letter:
    troubles = tuple(
        Trouble(picture=name, content=f"digest of {name}", findings=(SMALL,), size=Size(120, 120))
        for name in pictures or ("a.jpg",)
    )
    return Letter(email=email, client="Ana", language="en", troubles=troubles)


def settings(port: int, security: str = "none", **other: object) -> MailSettings:
    values: dict[str, object] = {"studio": "Atelier 光影", "sender": "studio@example.com", "host": "localhost", **other}
    return MailSettings(port=port, security=security, timeout=10, **values)  # type: ignore[arg-type]


def send(
    letters: Sequence[Letter],
    to: MailSettings,
    ledger_file: Path,
    *,
    login: Login | None = None,
    waits: list[float] | None = None,
    again: Sequence[str] = (),
) -> list[LetterOutcome]:
    pause = (waits if waits is not None else []).append
    with open_ledger(ledger_file) as ledger, Postman(to, login, pause=pause) as postman:
        return list(
            send_letters(letters, ledger=ledger, postman=postman, templates=TEMPLATES, settings=to, again=again)
        )


def states(ledger_file: Path) -> list[tuple[str, str]]:
    with open_ledger(ledger_file) as ledger:
        return [(entry.email, entry.state) for entry in ledger.entries()]


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_mail_over_tls_with_a_login(
    security: str, mail_server: Callable[..., Any], certificate: Any, tmp_path: Path
) -> None:
    box = mail_server(security, password="secret")
    to = settings(box.port, security, ca_file=certificate.path)
    told = send([letter()], to, tmp_path / "ledger", login=Login(user="studio", password="secret"))
    assert [each.fate for each in told] == ["sent"]
    ((address, message),) = box.taken
    assert address == "ana@example.com"
    assert str(message["From"]) == "Atelier 光影 <studio@example.com>"
    assert "a.jpg" in message.get_body(("plain",)).get_content()
    assert box.users == ["studio"]
    if security == "starttls":
        assert box.peers_with_tls == [True]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_does_not_hold(
    security: str,
    mail_server: Callable[..., Any],
    certificate: Any,
    wrong_certificate: Any,
    tmp_path: Path,
) -> None:
    box = mail_server(security)
    with pytest.raises(MailError, match="certificate does not hold"):  # an authority that nobody knows
        send([letter()], settings(box.port, security), tmp_path / "ledger")
    other = mail_server(security, shown=wrong_certificate)
    with pytest.raises(MailError, match="certificate does not hold"):  # another machine's
        send([letter()], settings(other.port, security, ca_file=wrong_certificate.path), tmp_path / "ledger")
    assert box.taken == other.taken == []
    assert {state for _, state in states(tmp_path / "ledger")} == {"deferred"}
    # What did not go out goes out as soon as the settings are right.
    told = send([letter()], settings(box.port, security, ca_file=certificate.path), tmp_path / "ledger")
    assert [each.fate for each in told] == ["sent"]


def test_no_mail_without_the_encryption_that_was_asked_for(
    mail_server: Callable[..., Any], certificate: Any, tmp_path: Path
) -> None:
    box = mail_server("none")
    with pytest.raises(MailError, match="STARTTLS extension not supported"):
        send([letter()], settings(box.port, "starttls", ca_file=certificate.path), tmp_path / "ledger")
    with pytest.raises(MailError, match="does not speak TLS"):
        send([letter()], settings(box.port, "tls", ca_file=certificate.path), tmp_path / "ledger")
    assert box.taken == []


def test_a_server_that_takes_no_such_letters_is_told_in_our_words(
    mail_server: Callable[..., Any], tmp_path: Path
) -> None:
    to = settings(mail_server("none").port)
    with pytest.raises(MailError, match="letters beyond ASCII") as caught:
        send([letter()], to, tmp_path / "ledger", login=Login(user="studio", password="Schlüssel"))
    assert "ASCII 以外字符" in notice_of(caught.value).say("zh")


def test_a_login_that_is_refused(mail_server: Callable[..., Any], certificate: Any, tmp_path: Path) -> None:
    box = mail_server("starttls", password="secret")
    to = settings(box.port, "starttls", ca_file=certificate.path)
    with pytest.raises(MailError, match="refuses the login: 535") as caught:
        send([letter()], to, tmp_path / "ledger", login=Login(user="studio", password="guessed"))
    assert "guessed" not in str(caught.value)
    with pytest.raises(MailError, match="refuses the sender"):  # it wants a login, and gets none
        send([letter()], to, tmp_path / "ledger")
    assert box.taken == []


def answer_first(monkeypatch: pytest.MonkeyPatch, command: str, said: str) -> list[str]:
    """Have servers say this to the first such command, and take the others as usual; what they were told with each."""
    protocol = pytest.importorskip("aiosmtpd.smtp").SMTP
    taken, asked = getattr(protocol, f"smtp_{command}"), []

    async def answered(self: Any, argument: str) -> None:
        asked.append(argument)
        if len(asked) == 1:
            await self.push(said)
        else:
            await taken(self, argument)

    monkeypatch.setattr(protocol, f"smtp_{command}", answered)
    return asked


def test_later_before_the_text_is_tried_again(
    mail_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without RSET the next MAIL is answered "503 nested", which was told as a sender that is refused, and ended the run."""
    box = mail_server()
    asked = answer_first(monkeypatch, "DATA", "451 4.7.1 greylisted, come back in a minute")
    told = send([letter(), letter("bo@example.com")], settings(box.port), tmp_path / "ledger")
    assert [each.fate for each in told] == ["sent", "sent"]
    assert len(asked) == 3


def test_a_mail_that_is_too_long_is_refused_alone(
    mail_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server says so when it is told the size with the sender, whom it does not refuse: the others get theirs."""
    box = mail_server()
    answer_first(monkeypatch, "MAIL", "552 5.3.4 message size exceeds fixed limit")
    told = send([letter(), letter("bo@example.com")], settings(box.port), tmp_path / "ledger")
    assert [(each.fate, each.detail[:3]) for each in told] == [("refused", "552"), ("sent", "")]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_password_with_letters_beyond_ascii(
    mail_server: Callable[..., Any], certificate: Any, tmp_path: Path
) -> None:
    box = mail_server("starttls", password="Schlüssel")
    to = settings(box.port, "starttls", ca_file=certificate.path)
    (told,) = send([letter()], to, tmp_path / "ledger", login=Login(user="studio", password="Schlüssel"))
    assert told.fate == "sent"
    with pytest.raises(MailError, match="refuses the login: 535"):
        send([letter()], to, tmp_path / "other", login=Login(user="studio", password="Schlüßel"))


def test_later_is_tried_again_and_no_is_not(mail_server: Callable[..., Any], tmp_path: Path) -> None:
    box = mail_server()
    box.rcpt = {
        "slow@example.com": ["451 greylisted", "421 too many connections", None],
        "gone@example.com": ["550 no such person"],
    }
    box.data = {"spam@example.com": ["554 looks like spam"], "full@example.com": ["452 no room"] * 9}
    waits: list[float] = []
    people = ["slow@example.com", "gone@example.com", "spam@example.com", "full@example.com", "ana@example.com"]
    told = send([letter(person) for person in people], settings(box.port), tmp_path / "ledger", waits=waits)
    assert [(each.letter.email, each.fate, each.detail) for each in told] == [
        ("slow@example.com", "sent", ""),
        ("gone@example.com", "refused", "550 no such person"),
        ("spam@example.com", "refused", "554 looks like spam"),
        ("full@example.com", "deferred", "452 no room"),
        ("ana@example.com", "sent", ""),
    ]
    assert waits == [2, 8, 2, 8, 32]
    assert [box.asked.count(person) for person in people] == [3, 1, 1, 4, 1]
    # The second run tries only what was put off; what was refused is told of, and tried on request.
    box.data["full@example.com"] = []
    again = send([letter(person) for person in people], settings(box.port), tmp_path / "ledger")
    assert [each.fate for each in again] == ["told before", "refused before", "refused before", "sent", "told before"]
    assert again[1].detail == "550 no such person"
    asked = send([letter("GONE@example.com")], settings(box.port), tmp_path / "ledger", again=["gone@Example.com"])
    assert [each.fate for each in asked] == ["sent"]
    assert [address for address, _ in box.taken][-1] == "GONE@example.com"


def test_nobody_is_told_the_same_twice(mail_server: Callable[..., Any], tmp_path: Path) -> None:
    box = mail_server()
    to, ledger_file = settings(box.port), tmp_path / "ledger"
    send([letter("ana@example.com", "a.jpg", "b.jpg")], to, ledger_file)
    told = send([letter("Ana@example.com", "a.jpg", "b.jpg", "c.jpg")], to, ledger_file)
    assert [(each.fate, [t.picture for t in each.letter.troubles]) for each in told] == [
        ("told before", ["a.jpg", "b.jpg"]),
        ("sent", ["c.jpg"]),
    ]
    assert len(box.taken) == 2
    second = box.taken[1][1].get_body(("plain",)).get_content()
    assert "c.jpg" in second
    assert "a.jpg" not in second
    assert [each.fate for each in send([letter("bo@example.com", "a.jpg")], to, ledger_file)] == [
        "sent"
    ]  # another person


def test_no_server_stops_the_run(tmp_path: Path) -> None:
    waits: list[float] = []
    with pytest.raises(MailError, match="cannot be used for now: no connection"):
        send([letter(), letter("bo@example.com")], settings(1), tmp_path / "ledger", waits=waits)
    assert waits == [2, 8, 32]
    assert states(tmp_path / "ledger") == [("ana@example.com", "deferred")]
    with pytest.raises(MailError, match="lack host"):
        Postman(settings(1, host=""), None)


def test_a_connection_that_breaks_is_made_again(mail_server: Callable[..., Any]) -> None:
    box = mail_server()
    with Postman(settings(box.port), None, pause=lambda _: None) as postman:
        message = read_mail()
        assert postman.deliver(message, "ana@example.com") == Delivery(state="sent")
        connection = postman._connection  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        assert connection.sock is not None
        connection.sock.shutdown(socket.SHUT_RDWR)
        assert postman.deliver(message, "bo@example.com") == Delivery(state="sent", attempts=2)
    assert [address for address, _ in box.taken] == ["ana@example.com", "bo@example.com"]


def test_a_server_that_thinks_long_is_waited_for(mail_server: Callable[..., Any]) -> None:
    box = mail_server()
    box.on_data = lambda: threading.Event().wait(1.3) and None
    impatient = MailSettings(
        studio="A", sender="a@example.com", host="localhost", port=box.port, security="none", timeout=1
    )
    with Postman(impatient, None, pause=lambda _: None) as postman:
        assert postman.deliver(read_mail(), "ana@example.com") == Delivery(state="sent")
    assert box.asked == ["ana@example.com"]


def read_mail():
    from likeness.studio.notices.compose import compose

    return compose(letter(), TEMPLATES["en"], settings(25))


def test_a_killed_run_tells_nobody_twice(mail_server: Callable[..., object], tmp_path: Path) -> None:
    """kill -9 while the server is reading the second mail: the first is known, the second in doubt, the third new."""
    box = mail_server()
    reached, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        if len(box.taken) == 1:  # type: ignore[attr-defined]
            reached.set()
            go_on.wait(20)

    box.on_data = hold  # type: ignore[attr-defined]
    people = ("ana@example.com", "bo@example.com", "cy@example.com")
    script = (
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_notice_sending import letter, send, settings\n"
        f"send([letter(p) for p in {people!r}], settings(int(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    ledger_file = tmp_path / "ledger"
    child = subprocess.Popen([sys.executable, "-c", script, str(box.port), str(ledger_file)])  # type: ignore[attr-defined]
    try:
        assert reached.wait(30)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.wait(10)
        go_on.set()
    assert states(ledger_file) == [("ana@example.com", "sent"), ("bo@example.com", "sending")]
    box.on_data = lambda: None  # type: ignore[attr-defined]
    told = send([letter(person) for person in people], settings(box.port), ledger_file)  # type: ignore[attr-defined]
    assert [each.fate for each in told] == ["told before", "in doubt", "sent"]
    taken = [address for address, _ in box.taken]  # type: ignore[attr-defined]
    assert taken.count("ana@example.com") == taken.count("cy@example.com") == 1


def test_a_ledger_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(RecordError), open_ledger(tmp_path / "missing" / "ledger"):
        pass
