from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from likeness.errors import ConfigError
from likeness.faces.findings import CODES, Finding
from likeness.imaging.image import Size
from likeness.messages.notice import LANGUAGES
from likeness.studio.notices.compose import compose
from likeness.studio.notices.letters import Letter, Trouble, checked_address, gather, on_one_line
from likeness.studio.notices.settings import Login, MailSettings, read_login, read_mail_settings
from likeness.studio.notices.templates import LetterTemplate, read_template
from likeness.studio.notices.words import ADVICE, as_language, reason_and_advice

SMALL = Finding(code="size-small", level="refuse", message="small", figure=120, limit=150, unit="px")
BROKEN = Finding(code="unreadable", level="refuse", message="broken")
SETTINGS = MailSettings(studio="Atelier 光影", sender="studio@example.com", reply_to="pictures@example.com")


def trouble(picture: str = "a.jpg", *, email: str = "ana@example.com", client: str = "Ana", **other: object) -> Trouble:
    values: dict[str, object] = {"content": picture, "findings": (SMALL,), "size": Size(120, 160), **other}
    return Trouble(picture=picture, email=email, client=client, **values)  # type: ignore[arg-type]


def mail(*troubles: Trouble, folder: Path | None = None) -> EmailMessage:
    """The one letter about these pictures, as it reads after its way through bytes."""
    (letter,), _ = gather(troubles, language="en")
    sent = compose(letter, read_template(letter.language, folder), SETTINGS)
    received = message_from_bytes(sent.as_bytes(), policy=policy.default)
    assert isinstance(received, EmailMessage)
    assert not received.defects
    return received


def text(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    return body.get_content()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ana@example.com", "ana@example.com"),
        (" Ana.Lima+pictures@Example.COM. ", "Ana.Lima+pictures@example.com"),
        ("wang@例子.cn", "wang@xn--fsqu00a.cn"),
        ("o'neil@mail.example.co.uk", "o'neil@mail.example.co.uk"),
    ],
)
def test_addresses(address: str, expected: str) -> None:
    assert checked_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "@example.com",
        "ana@",
        "ana@localhost",
        "ana@example..com",
        "ana@-example.com",
        ".ana@example.com",
        "ana@example.com, bo@example.com",
        "Ana <ana@example.com>",
        '"ana lima"@example.com',
        "ana@example.com\nBcc: all@example.com",
        "ana@example.com\r\nBcc:all@example.com",
        "ana\0@example.com",
        "安娜@example.com",
        "ana@exa mple.com",
        "a" * 65 + "@example.com",
        "ana@" + "a" * 64 + ".com",
        "ana@[127.0.0.1]",
        "ana@example.com>",
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConfigError):
        checked_address(address)


def test_one_letter_per_address() -> None:
    letters, left = gather(
        [
            trouble("a.jpg"),
            trouble("b.jpg", email="bo@example.com", language="zh"),
            trouble("c.jpg", email="ANA@example.com", client=""),
            trouble("c.jpg", email="ana@example.com", client="somebody else"),
            trouble("d.jpg", email=""),
            trouble("e.jpg", email="nobody"),
        ],
        language="en",
    )
    assert [(letter.email, letter.client, letter.language) for letter in letters] == [
        ("ana@example.com", "Ana", "en"),
        ("bo@example.com", "Ana", "zh"),
    ]
    assert [found.picture for found in letters[0].troubles] == ["a.jpg", "c.jpg"]
    assert [(found.picture, reason) for found, reason in left] == [
        ("d.jpg", "no e-mail address is known for this client"),
        ("e.jpg", "'nobody' is no e-mail address"),
    ]


def test_every_finding_has_words_in_every_language() -> None:
    assert set(ADVICE) == set(CODES)
    for code in CODES:
        finding = Finding(code=code, level="refuse", message="")
        for language in LANGUAGES:
            reason, advice = reason_and_advice(finding, Size(120, 160), language, wanted=600)
            assert "{" not in reason + advice
            assert bool(re.search("[\u4e00-\u9fff]", reason + advice)) == (language == "zh")


def test_the_reason_and_what_to_do() -> None:
    reason, advice = reason_and_advice(SMALL, Size(120, 160), "en", wanted=600)
    assert reason == "The picture is too small (120 x 160): we need at least 150 pixels on its shorter side."
    assert "original file from the camera or phone, larger than 600 pixels" in advice
    assert "照片太小（120×160）" in reason_and_advice(SMALL, Size(120, 160), "zh", wanted=600)[0]
    assert "too small: we need" in reason_and_advice(SMALL, None, "en", wanted=600)[0]


def test_a_mail_in_english() -> None:
    message = mail(trouble("a.jpg", thumbnail=b"\xff\xd8small"), trouble("b.jpg", findings=(BROKEN,), size=None))
    assert str(message["From"]) == "Atelier 光影 <studio@example.com>"
    assert str(message["To"]) == "Ana <ana@example.com>"
    assert message["Reply-To"].addresses[0].addr_spec == "pictures@example.com"
    assert message["Subject"] == "Atelier 光影: please send 2 pictures again"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    assert re.fullmatch(r"<[^<>@\s]+@example\.com>", str(message["Message-ID"]))
    assert message.get_content_type() == "multipart/alternative"
    plain, html = text(message), text(message, "html")
    for body in (plain, html):
        assert "Dear Ana," in body
        assert "1. a.jpg" in body
        assert "2. b.jpg" in body
        assert "(120 x 160)" in body
        assert "[[" not in body
        assert "$" not in body
    assert max(map(len, plain.splitlines())) <= 80
    (image,) = [part for part in message.walk() if part.get_content_type() == "image/jpeg"]
    assert image.get_content() == b"\xff\xd8small"
    assert image.get_content_disposition() == "inline"
    assert f'src="cid:{image["Content-ID"][1:-1]}"' in html
    assert html.count("<img") == 1


