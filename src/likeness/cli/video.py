"""``likeness video``: restore the people in a video."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.cli.console import Console
from likeness.cli.flags import (
    Parser,
    add_options,
    add_verbosity,
    check_settings,
    checked_settings,
    scaled_number,
    typed_settings,
    verbosity,
)
from likeness.cli.loading import load_restorer
from likeness.cli.table import counted
from likeness.core.home import expanded
from likeness.errors import ConfigError, NoFaceError
from likeness.messages.notice import Notice
from likeness.restore.config import Settings
from likeness.restore.kinds import Choice, Number, Option
from likeness.restore.options import row_of
from likeness.video.options import PICTURES_ONLY, VIDEO_OPTIONS, VideoOptions, parse_seconds

if TYPE_CHECKING:
    from likeness.reference.references import References
    from likeness.restore.pipeline import Restorer
    from likeness.video.clip import Clip, Limits
    from likeness.video.job import VideoJob
    from likeness.video.person import Person

__all__ = ["make_parser", "video"]

_DESCRIPTION = """\
Restore the people in a video, the same way in every frame. Everything outside a face stays as it is, but for encoding;
sound, subtitles, chapters, rotation and the times of frames are kept.

film.mp4 becomes output_film.mp4 in the current directory, unless -o says otherwise. A run that was interrupted or killed
goes on where it was when the same command is given again: finished segments wait in OUT.unfinished."""

_EPILOG = """\
exit status:
  0    the video was restored
  1    it failed; nothing was written but finished segments
  2    nothing was begun: a flag, a value, a file name or the model cannot be used
  3    no frame shows a face that could be restored
  130  interrupted; the same command goes on

