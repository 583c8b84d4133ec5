"""The pool of decoder processes: the same pictures as in this process, and what happens to files that end one."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from poison import DATA, huge_tile, many_passes, poison_heic, webp_of

from likeness.errors import ConfigError, DecoderError, ImageError, ImageReadError
from likeness.imaging.containers import encode_png16, encode_tiff
from likeness.imaging.decoding import process
from likeness.imaging.decoding.pool import DecoderLimits, DecoderPool
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.imaging.metadata.png import png_chunks_of
from likeness.imaging.metadata_fields import NO_METADATA
from likeness.imaging.sniff import FORMATS_READ

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows reads in this process")

_HERE = Path(__file__).resolve().parents[2]
_RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def pool() -> Generator[DecoderPool]:
    with DecoderPool() as made:
        yield made


def colours(height: int = 60, width: int = 80, channels: int = 3) -> np.ndarray:
    small = _RNG.integers(0, 256, (height // 4, width // 4, channels), np.uint8)
    return np.repeat(np.repeat(small, 4, 0), 4, 1)


def saved(mode: str, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    PillowImage.fromarray(colours()).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def slow_file(folder: Path) -> Path:
    """A small file that takes seconds: a picture that is gone over many times, as often as is let through."""
    path = folder / "slow.jpg"
    path.write_bytes(many_passes(5000, 79))
    return path


def same(one: Image, other: Image) -> None:
    for field in fields(Image):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(theirs, np.ndarray):
            assert mine.dtype == theirs.dtype
            assert mine.strides == theirs.strides
            assert np.array_equal(mine, theirs), field.name
        else:
            assert mine == theirs, field.name
            assert type(mine) is type(theirs), field.name


def outcome(
    read: Callable[..., Image], source: object, caplog: pytest.LogCaptureFixture
) -> tuple[object, list[object]]:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        try:
            result: object = read(
                io.BytesIO(source.getvalue()) if isinstance(source, io.BytesIO) else source, name="this"
            )
        except ImageError as error:
            result = type(error), str(error)
        except Exception:
            result = "unforeseen"
    told = [(one.name, one.levelno, one.getMessage()) for one in caplog.records if ".decoding." not in one.name]
    return result, sorted(told)


def compared(pool: DecoderPool, source: object, caplog: pytest.LogCaptureFixture) -> Image | None:
    mine, my_log = outcome(pool.read, source, caplog)
    theirs, their_log = outcome(read_image, source, caplog)
    assert my_log == their_log
    if isinstance(theirs, Image):
        assert isinstance(mine, Image)
        same(mine, theirs)
        return mine
    assert mine == theirs
    return None


def test_every_format_depth_and_layout_is_the_same_to_the_last_bit(
    pool: DecoderPool,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    adobe_profile: bytes,
    table_profile: bytes,
    scanner_profile: bytes,
    grey_profile: bytes,
    cmyk_profile: bytes,
) -> None:
    turned = PillowImage.Exif()
    turned[274] = 6
    deep = colours(channels=4).astype(np.uint16) * 257
    premultiplied = io.BytesIO()
    tifffile.imwrite(premultiplied, deep, photometric="rgb", extrasamples=["assocalpha"])
    files = {
        "jpeg": saved("RGB", "JPEG", exif=turned, dpi=(300, 300)),
        "jpeg, grey": saved("L", "JPEG", icc_profile=grey_profile, exif=turned),
        "jpeg, cmyk": saved("CMYK", "JPEG", icc_profile=cmyk_profile),
        "jpeg, cmyk without a profile": saved("CMYK", "JPEG"),
        "jpeg, adobe": saved("RGB", "JPEG", icc_profile=adobe_profile),
        "jpeg, tables": saved("RGB", "JPEG", icc_profile=table_profile, exif=turned),
        "jpeg, one way": saved("RGB", "JPEG", icc_profile=scanner_profile),
        "jpeg, damaged profile": saved("RGB", "JPEG", icc_profile=b"x" * 200),
        "jpeg, behind line breaks": b"\r\n" + saved("RGB", "JPEG"),
        "jpeg, cut": saved("RGB", "JPEG")[:-200],
        "png": saved("RGBA", "PNG"),
        "png, palette": saved("P", "PNG", transparency=3),
        "png, 1 bit": saved("1", "PNG"),
        "png, 16 bits": encode_png16(deep, metadata=png_chunks_of(NO_METADATA, icc_profile=adobe_profile, exif=None)),
        "png, 16 bits, grey": encode_png16(deep[..., :1]),
        "tiff": encode_tiff(colours(), icc_profile=None, exif=None, metadata=NO_METADATA),
        "tiff, 16 bits": encode_tiff(deep, icc_profile=table_profile, exif=None, metadata=NO_METADATA),
        "tiff, premultiplied": premultiplied.getvalue(),
        "tiff, cmyk": saved("CMYK", "TIFF"),
        "webp": saved("RGBA", "WEBP", exif=turned),
        "webp, lossless": saved("RGB", "WEBP", lossless=True, icc_profile=adobe_profile),
        "avif": saved("RGBA", "AVIF", exif=turned, icc_profile=adobe_profile),
        "gif": saved("P", "GIF"),
        "bmp": saved("RGB", "BMP"),
        "heic": (DATA / "quadrants-turned.heic").read_bytes(),
        "heic, 10 bits": (DATA / "ramp-10bit.heic").read_bytes(),
        "heic, poison": poison_heic(),
        "tile": huge_tile(),
        "passes": many_passes(16, 101),
        "canvas": webp_of(16000, 16000),
        "text": b"no picture",
        "nothing": b"",
    }
    unread = {"jpeg, cut", "heic, poison", "tile", "passes", "canvas", "text", "nothing"}
    kinds = set()
    for name, data in files.items():
        path = tmp_path / "file"
        path.write_bytes(data)
        found = [compared(pool, source, caplog) for source in (data, path, io.BytesIO(data))]
        assert [image is None for image in found] == [name in unread] * 3, name
        kinds.add(name.partition(",")[0].upper())
    assert kinds >= {name.upper().replace("HEIF", "HEIC") for name in FORMATS_READ}


@pytest.mark.filterwarnings("ignore")  # what Pillow remarks on damaged metadata goes to the log from another process
def test_the_shared_cases_are_the_same(pool: DecoderPool, caplog: pytest.LogCaptureFixture, shared: Path) -> None:
    for path in sorted((shared / "cases").iterdir()):
        if path.suffix == ".md" or "_ESC_" in path.name or "_bomb_" in path.name:
            continue
        compared(pool, path, caplog)


def test_pictures_keep_their_samples_when_the_memory_is_used_again(adobe_profile: bytes) -> None:
    with DecoderPool(processes=1) as pool:
        sources = [saved("RGBA", "PNG", icc_profile=adobe_profile), saved("L", "PNG"), saved("RGB", "WEBP")]
        images = [pool.read(source) for source in sources]
        for source, image in zip(sources, images, strict=True):
            same(image, read_image(source))


def test_threads_have_a_process_each(pool: DecoderPool, adobe_profile: bytes) -> None:
    sources = [saved("RGB", "JPEG", icc_profile=adobe_profile, quality=quality) for quality in range(40, 80)]
    wanted = [read_image(source) for source in sources]
    with ThreadPoolExecutor(6) as threads:
        for image, other in zip(threads.map(pool.read, sources), wanted, strict=True):
            same(image, other)
    assert 2 <= len(children_of(pool)) <= 4


def children_of(pool: DecoderPool) -> list[int]:
    return [child.pid for child in pool._idle]


# --- files that end a process -----------------------------------------------------------------------------------------

_ON_DEMAND = """
import os, signal, likeness.imaging.decode as decode
real = decode.decode_samples
def crashing(stream, *, kind, name, max_pixels):
    if "crash" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "bug" in name:
        raise AttributeError("no such thing")
    return real(stream, kind=kind, name=name, max_pixels=max_pixels)
