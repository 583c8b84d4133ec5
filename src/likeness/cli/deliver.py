"""``likeness deliver``: web and print versions of finished pictures."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, pixel_count, verbosity, with_amounts
from likeness.core.home import expanded
from likeness.errors import ConfigError
from likeness.messages.notice import Notice, reason_of

if TYPE_CHECKING:
    from likeness.batch.redraw import Redrawer
    from likeness.faces.detect import Detector
    from likeness.imaging.decoding.pool import DecoderPool
    from likeness.imaging.image import Image
    from likeness.studio.deliver import PrintOptions, PrintVersion, WebOptions
    from likeness.studio.finishing import Finishing

__all__ = ["deliver", "make_parser"]

_DESCRIPTION = """\
Write web and print versions of finished pictures; both if neither --web nor --print is given.

IN is a picture, a folder (with its subfolders), a quoted pattern, or the output of likeness batch, of which the folder
final is taken: what waits in review is not delivered, and where a face is smaller in it than the network drew it, a version
that is larger is restored again from the original. The versions go to OUT/web and OUT/print under the
names of their pictures; with a single picture and one of --web and --print, OUT may also be a file."""

_EPILOG = """\
exit status:
  0    every version was written
  1    at least one was not: a picture that cannot be read, or with too few pixels for the print; the others were
  2    nothing was begun: a flag, a value or a file name cannot be used
  130  interrupted; what was finished is complete

examples:
  likeness deliver output_family/ delivery/
  likeness deliver portrait.jpg delivery/ --web --web-size 1024 --web-format webp
  likeness deliver portrait.tif print.tif --print --print-size 130x180 --profile lab.icc
  likeness deliver output_family/ delivery/ --warmth --exposure 0.2"""

_AMOUNTS = {"--warmth": 0.15, "--clarity": 0.3}


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One picture, and where its versions go; None for one that is not wanted."""

    source: Path
    web: Path | None
    print: Path | None


