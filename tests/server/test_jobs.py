from __future__ import annotations

import errno
import io
import json
import os
import stat
import threading
import time
import zipfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from poison import many_passes
from running import Running, finished, served

from likeness.batch.journal import Journal, Task
from likeness.errors import ConfigError, JournalError
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.server.api.requests import RestoreRequest
from likeness.server.app import create_app
from likeness.server.http.names import safe_names, safe_stem, safe_suffix
from likeness.server.http.settings import ServerSettings
from likeness.server.http.uploads import Upload
from likeness.server.jobs.doubts import doubts_of, looked_at


@pytest.fixture(scope="module")
def tight(tiny_restorer: Restorer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A server that takes few and little."""
    settings = ServerSettings(
        port=0,
        data=tmp_path_factory.mktemp("tight"),
        max_files=2,
        max_jobs=1,
        max_upload=1 << 20,
        max_request=4 << 20,
        workers=1,
    )
    with served(settings, tiny_restorer) as running:
        yield running


def submit(client: httpx.Client, *pictures: tuple[str, bytes], **fields: str) -> httpx.Response:
    return client.post("/v1/jobs", files=[("files", picture) for picture in pictures], data=fields)


def test_other_photographs_serve_all_pictures_of_a_job_and_go_with_it(
    server: Running, astronaut: Image, portrait: bytes, stranger: bytes
) -> None:
    blurred = encode_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 1.5)), "PNG")
    files = [
        ("references", ("sharp.jpg", portrait)),
        ("files", ("a.png", blurred)),
        ("references", ("sharp again.jpg", portrait)),
        ("references", ("hopper.jpg", stranger)),
        ("files", ("b.jpg", stranger)),
    ]
    with server.http() as client:
        answer = client.post("/v1/jobs", files=files)
        assert answer.status_code == 202
        job = answer.json()["id"]
        folder = server.state.settings.data / "jobs" / job
        assert [path.relative_to(folder).as_posix() for path in sorted(folder.glob("[ir]*/*"))] == [
            *("in/0000", "in/0001", "ref/0000", "ref/0001")
        ]
        _, done = finished(client, job)
        assert [picture["name"] for picture in done["pictures"]] == ["a.png", "b.jpg"]

        def served(number: int) -> list[str]:
            report = client.get(f"/v1/jobs/{job}/pictures/{number}").json()["report"]
            return [row["name"] for row in report["faces"][0]["references"]["matches"] if row["serves"]]

        # The second is one of the photographs itself, which tells it nothing.
        assert (served(0), served(1)) == (["reference 1"], [])
        again = {"trust_references": (None, "true")}
        assert client.post(f"/v1/jobs/{job}/pictures/0", files=again).status_code == 202
        finished(client, job)
        assert sorted(served(0)) == ["reference 1", "reference 2"]
        client.delete(f"/v1/jobs/{job}")
        assert not folder.exists()


def test_other_photographs_that_cannot_serve_are_told_at_once(server: Running, portrait: bytes) -> None:
    wall = encode_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), "PNG")
    before = set((server.state.settings.data / "jobs").iterdir())
    with server.http() as client:
        for other, code in ((wall, "reference-unusable"), (b"dear all", "picture-unreadable")):
            files = [("files", ("a.jpg", portrait)), ("references", ("x.png", other))]
            answer = client.post("/v1/jobs", files=files)
            assert (answer.status_code, answer.json()["code"]) == (422, code)
        alone = client.post("/v1/jobs", files=[("references", ("a.jpg", portrait))])
        assert (alone.status_code, alone.json()["code"]) == (422, "file-missing")
        many = client.post("/v1/jobs", files=[("files", ("a.jpg", portrait)), *[("references", ("x", wall))] * 9])
        assert (many.status_code, many.json()["code"]) == (413, "too-many-files")
    assert set((server.state.settings.data / "jobs").iterdir()) == before


def test_a_job_from_its_beginning_to_its_end(server: Running, portrait: bytes) -> None:
    with server.http() as client:
        answer = submit(
            client,
            ("aunt.jpg", portrait),
            ("aunt.JPG", portrait),
            ("letter.txt", b"dear all"),
            ("wall.bmp", b"BM" + b"\0" * 100),
            preset="natural",
            overrides='{"1": {"strength": 0, "format": "png"}}',
        )
        assert answer.status_code == 202
        job = answer.json()["id"]
        assert answer.headers["location"] == f"/v1/jobs/{job}"
        events, done = finished(client, job)
        assert [name for name, _ in events][-2:] == ["progress", "end"]
        assert {data["number"] for name, data in events if name == "picture"} == {0, 1, 2, 3}
        assert done["state"] == "done"
        assert (done["total"], done["done"]) == (4, 4)
        assert done["counts"]["final"] == 2
        assert done["counts"]["failed"] == 2
        assert done["deleted_at"] > done["ended"] >= done["created"]
        assert [picture["name"] for picture in done["pictures"]] == ["aunt.jpg", "aunt.png", "letter.txt", "wall.bmp"]
        assert "a text file" in done["pictures"][2]["reason"]

        natural, as_it_was = (client.get(f"/v1/jobs/{job}/pictures/{number}/result") for number in (0, 1))
        restorer = server.state.restorer
        expected = restorer.restore(read_image(portrait), Controls.natural()).image.to_uint8()
        assert abs(read_image(natural.content).to_uint8().astype(int) - expected).mean() < 2
        assert (read_image(as_it_was.content).to_uint8() == read_image(portrait).to_uint8()).all()
        assert 'filename="aunt.png"' in as_it_was.headers["content-disposition"]
        missing = client.get(f"/v1/jobs/{job}/pictures/2/result")
        assert (missing.status_code, missing.json()["code"]) == (409, "no-result")
        for side in ("before", "after"):
            small = read_image(client.get(f"/v1/jobs/{job}/pictures/0/thumbnails/{side}").content)
            assert max(small.size.width, small.size.height) == 256

        details = client.get(f"/v1/jobs/{job}/pictures/1").json()
        assert details["options"] == {"preset": "natural", "strength": 0, "format": "png"}
        assert details["report"]["faces"][0]["status"] == "restored"
        with zipfile.ZipFile(io.BytesIO(client.get(f"/v1/jobs/{job}/zip").content)) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["aunt.jpg", "aunt.png", "report.json"]
            assert archive.read("aunt.jpg") == natural.content
            assert len(json.loads(archive.read("report.json"))) == 4
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
        for path in ("", "/events", "/zip", "/pictures/0", "/pictures/0/result"):
            gone = client.get(f"/v1/jobs/{job}{path}")
            assert (gone.status_code, gone.json()["code"]) == (404, "job-unknown")
        assert client.delete(f"/v1/jobs/{job}").status_code == 404
    assert not (server.state.settings.data / "jobs" / job).exists()


def test_results_for_screen_and_paper_and_large_views(server: Running, portrait: bytes) -> None:
    with server.http() as client:
        fields = {"overrides": '{"1": {"upscale": 1.5, "format": "png"}}', "preset": "natural"}
        job = submit(client, ("a.b.jpg", portrait), ("a.b.png", portrait), **fields).json()["id"]
        finished(client, job)
        of = f"/v1/jobs/{job}/pictures"
        size = read_image(portrait).size
        made = {
            version: client.get(f"{of}/0/result", params={"version": version})
            for version in ("original", "web", "print")
        }
        assert [answer.headers["content-type"] for answer in made.values()] == [
            "image/jpeg",
            "image/jpeg",
            "image/tiff",
        ]
        web, paper = (read_image(made[version].content) for version in ("web", "print"))
        assert web.size == size  # under 1080 px
        assert web.exif is None
        assert (paper.size.width, paper.size.height) == (round(1.5 * size.width), round(1.5 * size.height))
        assert "a.b_print.tif" in made["print"].headers["content-disposition"]
        # One that was enlarged is as large on paper, with the pixels that were drawn.
        enlarged = read_image(client.get(f"{of}/1/result", params={"version": "print"}).content)
        assert enlarged.size == paper.size
        assert enlarged.size == read_image(client.get(f"{of}/1/result").content).size

        sides = [
            read_image(client.get(f"{of}/1/thumbnails/{side}?longest=300").content) for side in ("before", "after")
        ]
        # Neither is larger than it is.
        assert [view.size.width for view in sides] == [size.width, 300] == [256, 300]
        same = read_image(client.get(f"{of}/0/thumbnails/after?longest=300").content)
        assert np.abs(sides[0].pixels - same.pixels).max() > 0.05
        assert client.get(f"{of}/0/thumbnails/after?longest=9000").status_code == 422
        assert client.get(f"{of}/0/original").content == portrait
        with zipfile.ZipFile(io.BytesIO(client.get(f"/v1/jobs/{job}/zip?version=web").content)) as archive:
            assert archive.namelist() == ["a.b_web.jpg", "a.b_web-2.jpg", "report.json"]
            assert archive.read("a.b_web.jpg") == made["web"].content
        client.delete(f"/v1/jobs/{job}")
        assert client.get(f"{of}/0/original").status_code == 404


def test_a_print_that_would_be_too_large_is_left_out_and_told(
    tiny_restorer: Restorer, portrait: bytes, tmp_path: Path
) -> None:
    pixels = read_image(portrait).size.pixels
    settings = ServerSettings(port=0, data=tmp_path, max_pixels=pixels)
    with served(settings, tiny_restorer) as running, running.http() as client:
        job = submit(client, ("a.jpg", portrait)).json()["id"]
        finished(client, job)
        refused = client.get(f"/v1/jobs/{job}/pictures/0/result?version=print")
        assert (refused.status_code, refused.json()["code"]) == (413, "picture-too-large")
        with zipfile.ZipFile(io.BytesIO(client.get(f"/v1/jobs/{job}/zip?version=print").content)) as archive:
            assert archive.namelist() == ["report.json"]
            assert "the print would have" in json.loads(archive.read("report.json"))[0]["left_out"]


def test_a_face_that_came_out_bad_is_to_be_looked_at(server: Running, portrait: bytes) -> None:
    sharp = read_image(portrait)
    blurred, softened = (
        encode_image(sharp.with_pixels(gaussian_blur(sharp.pixels, sigma)), "PNG") for sigma in (2.5, 0.8)
    )
    with server.http() as client:
        job = submit(client, ("aunt.png", blurred), ("uncle.jpg", portrait), ("niece.png", softened)).json()["id"]
        done = finished(client, job)[1]
        bad, good, look = done["pictures"]
        assert (bad["state"], bad["verdict"], bad["notice"]["code"]) == ("review", "bad", "gate.bad")
        assert (good["state"], good["verdict"], good["notice"]) == ("final", "good", None)
        # It may go out, and why it is worth a look is said all the same.
        assert (look["state"], look["verdict"], look["notice"]["code"]) == ("final", "look", "gate.look")
        assert (done["counts"]["final"], done["counts"]["review"]) == (2, 1)
        one = client.post("/v1/restore", files={"file": ("aunt.png", blurred)})
        assert one.headers["likeness-verdict"] == "bad"


def test_what_is_a_guess_is_said_of_a_picture_that_may_go_out() -> None:
    told = Notice("outcome.drawn-anew")
    face = {"index": 0, "verdict": None, "drawn_anew": 0.0, "warnings": [], "notices": []}
    drawn = {**face, "index": 1, "drawn_anew": 0.6, "warnings": [str(told)], "notices": [told.to_dict()]}
    record = {"message": "", "notice": None, "faces": [face, drawn]}
    assert looked_at(record) == [f"face 2: {told}"]
    assert doubts_of(record) == []


def test_why_a_picture_failed_is_said_in_every_language(server: Running) -> None:
    blank = encode_image(Image(pixels=np.full((99, 99, 3), 0.5, np.float32)), "BMP")
    with server.http() as client:
        answer = submit(client, ("bomb.jpg", many_passes(16, 101)), ("empty.jpg", b""), ("wall.bmp", blank))
        bomb, empty, wall = finished(client, answer.json()["id"])[1]["pictures"]
    assert bomb["reason"].startswith("the picture is JPEG of more than 100 passes over 0.0 megapixels")
    assert bomb["notice"]["code"] == "image.passes"
    assert bomb["notice"]["values"]["most"] == 100
    said = Notice.of(bomb["reason"], bomb["notice"])
    assert (said, said.say("zh", "page")) == (bomb["reason"], "JPEG 的扫描次数异常（超过 100 次），请另存为 PNG。")
    assert [picture["notice"]["code"] for picture in (empty, wall)] == ["image.empty", "no-face.none"]
    assert [picture["state"] for picture in (empty, wall)] == ["failed", "skipped"]


def test_one_picture_of_a_job_is_restored_again_in_another_way(server: Running, portrait: bytes) -> None:
    with server.http() as client:
        job = submit(client, ("a.jpg", portrait), format="png").json()["id"]
        finished(client, job)
        before = client.get(f"/v1/jobs/{job}/pictures/0/result").content
        again = client.post(f"/v1/jobs/{job}/pictures/0", files={"strength": (None, "0")})
        assert again.status_code == 202
        finished(client, job)
        after = client.get(f"/v1/jobs/{job}/pictures/0/result").content
        assert after != before
        assert (read_image(after).to_uint8() == read_image(portrait).to_uint8()).all()
        for fields, status in (({"strength": "3"}, 422), ({"format": "tiff"}, 422)):
            refused = client.post(f"/v1/jobs/{job}/pictures/0", files={k: (None, v) for k, v in fields.items()})
            assert refused.status_code == status
        assert client.post(f"/v1/jobs/{job}/pictures/1", files={"strength": (None, "0")}).status_code == 404
        client.delete(f"/v1/jobs/{job}")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"overrides": "[]"}, "overrides must be a JSON object of objects"),
        ({"overrides": '{"x": {}}'}, "overrides must be a JSON object of objects"),
        ({"overrides": '{"0": 3}'}, "overrides must be a JSON object of objects"),
        ({"overrides": "{" * 900}, "overrides must be a JSON object of objects"),
        ({"overrides": '{"7": {}}'}, "overrides names picture 7, and there are 1"),
        ({"overrides": '{"0": {"strength": 9}}'}, "picture 0: strength must be between 0 and 1"),
        ({"overrides": '{"0": {"model": "/etc/passwd"}}'}, "picture 0: the form has an unknown field"),
        ({"strength": "9"}, "strength must be between 0 and 1"),
    ],
)
def test_fields_that_cannot_be_used_leave_nothing_behind(
    fields: dict[str, str], sentence: str, server: Running, portrait: bytes
) -> None:
    before = sorted((server.state.settings.data / "jobs").iterdir())
    with server.http() as client:
        answer = submit(client, ("a.jpg", portrait), **fields)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]
    assert sorted((server.state.settings.data / "jobs").iterdir()) == before


def test_a_job_without_pictures_or_with_too_many_or_too_large_ones_is_refused(tight: Running, portrait: bytes) -> None:
    with tight.http() as client:
        assert client.post("/v1/jobs", files={"preset": (None, "natural")}).json()["code"] == "file-missing"
        three = submit(client, *[("a.jpg", portrait)] * 3)
        assert (three.status_code, three.json()["code"]) == (413, "too-many-files")
        large = submit(client, ("a.jpg", b"x" * (2 << 20)))
        assert (large.status_code, large.json()["code"]) == (413, "upload-too-large")
        larger = submit(client, ("a.jpg", b"x" * (5 << 20)))
        assert (larger.status_code, larger.json()["code"]) == (413, "upload-too-large")
    assert not list((tight.state.settings.data / "jobs").iterdir())


def test_more_unfinished_jobs_than_allowed_get_a_time_to_come_back(tight: Running, portrait: bytes) -> None:
    end = threading.Event()
    blocker = tight.state.pool.submit_background(lambda: end.wait(20))
    try:
        with tight.http() as client:
            first = submit(client, ("a.jpg", portrait))
            second = submit(client, ("b.jpg", portrait))
            assert first.status_code == 202
            assert (second.status_code, second.json()["code"]) == (429, "too-many-jobs")
            assert second.headers["retry-after"] == "60"
            early = client.get(f"/v1/jobs/{first.json()['id']}/zip")
            assert (early.status_code, early.json()["code"]) == (409, "no-result")
            end.set()
            finished(client, first.json()["id"])
            client.delete(f"/v1/jobs/{first.json()['id']}")
    finally:
        end.set()
        blocker.result(20)


def test_a_full_disk_s_share_is_said(tiny_restorer: Restorer, portrait: bytes, tmp_path: Path) -> None:
    settings = ServerSettings(port=0, data=tmp_path, max_stored=1000, workers=1)
    with served(settings, tiny_restorer) as running, running.http() as client:
        answer = submit(client, ("a.jpg", portrait))
    assert (answer.status_code, answer.json()["code"]) == (507, "storage-full")


def test_a_disk_that_fills_up_while_pictures_come_is_said(
    server: Running, portrait: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = sorted((server.state.settings.data / "jobs").iterdir())
    monkeypatch.setattr("likeness.server.http.uploads._Reader.flush", full)
    with server.http() as client:
        answer = submit(client, ("a.jpg", portrait))
    assert (answer.status_code, answer.json()["code"]) == (507, "storage-full")
    assert answer.json()["notice"]["code"] == "server.disk-full"
    assert "a bug" not in caplog.text
    assert sorted((server.state.settings.data / "jobs").iterdir()) == before


def test_the_output_of_a_batch_is_no_folder_for_jobs(tiny_restorer: Restorer, tmp_path: Path) -> None:
    """Its journal would be swept as jobs whose time is over."""
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.put([Task(target="a.jpg", source="a.jpg", content="a", model="")])
    with pytest.raises(ConfigError, match="holds the journal of a batch"):
        create_app(ServerSettings(port=0, data=tmp_path), tiny_restorer)
    assert [path.name for path in tmp_path.iterdir()] == ["journal.sqlite"]
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.counts()["queued"] == 1


def test_a_job_is_deleted_when_its_time_is_over_and_goes_on_after_a_stop(
    tiny_restorer: Restorer, portrait: bytes, tmp_path: Path
) -> None:
    settings = ServerSettings(port=0, data=tmp_path / "data", workers=1, keep_hours=1)
    with served(settings, tiny_restorer) as running, running.http() as client:
        job = submit(client, *[("a.jpg", portrait)] * 6).json()["id"]
    # Stopped in good order while there was work: what had begun was finished, the rest waits.
    folder = tmp_path / "data" / "jobs" / job
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    orphan = folder.with_name("0" * 32)
    orphan.mkdir()
    mine = folder.with_name("wedding 2019")
    mine.mkdir()
    for old in (orphan, mine):
        os.utime(old, (time.time() - 7200, time.time() - 7200))
    with served(settings, tiny_restorer) as running, running.http() as client:
        _, done = finished(client, job)
        assert done["counts"]["final"] == 6
        assert not orphan.exists()
        assert mine.exists(), "the data folder may have been somebody's before"
    after = ServerSettings(port=0, data=tmp_path / "data", workers=1, keep_hours=1e-9)
    with served(after, tiny_restorer) as running, running.http() as client:
        assert _gone(client, job)
    assert not folder.exists()


def test_a_job_whose_pictures_come_for_hours_is_no_orphan(
    tiny_restorer: Restorer, portrait: bytes, tmp_path: Path
) -> None:
    with served(ServerSettings(port=0, data=tmp_path, max_jobs=1, workers=1), tiny_restorer) as running:
        jobs = running.jobs
        job, folder = jobs.reserve()
        (folder / "0000").write_bytes(portrait)
        os.utime(folder.parent, (time.time() - 7200,) * 2)
        jobs.sweep()
        assert (folder / "0000").exists()
        with running.http() as client:
            answer = submit(client, ("b.jpg", portrait))
            assert answer.json()["code"] == "too-many-jobs", "it counts"
            upload = Upload(part="files", name="a.jpg", path=folder / "0000")
            jobs.begin(job, [upload], [RestoreRequest.of({})])
            finished(client, job)
            other, folder = jobs.reserve()
            (folder / "0000").write_bytes(portrait)
            jobs.begin(other, [replace(upload, path=folder / "0000")], [RestoreRequest.of({})])
            # Whoever sent it went away before it was told the job's name.
            jobs.discard(other)
            assert client.get(f"/v1/jobs/{other}").status_code == 404
            assert not folder.exists()


def test_a_journal_that_fails_for_a_moment_fails_no_picture(
    tiny_restorer: Restorer, portrait: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk is full when a result is to be written down: the result is there, and is written down later."""
    finish = Journal.finish
    failures = iter([True])

    def fails_once(self: Journal, *arguments: Any, **named: Any) -> bool:
        if next(failures, False):
            raise JournalError(Notice("journal.unusable", {"path": "x", "meaning": Notice("journal.disk-full")}))
        return finish(self, *arguments, **named)

    monkeypatch.setattr(Journal, "finish", fails_once)
    with served(ServerSettings(port=0, data=tmp_path, workers=1), tiny_restorer) as running, running.http() as client:
        job = submit(client, ("a.jpg", portrait)).json()["id"]
        for _ in range(500):
            running.jobs.sweep()  # which it does every minute
            told = client.get(f"/v1/jobs/{job}").json()
            if told["state"] == "done":
                break
            time.sleep(0.05)
        assert told["counts"]["final"] == 1, told


def _gone(client: httpx.Client, job: str) -> bool:
    """Whether a job is gone, once the server has looked through its jobs, which it does at its start."""
    for _ in range(500):
        if client.get(f"/v1/jobs/{job}").status_code == 404:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("aunt.jpg", "aunt"),
        ("../../aunt.jpg", "aunt"),
        ("C:\\photos\\aunt.old.jpg", "aunt.old"),
        ("NUL", "_NUL"),
        ("com1.jpg", "_com1"),
        ("...", "picture"),
        ("", "picture"),
        ("a:b*c.jpg", "a_b_c"),
        ("-rf.jpg", "rf"),
        ("姑姑.jpg", "姑姑"),
        ("a\u202egpj.exe", "agpj"),
        ("x" * 300 + ".jpg", "x" * 80),
    ],
)
def test_names_are_made_safe(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("letter.docx", ".docx"), ("a.b.JPG", ".JPG"), ("none", ""), ("x.t\u202ext", ""), ("a.jp/g", "")],
)
def test_the_end_of_a_name_is_kept_only_where_it_is_plain(name: str, suffix: str) -> None:
    assert safe_suffix(name) == suffix


def test_names_differ_even_where_case_does_not_count() -> None:
    assert safe_names(["a.jpg", "A.png", "b/a.gif", "a-2.jpg"], [".jpg"] * 4) == [
        "a.jpg",
        "A-2.jpg",
        "a-3.jpg",
        "a-2-2.jpg",
    ]