decode.decode_samples = crashing
"""


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> Generator[DecoderPool]:
    """A pool whose real processes crash over files of the name "crash"."""
    program = process._PROGRAM.replace("from likeness", f"{_ON_DEMAND}\nfrom likeness", 1)
    monkeypatch.setattr(process, "_PROGRAM", program)
    with DecoderPool(processes=2) as made:
        yield made


def test_a_file_that_crashes_its_decoder_is_told_in_one_sentence(crashing: DecoderPool, astronaut_file: Path) -> None:
    for _ in range(2):
        with pytest.raises(
            ImageReadError, match=r"^crash\.jpg crashes the JPEG decoder \(signal 11\); the file is damaged, or made"
        ):
            crashing.read(astronaut_file, name="crash.jpg")
        same(crashing.read(astronaut_file), read_image(astronaut_file))


def test_an_error_that_nobody_foresaw_is_told_with_its_lines(crashing: DecoderPool, astronaut_file: Path) -> None:
    with pytest.raises(RuntimeError, match="AttributeError: no such thing") as caught:
        crashing.read(astronaut_file, name="bug.jpg")
    assert "crashing" in str(caught.value.__cause__)
    same(crashing.read(astronaut_file), read_image(astronaut_file))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_process_that_is_killed_while_it_reads_is_replaced(number: int, astronaut_file: Path) -> None:
    with DecoderPool(processes=1) as pool:
        pool.read(astronaut_file)
        (child,) = children_of(pool)
        os.kill(child, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(pool.read, astronaut_file)
            time.sleep(0.2)
            assert not reading.done()
            os.kill(child, number)
            os.kill(child, signal.SIGCONT)
            same(reading.result(30), read_image(astronaut_file))
        assert children_of(pool) != [child]


def test_a_process_that_died_between_two_pictures_is_replaced(astronaut_file: Path) -> None:
    with DecoderPool(processes=1) as pool:
        pool.start()
        (child,) = children_of(pool)
        os.kill(child, signal.SIGKILL)
        assert pool.read(astronaut_file).size.width == 256


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, astronaut_file: Path) -> None:
    path = slow_file(tmp_path)
    with DecoderPool(processes=1, limits=DecoderLimits(seconds=0.2)) as pool:
        pool.read(astronaut_file)
        (child,) = children_of(pool)
        with pytest.raises(
            ImageReadError, match=r"slow\.jpg took more than 0\.2 s of processor time to read; the file"
        ):
            pool.read(path)
        assert not running(child)
        assert children_of(pool) == []


@pytest.mark.parametrize("pause", [1.2, None])
def test_a_machine_that_is_busy_is_no_fault_of_the_file(pause: float | None, astronaut_file: Path) -> None:
    """A process that gets no time from the machine uses up none of its own, and who waits for it does so for long."""
    patience = 60.0 if pause else 0.5
    with DecoderPool(processes=1, limits=DecoderLimits(seconds=0.5, patience=patience)) as pool:
        pool.start()
        (child,) = children_of(pool)
        pool.read(astronaut_file)
        os.kill(child, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(pool.read, astronaut_file, name="good.jpg")
            if pause is None:
                with pytest.raises(
                    DecoderError, match=r"good\.jpg could not be decoded within 0\.5 s: the machine is too busy, or"
                ):
                    reading.result(30)
                assert not running(child)
                return
            time.sleep(pause)
            os.kill(child, signal.SIGCONT)
            same(reading.result(30), read_image(astronaut_file))
        assert children_of(pool) == [child]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_a_file_that_takes_too_much_memory_is_given_up(tmp_path: Path, astronaut_file: Path) -> None:
    path = tmp_path / "large.png"
    PillowImage.new("RGBA", (5000, 5000)).save(path, compress_level=1)
    with DecoderPool(processes=1, limits=DecoderLimits(room_per_pixel=1)) as pool:
        sentence = r"large\.png needs more than \d+ MB of memory to be read, far more than its 25\.0 megapixels should"
        with pytest.raises(ImageReadError, match=sentence):
            pool.read(path)
        same(pool.read(astronaut_file), read_image(astronaut_file))


def test_a_file_has_no_more_memory_than_its_pixels_explain(tmp_path: Path) -> None:
    """The defaults leave room for every layout: this one takes most."""
    deep = _RNG.integers(0, 65536, (1000, 1500, 4), np.uint16)
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, deep, photometric="rgb", extrasamples=["assocalpha"])
    with DecoderPool(limits=DecoderLimits(room=16 << 20)) as pool:
        same(pool.read(path), read_image(path))


def test_only_the_formats_that_are_wanted_are_read(astronaut_file: Path) -> None:
    with DecoderPool(limits=DecoderLimits(formats=frozenset({"PNG", "HEIF"}))) as pool:
        assert pool.read(DATA / "quadrants-turned.heic").size.width == 48
        with pytest.raises(ImageReadError, match="is JPEG, which is not accepted here; send it as one of HEIF, PNG"):
            pool.read(astronaut_file)
    for formats in (frozenset[str](), frozenset({"SVG"})):
        with pytest.raises(ConfigError, match="formats must be some of AVIF, BMP"):
            DecoderLimits(formats=formats)


def test_limits_that_are_none_are_refused() -> None:
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="seconds must be more than 0"):
            DecoderLimits(seconds=seconds)
        with pytest.raises(ConfigError, match="patience must be more than 0"):
            DecoderLimits(patience=seconds)
    with pytest.raises(ConfigError, match="room"):
        DecoderLimits(room=0)
    with pytest.raises(ConfigError, match="at least 1 process"):
        DecoderPool(processes=0)
    with pytest.raises(ConfigError, match="max_pixels must be at least 1"), DecoderPool() as pool:
        pool.read(b"", max_pixels=0)


def test_a_process_that_cannot_start_is_no_fault_of_a_picture(
    monkeypatch: pytest.MonkeyPatch, astronaut_file: Path
) -> None:
    with DecoderPool() as pool:
        monkeypatch.setattr(process, "_PROGRAM", "import there_is_no_such_module")
        with pytest.raises(DecoderError, match=r"did not start .*there_is_no_such_module.*; try again"):
            pool.read(astronaut_file)
        monkeypatch.setattr(sys, "executable", "/there/is/no/python")
        with pytest.raises(DecoderError, match="cannot be started"):
            pool.read(astronaut_file)
        monkeypatch.undo()
        assert pool.read(astronaut_file).size.width == 256


# --- what a process has of its owner ----------------------------------------------------------------------------------


def run(code: str, *arguments: object, stdio: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python program of its own; with ``stdio`` its standard streams are closed."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    if stdio:
        command = ["/bin/sh", "-c", f'exec "$@" {stdio}', "sh", *command]
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        command, env={"PYTHONPATH": paths, **environment}, cwd=_HERE, capture_output=True, text=True, timeout=60
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_process_has_nothing_of_its_owner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, astronaut_file: Path
) -> None:
    monkeypatch.setenv("LIKENESS_API_KEY", "a key that is nobody's matter")
    journal = (tmp_path / "journal").open("wb")
    os.set_inheritable(journal.fileno(), True)
    with journal, DecoderPool(processes=1) as pool:
        pool.read(astronaut_file)
        (child,) = children_of(pool)
        there = Path(f"/proc/{child}")
        assert b"LIKENESS" not in (there / "environ").read_bytes()
        names = [str(entry.readlink()) for entry in (there / "fd").iterdir()]
        files = [name for name in names if name.startswith("/") and name != "/dev/null" and "memfd" not in name]
        assert files == []
        assert len(names) <= 7
        limits = (there / "limits").read_text(encoding="ascii")
        assert [line.split()[4] for line in limits.splitlines() if "file size" in line or "core file" in line] == [
            "0",
            "0",
        ]
        assert (there / "oom_score_adj").read_text(encoding="ascii").strip() == "1000"
        assert int(next(line.split()[3] for line in limits.splitlines() if "data size" in line)) < 600 << 20
        assert os.getsid(child) != os.getsid(0)


_OWNER = """\
import os, sys, threading, time
from likeness.imaging.decoding.pool import DecoderPool
pool = DecoderPool()
pool.read(sys.argv[1])
child = pool._idle[0].pid
print(child, flush=True)
if sys.argv[2] == "reading":
    threading.Thread(target=pool.read, args=(sys.argv[3],), daemon=True).start()
    time.sleep(0.1)
