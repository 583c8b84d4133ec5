from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import tifffile
from profiles import ADOBE, gamma_curve, matrix_profile
from running import Running, served

from likeness.cli import main
from likeness.faces.face import Face
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.imaging.photoshop import holds_layers
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
    monkeypatch.setattr(sessions, "LEAVING_SECONDS", 0.2)
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


def test_a_page_that_went_before_it_was_open_leaves_the_file(
    tiny_restorer: Restorer, astronaut: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slow(image: Image) -> tuple[Face, ...]:
        begun.set()
        time.sleep(0.5)
        return found(image)

    found = tiny_restorer.find_faces
    monkeypatch.setattr(tiny_restorer, "find_faces", slow)
    monkeypatch.setattr(Editing.unopened, "__kwdefaults__", {"within": 0.2})
    with edited(tiny_restorer, astronaut, tmp_path / "a.tif", tmp_path) as (running, _, endings):
        with running.http() as client, pytest.raises(httpx.ReadTimeout):
            client.post("/live/editing", timeout=0.3)
        assert begun.is_set()
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
    """As an editor writes it: 16 bit, a wide profile, and all that it knows of the photograph; read by its own library."""
    rng = np.random.default_rng(3)
    deep = np.clip(astronaut.pixels + rng.uniform(-1e-3, 1e-3, astronaut.pixels.shape), 0, 1)
    samples = np.round(deep * 65535).astype(np.uint16)
    xmp = b"".join(
        (
            b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
            b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>',
        )
    )
    tags = {
        34675: matrix_profile(ADOBE, gamma_curve(2.2)),
        33723: b"\x1c\x02\x19\x00\x0bgrandmother",
        700: xmp,
        271: "Camera",
        33432: "(c) Ann",
    }
    extra = [(code, "s" if isinstance(value, str) else 7, len(value), value, True) for code, value in tags.items()]
    file = tmp_path / "photo-Edit.tif"
    tifffile.imwrite(file, samples, photometric="rgb", resolution=(300, 300), resolutionunit=2, extratags=extra)
    command = [sys.executable, "-m", "likeness", "edit", "--in-place", "--no-browser", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=url, timeout=60) as client:
            key = client.post("/live/editing").json()["id"]
            client.post(f"/live/editing/{key}", json={"faces": [0]}).raise_for_status()
        assert program.wait(30) == 0
    with tifffile.TiffFile(file) as after:
        page = after.pages.first
        restored = page.asarray()
        kept = {code: page.tags[code].value for code in (*tags, 282, 283, 296)}
    assert (restored.dtype, restored.shape) == (samples.dtype, samples.shape)
    assert np.abs(restored.astype(int) - samples).max() > 1000
    assert (restored == samples).all(axis=-1).mean() > 0.4  # beside the face, to the last bit
    assert b'xmp:Rating="5"' in kept.pop(700)  # that a network has drawn in it is said beside that
    assert [across / over for across, over in (kept.pop(282), kept.pop(283))] == [300, 300]
    assert kept.pop(296) == 2
    assert kept == {code: value for code, value in tags.items() if code != 700}
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_in_place_nothing_is_lost(tmp_path: Path, astronaut: Image, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image as PillowImage

    pages = tmp_path / "two.tif"
    page = PillowImage.fromarray(astronaut.to_uint8())
    page.save(pages, save_all=True, append_images=[page])
    held = pages.read_bytes()
    assert main(["edit", "--in-place", str(pages)]) == 2
    assert "more than one picture" in capsys.readouterr().err
    layers = tmp_path / "layers.tif"
    for order, block in (("<", b"MIB8ttaP\x03\0\0\0\0\0\0\0MIB861rL"), (">", b"8BIMPatt\0\0\0\x03\0\0\0\x008BIMLr16")):
        data = b"Adobe Photoshop Document Data Block\0" + block
        for length, holds in ((4, True), (0, False)):  # the second block is Photoshop's layers, and is left out
            size = (8).to_bytes(4, "little" if order == "<" else "big") + bytes(8)
            body = data + size if length else data[:-8]
            extra = [(37724, 7, len(body), body, True)]
            tifffile.imwrite(layers, astronaut.to_uint8(), photometric="rgb", byteorder=order, extratags=extra)
            assert holds_layers(layers) is holds
            if holds:
                assert main(["edit", "--in-place", str(layers)]) == 2
                assert "layers of Photoshop" in capsys.readouterr().err
    other = tmp_path / "moving.gif"
    page.save(other)
    assert main(["edit", "--in-place", str(other)]) == 2
    assert ".png" in capsys.readouterr().err
    assert main(["edit", str(tmp_path / "none.jpg")]) != 0
    assert main(["edit", "--in-place", str(pages), "-o", "x.png"]) == 2
    assert pages.read_bytes() == held
