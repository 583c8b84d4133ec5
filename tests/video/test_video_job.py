from __future__ import annotations

import errno
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import Samples, av, decoded, packets, plain_frames, write_clip

from likeness.errors import ConfigError, FileWriteError, LikenessError, NoFaceError, VideoError
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.restore.enlargement import Enlargement
from likeness.restore.pipeline import Restorer
from likeness.video.clip import Limits, open_clip
from likeness.video.container import held_codecs
from likeness.video.frames import read_frames
from likeness.video.job import VideoJob, plan_video
from likeness.video.options import VideoOptions, parse_seconds
from likeness.video.session import FrameByFrame, FrameResult

TIMES = [0, 40, 100, 110, 200, 260]


class Lighten:
    """A change that is easily told: the left half lighter, by a tenth."""

    memory = 0

    def __init__(self) -> None:
        self.seen: list[str] = []

    def restore(self, image: Image) -> FrameResult:
        self.seen.append("restored")
        pixels = image.pixels.copy()
        pixels[:, : pixels.shape[1] // 2] = np.minimum(pixels[:, : pixels.shape[1] // 2] + 0.1, 1.0)
        return FrameResult(pixels=pixels, restored=1)

    def skip(self, image: Image) -> None:
        del image
        self.seen.append("skipped")


def job_of(source: Path, target: Path | None, pictures: Path | None = None, **options: Any) -> VideoJob:
    return plan_video(open_clip(source), VideoOptions(**options), target=target, pictures=pictures, side=512)


def made(source: Path, target: Path, **options: Any) -> Path:
    job = job_of(source, target, **options)
    done = list(job.run(Lighten()))
    assert [item.index for item in done] == list(range(len(done)))
    assert sorted(path.name for path in target.parent.iterdir() if path.name.startswith(f"{target.name}.")) == []
    return target


def test_everything_beside_the_faces_is_kept(tmp_path: Path) -> None:
    tags = {"colorspace": 1, "color_range": 1, "color_trc": 1, "color_primaries": 1}
    source = write_clip(
        tmp_path / "in.mkv",
        plain_frames(6),
        times=TIMES,
        sound="aac",
        subtitles=True,
        chapters=True,
        turn=90,
        tags=tags,
    )
    result = made(source, tmp_path / "out.mkv", codec="ffv1")
    assert packets(result, "audio") == packets(source, "audio")
    assert packets(result, "subtitles") == packets(source, "subtitles")
    before, after = decoded(source), decoded(result)
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert [frame.rotation for frame in after] == [90] * 6
    assert {(f.colorspace, f.color_range, f.color_trc, f.color_primaries) for f in after} == {(1, 1, 1, 1)}
    with av.open(str(result)) as container:
        assert container.chapters()[0]["metadata"] == {"title": "Arrival"}
    # A quarter turn: the upright picture's left half is the stored frame's upper half.
    for one, other in zip(before, after, strict=True):
        first, second = (f.to_ndarray(format="gray").astype(int) for f in (one, other))
        planes = [np.asarray(memoryview(f.planes[0])).reshape(-1, f.planes[0].line_size)[:, :96] for f in (one, other)]
        assert np.array_equal(planes[0][34:], planes[1][34:]), "what was not changed is the same to the last bit"
        assert abs((second - first)[:30].mean() - 25.5) < 3


@pytest.mark.parametrize(
    ("suffix", "codec", "expected"),
    [
        (".mp4", None, "h264"),
        (".mov", "prores", "prores"),
        (".mkv", "hevc", "hevc"),
        (".webm", None, "vp9"),
        (".mp4", "av1", "av1"),
    ],
)
def test_codecs(tmp_path: Path, suffix: str, codec: str | None, expected: str) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(3), times=TIMES[:3])
    if expected not in held_codecs(tmp_path / f"out{suffix}"):
        pytest.skip(f"this build of FFmpeg does not write {expected}")
    before = real_time()
    result = made(source, tmp_path / f"out{suffix}", codec=codec)
    assert open_clip(result).codec == expected
    assert [round(frame.time, 2) for frame in decoded(result)] == [0.0, 0.04, 0.1]
    light = [frame.to_ndarray(format="rgb24").astype(int)[:, :44].mean() for frame in decoded(result)]
    was = [frame.to_ndarray(format="rgb24").astype(int)[:, :44].mean() for frame in decoded(source)]
    assert np.allclose(np.subtract(light, was), 25.5, atol=2.5)
    assert real_time() <= before, "SVT-AV1 takes real-time priority where root opens it"


def real_time() -> set[str]:
    """Threads of this process that the system prefers to all others."""
    statuses = Path("/proc/self/task").glob("*/stat")  # proc(5): the 41st value is the policy
    return {path.parent.name for path in statuses if path.read_text().rpartition(")")[2].split()[38] in ("1", "2")}


