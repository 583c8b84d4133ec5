"""The results of ``likeness batch`` as its journal tells of them: which picture became which, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from likeness.batch.groups import PICTURES
from likeness.batch.journal import Item, Journal, State
from likeness.batch.results import is_as_written
from likeness.batch.storage import is_url
from likeness.core.hashing import sha256_of
from likeness.core.home import expanded
from likeness.core.outputs import FINAL, JOURNAL, REVIEW
from likeness.messages.notice import Notice
from likeness.studio.pairs import Pair
from likeness.studio.reports import Report, batch_record, read_report

__all__ = [
    "BatchResults",
    "journal_around",
    "journal_of",
    "read_batch",
    "report_around",
    "report_at",
    "withheld",
]

_BECAME: dict[State, str] = {
    "queued": "deliver.waits",
    "running": "deliver.waits",
    "review": "deliver.in-review",
    "skipped": "deliver.left-alone",
    "failed": "deliver.failed",
}


@dataclass(frozen=True, kw_only=True)
class BatchResults:
    """What a journal says of the pictures that were asked for.

    Attributes:
        pairs: pictures with a result of now in ``final``, in the order of the run. Empty if none of the run's pictures is
            there any more, such as after they were moved.
        waiting: names of those without one, by what became of them.
        report: of the whole run.
        clients: whose the results are, by their files, as far as the run's list says.
    """

    pairs: tuple[Pair, ...]
    waiting: dict[str, tuple[str, ...]]
    report: Report
    clients: dict[Path, str]


def journal_of(path: Path) -> Path | None:
    """The journal that a folder of results holds, or that this file is; None if there is none."""
    if path.suffix == Path(JOURNAL).suffix and path.is_file():
        return path
    journal = path / JOURNAL
    return journal if journal.is_file() else None


def read_batch(journal: Path, before: Path, output: Path) -> BatchResults:
    """Read a journal.

    Args:
        journal: the file.
        before: pictures that count: a folder, a picture, or a CSV list, which means all.
        output: the folder of the results.

    Raises:
        BatchError: if it cannot be read.
    """
    with Journal(journal) as opened:
        items = list(opened.items(group=PICTURES))
    asked = [item for item in items if _is_asked(item, before)]
    pairs: list[Pair] = []
    waiting: dict[str, list[str]] = {}
    for item in asked:
        # Also what a person moved there from the folder review.
        after = output / FINAL / item.target
        if after.is_file() and not _is_earlier(item, after):
            pairs.append(Pair(before=expanded(item.source), after=after, inside=Path(item.target)))
        else:
            waiting.setdefault(item.state, []).append(item.source)
    return BatchResults(
        clients={output / FINAL / item.target: item.client for item in asked if item.client},
        pairs=tuple(pairs),
        waiting={state: tuple(names) for state, names in waiting.items()},
        report=Report(
            batch_record(item.source, {**item.outcome, "output": f"{FINAL}/{item.target}"}, output) for item in items
        ),
    )


def withheld(journal: Path) -> dict[Path, Notice]:
    """Places in ``final`` of pictures without a result that may go out, with what became of them: they wait, were left
    alone, or have failed. What lies there is an earlier run's; where a person laid something, it goes out.

    Raises:
        BatchError: if the journal cannot be read.
    """
    final = (journal.parent / FINAL).resolve()
    found: dict[Path, Notice] = {}
    with Journal(journal) as opened:
        for item in opened.items(group=PICTURES, states=tuple(_BECAME)):
            file = final / item.target
            if not file.is_file() or _is_earlier(item, file):
                found[file] = Notice(_BECAME[item.state])
    return found


def report_at(path: Path) -> Report:
    """What a report, a summary or a batch's journal says.

    Raises:
        ConfigError, BatchError: if it cannot be read.
    """
    journal = journal_of(path)
    return read_report(path) if journal is None else read_batch(journal, path, journal.parent).report


def journal_around(after: Path) -> Path | None:
    """Of the batch whose ``final`` this is, or in which a single result lies; None if it lies in none."""
    place = after.resolve()
    for folder in (place, *place.parents):
        journal = journal_of(folder.parent) if folder.name == FINAL else None
        if journal is not None:
            return journal
    return None


def report_around(after: Path) -> Report | None:
    """Of the batch of `journal_around`; None if there is none."""
    journal = journal_around(after)
    return None if journal is None else report_at(journal)


def _is_earlier(item: Item, file: Path) -> bool:
    """Whether what lies in ``final`` is what an earlier run made of a picture that waits to be done again or has failed
    since. What belongs in review, or to a picture left alone, was laid there by somebody who looked at it."""
    if item.state in (FINAL, REVIEW, "skipped"):
        return False
    return is_as_written(item.outcome, file.stat().st_size, sha256_of(file))


def _is_asked(item: Item, before: Path) -> bool:
    if is_url(item.source):
        return False
    source = expanded(item.source)
    if not source.is_file():
        return False
    if before.suffix.lower() == ".csv":
        return True
    place, wanted = source.resolve(), before.resolve()
    return place == wanted or wanted in place.parents
