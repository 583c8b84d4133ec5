"""From what was typed to the proofs that are made: which pictures belong together, and which files are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from likeness.cli.batch_results import journal_around, journal_of, read_batch, report_around, report_at
from likeness.cli.plan import refuse_collisions
from likeness.core.home import expanded
from likeness.core.outputs import FINAL, PROOFS
from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.server.http.names import safe_names
from likeness.studio.pairs import Pair, match_pairs, short_names
from likeness.studio.proof_index import INDEX
from likeness.studio.reports import Report

__all__ = ["ProofJob", "ProofPlan", "plan_proofs"]

_SHEETS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

_WORDS = {"review": "in review", "skipped": "left alone", "failed": "failed", "final": "no longer in final"}


@dataclass(frozen=True, kw_only=True)
class ProofJob:
    """A pair, and what is made of it.

    Attributes:
        pair: the pictures.
        picture: what it is called: the photograph's name, with its folders where another has the same.
        client: whose it is; "" if nobody said.
        sheet, page: files; None for what is not wanted.
        index: the page that leads to this proof and others; None for a single one.
    """

    pair: Pair
    picture: str
    client: str
    sheet: Path | None
    page: Path | None
    index: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ProofPlan:
    """What will be made.

    Attributes:
        jobs: one of each pair.
        report: what is known of how the pictures were made, if anything.
        journal: of the batch that made them; None if none did.
        lonely: a sentence for each picture without a counterpart.
        waiting: pictures of a batch that have no result to show, such as "1 in review, 2 left alone"; "" for none.
    """

    jobs: tuple[ProofJob, ...]
    report: Report | None
    journal: Path | None
    lonely: tuple[str, ...]
    waiting: str


def plan_proofs(
    before: Path,
    after: Path,
    output: str | None,
    *,
    report: Path | None,
    sheet: str,
    page: bool,
    client: str = "",
    clients: Mapping[str, str] | None = None,
) -> ProofPlan:
    """Find the pairs and the names of their proofs. Nothing is written yet.

    Args:
        before: a picture, a folder, or the list that a batch was made from.
        after: a picture, or a folder of results. A batch's output is known by its journal, which then says what belongs
            together; without one, and where the batch's pictures were moved since, names do.
        output: a file or a folder, as typed.
        report: file of a run's report.
        sheet: suffix of sheets in a folder; "" for no sheets.
        page: whether pages are made.
        client: whose pictures they are where nothing else says so.
        clients: whose, by the name of the photograph's file; over what a batch's list said. In a folder of proofs each
            client has a folder, with a page of their own.

    Raises:
        ConfigError: if something does not exist, nothing matches, a name does not fit, or a picture or another proof would
            be overwritten.
        BatchError: if a journal cannot be read.
    """
    for path in (before, after):
        if not path.exists():
            raise ConfigError(Notice("file.not-there", {"path": str(path)}))
    told = None if report is None else report_at(report)
    journal = journal_of(after) if after.is_dir() else None
    batch = None if journal is None else read_batch(journal, before, after)
    if batch is not None and (batch.pairs or batch.waiting):
        pairs, lonely = batch.pairs, ()
        waiting = ", ".join(
            f"{len(names)} {_WORDS.get(state, 'not done yet')}" for state, names in batch.waiting.items()
        )
        if not pairs:
            raise ConfigError(
                Notice("cli.proof-no-result", {"before": str(before), "path": str(after / FINAL), "waiting": waiting})
            )
    elif before.suffix.lower() == ".csv":
        raise ConfigError(Notice("cli.proof-list", {"before": str(before), "after": str(after)}))
    else:
        found = match_pairs(before, after)
        pairs, waiting = found.matched, ""
        lonely = (
            *(f"{path} has no result in {after}" for path in found.without_after),
            *(f"{path} has no picture in {before}" for path in found.without_before),
        )
    typed = output or (str(after / PROOFS) if journal is not None else ".")
    target = expanded(typed)
    known = {} if batch is None else batch.clients
    named = [
        _Named(pair=pair, client=(clients or {}).get(pair.before.name) or known.get(pair.after) or client)
        for pair in pairs
    ]
    if target.suffix and not target.is_dir() and not typed.endswith("/"):
        jobs = [_single(named, target, bool(sheet), page)]
    else:
        jobs = _in_folders(named, target, sheet, page)
    refuse_collisions(
        (path for job in jobs for path in (job.pair.before, job.pair.after)),
        [(path, str(job.pair.before)) for job in jobs for path in (job.sheet, job.page) if path is not None],
    )
    return ProofPlan(
        jobs=tuple(jobs),
        report=told or (batch.report if batch is not None else report_around(after)),
        journal=journal or journal_around(after),
        lonely=lonely,
        waiting=waiting,
    )


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A pair, and whose it is."""

    pair: Pair
    client: str

    def job(self, sheet: Path | None, page: Path | None, *, index: Path | None = None, alike: bool = False) -> ProofJob:
        picture = self.pair.inside.as_posix() if alike else self.pair.before.name
        return ProofJob(pair=self.pair, picture=picture, client=self.client, sheet=sheet, page=page, index=index)


def _single(named: Sequence[_Named], output: Path, wants_sheet: bool, wants_page: bool) -> ProofJob:
    if len(named) > 1:
        raise ConfigError(Notice("cli.proof-file", {"output": str(output), "count": len(named)}))
    if not output.parent.is_dir():
        raise ConfigError(Notice("cli.proof-parent", {"output": str(output), "parent": str(output.parent)}))
    suffix = output.suffix.lower()
    if suffix in (".html", ".htm"):
        return named[0].job(None, output)
    if suffix not in _SHEETS:
        raise ConfigError(Notice("cli.proof-kind", {"output": str(output), "known": ", ".join(_SHEETS)}))
    page = output.with_suffix(".html") if wants_page else None
    return named[0].job(output if wants_sheet else None, page)


def _in_folders(named: Sequence[_Named], target: Path, sheet: str, page: bool) -> list[ProofJob]:
    """Each client's in a folder of that name, with a page that leads to all of them; the others in ``target`` itself."""
    labels = short_names([one.pair.inside for one in named])
    clients = list(dict.fromkeys(one.client for one in named if one.client))
    # A name may be anything; a folder's may not.
    folders = dict(
        zip(
            clients,
            safe_names([f"{client.replace('/', '-')}.x" for client in clients], [""] * len(clients)),
            strict=True,
        )
    )
    count = Counter(one.client for one in named)
    alike = Counter((one.client, one.pair.before.name) for one in named)
    jobs: list[ProofJob] = []
    for one, label in zip(named, labels, strict=True):
        folder = target / folders[one.client] if one.client else target
        base = folder / label.with_name(f"proof_{label.name}")
        jobs.append(
            one.job(
                base.with_name(f"{base.name}{sheet}") if sheet else None,
                base.with_name(f"{base.name}.html") if page else None,
                index=folder / INDEX if count[one.client] > 1 else None,
                alike=alike[one.client, one.pair.before.name] > 1,
            )
        )
    return jobs