def test_quality_and_bitrate(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(4))
    sizes = [
        made(source, tmp_path / f"{name}.mp4", **how).stat().st_size
        for name, how in (
            ("fine", {"crf": 1.0}),
            ("usual", {}),
            ("coarse", {"crf": 45.0}),
            ("few", {"bit_rate": 20_000}),
        )
    ]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[3] < sizes[0]


def test_a_part(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(6), times=TIMES, sound="aac", chapters=True)
    result = made(source, tmp_path / "out.mp4", begin=0.1, end=0.25)
    assert [round(frame.time, 3) for frame in decoded(result)] == [0.0, 0.01, 0.1]
    sound = packets(result, "audio")
    assert 0 < len(sound) < len(packets(source, "audio"))
    assert sound[0][0] < 0.03
    with pytest.raises(ConfigError, match=r"ends at 0\.\d+ s, before --from 9"):
        job_of(source, tmp_path / "late.mp4", begin=9.0)


def test_frames_as_pictures(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(3))
    assert len(list(job_of(source, None, tmp_path / "frames").run(Lighten()))) == 3
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert names == ["000000.png", "000001.png", "000002.png"]
    frame = next(read_frames(open_clip(source)))
    change = read_image(tmp_path / "frames" / "000000.png").pixels - frame.pixels()
    assert np.allclose(change[:, :48].mean(), 0.1, atol=0.004)
    assert np.abs(change[:, 48:]).max() < 0.003


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuvj420p", "yuv444p"])
def test_depth_range_and_chroma_are_kept(tmp_path: Path, pixels: str) -> None:
    range_ = {"color_range": 2} if pixels == "yuvj420p" else {}
    source = write_clip(tmp_path / "in.mp4", plain_frames(2), pixels=pixels, tags=range_)
    result = made(source, tmp_path / "out.mp4", crf=1.0)
    one, other = decoded(source)[0], decoded(result)[0]
    assert other.format.name.replace("yuvj", "yuv") == pixels.replace("yuvj", "yuv")
    assert (other.color_range == 2) == (pixels == "yuvj420p")
    right = [f.to_ndarray(format="rgb24").astype(int)[:, 54:] for f in (one, other)]
    assert np.abs(right[0] - right[1]).mean() < 1.5


def test_one_frame_odd_sides_and_other_formats(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.mp4", plain_frames(1))
    assert len(decoded(made(one, tmp_path / "one-out.mp4"))) == 1
    odd = write_clip(tmp_path / "odd.mkv", plain_frames(2, 63, 47), codec="ffv1", pixels="yuv420p")
    job = job_of(odd, tmp_path / "odd-out.mkv", codec="h264")
    assert [note.code for note in job.notes] == ["video.cut"]
    made(odd, tmp_path / "odd-out.mkv", codec="h264")
    assert decoded(tmp_path / "odd-out.mkv")[0].width == 62
    assert decoded(made(odd, tmp_path / "odd-same.mkv"))[0].width == 63
    screen = write_clip(tmp_path / "rgb.mkv", plain_frames(2), codec="ffv1", pixels="bgr0")
    result = made(screen, tmp_path / "rgb-out.mp4", codec="h264")
    first, second = (decoded(path)[0].to_ndarray(format="rgb24").astype(int)[:, 54:] for path in (screen, result))
    assert decoded(result)[0].format.name == "yuv420p"
    assert np.abs(first - second).mean() < 2.0


def test_interlaced_frames_are_made_whole(tmp_path: Path) -> None:
    frames = plain_frames(4, 96, 64)
    woven = [frame.copy() for frame in frames]
    for frame in woven:
        frame[1::2] = np.roll(frame[1::2], 8, axis=1)  # the second half picture is later
    how = {"x264-params": "tff=1:interlaced=1"}
    source = write_clip(tmp_path / "in.mp4", woven, interlaced=True, options=how)
    clip = open_clip(source)
    assert clip.interlaced
    assert "video.interlaced" in [note.code for note in clip.notes]

    def comb(pixels: Samples) -> float:
        x = pixels.astype(float)
        return float(np.abs(x[1:-1] - (x[:-2] + x[2:]) / 2).mean())

    result = decoded(made(source, tmp_path / "out.mp4"))
    assert len(result) == 4
    assert not result[0].interlaced_frame
    assert comb(result[1].to_ndarray(format="rgb24")[:, 50:]) < 0.4 * comb(woven[1][:, 50:])


def test_a_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("likeness.video.job._SEGMENT_FRAMES", 2)
    source = write_clip(tmp_path / "in.mp4", plain_frames(6), times=TIMES, sound="aac")
    whole = made(source, tmp_path / "whole.mp4")
    job = job_of(source, tmp_path / "out.mp4")
    steps = job.run(Lighten())
    for _ in range(3):
        next(steps)
    steps.close()
    assert not (tmp_path / "out.mp4").exists()
    assert (tmp_path / "out.mp4.unfinished").is_dir()
    with pytest.raises(ConfigError, match="another job"):
        list(job_of(source, tmp_path / "out.mp4", crf=30.0).run(Lighten()))
    again = Lighten()
    done = list(job.run(again))
    assert again.seen == ["skipped"] * 3 + ["restored"] * 3
    assert [item.kept for item in done] == [True] * 3 + [False] * 3
    assert [item.restored for item in done] == [0, 2, 1, 1, 1, 1], "those of a segment with its last frame"
    assert not (tmp_path / "out.mp4.unfinished").exists()
    assert [frame.time for frame in decoded(tmp_path / "out.mp4")] == [frame.time for frame in decoded(whole)]
    assert packets(tmp_path / "out.mp4", "audio") == packets(whole, "audio")
    job_of(source, tmp_path / "out.mp4").restart()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(3))
    job = job_of(source, tmp_path / "out.mp4")
    steps = job.run(Lighten())
    next(steps)
    with pytest.raises(ConfigError, match="another run is working"):
        next(job.run(Lighten()))
    with pytest.raises(ConfigError, match="another run is working"):
        job.restart()
    assert len(list(steps)) == 2


