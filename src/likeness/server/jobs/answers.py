"""What the routes of jobs answer."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Literal

from pydantic import BaseModel, Field

from likeness.batch.journal import Item
from likeness.batch.journal import State as ItemState
from likeness.messages.notice import Notice
from likeness.server.http.problems import NoticeAnswer
from likeness.server.jobs.folders import number_of
from likeness.server.jobs.jobs import Jobs, Progress
from likeness.server.jobs.videos import is_video

__all__ = [
    "JobAnswer",
    "JobSummary",
    "PictureAnswer",
    "PictureDetails",
    "answer_of",
    "details",
    "picture_answer",
    "summary_of",
]


class PictureAnswer(BaseModel):
    """One picture of a job, or its video."""

    number: int
    kind: Literal["picture", "video"]
    name: str = Field(
        description="Name of the result, safe for any file system; of a file that is no picture, its own.",
        examples=["aunt.jpg"],
    )
    state: ItemState = Field(
        description="queued, running; final, review (a face failed or came out bad), skipped (no face), failed."
    )
    reason: str = Field(
        description="Why it is in review, was skipped or failed, or what of it is worth a look or a guess; empty otherwise."
    )
    notice: NoticeAnswer | None = Field(description="The reason as code and values; null where there is none.")
    verdict: Literal["good", "look", "bad"] | None = Field(
        description="The worst verdict on its faces; null until it is restored, and of a video."
    )
    share: float | None = Field(description="How much of a video in work is done, 0 to 1; null of all else.")


class PictureDetails(PictureAnswer):
    """One picture of a job with what was asked for and what was done."""

    options: dict[str, Any] = Field(description="The form's fields as they were given.")
    report: dict[str, Any] | None = Field(description="As of POST /v1/restore; null until it is restored.")


class JobSummary(BaseModel):
    """How far a job is."""

    id: str
    state: Literal["working", "done"]
    total: int
    done: int
    counts: dict[ItemState, int]
    created: datetime
    ended: datetime | None
    deleted_at: datetime | None = Field(description="When it is deleted with its pictures; null while there is work.")
    seconds_left: float | None = Field(description="A guess from what is done; null without any.")


class JobAnswer(JobSummary):
    """A job with its pictures."""

    pictures: list[PictureAnswer]


def picture_answer(jobs: Jobs, item: Item) -> PictureAnswer:
    why = item.outcome.get("notice") or item.outcome.get("report", {}).get("notice")
    notice = NoticeAnswer(**Notice.of(item.reason, why).to_dict()) if item.reason else None
    return PictureAnswer(
        number=number_of(item),
        kind="video" if is_video(item) else "picture",
        name=item.target,
        state=item.state,
        reason=item.reason,
        notice=notice,
        verdict=item.outcome.get("report", {}).get("verdict"),
        share=jobs.share(item),
    )


def details(jobs: Jobs, item: Item) -> PictureDetails:
    report = item.outcome.get("report") if item.state in ("final", "review") else None
    options = {name: value for name, value in item.options.items() if name != "kind"}
    return PictureDetails(**picture_answer(jobs, item).model_dump(), options=options, report=report)


def summary_of(job: str, progress: Progress, keep_hours: float) -> dict[str, Any]:
    ended = progress.ended
    summary = JobSummary(
        id=job,
        state="working" if ended is None else "done",
        total=progress.total,
        done=progress.done,
        counts=dict(progress.counts),
        created=_moment(progress.created),
        ended=None if ended is None else _moment(ended),
        deleted_at=None if ended is None else _moment(ended + keep_hours * 3600),
        seconds_left=None if progress.seconds_left is None else round(progress.seconds_left, 1),
    )
    return summary.model_dump(mode="json")


def answer_of(jobs: Jobs, job: str, keep_hours: float) -> JobAnswer:
    items = jobs.items(job)
    return JobAnswer(
        **summary_of(job, jobs.progress(items), keep_hours), pictures=[picture_answer(jobs, item) for item in items]
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=0)
