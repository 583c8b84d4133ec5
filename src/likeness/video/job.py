"""A video from its file to its result: decoded, restored, encoded in segments, put together.

Finished segments lie in a folder beside the result until all are there. So a run that was killed goes on where it was, and
the result appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from likeness.compute.cancellation import checkpoint
from likeness.core.files import TEMPORARY, make_folder, write_text_atomically
from likeness.core.locking import try_lock
from likeness.errors import ConfigError, FileWriteError, NoFaceError, VideoError
from likeness.imaging.files import write_image
from likeness.imaging.image import Image, Size
from likeness.messages.notice import Notice, reason_of
from likeness.restore.canvas import plan_canvas
from likeness.restore.selection import Selection
from likeness.video.clip import Clip, Limits
from likeness.video.container import held_codecs
from likeness.video.encoders import Encoding, encoding_for
from likeness.video.files import HERE, VideoFiles
from likeness.video.frames import Frame
from likeness.video.options import VideoOptions
from likeness.video.planes import Planes
from likeness.video.segments import SegmentEncoder, segments_in
from likeness.video.session import FrameResult, Session

__all__ = ["Done", "VideoJob", "plan_video", "segments_folder"]

_SEGMENT_FRAMES = 240
_SEGMENT_BYTES = 48_000_000
"""A segment ends after so many frames, or so many bytes: what a kill costs, and what is kept in memory."""

_UNFINISHED = ".unfinished"


@dataclass(frozen=True, kw_only=True)
class Done:
    """A frame that is done: its number from 0, its time in the video, s, and what became of its faces.

    ``kept`` says that an earlier run did it; the last frame of each of its segments tells of the faces of all of them then.
    ``written`` counts the segments that this run has finished so far, which no later one has to make again.
    """

    index: int
    seconds: float
    restored: int = 0
    failed: int = 0
    kept: bool = False
    written: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoJob:
    """A video that is going to be restored: everything that can be refused was.

    Attributes:
        clip: the video.
        target: the file of the result; None where only pictures are written.
        pictures: a folder for each frame as a PNG; None for none.
        options: how.
        encoding: how frames are encoded; None without ``target``.
        size: of a result's frame, upright.
        files: what reads the video.
    """

    clip: Clip
    target: Path | None
    pictures: Path | None
    options: VideoOptions
    encoding: Encoding | None
    size: Size
    files: VideoFiles = HERE

    @property
    def frames(self) -> int | None:
        """How many frames it has, about; None if the file does not say."""
        clip, options = self.clip, self.options
        if clip.frames is None or clip.seconds is None:
            return clip.frames
        seconds = max(min(clip.seconds, options.end or clip.seconds) - options.begin, 0.0)
        return max(1, round(clip.frames * seconds / clip.seconds)) if clip.seconds > 0 else clip.frames

    @property
    def notes(self) -> tuple[Notice, ...]:
        """What of the video the result will not have, or have otherwise."""
        encoding, clip = self.encoding, self.clip
        if encoding is None:
            return clip.notes
        if encoding.size == clip.turned(self.size):
            return clip.notes
        return (*clip.notes, Notice("video.cut", {"codec": encoding.codec, "size": str(encoding.size)}))

    @property
    def folder(self) -> Path:
        """Where finished segments wait."""
        assert self.target is not None
        return segments_folder(self.target)

    def run(
        self,
        session: Session,
        *,
        network: str = "",
        limits: Limits | None = None,
        anew: bool = False,
        deliver: Callable[[Path], object] | None = None,
    ) -> Generator[Done]:
        """Restore the video, frame by frame as they are asked for; the result is there when the last was.

        Args:
            session: what restores frames.
            network: what tells its network from others: segments of another one do not join with these.
            limits: of what is decoded.
            anew: whether the segments of another job are thrown away, as the folder is the caller's own.
            deliver: puts the finished file where it belongs, by moving it; to ``target`` if None. Only then are the segments
                removed, of which a run that was killed just before could put it together once more.

        Raises:
            VideoError: if the video is damaged somewhere; an encoder fails.
            ConfigError: if another process works in the folder, or the segments of another job lie in it.
            FileWriteError: if something cannot be written.
            NoFaceError: if no frame holds a face that was restored; there is no result then.
            ControlError, ImageTooLargeError: see `Restorer.restore`.
        """
        if self.pictures is not None:
            make_folder(self.pictures)
        if self.target is None:
            frames = 0
            for frame in self._frames(limits):
                frames += 1
                result = session.restore(_image(frame))
                self._write_picture(frame, result)
                yield _done(frame, result)
            self._refuse_none(frames)
            return
        with self._folder(network, anew) as folder:
            yield from self._segments(folder, session, limits)
            self._finish(folder, deliver or self._deliver)

    def _frames(self, limits: Limits | None) -> Generator[Frame]:
        options = self.options
        with closing(self.files.frames(self.clip, begin=options.begin, end=options.end, limits=limits)) as frames:
            for frame in frames:
                checkpoint()
                yield frame

    def _segments(self, folder: Path, session: Session, limits: Limits | None) -> Generator[Done]:
        assert self.encoding is not None
        finished = segments_in(folder)
        kept = finished[-1].end if finished else 0
        last = {segment.end - 1: segment for segment in finished}
        for path in {*folder.glob("*.seg")} - {segment.path for segment in finished}:
            path.unlink()  # behind a gap: beside the frames that are made again it would be one segment too many
        encoder: SegmentEncoder | None = None
        frames = written = 0
        try:
            for frame in self._frames(limits):
                frames += 1
                image = _image(frame)
                if frame.index < kept:
                    if frame.index < kept - session.memory:
                        session.skip(image)
                    else:
                        session.restore(image)
                    told = last.get(frame.index)
                    yield Done(
                        index=frame.index,
                        seconds=frame.seconds,
                        restored=told.restored if told else 0,
                        failed=told.failed if told else 0,
                        kept=True,
                    )
                    continue
                result = session.restore(image)
                self._write_picture(frame, result)
                encoder = encoder or SegmentEncoder(self.encoding, frame.index)
                planes = self._planes(frame, image, result)
                encoder.add(planes, frame.pts, frame.duration, restored=result.restored, failed=result.failed)
                if encoder.frames >= _SEGMENT_FRAMES or encoder.nbytes >= _SEGMENT_BYTES:
                    encoder.write(folder)
                    encoder = None
                    written += 1
                yield _done(frame, result, written)
        finally:
            # However it ended, what is done need not be done again.
            if encoder is not None:
                encoder.write(folder)
        self._refuse_none(frames)

    def _refuse_none(self, frames: int) -> None:
        if frames == 0:
            raise VideoError(Notice("video.empty-part", {"file": str(self.clip.path)}))

    def _planes(self, frame: Frame, image: Image, result: FrameResult) -> Planes:
        """The samples that are encoded: the frame's own with the change on them, where they are stored alike."""
        assert self.encoding is not None
        if result.pixels is image.pixels:
            change = None
        elif result.pixels.shape == image.pixels.shape:
            change = result.pixels - image.pixels
        else:
            return frame.redrawn(result.pixels, self.encoding.colours)
        if self.encoding.colours.layout != self.clip.colours.layout:
            return frame.redrawn(result.pixels, self.encoding.colours)
        return frame.planes if change is None else frame.changed(change)

    def _write_picture(self, frame: Frame, result: FrameResult) -> None:
        if self.pictures is not None:
            deep = self.clip.colours.layout.bits > 8
            image = Image(pixels=result.pixels, bit_depth=16 if deep else 8)
            write_image(image, self.pictures / _picture_name(frame.index))

    def stale_pictures(self, frames: int) -> Notice | None:
        """What is said where the folder of pictures holds more than the frames of this run; None where it does not."""
        if self.pictures is None:
            return None
        stale = [path for path in self.pictures.glob("*.png") if path.stem.isdecimal() and int(path.stem) >= frames]
        if not stale:
            return None
        values = {"folder": str(self.pictures), "count": len(stale), "first": _picture_name(frames)}
        return Notice("video.stale-pictures", values)

    def restart(self) -> None:
        """Throw away what earlier runs left.

        Raises:
            ConfigError: if another process works in the folder.
        """
        if self.target is not None and self.folder.is_dir():
            with _locked(self.folder):
                shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _folder(self, network: str, anew: bool) -> Generator[Path]:
        """The folder of segments, ours alone; gone once the result is there."""
        stat = self.clip.path.stat()
        job = {
            "video": [str(self.clip.path.resolve()), stat.st_size, stat.st_mtime_ns],
            "options": self.options.identity(),
            "network": network,
            "encoding": repr(self.encoding),
        }
        if self.pictures is not None:  # frames that are kept have theirs
            job["pictures"] = str(self.pictures.resolve())
        text = json.dumps(job, indent=1)
        folder = self.folder
        with _locked(folder):
            note = folder / "job.json"
            try:
                if note.exists() and note.read_text(encoding="utf-8").strip() != text:
                    if not anew:
                        raise ConfigError(Notice("video.other-job", {"folder": str(folder)}))
                    for segment in list(folder.glob("*.seg")):
                        segment.unlink()
                for part in list(folder.glob(f"{TEMPORARY[0]}*{TEMPORARY[1]}")):
                    part.unlink()  # of a run that was killed
                write_text_atomically(text, note)
                yield folder
            finally:
                if not any(folder.glob("*.seg")):
                    shutil.rmtree(folder, ignore_errors=True)

    def _deliver(self, made: Path) -> None:
        assert self.target is not None
        made.replace(self.target)

    def _finish(self, folder: Path, deliver: Callable[[Path], object]) -> None:
        assert self.target is not None
        assert self.encoding is not None
        options = self.options
        segments = segments_in(folder)
        if not any(segment.restored for segment in segments):
            shutil.rmtree(folder, ignore_errors=True)
            some = options.person is not None or options.selection != Selection()
            code = "video.none-wanted" if some else "video.no-face"
            raise NoFaceError(Notice(code, {"file": str(self.clip.path)}))
        # Among the segments, with which it goes: of a run that was killed just here, gigabytes would stay for ever.
        temporary = folder / f"{TEMPORARY[0]}{secrets.token_hex(6)}{TEMPORARY[1]}"
        try:
            self.files.write(
                self.clip, self.target, temporary, self.encoding, segments, begin=options.begin, end=options.end
            )
            deliver(temporary)
        except OSError as error:
            why = reason_of(error)
            raise FileWriteError(Notice("file.unwritten", {"file": str(self.target), "why": why})) from error
        finally:
            temporary.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def segments_folder(target: Path) -> Path:
    """Where the finished segments of a result wait."""
    return target.with_name(f"{target.name}{_UNFINISHED}")