def begun(source: Path, target: Path, frames: int) -> VideoJob:
    """A job that was broken off after so many frames."""
    job = job_of(source, target)
    with closing(job.run(Lighten())) as steps:
        for _ in range(frames):
            next(steps)
    return job


def test_segments_that_cannot_serve_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another version, cut short, or behind one that is missing."""
    monkeypatch.setattr("likeness.video.job._SEGMENT_FRAMES", 2)
    source = write_clip(tmp_path / "in.mp4", plain_frames(8))
    job = begun(source, tmp_path / "out.mp4", 7)
    segments = sorted(job.folder.glob("*.seg"))
    assert [path.stem[-2:] for path in segments] == ["02", "04", "06", "07"]
    segments[1].write_bytes(segments[1].read_bytes().replace(b"segment 2", b"segment 1", 1))
    # Beside the frames that are made again it would be taken for those behind them.
    segments[3].rename(job.folder / "00000004-00000005.seg")
    again = Lighten()
    assert len(list(job.run(again))) == 8
    assert again.seen == ["skipped"] * 2 + ["restored"] * 6
    assert len(decoded(tmp_path / "out.mp4")) == 8


def test_what_a_killed_run_left_goes_with_its_segments(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(4))
    job = begun(source, tmp_path / "out.mp4", 2)
    part = job.folder / ".likeness-0123456789ab.part"
    part.write_bytes(b"a film of gigabytes")
    steps = job.run(Lighten())
    next(steps)
    assert not part.exists()
    steps.close()


def test_until_the_result_is_where_it_belongs_its_segments_stay(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(4))
    job = job_of(source, tmp_path / "out.mp4")

    def fails(made: Path) -> None:
        assert len(decoded(made)) == 4
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FileWriteError, match=r"No space left|full"):
        list(job.run(Lighten(), deliver=fails))
    assert [path.name for path in tmp_path.iterdir() if path.name != "in.mp4"] == ["out.mp4.unfinished"]
    assert sorted(path.suffix for path in job.folder.iterdir()) == ["", ".json", ".seg"]
    again = Lighten()
    list(job.run(again, deliver=lambda made: made.replace(tmp_path / "elsewhere.mp4")))
    assert again.seen == ["skipped"] * 4
    assert len(decoded(tmp_path / "elsewhere.mp4")) == 4
    assert not job.folder.exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("text.mp4", b"just words", "is no video that can be read"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "is no video that can be read"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile /etc/hostname\n", "is no video that can be read"),
        ("empty.mkv", b"", "is no video that can be read"),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=sentence):
        open_clip(tmp_path / name)


def test_what_cannot_be_restored(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="does not exist"):
        open_clip(tmp_path / "none.mp4")
    with pytest.raises(VideoError, match="is a folder"):
        open_clip(tmp_path)
    source = write_clip(tmp_path / "in.mp4", plain_frames(3), sound="aac")
    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as out, av.open(str(source)) as container:
        stream = container.streams.audio[0]
        copy = out.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    with pytest.raises(VideoError, match="sound but no pictures"):
        open_clip(tmp_path / "sound.m4a")
    with pytest.raises(VideoError, match="over the limit of 1,000 pixels"):
        open_clip(source, Limits(pixels=1000))
    with pytest.raises(VideoError, match=r"longer than 0\.05 s"):
        open_clip(source, Limits(seconds=0.05))
    with pytest.raises(VideoError, match="larger than"):
        open_clip(source, Limits(megabytes=0.0001))
    hdr = write_clip(tmp_path / "hdr.mp4", plain_frames(2), pixels="yuv420p10le", tags={"color_trc": 16})
    with pytest.raises(VideoError, match="is HDR"):
        open_clip(hdr)


def test_a_matroska_file_with_sound_that_was_cut_short(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mkv", plain_frames(60), sound="pcm_s16le")
    assert len(list(read_frames(open_clip(source)))) == 60
    (tmp_path / "half.mkv").write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"breaks off after 0\.\d\d of 2\.40 s"):
        list(read_frames(open_clip(tmp_path / "half.mkv")))


@pytest.mark.parametrize("name", ["film.mkv", "film.nut"])
def test_the_end_that_is_told_of_a_damaged_video_can_be_given(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (64, 96, 3)).astype(np.uint8) for _ in range(60)]
    source = write_clip(tmp_path / name, frames, times=[33 * n + 7 for n in range(60)])
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    clip = open_clip(source)
    for _ in range(10):  # every time, and not only when the decoder's threads are quick
        with pytest.raises(VideoError) as caught:
            list(read_frames(clip))
    told = re.search(r"--to (\d+\.\d\d)", str(caught.value))
    assert told is not None
    assert len(list(read_frames(clip, end=float(told[1])))) > 5


def test_a_file_that_was_cut_short(tmp_path: Path) -> None:
    options = {"g": "1", "bf": "0"}
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (64, 96, 3)).astype(np.uint8) for _ in range(12)]
    whole = write_clip(tmp_path / "whole.mkv", frames, options=options)
    first = tmp_path / "index-first.mp4"
    with av.open(str(first), "w", container_options={"movflags": "faststart"}) as out, av.open(str(whole)) as container:
        copy = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    data = first.read_bytes()
    first.write_bytes(data[: len(data) // 2])
    job = job_of(first, tmp_path / "out.mp4")
    with pytest.raises(VideoError, match=r"--to \d"):
        list(job.run(Lighten()))
    assert not (tmp_path / "out.mp4").exists()
    last = write_clip(tmp_path / "index-last.mp4", frames, options=options)
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    with pytest.raises(VideoError, match="no video that can be read"):
        open_clip(last)


def test_what_the_file_cannot_hold_is_told_before_any_work(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", plain_frames(2), sound="pcm_s16le", subtitles=True)
    with pytest.raises(ConfigError, match=r"cannot hold the sound \(pcm_s16le\)"):
        job_of(source, tmp_path / "out.webm")
    silent = replace(open_clip(source), copied=())
    assert plan_video(silent, VideoOptions(), target=tmp_path / "out.webm", side=512).encoding is not None
    refused: list[tuple[dict[str, Any], str]] = [
        ({"codec": "prores"}, "cannot hold prores"),
        ({"codec": "xvid"}, "no codec xvid"),
        ({"crf": 99.0}, "0 to 51"),
        ({"crf": 20.0, "bit_rate": 1000}, "leave one out"),
    ]
    for how, sentence in refused:
        with pytest.raises(ConfigError, match=sentence):
            job_of(source, tmp_path / "out.mp4", **how)
    with pytest.raises(ConfigError, match="must end in"):
        job_of(source, tmp_path / "out.txt")
    with pytest.raises(ConfigError, match="replace the video"):
        job_of(source, source)
    with pytest.raises(ConfigError, match="enlarged by a number"):
        VideoOptions(enlargement=Enlargement(upscale="auto"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


@pytest.mark.parametrize(("text", "seconds"), [("83.5", 83.5), ("1:23.5", 83.5), ("1:00:00", 3600.0), ("0", 0.0)])
def test_times(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "soon", "1:123:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        parse_seconds(text)


def test_faces_are_restored_and_enlarged(
    tmp_path: Path, moving: Callable[[int], list[Samples]], restorer: Restorer
) -> None:
    source = write_clip(tmp_path / "in.mkv", moving(2), codec="ffv1")
    options = VideoOptions(enlargement=Enlargement(upscale=1.5, background="lanczos"))
    job = plan_video(open_clip(source), options, target=tmp_path / "out.mp4", side=128)
    done = list(job.run(FrameByFrame(restorer, options)))
    assert [item.restored for item in done] == [1, 1]
    frame = decoded(tmp_path / "out.mp4")[0]
    assert (frame.width, frame.height) == (288, 216)


def test_no_face_is_no_result(tmp_path: Path, restorer: Restorer) -> None:
    source = write_clip(tmp_path / "in.mp4", plain_frames(2))
    job = job_of(source, tmp_path / "out.mp4")
    with pytest.raises(NoFaceError, match="no face that could be restored"):
        list(job.run(FrameByFrame(restorer, VideoOptions())))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]
    assert issubclass(VideoError, LikenessError)
