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
def bucket() -> Iterator[str]:
    """A bucket of a real S3 server on this machine, which s3fs finds by the environment."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    patch = pytest.MonkeyPatch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.start()
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        }.items():
            patch.setenv(name, value)
        import s3fs

        files = s3fs.S3FileSystem()
        files.mkdir("studio")
    yield "studio"
    patch.undo()
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


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