def deliver(argv: Sequence[str], console: Console) -> int:
    """Run the command.

    Returns:
        the exit status: 0 all written, 1 something failed.

    Raises:
        ConfigError, ControlError: for values and names that cannot be used; nothing was read then.
        SystemExit: for ``--help``, and for flags that cannot be parsed.
    """
    flags = make_parser().parse_args(with_amounts(argv, _AMOUNTS))
    console.verbosity = verbosity(flags)
    from likeness.cli.ordered import reported_in_order
    from likeness.faces.detect import MediaPipeDetector
    from likeness.imaging.decoding.pool import DecoderPool
    from likeness.imaging.files import DEFAULT_MAX_PIXELS
    from likeness.studio.finishing import Finishing

    finishing = Finishing(warmth=flags.warmth, exposure=flags.exposure, clarity=flags.clarity)
    both = not (flags.web or flags.print)
    if flags.print_scale is not None and flags.print_size is not None:
        raise ConfigError(Notice("cli.print-twice"))
    web = _web(flags) if flags.web or both else None
    paper = _print(flags) if flags.print or both else None
    jobs = _plan(flags.input, flags.output, web, paper)
    outputs = (path for job in jobs for path in (job.web, job.print) if path is not None)
    console.ledger.claim(outputs, overwrite=flags.overwrite)
    planned, journal = len(jobs), _journal(flags.input)
    held = _withheld(journal)
    jobs, failed = _of_today(jobs, held, console)
    decoder = DecoderPool()
    work = _Deliveries(
        web=web,
        paper=paper,
        finishing=finishing,
        detector=MediaPipeDetector() if finishing.any else None,
        max_pixels=DEFAULT_MAX_PIXELS if flags.max_pixels is None else flags.max_pixels,
        decoder=decoder,
        console=console,
        redrawer=None if flags.as_finished or journal is None else _redrawer(journal, decoder),
    )
    began = time.perf_counter()
    with closing(reported_in_order(work.deliver, jobs, console, unit="picture")) as delivered:
        for good in delivered:
            failed += not good
    for stays in _delivered_before(held, flags, jobs, web, paper):
        console.warn(str(stays))
    if planned > 1:
        done = f"{planned - failed} of {planned} pictures delivered to {flags.output}"
        console.say(f"{done}; {time.perf_counter() - began:.1f} s")
    return 1 if failed else 0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Deliveries:
    """The work on pictures, in any number of threads; none can stop the others."""

    web: WebOptions | None
    paper: PrintOptions | None
    finishing: Finishing
    detector: Detector | None
    max_pixels: int
    decoder: DecoderPool
    console: Console
    redrawer: Redrawer | None
    large: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, job: _Job) -> bool:
        """Whether every version of the picture was written; what went wrong is told."""
        from likeness.cli.ordered import LARGE, on_its_own

        with on_its_own(self.console, str(job.source)):
            image = self.decoder.read(job.source, max_pixels=self.max_pixels)
            with self.large if self._pixels(image) > LARGE else nullcontext():
                image, drawn = self._redrawn(image, job)
                image = self._finished(image, job.source)
                good = self._write_web(image, job)
                return self._write_print(image, job, drawn) and good
        for path in (job.web, job.print):
            if path is not None and self.console.ledger.is_from_before(path):
                self.console.warn(str(Notice("cli.earlier", {"file": str(path)})))
        return False

    def _pixels(self, image: Image) -> float:
        """Of the picture or its print, whichever has more."""
        from likeness.studio.deliver import print_scale

        scale = 1.0 if self.paper is None else print_scale(image.size, self.paper)
        return image.size.pixels * max(1.0, scale * scale)

    def _redrawn(self, image: Image, job: _Job) -> tuple[Image, float]:
        """The picture from the network's own answer where a version gains by it, and how many times as large."""
        from likeness.studio.deliver import drawn_upscale

        if self.redrawer is None:
            return image, 1.0
        wanted = [drawn_upscale(image.size, version) for version in (self.web, self.paper) if version is not None]
        made = self.redrawer.redraw(job.source, image.size, max(wanted))
        if made.why:
            self.console.warn(f"{job.source}: {made.why}")
        if made.image is None:
            return image, 1.0
        self.console.say(f"{job.source}: restored again from its original, {made.drawn:.3g} times as large")
        return made.image, made.drawn

    def _finished(self, image: Image, source: Path) -> Image:
        if self.detector is None:
            return image
        from likeness.studio.finishing import find_areas, finish

        areas = find_areas(image, self.detector.detect(image))
        if not areas:
            self.console.warn(f"{source}: no face was found, so there was nothing to finish")
        return finish(image, areas, self.finishing)

    def _write_web(self, image: Image, job: _Job) -> bool:
        if self.web is None or job.web is None:
            return True
        from likeness.core.files import make_folder
        from likeness.imaging.files import write_image
        from likeness.studio.deliver import for_web

        version = for_web(image, self.web)
        make_folder(job.web.parent)
        write_image(version, job.web, quality=self.web.quality)
        self.console.say(f"{job.source} -> {job.web}: {version.size} px, sRGB")
        return True

    def _write_print(self, image: Image, job: _Job, drawn: float) -> bool:
        if self.paper is None or job.print is None:
            return True
        from likeness.core.files import make_folder
        from likeness.imaging.files import write_image
        from likeness.studio.deliver import for_print

        version = for_print(image, self.paper, drawn=drawn)
        for warning in version.warnings:
            self.console.warn(f"{job.source}: {warning}")
        make_folder(job.print.parent)
        write_image(version.image, job.print, bit_depth=self.paper.bit_depth, quality=self.paper.quality)
        self.console.say(f"{job.source} -> {job.print}: {_described(version, self.paper.dpi)}")
        return True


def _journal(source: str) -> Path | None:
    """Of a batch whose output this is, its folder of finished pictures, or a folder within that."""
    from likeness.cli.batch_results import journal_around, journal_of

    folder = expanded(source)
    return journal_of(folder) or journal_around(folder) if folder.is_dir() else None


def _withheld(journal: Path | None) -> dict[Path, Notice]:
    from likeness.cli.batch_results import withheld

    return {} if journal is None else withheld(journal)


def _of_today(jobs: tuple[_Job, ...], held: Mapping[Path, Notice], console: Console) -> tuple[tuple[_Job, ...], int]:
    """Without what an earlier run left of a batch's pictures that wait again or have failed; each is told, and how many."""
    today: list[_Job] = []
    for job in jobs:
        if (became := held.get(job.source.resolve())) is None:
            today.append(job)
        else:
            console.error(str(Notice("deliver.earlier", {"file": str(job.source), "became": became})))
    return tuple(today), len(jobs) - len(today)


