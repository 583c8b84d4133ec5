"""Videos that are read in processes of their own: the same to the last bit, and what harm a file can do."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from clips import plain_frames, write_clip

from likeness.compute.cancellation import WorkCancelled, cancellable
from likeness.errors import DecoderError, FileWriteError, VideoError
from likeness.imaging.decoding.process import ConfinedProcess
from likeness.imaging.decoding.wire import Channel
from likeness.video.apart import files_apart
from likeness.video.clip import Limits, open_clip
from likeness.video.container import held_codecs
from likeness.video.encoders import encoding_for
from likeness.video.files import HERE
from likeness.video.segments import SegmentEncoder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="this system has no such processes")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in.mkv", plain_frames(6), sound="aac", turn=90, chapters=True)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Frames so large that the second waits for the first to be taken."""
    return write_clip(tmp_path / "large.mkv", plain_frames(6, 1280, 720), codec="ffv1")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[ConfinedProcess]:
    """The processes that a test begins."""
    begun: list[ConfinedProcess] = []
    ready = ConfinedProcess.ready

    def remember(process: ConfinedProcess) -> Channel:
        begun.append(process)
        return ready(process)

    monkeypatch.setattr(ConfinedProcess, "ready", remember)
    return begun


def test_it_reads_what_is_read_here(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    apart = files_apart("the video")
    here, there = open_clip(Path(source.name)), apart.open(Path(source.name), Limits())
    assert vars(here) == vars(there)
    frames = [list(files.frames(here, begin=0.05, end=0.2, limits=None)) for files in (HERE, apart)]
    assert len(frames[0]) == 3
    for one, other in zip(*frames, strict=True):
        assert (one.index, one.pts, one.duration) == (other.index, other.pts, other.duration)
        assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def test_errors_come_with_the_name_that_is_shown(tmp_path: Path, source: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"just words")
    apart = files_apart("the video")
    with pytest.raises(VideoError, match=r"^the video is no video that can be read"):
        apart.open(tmp_path / "bad.mp4", Limits())
    with pytest.raises(VideoError, match=r"^the video is longer than 0\.1 s"):
        apart.open(source, Limits(seconds=0.1))


def test_a_process_that_dies_or_hangs_is_told(
    large: Path, begun: list[ConfinedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = open_clip(large)
    monkeypatch.setattr("likeness.video.apart._SLICE", 0.05)
    error: type[Exception]
    for sent, patience, error, sentence in (
        (signal.SIGSEGV, 60.0, VideoError, r"the video crashes the program that reads videos \(signal 11\)"),
        (signal.SIGSTOP, 3.0, DecoderError, r"nothing was read from the video for 3 s: the machine is too busy, or"),
    ):
        frames = files_apart("the video", patience=patience).frames(clip, begin=0.0, end=None, limits=None)
        next(frames)
        os.kill(begun[-1].pid, sent)
        with pytest.raises(error, match=sentence):
            list(frames)
    frames = files_apart("the video", seconds=0.01).frames(clip, begin=0.0, end=None, limits=None)
    with pytest.raises(
        VideoError, match=r"reading on in the video took more than 0\.01 s of processor time; the file is"
    ):
        list(frames)
    assert not any(process.alive for process in begun)


def test_work_that_nobody_wants_ends_the_process(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unwanted = threading.Event()
    clip = open_clip(large)
    monkeypatch.setattr("likeness.video.apart._SLICE", 0.0)
    with cancellable(unwanted):
        frames = files_apart("the video").frames(clip, begin=0.0, end=None, limits=None)
        unwanted.set()
        with pytest.raises(WorkCancelled):
            list(frames)


def test_memory_has_a_limit(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("likeness.video.apart._ROOM", 1 << 20)
    monkeypatch.setattr("likeness.video.apart._ROOM_PER_PIXEL", 0)
    with pytest.raises(VideoError, match=r"^the video "):
        files_apart("the video").open(large, Limits())


def test_a_process_that_is_stopped_from_outside_is_begun_once_more(large: Path, begun: list[ConfinedProcess]) -> None:
    clip = open_clip(large)
    frames = files_apart("the video").frames(clip, begin=0.0, end=None, limits=None)
    found = [next(frames), next(frames)]
    os.kill(begun[-1].pid, signal.SIGKILL)
    found += list(frames)
    whole = list(HERE.frames(clip, begin=0.0, end=None, limits=None))
    assert [frame.index for frame in found] == [frame.index for frame in whole]
    assert all(np.array_equal(one.planes[0], other.planes[0]) for one, other in zip(found, whole, strict=True))
    frames = files_apart("the video").frames(clip, begin=0.0, end=None, limits=None)
    next(frames)
    os.kill(begun[-1].pid, signal.SIGKILL)
    next(frames)
    os.kill(begun[-1].pid, signal.SIGTERM)
    with pytest.raises(DecoderError, match=r"reads the video was stopped from outside \(signal 15\)"):
        list(frames)


def test_what_is_written_has_a_limit(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_clip(source)
    encoding = encoding_for(clip, clip.size, held_codecs(source))
    encoder = SegmentEncoder(encoding, 0)
    for frame in HERE.frames(clip, begin=0.0, end=None, limits=None):
        encoder.add(frame.planes, frame.pts, frame.duration, restored=1)
    segment = encoder.write(tmp_path)
    out, target = tmp_path / "out.tmp", tmp_path / "out.mkv"
    files_apart("the video").write(clip, target, out, encoding, [segment], begin=0.0, end=None)
    size = out.stat().st_size
    monkeypatch.setattr(
        "likeness.video.apart._HEADERS", size // 2 - source.stat().st_size - segment.path.stat().st_size
    )
    with pytest.raises(FileWriteError, match="too large"):
        files_apart("the video").write(clip, target, out, encoding, [segment], begin=0.0, end=None)
    assert out.stat().st_size <= size // 2
