"""Videos as jobs: taken, watched, cancelled, gone on with after a stop, and refused in one sentence."""

from __future__ import annotations

import io
import socket
import sqlite3
import time
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from clips import av, decoded, moving_frames, plain_frames, write_clip
from running import Running, finished, served

from likeness.batch.videos import WatchedSession
from likeness.errors import VideoError
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings
from likeness.video.session import FrameResult


@pytest.fixture(scope="module")
def film(astronaut: Image, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A person for twelve frames, with sound."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_clip(path, moving_frames(astronaut, 12), sound="aac").read_bytes()


@pytest.fixture(scope="module")
def tight(tiny_restorer: Restorer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    settings = ServerSettings(
        port=0,
        data=tmp_path_factory.mktemp("tight"),
        max_upload=50_000,
        max_video=100_000,
        max_video_seconds=0.5,
        max_video_pixels=40_000,
        workers=1,
    )
    with served(settings, tiny_restorer) as running:
        yield running


def submit(client: httpx.Client, name: str, video: bytes, person: bytes | None = None, **fields: str) -> httpx.Response:
    files = {"file": (name, video)} | ({} if person is None else {"person": ("p.jpg", person)})
    return client.post("/v1/videos", files=files, data=fields)


def saved(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "result.mp4"
    path.write_bytes(data)
    return path


def cut_short(whole: Path, path: Path) -> bytes:
    """A video whose index comes first, so that it opens though its second half is missing."""
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as out, av.open(str(whole)) as container:
        copy = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    return path.read_bytes()[: path.stat().st_size // 2]


def test_a_video_from_its_beginning_to_its_end(server: Running, film: bytes, tmp_path: Path) -> None:
    with server.http() as client:
        answer = submit(client, "Wedding 1998.mp4", film, preset="natural", every="2")
        assert answer.status_code == 202, answer.text
        job = answer.json()["id"]
        assert answer.headers["location"] == f"/v1/jobs/{job}"
        assert [(p["kind"], p["name"]) for p in answer.json()["pictures"]] == [("video", "Wedding 1998.mp4")]
        _, done = finished(client, job)
        (picture,) = done["pictures"]
        assert (picture["state"], picture["reason"], picture["share"]) == ("final", "", None)
        told = client.get(f"/v1/jobs/{job}/pictures/0").json()
        assert told["options"] == {"preset": "natural", "every": 2}
        report = told["report"]
        assert (report["frames"], report["faces_restored"], report["codec"]) == (12, 12, "h264")
        assert report["people"][0]["number"] == 1
        result = client.get(f"/v1/jobs/{job}/pictures/0/result")
        assert result.headers["content-type"] == "video/mp4"
        assert len(decoded(saved(result.content, tmp_path))) == 12
        with av.open(str(tmp_path / "result.mp4")) as container:
            assert len(container.streams.audio) == 1
        # Players ask for parts of a file, and jump.
        part = client.get(f"/v1/jobs/{job}/pictures/0/result", headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        original = client.get(f"/v1/jobs/{job}/pictures/0/original")
        assert (original.content, original.headers["content-type"]) == (film, "video/mp4")
        sides = [client.get(f"/v1/jobs/{job}/pictures/0/thumbnails/{side}").content for side in ("before", "after")]
        assert all(side[:2] == b"\xff\xd8" for side in sides)
        assert sides[0] != sides[1]
        with zipfile.ZipFile(io.BytesIO(client.get(f"/v1/jobs/{job}/zip").content)) as archive:
            assert archive.namelist() == ["Wedding 1998.mp4", "report.json"]
        web = client.get(f"/v1/jobs/{job}/pictures/0/result", params={"version": "web"})
        assert (web.status_code, web.json()["code"]) == (422, "option-unusable")
        folder = server.state.settings.data / "jobs" / job
        there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        assert there == ["in", "in/0000", "out", "out/0000"]
        again = client.post(f"/v1/jobs/{job}/pictures/0", files={"strength": (None, "0.5")})
        assert (again.status_code, again.json()["options"]) == (202, {"strength": 0.5})
        _, done = finished(client, job)
        assert done["pictures"][0]["state"] == "final"
        other = client.get(f"/v1/jobs/{job}/pictures/0/result").content
        assert other != result.content
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
        assert not folder.exists()


def test_other_photographs_of_a_videos_people(
    server: Running, astronaut: Image, portrait: bytes, stranger: bytes, tmp_path: Path
) -> None:
    frames = [np.kron(frame, np.ones((2, 2, 1), np.uint8)) for frame in moving_frames(astronaut, 2)]
    film = write_clip(tmp_path / "film.mp4", frames).read_bytes()

    def begun(client: httpx.Client, *others: bytes, **fields: str) -> httpx.Response:
        files = [("file", ("a.mp4", film)), *(("references", (f"{n}.jpg", data)) for n, data in enumerate(others))]
        return client.post("/v1/videos", files=[*files, ("person", ("p.jpg", portrait))], data=fields)

    def made(client: httpx.Client, *others: bytes, **fields: str) -> tuple[bytes, list[str]]:
        job = begun(client, *others, **fields).json()["id"]
        assert finished(client, job)[1]["pictures"][0]["state"] == "final"
        report = client.get(f"/v1/jobs/{job}/pictures/0").json()["report"]
        result = client.get(f"/v1/jobs/{job}/pictures/0/result").content
        for longest, width in ((256, 256), (640, 384)):
            small = client.get(f"/v1/jobs/{job}/pictures/0/thumbnails/after", params={"longest": longest}).content
            assert read_image(small).size.width == width
        return result, [notice["code"] for notice in report["notices"]]

    with server.http() as client:
        without, notices = made(client)
        assert notices == []
        assert made(client, stranger) == (without, ["reference.other"])
        served, notices = made(client, portrait, portrait, trust_references="true")
        assert (served == without, notices) == (False, [])
        assert made(client, portrait, trust_references="true", reference_strength="0")[0] == without
        for other, code in ((wall(), "reference-unusable"), (b"no picture", "picture-unreadable")):
            refused = begun(client, other)
            assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text


def wall() -> bytes:
    """A picture without a face."""
    return encode_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), "PNG")


def test_one_person_of_a_video(
    server: Running, astronaut: Image, portrait: bytes, stranger: bytes, tmp_path: Path
) -> None:
    # Large enough that people are told apart.
    frames = [np.kron(frame, np.ones((2, 2, 1), np.uint8)) for frame in moving_frames(astronaut, 3)]
    film = write_clip(tmp_path / "film.mp4", frames).read_bytes()
    with server.http() as client:
        job = submit(client, "a.mp4", film, person=portrait).json()["id"]
        _, done = finished(client, job)
        assert done["pictures"][0]["state"] == "final"
        job = submit(client, "a.mp4", film, person=stranger).json()["id"]
        _, done = finished(client, job)
        (picture,) = done["pictures"]
        assert picture["state"] == "skipped"
        assert (
            picture["reason"]
            == "the video shows none of the faces that were asked for, in any frame; nothing was written"
        )
        wall = submit(client, "a.mp4", film, person=b"no picture")
        assert (wall.status_code, wall.json()["code"]) == (422, "picture-unreadable")


@pytest.mark.parametrize("name", ["text.mp4", "cut.mp4", "sound.m4a", "empty.mkv", "list.m3u8"])
def test_what_is_no_video_is_told_at_once(server: Running, tmp_path: Path, name: str) -> None:
    whole = write_clip(tmp_path / "whole.mp4", plain_frames(4), sound="aac")
    if name == "sound.m4a":
        with av.open(str(tmp_path / name), "w", format="mp4") as out, av.open(str(whole)) as container:
            copy = out.add_stream_from_template(container.streams.audio[0])
            for packet in container.demux(audio=0):
                if packet.dts is not None:
                    packet.stream = copy
                    out.mux(packet)
        data = (tmp_path / name).read_bytes()
    else:
        data = {
            "text.mp4": b"just words",
            "cut.mp4": whole.read_bytes()[:600],
            "empty.mkv": b"",
            "list.m3u8": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
        }[name]
    before = set((server.state.settings.data / "jobs").iterdir())
    with server.http() as client:
        answer = submit(client, name, data)
        assert (answer.status_code, answer.json()["code"]) == (422, "video-unreadable")
        assert answer.json()["detail"].startswith("the video ")
        assert str(server.state.settings.data) not in answer.text
    assert set((server.state.settings.data / "jobs").iterdir()) == before


def test_one_frame_nobody_and_an_end_that_is_missing(server: Running, tmp_path: Path, astronaut: Image) -> None:
    one = write_clip(tmp_path / "one.mkv", moving_frames(astronaut, 1), codec="ffv1").read_bytes()
    nobody = write_clip(tmp_path / "nobody.mp4", plain_frames(3)).read_bytes()
    whole = write_clip(tmp_path / "whole.mkv", moving_frames(astronaut, 12), options={"g": "1", "bf": "0"})
    short = cut_short(whole, tmp_path / "first.mp4")
    with server.http() as client:
        sent = [("one.mkv", one), ("n.mp4", nobody), ("s.mp4", short)]
        jobs = [submit(client, name, data).json()["id"] for name, data in sent]
        found = [finished(client, job)[1]["pictures"][0] for job in jobs]
    assert [picture["state"] for picture in found] == ["final", "skipped", "failed"]
    assert found[2]["notice"]["code"] in {"video.breaks-off", "video.damaged", "video.corrupt"}
    assert found[2]["reason"].startswith("the video ")


def test_limits_hold_before_anything_is_decoded(tight: Running, tmp_path: Path, film: bytes) -> None:
    long = write_clip(tmp_path / "long.mp4", plain_frames(20)).read_bytes()
    large = write_clip(tmp_path / "large.mp4", plain_frames(2, 320, 240)).read_bytes()
    with tight.http() as client:
        for data, sentence in ((long, "longer than 0.5 s"), (large, "over the limit of 40,000 pixels")):
            answer = submit(client, "a.mp4", data)
            assert (answer.status_code, answer.json()["code"]) == (422, "video-unreadable")
            assert sentence in answer.json()["detail"]
        heavy = submit(client, "a.mp4", film + bytes(100_000))
        assert (heavy.status_code, heavy.json()["code"]) == (413, "upload-too-large")
        heavy = submit(client, "a.mp4", film, bytes(60_000))  # as a video it might be so large, as a photograph not
        assert (heavy.status_code, heavy.json()["code"]) == (413, "upload-too-large")
        enlarged = submit(client, "a.mp4", film, upscale="2")
        assert (enlarged.status_code, enlarged.json()["code"]) == (413, "picture-too-large")
        for fields, code in (
            ({"preset": "auto"}, "option-unusable"),
            ({"codec": "wmv"}, "option-unusable"),
            ({"damage_mask": "x"}, "option-unusable"),
            ({"every": "0"}, "option-unusable"),
            ({"begin": "3", "end": "2"}, "option-unusable"),
            ({"strength": "7"}, "control-out-of-range"),
        ):
            refused = submit(client, "a.mp4", film, None, **fields)
            assert (refused.status_code, refused.json()["code"]) == (422, code), fields
        alone = client.post("/v1/videos", files={"person": ("p.jpg", b"x")})
        assert (alone.status_code, alone.json()["code"]) == (422, "file-missing")


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_video_gives_way_and_can_be_cancelled(
    tiny_restorer: Restorer, tmp_path: Path, astronaut: Image, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.server.jobs.work._VIDEO_SECONDS", 0.05)
    frames = moving_frames(astronaut, 12)
    film = write_clip(tmp_path / "film.mp4", (frames + frames[::-1]) * 12).read_bytes()
    with served(ServerSettings(port=0, data=tmp_path / "data", workers=1), tiny_restorer) as running:
        with running.http() as client:
            job = submit(client, "film.mp4", film).json()["id"]

            def share() -> float:
                return client.get(f"/v1/jobs/{job}").json()["pictures"][0]["share"] or 0.0

            until(lambda: share() > 0.02)
            # The one worker serves somebody who waits for a picture, between two parts of the video.
            assert client.post("/v1/restore", files={"file": portrait}).status_code == 200
            told = client.get(f"/v1/jobs/{job}").json()
            assert told["state"] == "working"
            assert told["seconds_left"] > 0
            # Wanted otherwise while it is in work, it is begun anew before a sweep finds it.
            again = client.post(f"/v1/jobs/{job}/pictures/0", files={"strength": (None, "0.5")})
            assert (again.json()["state"], again.json()["options"]) == ("queued", {"strength": 0.5})
            until(lambda: share() > 0.0)
            client.delete(f"/v1/jobs/{job}")
            until(lambda: not list((tmp_path / "data" / "jobs").iterdir()))
            assert client.post("/v1/restore", files={"file": portrait}).status_code == 200
        until(lambda: running.state.pool.running == 0)


def test_a_server_that_was_stopped_goes_on_where_it_was(
    tiny_restorer: Restorer, tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.server.jobs.work._VIDEO_SECONDS", 0.05)
    monkeypatch.setattr("likeness.video.job._SEGMENT_FRAMES", 8)
    frames = moving_frames(astronaut, 12)
    film = write_clip(tmp_path / "film.mp4", (frames + frames[::-1]) * 3).read_bytes()
    settings = ServerSettings(port=0, data=tmp_path / "data", workers=1)
    with served(settings, tiny_restorer) as running, running.http() as client:
        job = submit(client, "film.mp4", film).json()["id"]
        out = tmp_path / "data" / "jobs" / job / "out"
        until(lambda: list(out.glob("*.unfinished/*.seg")))
    assert list(out.glob("*.unfinished/*.seg"))
    skipped: list[Image] = []
    monkeypatch.setattr("likeness.batch.videos.WatchedSession.skip", lambda _, image: skipped.append(image))
    with served(settings, tiny_restorer) as running, running.http() as client:
        _, done = finished(client, job)
        assert done["pictures"][0]["state"] == "final"
        report = client.get(f"/v1/jobs/{job}/pictures/0").json()["report"]
        assert report["frames"] == 72
        assert report["faces_restored"] == 72, "of both runs"
        assert skipped, "what was done was not done again"
        assert len(decoded(saved(client.get(f"/v1/jobs/{job}/pictures/0/result").content, tmp_path))) == 72


def test_a_video_that_takes_longer_than_a_lease_stays_its_threads(
    tiny_restorer: Restorer, tmp_path: Path, astronaut: Image, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.server.jobs.work._VIDEO_SECONDS", 0.05)
    monkeypatch.setattr("likeness.server.jobs.jobs._LEASE", 3.0)
    frames = moving_frames(astronaut, 12)
    film = write_clip(tmp_path / "film.mp4", (frames + frames[::-1]) * 30).read_bytes()
    with served(ServerSettings(port=0, data=tmp_path / "data", workers=1), tiny_restorer) as running:
        with running.http() as client:
            job = submit(client, "film.mp4", film).json()["id"]
            until(lambda: (client.get(f"/v1/jobs/{job}").json()["pictures"][0]["share"] or 0) > 0)
            began, last = time.monotonic(), 0.0
            while time.monotonic() < began + 3.6:
                # Whoever takes the next picture out of the queue looks for what is held no longer.
                client.post("/v1/jobs", files={"files": ("a.jpg", portrait)}).raise_for_status()
                time.sleep(0.3)
                picture = client.get(f"/v1/jobs/{job}").json()["pictures"][0]
                assert (picture["state"], picture["reason"]) == ("running", "")
                assert picture["share"] >= last, "nobody began it once more"
                last = picture["share"]
            client.delete(f"/v1/jobs/{job}")
        until(lambda: running.state.pool.running == 0)


def test_no_more_videos_are_open_than_there_are_threads(
    tiny_restorer: Restorer, tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.server.jobs.work._VIDEO_SECONDS", 0.05)
    film = write_clip(tmp_path / "film.mp4", moving_frames(astronaut, 12)).read_bytes()
    with (
        served(ServerSettings(port=0, data=tmp_path / "data", workers=1), tiny_restorer) as running,
        running.http() as client,
    ):
        jobs = [submit(client, "film.mp4", film).json()["id"] for _ in range(3)]
        client.delete(f"/v1/jobs/{jobs[1]}").raise_for_status()
        del jobs[1]
        most = 0

        def all_done() -> bool:
            nonlocal most
            pictures = [client.get(f"/v1/jobs/{job}").json()["pictures"][0] for job in jobs]
            most = max(most, sum(picture["share"] is not None for picture in pictures))
            return all(picture["state"] == "final" for picture in pictures)

        until(all_done, 50)
        assert most == 1


def test_videos_that_a_dead_server_left_go_on_alone_for_a_segment_each(
    tiny_restorer: Restorer, tmp_path: Path, astronaut: Image, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.server.jobs.work._VIDEO_SECONDS", 0.05)
    monkeypatch.setattr("likeness.video.job._SEGMENT_FRAMES", 8)
    data = tmp_path / "data"
    frames = moving_frames(astronaut, 12)
    film = write_clip(tmp_path / "film.mp4", (frames + frames[::-1]) * 15).read_bytes()
    settings = ServerSettings(port=0, data=data, workers=2)
    with served(settings, tiny_restorer) as running, running.http() as client:
        jobs = [submit(client, "film.mp4", film).json()["id"] for _ in range(2)]
        outs = [data / "jobs" / job / "out" for job in jobs]
        until(lambda: list(outs[0].glob("*.unfinished/*.seg")))
    (note,) = outs[0].glob("*.unfinished/job.json")
    # As a server leaves them that was killed, and had another network.
    note.write_text("{}", encoding="utf-8")
    first = {path: path.stat().st_mtime_ns for path in note.parent.glob("*.seg")}
    (outs[0] / "0000-before.mp4.unfinished").mkdir()
    with sqlite3.connect(data / "journal.sqlite") as connection:
        connection.execute(
            "UPDATE item SET state = 'running', owner = ?, deadline = 9e9", (f"{socket.gethostname()}-1-dead",)
        )
    connection.close()
    with served(settings, tiny_restorer) as running, running.http() as client:
        picture = client.post("/v1/jobs", files={"files": ("a.jpg", portrait)}).json()["id"]
        until(lambda: client.get(f"/v1/jobs/{picture}").json()["state"] == "done")
        pictures = [client.get(f"/v1/jobs/{job}").json()["pictures"][0] for job in jobs]
        assert {told["state"] for told in pictures} <= {"queued", "running"}, "nothing waited for all of a video"
        for out in outs:
            (folder,) = out.glob("*.unfinished")
            assert any(path.stat().st_mtime_ns != first.get(path) for path in folder.glob("*.seg"))
        # What is written does not fill the disk.
        monkeypatch.setattr("likeness.server.jobs.work._MEASURE_SECONDS", 0.0)
        with (data / "ballast").open("wb") as ballast:
            ballast.truncate(settings.max_stored)
        failed = [finished(client, job)[1]["pictures"][0] for job in jobs]
        assert [told["state"] for told in failed] == ["failed", "failed"]
        assert failed[0]["reason"].startswith("the server keeps as many pictures as it may")
        (data / "ballast").unlink()


def test_a_video_that_failed_leaves_no_segments(
    tiny_restorer: Restorer, tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.video.job._SEGMENT_FRAMES", 1)
    film = write_clip(tmp_path / "film.mp4", moving_frames(astronaut, 4)).read_bytes()
    restore = WatchedSession.restore
    seen: list[bool] = []
    out = tmp_path / "data" / "jobs"

    def breaks(self: WatchedSession, image: Image) -> FrameResult:
        if len(seen) == 3:
            seen.append(bool(list(out.glob("*/out/*.unfinished/*.seg"))))
            raise VideoError("it is damaged here")
        seen.append(True)
        return restore(self, image)

    monkeypatch.setattr(WatchedSession, "restore", breaks)
    with served(ServerSettings(port=0, data=tmp_path / "data", workers=1), tiny_restorer) as running:
        with running.http() as client:
            _, done = finished(client, submit(client, "film.mp4", film).json()["id"])
        assert done["pictures"][0]["state"] == "failed"
        assert seen[-1]
        assert not list(out.glob("*/out/*"))