def _delivered_before(
    held: Mapping[Path, Notice],
    flags: argparse.Namespace,
    jobs: Sequence[_Job],
    web: WebOptions | None,
    paper: PrintOptions | None,
) -> Iterator[Notice]:
    """What lies where the versions of ``held`` pictures would have been written, and none of ``jobs`` writes: an earlier
    delivery, as a rule, which could be taken for one of today's."""
    from likeness.studio.pairs import results_folder

    place, target = results_folder(expanded(flags.input)).resolve(), expanded(flags.output)
    written = {path for job in jobs for path in (job.web, job.print)}
    for file, became in held.items():
        if not file.is_relative_to(place):
            continue
        inside = file.relative_to(place)
        # With its suffix if another of that name went out with it, see `short_names`.
        for name in (inside.with_suffix(""), inside):
            for kind, version in (("web", web), ("print", paper)):
                path = None if version is None else _under(target / kind, name, version.file_format)
                if path is not None and path not in written and path.is_file():
                    yield Notice("deliver.stays", {"file": str(path), "became": became})


def _redrawer(journal: Path, decoder: DecoderPool) -> Redrawer:
    from likeness.batch.redraw import Redrawer

    return Redrawer(journal, decoder)


def _described(version: PrintVersion, dpi: float) -> str:
    wide, high = version.millimetres
    sharpening = version.sharpening
    if sharpening.amount == 0:
        sharpened = "not sharpened"
    elif sharpening.overshoot is None:
        sharpened = "sharpened, no clear edges to measure it at"
    else:
        sharpened = f"sharpened, edges overshoot by {sharpening.overshoot:.1%}"
    paper = f"{wide:.0f} x {high:.0f} mm at {dpi:g} dpi"
    return f"{version.image.size} px, {paper}, {version.scale:.2f} times as large, {sharpened}"


def _web(flags: argparse.Namespace) -> WebOptions:
    from likeness.studio.deliver import WebOptions

    return WebOptions(side=flags.web_size, file_format=flags.web_format, quality=flags.web_quality)


def _print(flags: argparse.Namespace) -> PrintOptions:
    from likeness.studio.deliver import PrintOptions

    return PrintOptions(
        scale=1.5 if flags.print_scale is None else flags.print_scale,
        millimetres=flags.print_size,
        dpi=flags.dpi,
        file_format=flags.print_format,
        bit_depth=flags.bit_depth,
        quality=flags.print_quality,
        profile=_profile(flags.profile),
        sharpen=not flags.no_sharpen,
        min_ppi=flags.min_ppi,
    )


def _profile(name: str) -> bytes | None:
    """The profile of a print: None for "keep"."""
    if name.lower() == "keep":
        return None
    from likeness.imaging.icc import srgb_profile
    from likeness.studio.deliver import checked_profile

    if name.lower() == "srgb":
        return srgb_profile()
    try:
        data = expanded(name).read_bytes()
    except OSError as error:
        raise ConfigError(Notice("cli.profile-unread", {"name": name, "why": reason_of(error)})) from error
    return checked_profile(data, name=f"--profile {name}")


def _plan(source: str, output: str, web: WebOptions | None, paper: PrintOptions | None) -> tuple[_Job, ...]:
    """Which pictures become which files, checked before any work."""
    from likeness.cli.plan import Targets, plan
    from likeness.studio.pairs import results_folder, short_names

    target = expanded(output)
    if source == "-" or output == "-":
        raise ConfigError(Notice("cli.deliver-files"))
    if target.suffix and not target.is_dir() and not output.endswith("/"):
        return (_single(source, target, web, paper),)
    folder = expanded(source)
    if folder.is_dir():
        if target.exists() and target.samefile(folder):
            raise ConfigError(Notice("cli.versions-among-pictures", {"output": str(output)}))
        source = str(results_folder(folder))
    found = [(job.source, job.target) for job in plan([source], Targets(output=f"{target}/"))]
    named = [(source, place.relative_to(target)) for source, place in found if source is not None and place is not None]
    names = short_names([inside for _, inside in named])
    jobs = [
        _Job(
            source=source,
            web=_under(target / "web", name, web.file_format) if web else None,
            print=_under(target / "print", name, paper.file_format) if paper else None,
        )
        for (source, _), name in zip(named, names, strict=True)
    ]
    _check(jobs)
    return tuple(jobs)


def _under(folder: Path, name: Path, suffix: str) -> Path:
    return folder / name.with_name(f"{name.name}.{suffix}")


