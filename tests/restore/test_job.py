from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from likeness.errors import ImageTooLargeError, NoFaceError
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.imaging.metadata_fields import EDITED_BY_NETWORK, MADE_BY_NETWORK
from likeness.restore import job as module
from likeness.restore.controls import Controls
from likeness.restore.job import RestoreJob, read_damage
from likeness.restore.picture_options import PictureOptions
from likeness.restore.pipeline import Restorer
from likeness.restore.selection import Selection


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, device="cpu", precision="f32")


@pytest.fixture(scope="module")
def decoder() -> Generator[DecoderPool]:
    with DecoderPool(processes=2) as pool:
        yield pool


def test_a_picture_goes_from_file_to_file(restorer: Restorer, decoder: DecoderPool, astronaut_file: Path) -> None:
    options = PictureOptions(controls=Controls.natural(), bit_depth=16)
    with RestoreJob(restorer, decoder, name="astronaut") as job:
        image = job.read(astronaut_file)
        restoration = job.restore(image, options)
        data = job.encode(restoration.image, options, "PNG")
        record = job.record()
    assert np.array_equal(restoration.image.pixels, restorer.restore(image, options.controls).image.pixels)
    assert read_image(data, name="the result").bit_depth == 16
    assert (record.input, record.status, record.message) == ("astronaut", "restored", "")
    assert record.size == image.size
    assert [face["status"] for face in record.faces] == ["restored"]
    assert {"read", "detect", "project", "write"} <= set(record.milliseconds)


def test_a_result_says_that_a_network_has_drawn_in_it(
    restorer: Restorer, decoder: DecoderPool, astronaut_file: Path
) -> None:
    def source_type(before: str | None, options: PictureOptions) -> str | None:
        with RestoreJob(restorer, decoder, name="astronaut") as job:
            image = read_image(astronaut_file)
            given = replace(image, metadata=replace(image.metadata, source_type=before))
            image = job.read(encode_image(given, "PNG"))
            result = job.restore(image, options).image
            return read_image(job.encode(result, options, "JPEG")).metadata.source_type

    captured = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    silent = PictureOptions(provenance=False)
    assert source_type(None, PictureOptions()) == EDITED_BY_NETWORK
    assert source_type(captured, PictureOptions()) == EDITED_BY_NETWORK
    assert source_type(MADE_BY_NETWORK, PictureOptions()) == MADE_BY_NETWORK
    assert source_type(None, silent) is None
    assert source_type(captured, silent) == captured


def test_a_picture_without_a_face_is_recorded_as_one(
    restorer: Restorer, decoder: DecoderPool, astronaut_file: Path
) -> None:
    flat = encode_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), "PNG")
    with RestoreJob(restorer, decoder, name="flat") as job:
        with pytest.raises(NoFaceError):
            job.restore(job.read(flat), PictureOptions())
        record = job.record()
    assert (record.status, record.message, record.faces) == ("no face", "no face was found in the picture", ())
    with RestoreJob(restorer, decoder, name="astronaut") as job:
        with pytest.raises(NoFaceError):
            job.restore(job.read(astronaut_file), PictureOptions(), selection=Selection(which=(7,)))
        assert "selected" in job.record().message


def test_large_pictures_are_worked_on_alone_and_others_are_not_kept_waiting(
    restorer: Restorer, decoder: DecoderPool, astronaut_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = threading.Lock()
    with RestoreJob(restorer, decoder, name="small", large=large) as job:
        job.read(astronaut_file)
        assert not large.locked()
    monkeypatch.setattr(module, "_LARGE", 1000)
    with RestoreJob(restorer, decoder, name="large", large=large) as job:
        image = job.read(astronaut_file)
        assert large.locked()
    assert not large.locked()
    with (
        RestoreJob(restorer, decoder, name="large", large=large, max_pixels=image.size.pixels - 1) as job,
        pytest.raises(ImageTooLargeError),
    ):
        job.read(astronaut_file)
    assert not large.locked()


def test_a_damage_mask_may_be_as_large_as_its_picture(decoder: DecoderPool, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(encode_image(Image(pixels=np.ones((8, 8, 3), np.float32)), "PNG"))
    assert read_damage(decoder, None, max_pixels=1) is None
    found = read_damage(decoder, mask, max_pixels=64)
    assert found is not None
    assert found.min() == 1
    with pytest.raises(ImageTooLargeError, match="the mask"):
        read_damage(decoder, mask.read_bytes(), max_pixels=63, name="the mask")
