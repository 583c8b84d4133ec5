from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from likeness.cli import main
from likeness.studio.notices.settings import MailSettings, read_mail_settings


def test_settings_to_begin_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mail.toml"
    assert main(["notify", "--init", str(path)]) == 0
    assert "fill in the studio" in capsys.readouterr().err
    settings = read_mail_settings(path)
    assert (settings.sender, settings.host) == ("studio@example.com", "")
    # With every comment taken away all settings are there, and good.
    lines = [line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines() if " = " in line]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_mail_settings(path).reply_to == "pictures@example.com"
    assert len(lines) == len(fields(MailSettings))
    assert main(["notify", "--init", str(path)]) == 2
    assert "overwrite" in capsys.readouterr().err