examples:
  likeness video film.mp4 --preset natural
  likeness video film.mp4 --preview 4 -o sheet.png
  likeness video wedding.mp4 --person bride.jpg
  likeness video wedding.mp4 --reference bride.jpg --reference groom.jpg
  likeness video film.mp4 -o part.mov --from 1:05 --to 1:35 --codec prores"""

_PREVIEW = 5
_WARN_AFTER = 100
"""Frames after which it is told that no photograph serves, and not only at the end."""


def video(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status (see ``--help``).

    Raises:
        SystemExit: for ``--help``, and for flags that cannot be parsed.
        LikenessError: for whatever cannot be used, read or written.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    settings = typed_settings(flags).over(Settings() if flags.config is None else checked_settings(flags.config))
    parts = check_settings(settings)
    unused = [key for key in PICTURES_ONLY if settings[key] not in (None, row_of(key).default)]
    if unused:
        raise ConfigError(Notice("video.with-pictures", {"names": ", ".join(unused)}))
    from likeness.video.clip import Limits, open_clip
    from likeness.video.job import plan_video

    options = _options(flags, parts, settings)
    limits = Limits(pixels=settings["max_pixels"] or Limits.pixels)
    clip = _without(open_clip(flags.input, limits), flags)
    if flags.preview is not None:
        target = _named(flags.output, f"{flags.input.stem}.png") or Path(f"preview_{flags.input.stem}.png")
        return _preview(load_restorer(settings, console), clip, options, limits, flags.preview, target, console)
    name = f"{flags.input.stem}{_suffix(flags.input)}"
    target = _named(flags.output, name)
    if target is None and flags.frames is None:
        target = Path(f"output_{name}")
    # The side of the network's crop decides only about "auto", which is refused.
    job = plan_video(clip, options, target=target, pictures=flags.frames, side=512)
    for note in job.notes:
        console.warn(f"{flags.input}: {note}")
    if flags.restart:
        job.restart()
    return _run(job, load_restorer(settings, console), settings, limits, console)


def _run(job: VideoJob, restorer: Restorer, settings: Settings, limits: Limits, console: Console) -> int:
    from likeness.video.session import SteadySession

    network = f"{settings['model'] or ''} {restorer.runtime.spec!r} {restorer.runtime.description}"
    session = SteadySession(restorer, job.options)
    began = time.perf_counter()
    frames = kept = restored = failed = 0
    told: set[tuple[str, str]] = set()
    try:
        steps = job.run(session, network=network, limits=limits)
        with closing(steps), console.progress(steps, unit="frame", total=job.frames) as shown:
            for done in shown:
                frames += 1
                kept += done.kept
                restored += done.restored
                failed += done.failed
                # By then it is clear who is who, and hours of work may be ahead.
                if frames == _WARN_AFTER:
                    _warn(session.notices, told, console)
    except NoFaceError as error:
        console.error(str(error))
        return 3
    except KeyboardInterrupt:
        if job.target is not None and frames:
            console.notice(Notice("video.kept", {"count": frames, "folder": str(job.folder)}))
        raise
    _warn(session.notices, told, console)
    if (stale := job.stale_pictures(frames)) is not None:
        console.warn(str(stale))
    seconds = time.perf_counter() - began
    faces = f"{counted(restored, 'face')} restored" + (f", {failed} failed" if failed else "")
    earlier = f", {kept} of an earlier run" if kept else ""
    console.say(
        f"{job.target or job.pictures}: {counted(frames, 'frame')}{earlier}, {faces}, "
        f"{(frames - kept) / max(seconds, 1e-6):.2f} frames/s, {seconds:.0f} s"
    )
    for person in session.people:
        first, last = (number / float(job.clip.rate) + job.options.begin for number in (person.first, person.last))
        console.detail(f"face {person.number + 1}: {first:.1f} s to {last:.1f} s, up to {person.width:.0f} px wide")
    return 1 if failed else 0


def _warn(notices: Sequence[Notice], told: set[tuple[str, str]], console: Console) -> None:
    """Tell of photographs that were to serve, and of faces, each thing once: likeness changes a little with each look."""
    for notice in notices:
        what = notice.code, str(notice.values.get("name", notice.values.get("faces")))
        if what not in told:
            told.add(what)
            console.warn(str(notice))


def _preview(
    restorer: Restorer,
    clip: Clip,
    options: VideoOptions,
    limits: Limits,
    count: int,
    target: Path,
    console: Console,
) -> int:
    from likeness.imaging.files import write_image
    from likeness.video.preview import preview
    from likeness.video.session import FrameByFrame

    sheet = preview(clip, options, FrameByFrame(restorer, options), count=count, limits=limits)
    write_image(sheet, target)
    console.say(f"{target}: {sheet.size} px")
    return 0


def _options(flags: argparse.Namespace, parts: Mapping[str, Any], settings: Settings) -> VideoOptions:
    if parts["by_hand"] is not None:
        raise ConfigError(Notice("video.auto-preset"))
    return VideoOptions(
        controls=parts["controls"],
        selection=parts["selection"],
        enlargement=parts["enlargement"],
        person=None if flags.person is None else _person(flags.person),
        references=_references(settings),
        every=VideoOptions.every if flags.every is None else flags.every,
        codec=flags.codec,
        crf=flags.crf,
        bit_rate=flags.bitrate,
        begin=0.0 if flags.begin is None else parse_seconds(flags.begin),
        end=None if flags.end is None else parse_seconds(flags.end),
    )


def _person(photograph: Path) -> Person:
    from likeness.faces.detect import MediaPipeDetector
    from likeness.reference.matching import FaceMatcher
    from likeness.video.person import person_in

    return person_in(photograph, MediaPipeDetector(), FaceMatcher())


def _references(settings: Settings) -> References | None:
    from likeness.reference.references import References

    named = settings["references"]
    return None if named is None else References(named, trusted=bool(settings["trust_references"]))


def _without(clip: Clip, flags: argparse.Namespace) -> Clip:
    """The clip without the streams that are not wanted."""
    dropped = {kind for kind, given in (("audio", flags.no_sound), ("subtitle", flags.no_subtitles)) if given}
    return replace(clip, copied=tuple(stream for stream in clip.copied if stream.kind not in dropped))


def _named(typed: str | None, name: str) -> Path | None:
    """The file of the result: what was typed, or this name in it where that is a folder."""
    if typed is None:
        return None
    path = expanded(typed)
    return path / name if path.is_dir() or typed.endswith(("/", os.sep)) else path


def _suffix(source: Path) -> str:
    from likeness.video.container import SUFFIXES

    return source.suffix if source.suffix.lower() in SUFFIXES else ".mp4"


def _bit_rate(text: str) -> int:
    """Bits a second, as typed: "8000000", "8000k" or "8M"."""
    return scaled_number(text, {"k": 1_000, "m": 1_000_000}, "bitrate; write it as 8M or 8000k")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of frames from 1 to 50')
    return int(text)


def _add_option(add: Callable[..., argparse.Action], row: Option) -> None:
    """A row of the table as a flag; codecs and times are texts, which are told of in a video's own words."""
    kind, timed = row.kind, row.flag in ("--from", "--to")
    reads = str if timed or not isinstance(kind, Number) else int if kind.whole else float
    of_codecs = f": {', '.join(map(str, kind.values))}" if isinstance(kind, Choice) else ""
    usual = f" ({row.usual})" if row.usual else ""
    words = f"{row.help.en}{', such as 83.5 or 1:23.5' if timed else ''}{of_codecs}{usual}"
    add(row.flag_name, dest=row.key, type=reads, metavar=row.metavar, help=words)


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness video",
        usage="likeness video INPUT [-o OUT] [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("input", metavar="INPUT", type=Path, help="a video")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the result, whose ending chooses the kind of file, or its folder"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings from a .toml or .json file; flags win over it"
    )
    group = parser.add_argument_group("what is written")
    for row in VIDEO_OPTIONS:
        _add_option(group.add_argument, row)
    group.add_argument(
        "--bitrate", type=_bit_rate, metavar="RATE", help="bits a second instead of a constant quality, such as 8M"
    )
    group.add_argument("--frames", type=Path, metavar="FOLDER", help="write each frame as a PNG; without -o no video")
    group.add_argument("--no-sound", action="store_true", help="leave sound out")
    group.add_argument("--no-subtitles", action="store_true", help="leave subtitles out")
    group.add_argument(
        "--preview",
        type=_count,
        nargs="?",
        const=_PREVIEW,
        metavar="N",
        help=f"instead of a video a picture of N frames before and after ({_PREVIEW})",
    )
    group.add_argument(
        "--person", type=Path, metavar="PHOTO", help="restore only the person whose face is the largest in a photograph"
    )
    group.add_argument("--restart", action="store_true", help="throw away what an earlier run left unfinished")
    add_verbosity(parser)
    add_options(parser, without=PICTURES_ONLY)
    return parser