def test_a_mail_in_chinese() -> None:
    message = mail(trouble("小宝.png", client="王小宝", language="zh"))
    assert message["To"].addresses[0].display_name == "王小宝"
    assert message["Subject"] == "Atelier 光影：请重新发送 1 张照片"
    assert "王小宝，您好：" in text(message)
    assert "1. 小宝.png\n照片太小（120×160）：短边至少需要 150 像素。" in text(message).replace("\r", "")
    assert 'lang="zh-Hans"' in text(message, "html")
    raw = message.as_bytes()
    assert raw.isascii()  # so it passes through any server
    assert max(map(len, raw.splitlines())) <= 998


def test_nothing_of_a_table_becomes_a_header_or_html() -> None:
    evil = "Ana\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>"
    message = mail(trouble('<img src=x>"$studio\n.jpg\u202egpj', client=evil))
    assert message.get_all("Bcc") is None
    assert len(message["To"].addresses) == 1
    assert message["To"].addresses[0].addr_spec == "ana@example.com"
    html = text(message, "html")
    assert "<script>" not in html
    assert "<img" not in html
    assert "&lt;img src=x&gt;&quot;$studio .jpggpj" in html
    assert "\u202e" not in text(message)


def test_text_on_one_line() -> None:
    assert on_one_line(" a\r\n\tb\u2028c\x00d\u202ee\ud800 ") == "a b c de"


def test_the_studio_s_own_template(tmp_path: Path) -> None:
    (tmp_path / "notice.en.txt").write_text(
        "Subject: $$5 off, $client\n\n$count:\n[[each picture]]\n* $picture ($studio)\n[[end]]\nBye\n", encoding="utf-8"
    )
    message = mail(trouble("a.jpg"), trouble("b$.jpg"), folder=tmp_path)
    assert message["Subject"] == "$5 off, Ana"
    assert " ".join(text(message).split()) == "2: * a.jpg (Atelier 光影) * b$.jpg (Atelier 光影) Bye"
    assert "Dear Ana" in text(message, "html")  # the package's own: only the text was replaced


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("Hello\n\n[[each picture]]\n$picture\n[[end]]\n", "the first line must be"),
        ("Subject: x\n\nno section\n", "wants one section"),
        ("Subject: x\n\n[[each picture]]\n$name\n[[end]]\n", r"no placeholder \$name at that place"),
        ("Subject: x\n\n$picture\n[[each picture]]\n$reason\n[[end]]\n", r"no placeholder \$picture at that place"),
        ("Subject: x $pictures $5\n\n[[each picture]]\n$reason\n[[end]]\n", "begins no placeholder"),
    ],
)
def test_a_template_with_a_fault(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "notice.zh.txt").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        read_template("zh", tmp_path)
    assert isinstance(read_template("en", tmp_path), LetterTemplate)


def test_mail_settings(tmp_path: Path) -> None:
    path = tmp_path / "mail.toml"
    path.write_text(
        'studio = "A"\nfrom = "a@example.com"\nhost = "mail.example.com"\nlanguage = "zh-CN"\nlogin_file = "login"\n',
        encoding="utf-8",
    )
    settings = read_mail_settings(path)
    assert (settings.used_port, settings.security, settings.language) == (587, "starttls", "zh")
    assert settings.login_file == tmp_path / "login"
    assert settings.answers_to == "a@example.com"
    (tmp_path / "login").write_text("user\nsecret word \n", encoding="utf-8")
    (tmp_path / "login").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_login(settings)
    (tmp_path / "login").chmod(0o600)
    login = read_login(settings)
    assert login == Login(user="user", password="secret word ")
    assert "secret" not in repr(login)
    (tmp_path / "login").write_bytes("user\nSchlüssel\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="save the file as UTF-8"):
        read_login(settings)


def test_the_login_from_the_environment() -> None:
    assert read_login(SETTINGS, {}) is None
    assert read_login(SETTINGS, {"LIKENESS_SMTP_USER": "u", "LIKENESS_SMTP_PASSWORD": "p"}) == Login(
        user="u", password="p"
    )
    with pytest.raises(ConfigError, match="go together"):
        read_login(SETTINGS, {"LIKENESS_SMTP_USER": "u"})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('password = "x"', "no password here; set LIKENESS_SMTP_USER"),
        ('hots = "x"', 'unknown key "hots"'),
        ("port = 0.5", "port must be a whole number"),
        ("port = 70000", "port must be 1 to 65535"),
        ('security = "ssl"', "security must be"),
        ('security = "none"\nhost = "mail.example.com"', "in the open"),
        ('language = "fr"', "no language that notices are written in"),
        ("studio", "is not TOML"),
        ('reply_to = "nobody"', "is no e-mail address"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "mail.toml"
    path.write_text(f'studio = "A"\nfrom = "a@example.com"\n{line}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        read_mail_settings(path)


def test_a_sender_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "mail.toml"
    path.write_text('studio = "A"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="lacks from"):
        read_mail_settings(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_mail_settings(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match="--language"):
        as_language("French", "--language")
    assert isinstance(Letter(email="a@b.c", client="", language="en", troubles=(trouble(),)), Letter)
