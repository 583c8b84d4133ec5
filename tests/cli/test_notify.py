from __future__ import annotations

import json
from email import message_from_bytes, policy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.batch.journal import Journal, Task, Thumbnails
from likeness.cli import main
from likeness.faces.findings import Finding

SETTINGS = 'studio = "Atelier 光影"\nfrom = "studio@example.com"\nlanguage = "en"\n'


def jpeg(size: tuple[int, int]) -> bytes:
    import io

    data = io.BytesIO()
    PillowImage.fromarray(np.full((*size[::-1], 3), 128, np.uint8)).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """The output of a batch run with a picture in each end state."""
    small = Finding(code="size-small", level="refuse", message="small", figure=120, limit=150, unit="px")
    turned = Finding(code="face-turned", level="warn", message="turned", face=0, figure=40, limit=30, unit="degrees")
    broken = Finding(code="unreadable", level="refuse", message="damaged")
    people = {"client": "Ana Lima", "email": "ana@example.com"}
    rows = {
        "fine.jpg": ("final", "", (), people),
        "tiny.jpg": ("skipped", "small", (small, turned), people),
        "turned.jpg": ("skipped", "turned", (turned,), {"client": "王小宝", "email": "wang@example.cn"}),
        "nobody.jpg": ("skipped", "small", (small,), {"client": "Bo", "email": ""}),
        "broken.jpg": ("failed", "damaged", (broken,), people),
        "bug.jpg": ("failed", "not enough memory", (), people),
    }
    with Journal(tmp_path / "out" / "journal.sqlite") as journal:
        journal.put(
            Task(target=name, source=f"in/{name}", content=f"digest of {name}", model="m", **person)
            for name, (*_, person) in rows.items()
        )
        while (item := journal.claim()) is not None:
            state, reason, findings, _ = rows[item.target]
            size = {"width": 120, "height": 160} if item.target == "tiny.jpg" else {}
            outcome = {"findings": [finding.to_dict() for finding in findings], **size}
            if state == "failed":
                assert journal.fail(item, reason, outcome=outcome)
            else:
                small_picture = Thumbnails(before=jpeg((32, 24)))
                assert journal.finish(item, state, reason=reason, outcome=outcome, thumbnails=small_picture)
    (tmp_path / "mail.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def test_what_a_batch_refused_is_shown(batch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["notify", str(batch / "out"), "--mail", str(batch / "mail.toml")])
    out, err = capsys.readouterr()
    assert status == 1  # one client has no address
    assert "6 pictures, 4 to be told of, to 2 addresses" in err
    assert "in/bug.jpg was not restored, for a reason that is none of the client's: not enough memory" in err
    assert "nobody.jpg: no e-mail address is known for this client" in err
    assert "2 mails would be sent with --send; nothing was sent" in err
    first, second = out.split("From: ")[1:]
    assert "To: Ana Lima <ana@example.com>" in first
    assert "1. tiny.jpg\nThe picture is too small (120 x 160): we need at least 150 pixels" in first
    assert "turned" not in first  # a warning about a picture that was refused for something else
    assert "2. broken.jpg\nThe file cannot be opened" in first
    assert "1. turned.jpg\nThe head is turned so far" in second
    assert "fine.jpg" not in out
    assert not (batch / "out" / "notices.sqlite").exists()


def test_mails_as_files(batch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clients = batch / "clients.csv"
    clients.write_text(
        "file,client,email,language\nturned.jpg,,,zh\nin/nobody.jpg,Bo,bo@example.com,\n", encoding="utf-8-sig"
    )
    command = ["notify", str(batch / "out"), "--mail", str(batch / "mail.toml"), "--clients", str(clients)]
    (batch / "mails").mkdir()
    (batch / "mails" / "004-old@example.com.eml").write_text("of yesterday")
    assert main([*command, "--eml", str(batch / "mails"), "--thumbnails"]) == 0
    assert "holds mails of another run as well: 1 mail, such as 004-old@example.com.eml" in capsys.readouterr().err
    (batch / "mails" / "004-old@example.com.eml").unlink()
    assert main([*command, "--eml", str(batch / "mails"), "--thumbnails"]) == 0
    said = capsys.readouterr().err
    assert "another run" not in said
    assert "3 mails would be sent" in said
    mails = {
        path.name: message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted((batch / "mails").iterdir())
    }
    assert list(mails) == ["001-ana@example.com.eml", "002-wang@example.cn.eml", "003-bo@example.com.eml"]
    chinese = mails["002-wang@example.cn.eml"]
    assert chinese["Subject"] == "Atelier 光影：请重新发送 1 张照片"
    assert chinese["To"].addresses[0].display_name == "王小宝"
    assert [part.get_content() for part in chinese.walk() if part.get_content_type() == "image/jpeg"] == [
        jpeg((32, 24))
    ]


def test_what_check_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("小宝.jpg").write_bytes(jpeg((120, 90)))
    Path("broken.jpg").write_bytes(b"no picture")
    Path("mail.toml").write_text(SETTINGS, encoding="utf-8")
    Path("clients.csv").write_text("file;email\n小宝.jpg;wang@例子.cn\nbroken.jpg;WANG@例子.cn\n", encoding="gb18030")
    assert main(["check", ".", "--json", "check.json"]) == 1
    capsys.readouterr()
    command = ["notify", "check.json", "--mail", "mail.toml", "--clients", "clients.csv", "--language", "zh"]
    assert main([*command, "--thumbnails"]) == 0
    out, err = capsys.readouterr()
    assert "To: WANG@xn--fsqu00a.cn\n" in out
    assert "2. 小宝.jpg\n照片太小（120×90）" in out
    assert "was read as GB 18030" in err
    assert json.loads(Path("check.json").read_text(encoding="utf-8"))["summary"]["refuse"] == 2


def test_sending_without_a_server(batch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["notify", str(batch / "out"), "--mail", str(batch / "mail.toml"), "--send"]
    assert main(command) == 1
    assert 'the mail settings lack host = "..."' in capsys.readouterr().err
    (batch / "mail.toml").write_text(f'{SETTINGS}host = "localhost"\nport = 1\nattempts = 1\n', encoding="utf-8")
    assert main(command) == 1
    assert "localhost:1 cannot be used for now: no connection" in capsys.readouterr().err
    # Nobody was told, so the next run tells everybody.
    assert main(command[:-1]) == 1
    assert "2 mails would be sent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["out"], "missing: --mail"),
        (["missing", "--mail", "mail.toml"], "missing does not exist; name the output of likeness batch"),
        (["out", "--mail", "no.toml"], "the mail settings cannot be read"),
        (["out", "--mail", "mail.toml", "--language", "fr"], "--language"),
        (["out", "--mail", "mail.toml", "--again", "ana"], "is no e-mail address"),
        (["out", "--mail", "mail.toml", "--send", "--eml", "x"], "give --send or --eml"),
        (["out", "--mail", "mail.toml", "--clients", "mail.toml"], "no column file"),
        (["bad.json", "--mail", "mail.toml"], "is no file of likeness check --json"),
    ],
)
def test_what_cannot_begin(
    batch: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(batch)
    Path("bad.json").write_text('{"pictures": [1]}', encoding="utf-8")
    assert main(["notify", *arguments]) == 2
    assert sentence in capsys.readouterr().err
