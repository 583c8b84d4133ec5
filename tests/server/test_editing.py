from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from running import Running, served

from likeness.cli import main
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image
from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings
from likeness.server.live import sessions
from likeness.server.live.editing import Editing, Ending


@contextmanager
def edited(
    restorer: Restorer, image: Image, target: Path, folder: Path
) -> Generator[tuple[Running, Editing, list[Ending]]]:
    endings: list[Ending] = []
    editing = Editing(image, "photo.tif", target, on_end=endings.append)
    with served(ServerSettings(port=0, data=folder / "data"), restorer, editing) as running:
        yield running, editing, endings


def test_what_is_seen_is_saved_once(tiny_restorer: Restorer, astronaut: Image, tmp_path: Path) -> None:
    target = tmp_path / "photo-likeness.tif"
    with edited(tiny_restorer, astronaut, target, tmp_path) as (running, _, endings), running.http() as client:
        assert client.get("/live/about").json()["editing"] == {"name": "photo.tif", "saves": target.name}
        opened = client.post("/live/editing")
        assert opened.status_code == 201
        key = opened.json()["id"]
        assert opened.json()["faces"]
        assert client.get(f"/live/pictures/{key}").json() == opened.json()
        assert not target.exists()
        saved = client.post(f"/live/editing/{key}", json={"faces": [0], "latent_step_decay": 0.05, "upscale": 2})
        assert saved.json() == {"name": "photo.tif", "saves": target.name}
        assert client.delete("/live/editing").status_code == 204
        assert endings == ["saved"]
    after = read_image(target)
    assert after.size.width == 2 * astronaut.size.width


def test_no_other_picture_takes_the_files_place(
    tiny_restorer: Restorer, astronaut: Image, portrait: bytes, tmp_path: Path
) -> None:
    target = tmp_path / "photo.tif"
    with edited(tiny_restorer, astronaut, target, tmp_path) as (running, _, endings), running.http() as client:
        client.post("/live/editing")
        other = client.post("/live/pictures", files={"file": ("a.jpg", portrait)}).json()["id"]
        refused = client.post(f"/live/editing/{other}", json={"faces": []})
        assert (refused.status_code, refused.json()["code"]) == (410, "picture-closed")
        assert not endings
        assert not target.exists()


def test_a_file_that_cannot_be_written_can_be_saved_again(
    tiny_restorer: Restorer, astronaut: Image, tmp_path: Path
) -> None:
    target = tmp_path / "gone" / "photo.tif"
    with edited(tiny_restorer, astronaut, target, tmp_path) as (running, _, endings), running.http() as client:
        key = client.post("/live/editing").json()["id"]
        refused = client.post(f"/live/editing/{key}", json={"faces": []})
        assert refused.is_error
        assert "gone" in refused.json()["detail"]
        assert not endings
        target.parent.mkdir()
        assert client.post(f"/live/editing/{key}", json={"faces": []}).is_success
        assert endings == ["saved"]


def test_a_page_that_is_gone_leaves_the_file(
    tiny_restorer: Restorer, astronaut: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_LEAVING_SECONDS", 0.2)
    with edited(tiny_restorer, astronaut, tmp_path / "a.tif", tmp_path) as (running, editing, endings):
        with running.http() as client:
            key = client.post("/live/editing").json()["id"]
            client.post(f"/live/pictures/{key}/leave")
            client.get(f"/live/pictures/{key}")  # loaded again
            editing.gone("another")
            assert not endings
            client.post(f"/live/pictures/{key}/leave")
            for _ in range(100):
                if endings:
                    break
                time.sleep(0.05)
        assert endings == ["left"]


def test_elsewhere_nothing_is_edited(server: Running) -> None:
    with server.http() as client:
        assert client.get("/live/about").json()["editing"] is None
        assert [client.post("/live/editing").status_code, client.delete("/live/editing").status_code] == [404, 404]


def test_an_editor_hands_over_a_file_and_gets_it_back(astronaut: Image, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    deep = np.clip(astronaut.pixels + rng.uniform(-1e-3, 1e-3, astronaut.pixels.shape), 0, 1).astype(np.float32)
    file = tmp_path / "photo-Edit.tif"
    write_image(replace(astronaut, pixels=deep, bit_depth=16), file)
    before = read_image(file)
    command = [sys.executable, "-m", "likeness", "edit", "--in-place", "--no-browser", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=url, timeout=60) as client:
            key = client.post("/live/editing").json()["id"]
            client.post(f"/live/editing/{key}", json={"faces": [0]}).raise_for_status()
        assert program.wait(30) == 0
    after = read_image(file)
    assert (after.bit_depth, after.size, after.icc_profile) == (16, before.size, before.icc_profile)
    assert np.abs(after.pixels - before.pixels).max() > 0.02
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_in_place_nothing_is_lost(tmp_path: Path, astronaut: Image, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image as PillowImage

    pages = tmp_path / "two.tif"
    page = PillowImage.fromarray(astronaut.to_uint8())
    page.save(pages, save_all=True, append_images=[page])
    held = pages.read_bytes()
    assert main(["edit", "--in-place", str(pages)]) == 2
    assert "more than one picture" in capsys.readouterr().err
    other = tmp_path / "moving.gif"
    page.save(other)
    assert main(["edit", "--in-place", str(other)]) == 2
    assert ".png" in capsys.readouterr().err
    assert main(["edit", str(tmp_path / "none.jpg")]) != 0
    assert main(["edit", "--in-place", str(pages), "-o", "x.png"]) == 2
    assert pages.read_bytes() == held
