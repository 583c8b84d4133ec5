"""Pictures that end the process they are worked on in, and processes that are killed: who is held to be guilty?"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from clips import moving_frames, write_clip

from likeness.batch.groups import VIDEOS
from likeness.batch.journal import Item, Journal, Task
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.image import Image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")

# The whole command, with a network that kills its process when it is asked about a dark face. Each picture that is begun
# and each that is written leaves a line.
_COMMAND = """
import os, signal, sys
import likeness.batch.network as network
from likeness.batch.work import PictureWorker
from likeness.cli import main
work = PictureWorker.work
def logged(self, item, handed=None):
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{os.getpid()} {item.target}\\n")
    return work(self, item, handed)
PictureWorker.work = logged
load = network.load_runtime
class Poisoned:
    def __init__(self, runtime):
        self._runtime = runtime
    def __getattr__(self, name):
        return getattr(self._runtime, name)
    def run(self, faces):
        if float(faces.mean()) < float(os.environ.get("DARK", -0.75)):
            os.kill(os.getpid(), signal.SIGKILL)
        return self._runtime.run(faces)
network.load_runtime = lambda *given, **named: Poisoned(load(*given, **named))
sys.exit(main(sys.argv[1:]))
"""

# A journal of a program's own, whose work is done in its own threads.
_OWN = """
import os, signal, sys
from pathlib import Path
from likeness.batch.journal import Journal
from likeness.batch.runner import run
from likeness.batch.work import Result
def work(item):
    if item.target == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return Result(state="final")
with Journal(Path(sys.argv[1])) as journal:
    for done in run(journal, work, workers=3):
        print(done.item.target, flush=True)
