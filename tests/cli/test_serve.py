from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from likeness.cli import main
from likeness.cli.serve import _settings, make_parser  # pyright: ignore[reportPrivateUsage]
from likeness.server.http.settings import ServerSettings


def test_flags_are_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIKENESS_API_KEY", raising=False)
    assert _settings(make_parser().parse_args([])) == ServerSettings()
    argv = (
        "--host ::1 --port 9 --allow-host a.example --allow-host b.example --cors https://c.example --proxy 10.0.0.1 "
        f"--data {tmp_path} --keep 1.5 --max-files 3 --max-jobs 4 --max-stored 100 --max-upload 0.5 --max-request 2 "
        "--max-held 8 --max-pixels 12M --workers 2 --queue 5 --queue-per-client 6 --connections 7 "
        "--connections-per-client 5 --max-faces 6 --timeout 8 --stall 9"
    )
    assert _settings(make_parser().parse_args(argv.split())) == ServerSettings(
        host="::1",
        port=9,
        allowed_hosts=("a.example", "b.example"),
        cors=("https://c.example",),
        proxies=("10.0.0.1",),
        data=tmp_path,
        keep_hours=1.5,
        max_files=3,
        max_jobs=4,
        max_stored=100 << 20,
        max_upload=1 << 19,
        max_request=2 << 20,
        max_held=8 << 20,
        max_pixels=12_000_000,
        workers=2,
        queue=5,
        queue_per_client=6,
        connections=7,
        connections_per_client=5,
        max_faces=6,
        request_seconds=8,
        stall_seconds=9,
    )


def test_every_setting_has_a_flag() -> None:
    flags = {action.dest for action in make_parser()._actions}
    assert set(ServerSettings.__dataclass_fields__) - flags == {"api_key"}


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_API_KEY", "0123456789abcdef-environment")
    assert _settings(make_parser().parse_args([])).api_key == "0123456789abcdef-environment"
    file = tmp_path / "key"
    file.write_text("0123456789abcdef-file\n")
    assert _settings(make_parser().parse_args(["--api-key-file", str(file)])).api_key == "0123456789abcdef-file"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--port", "99999"], "port from 0 to 65535"),
        (["--api-key-file", "missing"], "--api-key-file missing cannot be read"),
        (["--api-key-file", "empty"], "--api-key-file empty is empty"),
        (["--cors", "*"], "is no origin"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--host", "192.0.2.1"], "192.0.2.1:8470 cannot be listened on"),
        (["--host", "no such host"], "is no address of this machine"),
        (["--model", "unheard-of"], "unheard-of"),
        (["--data", "empty"], "the folder for jobs, empty, cannot be used (File exists); name another with --data"),
        (["--data", "empty/below"], "empty/below, cannot be used (Not a directory)"),
        (["--data", "/proc/nobody/can"], "/proc/nobody/can, cannot be used"),
        (["--data", "damaged"], "journal.sqlite"),
        (["--proxy", "nginx"], '"nginx" is no address of a proxy'),
    ],
)
def test_what_cannot_begin_is_one_sentence(
    argv: list[str],
    sentence: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "journal.sqlite").write_bytes(b"SQLite format 3\0" + b"damaged" * 1000)
    model = [] if "--model" in argv else ["--model", str(tiny_model)]
    assert main(["serve", *argv, *model]) in (1, 2)
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert said.err.startswith("error: ")
    assert len(said.err.splitlines()) == 1


def test_a_port_that_is_taken_is_said(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--model", str(tiny_model)]) == 2
    assert f"127.0.0.1:{port} cannot be listened on" in capsys.readouterr().err


def test_without_the_extra_the_command_to_install_it_is_said() -> None:
    # In a process of its own: modules taken out of this one and imported again are other modules than the tests hold.
    script = 'import sys; sys.modules["fastapi"] = None; from likeness.cli import main; sys.exit(main(["serve"]))'
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert 'pip install "likeness[serve]"' in done.stderr