if sys.argv[2] == "end":
    sys.exit()
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["end", "idle", "reading"])
def test_no_process_outlives_its_owner(how: str, tmp_path: Path, astronaut_file: Path) -> None:
    ended = run(_OWNER, astronaut_file, how, slow_file(tmp_path))
    assert ended.returncode == (0 if how == "end" else -9), ended.stderr
    assert ended.stderr == ""
    until = time.monotonic() + 1
    while running(int(ended.stdout)):
        assert time.monotonic() < until
        time.sleep(0.01)


def running(number: int) -> bool:
    status = Path(f"/proc/{number}/stat")
    if sys.platform != "linux":
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return False
        return True
    try:
        return status.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


_READS = """\
import sys
from pathlib import Path
from likeness.imaging.decoding.pool import DecoderPool
from likeness.errors import ImageReadError
with DecoderPool() as pool:
    size = pool.read(sys.argv[1]).size
    try:
        pool.read(sys.argv[2])
    except ImageReadError as error:
        Path(sys.argv[3]).write_text(f"{size} {error}")
"""


@pytest.mark.parametrize("stdio", ["<&-", "<&- >&-", "<&- >&- 2>&-"])
def test_it_works_without_a_home_and_with_closed_streams(stdio: str, tmp_path: Path, astronaut_file: Path) -> None:
    poison = tmp_path / "poison.heic"
    poison.write_bytes(poison_heic())
    ended = run(_READS, astronaut_file, poison, tmp_path / "said", stdio=stdio)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ended.stderr == ""
    assert (tmp_path / "said").read_text().startswith(f"256x256 {poison} is HEIC but")


