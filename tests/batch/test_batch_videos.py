"""Videos in a batch: beside the pictures, one at a time, gone on with, and failing alone."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import decoded, moving_frames, plain_frames, write_clip

import likeness.batch.videos
import likeness.cli.batch_run
from likeness.batch.groups import VIDEOS, items_of
from likeness.batch.journal import Item, Journal
from likeness.batch.network import NetworkPlan, identity_of
from likeness.batch.references import OtherPhotographs
from likeness.batch.runner import make_tasks
from likeness.batch.sources import find_sources, is_video
from likeness.batch.unfinished import sweep_unfinished
from likeness.batch.videos import VideoPlan, VideoWorker, run_videos
from likeness.batch.work import Result
from likeness.cli import main
from likeness.errors import VideoError
from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image
from likeness.restore.config import Settings

Batch = Callable[..., int]


@pytest.fixture(scope="module")
def film(astronaut: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", moving_frames(astronaut, 6), sound="aac")


def items(output: Path) -> dict[str, Item]:
    with Journal(output / "journal.sqlite") as journal:
        return {item.target: item for item in items_of(journal)}


def test_videos_beside_pictures(
    batch: Batch, film: Path, astronaut: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "party").mkdir(parents=True)
    (folder / "ann.jpg").write_bytes(encode_image(astronaut, "JPEG"))
    (folder / "party" / "a.mp4").write_bytes(film.read_bytes())
    (folder / "broken.mov").write_bytes(film.read_bytes()[:2000])
    write_clip(folder / "sea.m2ts", plain_frames(2))
    (folder / "party" / "a.mp4.toml").write_text("strength = 0.5\n")
    assert batch(folder, out, "--balance", "0.2") == 1
    said = capsys.readouterr().err
    assert "1 picture, 3 videos, 4 new\n" in said
    assert f"{folder}/party/a.mp4 -> final/party/a.mp4: 6 frames, 6 faces restored (" in said
    assert "sea.m2ts was left alone: " in said
    assert "2 delivered, 1 left alone, 1 failed; " in said
    found = items(out)
    states = {name: item.state for name, item in found.items()}
    assert states == {"ann.jpg": "final", "broken.mov": "failed", "party/a.mp4": "final", "sea.mkv": "skipped"}
    assert "broken.mov" in found["broken.mov"].reason
    assert found["party/a.mp4"].options == {"kind": "video", "settings": {"strength": 0.5}}
    assert len(decoded(out / "final" / "party" / "a.mp4")) == 6
    assert not (out / ".unfinished").exists()
    lines = (out / "summary.csv").read_text(encoding="utf-8-sig").splitlines()
    rows = {Path(row["source"]).name: row for row in csv.DictReader(lines)}
    assert [rows["a.mp4"][key] for key in ("state", "output", "frames", "faces", "restored", "width")] == [
        *("final", "final/party/a.mp4", "6", "1", "6", "192"),
    ]
    assert rows["ann.jpg"]["frames"] == ""
    told = json.loads((out / "summary.json").read_text())
    assert told["summary"]["pictures"] == 4
    assert "video of 6 frames, 1 person" in (out / "summary.html").read_text()

    before = (out / "final" / "party" / "a.mp4").stat().st_mtime_ns
    assert batch(folder, out, "--balance", "0.2") == 1
    assert "0 new, 4 known" in capsys.readouterr().err
    assert (out / "final" / "party" / "a.mp4").stat().st_mtime_ns == before
    assert batch(folder, out, "--balance", "0.2", "--strength", "0.9", "--retry-failed") == 1
    assert (out / "final" / "party" / "a.mp4").stat().st_mtime_ns == before, "its own strength counts"
    (folder / "party" / "a.mp4.toml").write_text("strength = 0.4\n")
    assert batch(folder, out, "--balance", "0.2", "--redo-missing") == 1
    assert (out / "final" / "party" / "a.mp4").stat().st_mtime_ns > before
    # Proofs and reports are of pictures.
    assert main(["proof", str(folder), str(out), "-o", str(tmp_path / "proof.html")]) == 0


def test_videos_are_left_out_where_they_cannot_be_done(
    batch: Batch,
    film: Path,
    astronaut: Image,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "ann.jpg").write_bytes(encode_image(astronaut, "JPEG"))
    (folder / "a.mp4").write_bytes(film.read_bytes())
    assert batch(folder, tmp_path / "out", "--no-videos") == 0
    said = capsys.readouterr().err
    assert "videos left out: 1 (--no-videos leaves them out)" in said
    assert "1 picture, 1 new\n" in said
    monkeypatch.setattr(likeness.cli.batch_run, "can_be_read", lambda: False)
    assert batch(folder, tmp_path / "out") == 0
    assert "videos left out: 1 (videos need PyAV, which is not installed" in capsys.readouterr().err
    assert list(items(tmp_path / "out")) == ["ann.jpg"]


def test_settings_for_pictures_beside_a_video_are_refused(
    batch: Batch, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(film.read_bytes())
    (tmp_path / "a.mp4.toml").write_text("balance = 0.5\n")
    assert batch(tmp_path / "a.mp4", tmp_path / "out") == 2
    assert (
        "a.mp4: repairs, damage masks and aligned crops are for pictures; leave out balance" in capsys.readouterr().err
    )


def test_a_video_goes_on_where_it_was(
    film: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.video.job._SEGMENT_FRAMES", 2)
    monkeypatch.setattr(likeness.batch.videos, "_BETWEEN_SECONDS", 0.0)
    monkeypatch.setattr(likeness.batch.videos, "_RENEW_SECONDS", 0.0)
    out = tmp_path / "out"
    model = identity_of(str(tiny_model))
    settings = Settings({"model": str(tiny_model), "threads": 1})
    worker = VideoWorker(NetworkPlan(settings=settings, model=model), out)
    stop = threading.Event()
    shares: list[float] = []

    def between(_: Item, share: float) -> None:
        shares.append(share)
        if len(shares) == 3:
            stop.set()

    with Journal(tmp_path / "journal.sqlite") as journal:
        sources = find_sources([str(film)], videos=True)
        assert make_tasks(sources, journal, VideoPlan(model=model)).added == 1
        assert list(run_videos(journal, worker, stop=stop, between=between)) == []
        assert journal.counts(group=VIDEOS)["queued"] == 1
        segments = out / ".unfinished" / "film.mp4.unfinished"
        assert len(list(segments.glob("*.seg"))) == 2
        assert not (out / "final").exists()
        kept = {path.name: path.stat().st_mtime_ns for path in segments.glob("*.seg")}
        time.sleep(0.01)
        stop.clear()
        seen: list[bool] = []

        def look(_: Item, __: float) -> None:
            seen.append(all((segments / name).stat().st_mtime_ns == when for name, when in kept.items()))

        (done,) = run_videos(journal, worker, stop=stop, between=look)
        assert seen[0]
        assert (done.result.state, done.counted) == ("final", True)
        assert done.result.outcome["video"]["frames"] == 6
        assert done.result.outcome["video"]["faces_restored"] == 6, "of both runs"
        assert journal.counts(group=VIDEOS)["final"] == 1
        assert len(decoded(out / "final" / "film.mp4")) == 6


class Films:
    """Videos of a batch in this process, one frame a segment."""

    def __init__(self, folder: Path, model: Path, source: Path) -> None:
        self.out = folder / "out"
        identity = identity_of(str(model))
        settings = Settings({"model": str(model), "threads": 1})
        self.worker = VideoWorker(NetworkPlan(settings=settings, model=identity), self.out)
        self.journal = Journal(folder / "journal.sqlite")
        self.source = source
        self.put = lambda: make_tasks(find_sources([str(source)], videos=True), self.journal, VideoPlan(model=identity))
        self.put()

    def run(self, between: Callable[[Item, float], None] | None = None) -> str:
        """The state afterwards."""
        stop = threading.Event()

        def step(item: Item, share: float) -> None:
            if between is not None:
                between(item, share)
            else:
                stop.set()

        list(run_videos(self.journal, self.worker, stop=stop, between=step))
        return next(self.journal.items(group=VIDEOS)).state


@pytest.fixture
def films(film: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Films]:
    monkeypatch.setattr("likeness.video.job._SEGMENT_FRAMES", 1)
    monkeypatch.setattr(likeness.batch.videos, "_BETWEEN_SECONDS", 0.0)
    source = tmp_path / "film.mp4"
    source.write_bytes(film.read_bytes())
    found = Films(tmp_path, tiny_model, source)
    yield found
    found.journal.close()


def test_what_has_failed_leaves_nothing_unfinished(films: Films) -> None:
    def breaks(_: Item, share: float) -> None:
        if share > 0.5:
            raise VideoError("it is damaged here")

    def work(item: Item, step: Callable[[float, bool], bool]) -> Result | None:
        def frames(share: float, advanced: bool) -> bool:
            breaks(item, share)
            return step(share, advanced)

        return VideoWorker.work(films.worker, item, frames)

    films.worker.work = work  # type: ignore[method-assign]
    assert films.run(lambda *_: None) == "failed"
    assert not (films.out / ".unfinished").exists()


def test_a_video_whose_disk_is_away_keeps_what_was_made_of_it(films: Films) -> None:
    assert films.run() == "queued"
    segments = films.out / ".unfinished" / "film.mp4.unfinished"
    kept = sorted(segments.glob("*.seg"))
    assert kept
    films.source.rename(films.source.with_name("away.mp4"))
    assert films.run(lambda *_: None) == "failed"
    assert sorted(segments.glob("*.seg")) == kept
    films.source.with_name("away.mp4").rename(films.source)
    assert films.put().changed == 1, "it is tried again"
    assert films.run(lambda *_: None) == "final"


def test_what_nobody_goes_on_with_is_swept(films: Films) -> None:
    assert films.run() == "queued"
    unfinished = films.out / ".unfinished"
    for name in ("sub/gone.mov.unfinished", "condemned.mp4.unfinished"):
        (unfinished / name).mkdir(parents=True)
        (unfinished / name / "job.json").write_text("{}")
        (unfinished / name / "00000000-00000240.seg").write_bytes(b"x")
    (unfinished / "notes").mkdir()
    (unfinished / "notes" / "mine.txt").write_text("somebody's")
    with Journal(films.journal.path):
        assert sweep_unfinished(films.journal, films.out) == 0, "it might be that of another process"
    assert sweep_unfinished(films.journal, films.out) == 2
    assert sorted(path.name for path in unfinished.iterdir()) == ["film.mp4.unfinished", "notes"]


_IN_SEGMENTS_OF_TWO = """
import sys
import likeness.video.job
likeness.video.job._SEGMENT_FRAMES = 2
from likeness.batch.work import Result
from likeness.cli import main
from likeness.errors import VideoError
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.long
def test_a_batch_killed_within_a_video_goes_on_behind_its_last_segment(
    astronaut: Image, tiny_model: Path, tmp_path: Path
) -> None:
    film, out = write_clip(tmp_path / "film.mp4", moving_frames(astronaut, 12), sound="aac"), tmp_path / "out"
    command = [sys.executable, "-c", _IN_SEGMENTS_OF_TWO, "batch", "--model", str(tiny_model), "--threads", "1"]
    segments = out / ".unfinished" / "film.mp4.unfinished"
    with subprocess.Popen([*command, str(film), str(out)]) as process:
        try:
            deadline = time.monotonic() + 120
            while len(list(segments.glob("*.seg"))) < 2:
                assert process.poll() is None, "it ended before it could be killed"
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            process.kill()
    assert not (out / "final" / "film.mp4").exists()
    kept = len(list(segments.glob("*.seg")))
    again = subprocess.run([*command, str(film), str(out)], capture_output=True, text=True, timeout=240, check=False)
    assert again.returncode == 0, again.stderr
    (item,) = items(out).values()
    assert item.state == "final"
    assert 2 <= kept < 6
    assert len(decoded(out / "final" / "film.mp4")) == 12
    assert not segments.exists()


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_a_video_that_is_interrupted_at_a_terminal_waits_again(
    astronaut: Image, tiny_model: Path, tmp_path: Path
) -> None:
    """Ctrl-C reaches every process of the terminal: the one with the video goes on until it is told to break off."""
    film, out = write_clip(tmp_path / "film.mp4", moving_frames(astronaut, 12)), tmp_path / "out"
    command = [sys.executable, "-c", _IN_SEGMENTS_OF_TWO, "batch", "--model", str(tiny_model), str(film), str(out)]
    segments = out / ".unfinished" / "film.mp4.unfinished"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while not list(segments.glob("*.seg")):
            assert process.poll() is None, "it ended before it could be interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "1 video left" in said
    (item,) = items(out).values()
    assert (item.state, item.attempts) == ("queued", 0)
    assert list(segments.glob("*.seg"))


def test_names_of_videos() -> None:
    assert is_video("a/b.MOV")
    assert not is_video("._b.mov")
    assert not is_video("b.ts")
    plan = VideoPlan(model="m")
    assert plan.names(["a.mts", "a.mkv", "b.mp4", "B.MP4"], ()) == ["a.mts.mkv", "a.mkv", "b.mp4", "B-2.MP4"]


def test_other_photographs_count_by_what_they_show(film: Path, astronaut: Image, tmp_path: Path) -> None:
    photograph = tmp_path / "bride.png"
    (source,) = find_sources([str(film)], videos=True)

    def told(image: Image) -> object:
        photograph.write_bytes(encode_image(image, "PNG"))
        return VideoPlan(model="m", settings=Settings({"references": [photograph]})).told(source, OtherPhotographs())

    first = told(astronaut)
    assert json.loads(json.dumps(first)) == first
    assert told(Image(pixels=np.ascontiguousarray(astronaut.pixels[:, ::-1]))) != first