"""


def _inbox(folder: Path, astronaut: Image, count: int, *, poison: int | None = None) -> Path:
    folder.mkdir()
    for number in range(count):
        light = np.float32(0.12 if number == poison else 1 - number / 500)
        data = encode_image(Image(pixels=astronaut.pixels * light), "PNG")
        (folder / f"{number:03d}.png").write_bytes(data)
    return folder


def _command(inbox: Path, out: Path, model: Path) -> list[str]:
    flags = ["--model", str(model), "--threads", "1", "--no-guard", "--keep-projections", "0", "-q"]
    return [sys.executable, "-c", _COMMAND, "batch", str(inbox), str(out), *flags]


def _items(out: Path, group: str = "") -> dict[str, Item]:
    with Journal(out / "journal.sqlite") as journal:
        return {item.target: item for item in journal.items(group=group)}


def _states(items: Sequence[Item]) -> Counter[str]:
    return Counter(item.state for item in items)


def test_one_poison_among_five_costs_only_itself(tmp_path: Path, astronaut: Image, tiny_model: Path) -> None:
    inbox, out, log = _inbox(tmp_path / "in", astronaut, 5, poison=2), tmp_path / "out", tmp_path / "log"
    environment = {**os.environ, "LOG": str(log)}
    runs = [
        subprocess.run(_command(inbox, out, tiny_model), env=environment, capture_output=True, text=True)
        for _ in range(3)
    ]
    # Once it ends the whole process. After that it is alone, in a process of its own, and the command goes on.
    assert [run.returncode for run in runs] == [-signal.SIGKILL, 1, 1], runs[1].stderr
    assert "002.png" in runs[1].stderr
    assert "times without a result" in runs[1].stderr
    items = _items(out)
    assert {name: item.state for name, item in items.items()} == {
        f"{number:03d}.png": "failed" if number == 2 else "final" for number in range(5)
    }
    assert len(list((out / "final").iterdir())) == 4
    begun = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert begun["002.png"] == 3, "once beside others, twice alone"
    assert all(count <= 2 for name, count in begun.items() if name != "002.png")
    # It is tried again alone, and takes nothing with it.
    (inbox / "005.png").write_bytes((inbox / "004.png").read_bytes())
    again = subprocess.run(
        [*_command(inbox, out, tiny_model), "--retry-failed"], env=environment, capture_output=True, text=True
    )
    assert again.returncode == 1, again.stderr
    assert _states(list(_items(out).values())) == {"final": 5, "failed": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="processes of a core each are Linux's")
def test_a_poison_ends_one_of_the_processes_side_by_side(tmp_path: Path, astronaut: Image, tiny_model: Path) -> None:
    """In a single run: the process that died is started again, and the command goes on to its end."""
    inbox, out, log = _inbox(tmp_path / "in", astronaut, 5, poison=1), tmp_path / "out", tmp_path / "log"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    flags = ["--model", str(tiny_model), "--workers", "2", "--no-guard", "--keep-projections", "0", "-q"]
    run = subprocess.run(
        [sys.executable, "-c", _COMMAND, "batch", str(inbox), str(out), *flags],
        env={**os.environ, "LOG": str(log), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    assert "times without a result" in run.stderr
    assert {name: item.state for name, item in _items(out).items()} == {
        f"{number:03d}.png": "failed" if number == 1 else "final" for number in range(5)
    }
    lines = [line.split() for line in log.read_text().splitlines()]
    assert Counter(name for _, name in lines)["001.png"] == 3, "once beside others, twice alone"
    assert len({process for process, _ in lines}) >= 3
    assert not list(scratch.glob("likeness-*")), "the lock of large pictures stays behind"


@pytest.mark.skipif(sys.platform != "linux", reason="processes of a core each are Linux's")
def test_a_process_that_dies_after_a_video_is_started_again(tmp_path: Path, astronaut: Image, tiny_model: Path) -> None:
    """Videos have a network of their own, and from a process that has loaded one no other can be forked. One that ends the
    process of videos costs only itself as well."""
    hot, ready, out = _inbox(tmp_path / "in", astronaut, 2), tmp_path / "ready", tmp_path / "out"
    write_clip(hot / "film.mp4", moving_frames(astronaut, 3))
    _inbox(ready, astronaut, 4, poison=3)
    write_clip(ready / "dark.mp4", moving_frames(Image(pixels=astronaut.pixels * np.float32(0.4)), 3))
    flags = ["--model", str(tiny_model), "--workers", "2", "--no-guard", "--keep-projections", "0", "-q"]
    command = [sys.executable, "-c", "import likeness.batch.watch as w; w._STILL = 0.3" + _COMMAND]
    with subprocess.Popen(
        [*command, "batch", str(hot), str(out), "--watch", "0.1", *flags],
        env={**os.environ, "LOG": str(tmp_path / "log"), "DARK": "-0.5"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            _until(process, lambda: (out / "final" / "film.mp4").exists())
            for path in ready.iterdir():
                path.rename(hot / f"late-{path.name}")
            _until(process, lambda: _states(list(_items(out, VIDEOS).values()))["failed"] == 1)
            (hot / "last.png").write_bytes((hot / "000.png").read_bytes())
            _until(process, lambda: "last.png" in _items(out) and _items(out)["last.png"].state == "final")
        finally:
            process.terminate()
            said = process.communicate(timeout=60)[1]
    assert process.returncode == 1, said
    assert "forked" not in said
    for name in ("late-003.png", "late-dark.mp4"):
        assert name in said
    assert _states(list(_items(out).values())) == {"final": 6, "failed": 1}
    assert {name: item.state for name, item in _items(out, VIDEOS).items()} == {
        "film.mp4": "final",
        "late-dark.mp4": "failed",
    }


def _until(process: subprocess.Popen[str], true: Callable[[], bool]) -> None:
    latest = time.monotonic() + 120
    while not true():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < latest
        time.sleep(0.05)


def test_without_a_process_apart_a_poison_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    names = ["a", "b", "poison", "c", "d"]
    with Journal(path) as journal:
        journal.put(Task(target=name, source=name, content="", model="m") for name in names)
    statuses = [
        subprocess.run([sys.executable, "-c", _OWN, str(path)], capture_output=True).returncode for _ in range(4)
    ]
    assert statuses == [-signal.SIGKILL] * 3 + [0]
    with Journal(path) as journal:
        assert {item.target: item.state for item in journal.items()} == {
            name: "failed" if name == "poison" else "final" for name in names
        }


def _killed(inbox: Path, out: Path, model: Path, log: Path, *, kills: int, pictures: int, seed: int) -> str:
    """Kill the command so often at random moments, and let it end; what happened, in figures."""
    chance = random.Random(seed)
    environment = {**os.environ, "LOG": str(log)}
    finished: dict[str, float] = {}
    done_kills = 0
    while True:
        process = subprocess.Popen(
            _command(inbox, out, model), env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        lines = log.read_text().count("\n") if log.exists() else 0
        if done_kills < kills:
            # Once it is at work: from the first picture that it begins on.
            latest = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < latest:
                if log.exists() and log.read_text().count("\n") > lines:
                    break
                time.sleep(0.005)
            time.sleep(chance.choice((0, 0, 0.05, 0.3)) * chance.random())
            assert process.poll() is None, process.communicate()[1]
            # Sometimes all at once, sometimes only the one that was started.
            if chance.random() < 0.5:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            done_kills += 1
        said = process.communicate()[1]
        for item in _items(out).values():
            assert item.state in ("queued", "running", "final"), (item.target, item.state, item.reason)
            if item.state == "final":
                assert finished.setdefault(item.target, item.changed) == item.changed, f"{item.target} was done twice"
        if process.returncode != -signal.SIGKILL:
            break
    assert process.returncode == 0, said
    assert done_kills == kills
    items = _items(out)
    assert _states(list(items.values())) == {"final": pictures}
    assert {path.name for path in (out / "final").iterdir()} == set(items)
    assert not (out / "review").exists()
    assert all(read_image(out / "final" / name).size.width == 256 for name in items)
    begun = sum(item.attempts for item in items.values())
    return f"{kills} kills: {len(items)} of {pictures} final, none failed; begun {begun} times"


def test_killed_again_and_again_every_picture_comes_out_once(
    tmp_path: Path, astronaut: Image, tiny_model: Path
) -> None:
    inbox = _inbox(tmp_path / "in", astronaut, 6)
    _killed(inbox, tmp_path / "out", tiny_model, tmp_path / "log", kills=3, pictures=6, seed=1)


@pytest.mark.long
def test_forty_kills_condemn_nobody(
    tmp_path: Path, astronaut: Image, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = _inbox(tmp_path / "in", astronaut, 60)
    with capsys.disabled():
        sys.stdout.write(
            _killed(inbox, tmp_path / "out", tiny_model, tmp_path / "log", kills=40, pictures=60, seed=2) + "\n"
        )