def _single(source: str, target: Path, web: WebOptions | None, paper: PrintOptions | None) -> _Job:
    """One picture into a file that was named."""
    wanted = web or paper
    if wanted is None or (web and paper):
        raise ConfigError(Notice("cli.two-versions", {"target": str(target)}))
    if expanded(source).is_dir() or not expanded(source).exists():
        raise ConfigError(Notice("cli.not-single", {"target": str(target), "source": str(source)}))
    known = {"jpg": (".jpg", ".jpeg"), "tif": (".tif", ".tiff"), "png": (".png",), "webp": (".webp",)}
    if target.suffix.lower() not in known[wanted.file_format]:
        flag = "--web-format" if web else "--print-format"
        raise ConfigError(
            Notice("cli.not-of-format", {"target": str(target), "file_format": wanted.file_format, "flag": flag})
        )
    if not target.parent.is_dir():
        raise ConfigError(Notice("cli.target-folder", {"target": str(target), "parent": str(target.parent)}))
    job = _Job(
        source=expanded(source),
        web=target if web else None,
        print=target if paper else None,
    )
    _check([job])
    return job


def _check(jobs: Sequence[_Job]) -> None:
    from likeness.cli.plan import refuse_collisions

    outputs = [(path, str(job.source)) for job in jobs for path in (job.web, job.print) if path is not None]
    refuse_collisions((job.source for job in jobs), outputs)


def _millimetres(text: str) -> tuple[float, float]:
    """Such as "130x180"; one number is both sides of a square."""
    parts = text.lower().removesuffix("mm").replace("×", "x").split("x")
    try:
        sides = [float(part) for part in parts]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise argparse.ArgumentTypeError(f'"{text}" is no size in millimetres; write it as 130x180')
    return sides[0], sides[-1]


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness deliver",
        usage="likeness deliver IN OUT [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("input", metavar="IN", help="a picture, a folder, or a quoted pattern")
    parser.add_argument("output", metavar="OUT", help="a folder, or a file for a single version")
    web = parser.add_argument_group("for the screen: sRGB, without metadata")
    web.add_argument("--web", action="store_true", help="write this version")
    web.add_argument("--web-size", type=int, default=1080, metavar="PX", help="long side; never enlarged (1080)")
    web.add_argument("--web-format", choices=("jpg", "webp"), default="jpg", help="jpg")
    web.add_argument("--web-quality", type=int, default=90, metavar="N", help="1 to 100 (90)")
    paper = parser.add_argument_group("for paper: ICC profile, dpi, and no metadata but author and copyright")
    paper.add_argument("--print", action="store_true", help="write this version")
    paper.add_argument("--print-scale", type=float, metavar="X", help="times as wide and high, 0.1 to 8 (1.5)")
    paper.add_argument(
        "--print-size", type=_millimetres, metavar="WxH", help="fit onto paper of so many millimetres: 130x180"
    )
    paper.add_argument("--dpi", type=float, default=300.0, metavar="X", help="dots per inch (300)")
    paper.add_argument("--print-format", choices=("tif", "jpg", "png"), default="tif", help="tif")
    paper.add_argument("--print-quality", type=int, default=95, metavar="N", help="90 to 100, of JPEG (95)")
    paper.add_argument("--bit-depth", type=int, choices=(8, 16), help="of tif and png (the picture's own)")
    paper.add_argument(
        "--profile", default="keep", metavar="FILE", help="convert into this ICC profile, or sRGB (keep the picture's)"
    )
    paper.add_argument("--no-sharpen", action="store_true", help="do not make up for what enlargement takes")
    paper.add_argument(
        "--min-ppi", type=float, default=100.0, metavar="X", help="refuse fewer original pixels per inch of paper (100)"
    )
    face = parser.add_argument_group("finishing, kept to the faces")
    face.add_argument(
        "--warmth", type=float, default=0.0, metavar="[X]", help="-0.5 to 0.5: more saturation, same hue (0.15)"
    )
    face.add_argument("--exposure", type=float, default=0.0, metavar="X", help="-1 to 1 stops lighter")
    face.add_argument("--clarity", type=float, default=0.0, metavar="[X]", help="0 to 1: contrast of middle size (0.3)")
    parser.add_argument(
        "--as-finished", action="store_true", help="of a batch: never restore again from the originals, only resample"
    )
    parser.add_argument("--max-pixels", type=pixel_count, metavar="N", help="do not read larger pictures; 200M (100M)")
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser
