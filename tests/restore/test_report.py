from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from likeness.errors import FileWriteError
from likeness.faces.align import FFHQ_TEMPLATE
from likeness.imaging.image import Image, Size
from likeness.messages.notice import Notice
from likeness.restore.controls import Controls
from likeness.restore.outcome import FaceOutcome, Restoration
from likeness.restore.pipeline import Restorer
from likeness.restore.report import SCHEMA, PictureRecord, RunRecord, face_record, write_report
from likeness.restore.selection import Selection


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, device="cpu", precision="f32")


@pytest.fixture(scope="module")
def restoration(restorer: Restorer, astronaut: Image) -> Restoration:
    return restorer.restore(astronaut, Controls.natural())


@pytest.fixture
def run(restorer: Restorer) -> RunRecord:
    return RunRecord(
        model="tiny",
        runtime=restorer.runtime,
        preset="natural",
        controls=Controls.natural(),
        selection=Selection(which=(0, 2), max_size=300),
    )


def test_a_face_is_where_it_is_and_got_what_the_controls_say(restoration: Restoration) -> None:
    record = face_record(restoration.faces[0], Size(256, 256))
    # In this 256 px portrait the face lies between 85 and 140 px across, 35 to 90 px down.
    assert 75 < record["box"]["left"] < 95
    assert 130 < record["box"]["right"] < 150
    assert 70 < record["native_side"] < 95
    assert record["mesh"]["source"] == "mesh"
    assert 0 < record["mesh"]["misfit"] < 25
    assert record["score"] > 0.5
    # Closed form at eta 0.04: 0.706 with weight 1, 1 - (1 - 0.052)^30 = 0.798 with weight 1.3.
    assert record["region_gains"]["cheek"] == pytest.approx(0.706, abs=0.03)
    assert record["region_gains"]["eye"] == pytest.approx(0.798, abs=0.05)
    assert record["milliseconds"]["network"] > 0
    assert record["verdict"]["reason"] is None
    assert record["verdict"]["values"]["pixels"] <= record["native_side"] + 0.1


def test_misfit_is_measured_in_pixels_of_a_512_crop(restoration: Restoration) -> None:
    face = restoration.faces[0]
    exact = replace(face, face=replace(face.face, five_points=FFHQ_TEMPLATE / 4 + 20))
    assert face_record(exact, Size(256, 256))["mesh"]["misfit"] == pytest.approx(0, abs=0.01)
    assert face_record(exact, Size(256, 256))["native_side"] == pytest.approx(128, abs=0.1)


def test_a_face_without_alignment_has_no_native_side(restoration: Restoration) -> None:
    whole = restoration.faces[0]
    failed = FaceOutcome(
        index=3,
        face=replace(whole.face, five_points=np.ones((5, 2))),
        status="failed",
        reason=Notice("face.in-line"),
    )
    record = face_record(failed, Size(256, 256))
    assert (record["status"], record["reason"]) == ("failed", Notice("face.in-line"))
    assert record["native_side"] is None
    assert record["mesh"]["misfit"] is None


def test_the_file_holds_everything_and_counts_it(tmp_path: Path, run: RunRecord, restoration: Restoration) -> None:
    pictures = [
        PictureRecord(
            input="我的 照片.jpg",
            status="restored",
            output="output_我的 照片.jpg",
            size=Size(256, 256),
            faces=(face_record(restoration.faces[0], Size(256, 256)),),
            milliseconds={"read": 1.23456},
        ),
        PictureRecord(input="b.jpg", status="no face", message="no face was found", size=Size(9, 8)),
        PictureRecord(input="c.jpg", status="failed", message="c.jpg is empty"),
    ]
    write_report(tmp_path / "r.json", run, pictures)

    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    report = json.loads(text)
    assert report["schema"] == SCHEMA
    assert "我的 照片.jpg" in text
    assert report["model"] == {
        "name": "tiny",
        "size": 128,
        "channel_multiplier": 1,
        "narrow": 0.125,
        "runtime": run.runtime.description,
    }
    assert report["controls"]["face_mask_weights"]["forehead"] == 0.8
    assert report["selection"] == {"which": [0, 2], "min_size": 0.0, "max_size": 300, "most": None, "aligned": False}
    assert report["summary"] == {
        "pictures": 3,
        "restored": 1,
        "partly_restored": 0,
        "no_face": 1,
        "failed": 1,
        "faces": 1,
        "faces_restored": 1,
        "faces_failed": 0,
        "verdicts": {"good": 1, "look": 0, "bad": 0},
    }
    assert [picture["verdict"] for picture in report["pictures"]] == ["good", None, None]
    assert report["pictures"][0]["faces"][0]["verdict"]["level"] == "good"
    first, second, third = report["pictures"]
    assert first["milliseconds"] == {"read": 1.2}
    assert (second["width"], second["height"], second["output"]) == (9, 8, None)
    assert third["width"] is None
    assert report["interrupted"] is False


def test_warnings_of_the_controls_are_kept(run: RunRecord) -> None:
    risky = replace(run, controls=Controls(degradation_scale=1.15))
    assert "moles" in risky.to_dict([])["warnings"][0]


def test_a_name_that_is_no_utf8_survives(tmp_path: Path, run: RunRecord) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    write_report(tmp_path / "r.json", run, [PictureRecord(input=name, status="failed")])
    assert json.loads((tmp_path / "r.json").read_bytes())["pictures"][0]["input"] == name


def test_it_appears_whole_or_not_at_all(tmp_path: Path, run: RunRecord) -> None:
    with pytest.raises(FileWriteError, match="does not exist"):
        write_report(tmp_path / "lost" / "r.json", run, [])
    (tmp_path / "r.json").mkdir()
    with pytest.raises(FileWriteError, match="there is a folder of that name"):
        write_report(tmp_path / "r.json", run, [])
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
