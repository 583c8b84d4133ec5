from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image
from likeness.runtimes.base import Runtime


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """A real S3 server on this machine."""
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of that server, which s3fs finds by the environment as long as the test runs."""
    s3fs = pytest.importorskip("s3fs")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_address,
    }.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        files = s3fs.S3FileSystem()
        if not files.exists("studio"):
            files.mkdir("studio")
    yield "studio"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def tiny_runtime(tiny_model: Path) -> Runtime:
    from likeness.models.store import Store
    from likeness.runtimes.load import load_runtime

    return load_runtime(Store(), tiny_model, device="cpu", threads=1)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    """Six pictures: three that can be restored, one too small, one without a face, one broken."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "family").mkdir()
    pixels = astronaut.pixels
    for name, image in {
        "ann.jpg": Image(pixels=pixels),
        "family/ben.png": Image(pixels=np.ascontiguousarray(pixels[:, ::-1])),
        "family/cleo.webp": Image(pixels=np.ascontiguousarray(pixels * np.float32(0.9))),
        "small.jpg": Image(pixels=np.ascontiguousarray(pixels[60:180, 60:180])),
        "wall.jpg": Image(pixels=np.full((200, 220, 3), 0.5, np.float32)),
    }.items():
        kind = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.rsplit(".", 1)[1]]
        (folder / name).write_bytes(encode_image(image, kind))
    (folder / "broken.jpg").write_bytes((folder / "ann.jpg").read_bytes()[:1500])
    (folder / "notes.txt").write_text("no picture")
    return folder