_FORKS = """\
import os, sys
from likeness.imaging.decoding.pool import DecoderPool
pool = DecoderPool()
pool.read(sys.argv[1])
before = pool._idle[0].pid
number = os.fork()
if not number:
    pool.read(sys.argv[1])
    sys.exit(pool._idle[0].pid == before)
_, status = os.waitpid(number, 0)
pool.read(sys.argv[1])
print(status, pool._idle[0].pid == before)
"""


def test_a_fork_gets_processes_of_its_own(astronaut_file: Path) -> None:
    ended = run(_FORKS, astronaut_file)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0 True\n", "")


_CHATTER = """\
import sys
from likeness.imaging.decoding import process
chatter = '''
import ctypes, likeness.imaging.decode as decode
real, libc = decode.decode_samples, ctypes.CDLL(None)
def chattering(*arguments, **named):
    libc.write(2, b"x" * 9000, 9000)
    return real(*arguments, **named)
decode.decode_samples = chattering
'''
process._PROGRAM = process._PROGRAM.replace("from likeness", chatter + "from likeness", 1)
from likeness.imaging.decoding.pool import DecoderPool
with DecoderPool(processes=1) as pool:
    for _ in range(20):
        pool.read(sys.argv[1])
print("done")
"""


def test_what_libraries_say_reaches_nobody_and_stops_nothing(astronaut_file: Path) -> None:
    ended = run(_CHATTER, astronaut_file)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_shared_memory_by_name_serves_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    from likeness.imaging.decoding import wire

    monkeypatch.setattr(wire, "_make", wire._make_named)
    before = sorted(Path("/dev/shm").iterdir()) if sys.platform == "linux" else []
    with DecoderPool(processes=1) as pool:
        data = saved("RGBA", "PNG")
        same(pool.read(data), read_image(data))
        assert not before or sorted(Path("/dev/shm").iterdir()) == before


def test_a_message_makes_nothing_but_plain_values() -> None:
    import pickle

    from likeness.imaging.decoding.wire import WireError, unpack

    for value in (os.system, subprocess.Popen, DecoderPool, threading.Lock):
        with pytest.raises(WireError):
            unpack(pickle.dumps(value, 5))
    assert unpack(pickle.dumps({"a": (1, "b", b"c", None, 2.0)}, 5)) == {"a": (1, "b", b"c", None, 2.0)}