def _locked(folder: Path) -> TextIO:
    """The lock of a folder of segments, which is made if need be; held until it is closed.

    Raises:
        ConfigError: if another process works in it.
        FileWriteError: if it cannot be made.
    """
    while True:
        make_folder(folder)
        try:
            lock = (folder / "lock").open("w", encoding="utf-8")
        except FileNotFoundError:
            if folder.is_dir():
                raise
            continue  # whoever had it has just removed it with the folder
        try:
            if not try_lock(lock.fileno()):
                raise ConfigError(Notice("video.busy", {"folder": str(folder)}))
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat()):
                    return lock
        except BaseException:
            lock.close()
            raise
        lock.close()


def _picture_name(index: int) -> str:
    return f"{index:06d}.png"


def plan_video(
    clip: Clip,
    options: VideoOptions,
    *,
    target: Path | None,
    pictures: Path | None = None,
    side: int,
    files: VideoFiles = HERE,
) -> VideoJob:
    """Everything about a video's result that can be known, and refused, before any work.

    Args:
        clip: the video.
        options: how.
        target: the file of the result; None where only pictures are wanted.
        pictures: a folder for each frame as a PNG.
        side: of the network's crop (`Spec.side`).
        files: what reads the video.

    Raises:
        ConfigError: if the file cannot hold the codec, sound or subtitles, or is the video itself.
        VideoError: if nothing installed encodes it.
        ImageTooLargeError: if the enlarged frames would be too large.
    """
    if target is None and pictures is None:
        raise ConfigError(Notice("video.no-target"))
    if clip.seconds is not None and options.begin >= clip.seconds:
        raise ConfigError(
            Notice("video.late", {"file": str(clip.path), "begin": options.begin, "seconds": clip.seconds})
        )
    size = plan_canvas(clip.upright, (), options.enlargement, side=side).size
    encoding: Encoding | None = None
    if target is not None:
        if target.is_dir():
            raise FileWriteError(Notice("file.is-folder", {"file": str(target), "folder": str(target.parent)}))
        if target.exists() and target.samefile(clip.path):
            raise ConfigError(Notice("video.itself", {"file": str(target)}))
        stored = clip.turned(size)
        encoding = encoding_for(
            clip, stored, held_codecs(target), codec=options.codec, crf=options.crf, bit_rate=options.bit_rate
        )
        files.rehearse(clip, target, encoding)
    return VideoJob(
        clip=clip, target=target, pictures=pictures, options=options, encoding=encoding, size=size, files=files
    )


def _image(frame: Frame) -> Image:
    layout = frame.clip.colours.layout
    return Image(pixels=frame.pixels(), bit_depth=16 if layout.bits > 8 else 8, grey=layout.grey)


def _done(frame: Frame, result: FrameResult, written: int = 0) -> Done:
    return Done(
        index=frame.index, seconds=frame.seconds, restored=result.restored, failed=result.failed, written=written
    )
