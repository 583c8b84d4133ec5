"""Routes for jobs: many pictures, worked on in the background, looked at and fetched when one likes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, Response, StreamingResponse

from likeness.batch.journal import Item
from likeness.errors import ConfigError, ControlError, LikenessError, ServerBusyError
from likeness.messages.notice import Notice
from likeness.server.api.forms import errors, form_schema, picture_answers
from likeness.server.api.requests import FIELDS, RestoreRequest, field_values, read_json
from likeness.server.api.restoring import MOST_REFERENCES, ready
from likeness.server.api.versions import Version
from likeness.server.api.video_requests import VideoRequest, video_values
from likeness.server.http.names import attachment, safe_names
from likeness.server.http.problems import ProblemError, full_disk_told
from likeness.server.http.state import State, client_of
from likeness.server.http.uploads import FormLimits, receive_form
from likeness.server.http.waiting import in_turn, run_in_turn
from likeness.server.jobs.answers import (
    JobAnswer,
    PictureAnswer,
    PictureDetails,
    answer_of,
    details,
    picture_answer,
    summary_of,
)
from likeness.server.jobs.archive import zipped
from likeness.server.jobs.folders import number_of
from likeness.server.jobs.jobs import Jobs
from likeness.server.jobs.shown import result_version, smaller, view
from likeness.server.jobs.videos import is_video
from likeness.video.container import MEDIA_TYPES

__all__ = [
    "LINKS",
    "JobId",
    "JobsOf",
    "Number",
    "ResultVersion",
    "again",
    "create",
    "delete",
    "download",
    "events",
    "jobs_router",
    "look",
    "original",
    "picture",
    "result",
    "thumbnail",
]

jobs_router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

ResultVersion = Annotated[
    Literal["original", "web", "print"],
    Query(
        description="`original`: as it was restored. `web`: 1080 px, sRGB, without metadata. `print`: 1.5 times as wide and "
        "high, 300 dpi, TIFF."
    ),
]

_SMALL = 256
"""Longer side of the small pictures that a job keeps, px."""

_POLL_SECONDS = 0.5
_STREAMS = 16
"""Streams of events of one address: for each the journal is read twice a second."""

_SILENCE_SECONDS = 15.0
"""Proxies close streams on which nothing happens."""


def _jobs(request: Request) -> Jobs:
    return cast(Jobs, request.app.state.jobs)


JobsOf = Annotated[Jobs, Depends(_jobs)]
JobId = Annotated[
    str, PathParameter(pattern="^[0-9a-f]{32}$", description="From the answer to POST /v1/jobs.", examples=["0" * 32])
]
Number = Annotated[int, PathParameter(ge=0, le=99999, description="The picture's number in the job, from 0.")]


_OVERRIDES: dict[str, Any] = {
    "type": "object",
    "patternProperties": {
        "^[0-9]{1,5}$": {"type": "object", "properties": FIELDS, "additionalProperties": False},
    },
    "additionalProperties": False,
    "description": "Fields for single pictures, by number: a JSON object of objects.",
    "examples": [{"0": {"preset": "film-scan", "strength": 0.5}}],
}


_PICTURE = {"job": "$response.body#/id", "number": 0}

LINKS: dict[str, Any] = {
    name: {"operationId": name, "description": text, "parameters": parameters}
    for name, text, parameters in (
        ("getJob", "How far it is.", {"job": "$response.body#/id"}),
        ("getJobEvents", "The same, as it happens.", {"job": "$response.body#/id"}),
        ("getJobZip", "Its results as one file.", {"job": "$response.body#/id"}),
        ("getJobPicture", "Its first picture.", _PICTURE),
        ("restoreJobPictureAgain", "Its first picture once more.", _PICTURE),
        ("getJobPictureOriginal", "Its first picture as it came.", _PICTURE),
        ("getJobPictureResult", "Its first result.", _PICTURE),
        ("getJobPictureThumbnail", "Its first picture, small.", {**_PICTURE, "side": "after"}),
        ("deleteJob", "End and delete it.", {"job": "$response.body#/id"}),
    )
}
"""Where the answer to a new job leads."""


@jobs_router.post(
    "",
    summary="Restore many pictures in the background",
    operation_id="createJob",
    status_code=202,
    responses={202: {"links": LINKS}, **errors(415, 422, 429, 507)},
    openapi_extra=form_schema(
        {"files": "The pictures."},
        optional_files={
            "references": "Other photographs of the persons in the pictures, which lend their detail to the faces they fit."
        },
        many={"files": None, "references": MOST_REFERENCES},
        fields={**FIELDS, "overrides": _OVERRIDES},
        example={"preset": "film-scan", "overrides": {"0": {"strength": 0.5}}},
    ),
)
async def create(request: Request, response: Response, state: State, jobs: JobsOf) -> JobAnswer:
    """The fields are those of POST /v1/restore and hold for every picture, and so do the references.

    What was answered with 202 survives a restart.
    """
    settings = state.settings
    with full_disk_told(), state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        job, folder = await to_thread.run_sync(jobs.reserve)
        try:
            limits = FormLimits(
                files={"files": settings.max_files, "references": MOST_REFERENCES},
                file_bytes=settings.max_upload,
                total_bytes=settings.max_request,
            )
            form = await receive_form(request, limits, account, folder=folder)
            pictures = await to_thread.run_sync(jobs.sort, job, form.files)
            requests = _requests(form.fields, len(pictures))
            # What cannot serve is told now, and not for each picture.
            others = jobs.references(job, trusted=requests[0].trust_references)
            if others is not None:
                await run_in_turn(request, state, ticket, lambda: ready(state, others), kind="job")
            await to_thread.run_sync(jobs.begin, job, pictures, requests)
        except BaseException:
            await to_thread.run_sync(jobs.discard, job)
            raise
    response.headers["Location"] = f"/v1/jobs/{job}"
    return await to_thread.run_sync(answer_of, jobs, job, settings.keep_hours)


@jobs_router.get("/{job}", summary="How far a job is", operation_id="getJob", responses=errors(404, 422))
def look(job: JobId, state: State, jobs: JobsOf) -> JobAnswer:
    """The job and each of its pictures."""
    return answer_of(jobs, job, state.settings.keep_hours)


@jobs_router.delete(
    "/{job}", summary="Delete a job", operation_id="deleteJob", status_code=204, responses=errors(404, 422)
)
def delete(job: JobId, jobs: JobsOf) -> None:
    """Its pictures and results are gone at once; what is being worked on ends without a trace."""
    jobs.delete(job)


@jobs_router.get(
    "/{job}/events",
    summary="Progress, as it happens",
    operation_id="getJobEvents",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **errors(404, 422, 429)},
)
async def events(job: JobId, request: Request, state: State, jobs: JobsOf) -> StreamingResponse:
    """Server-sent events: `picture` for each change of one, `progress` for the job, and `end` when all are done."""
    await to_thread.run_sync(jobs.items, job)
    client = client_of(request)
    if state.streams[client] >= _STREAMS:
        raise ServerBusyError(
            Notice("busy.watching", {"count": _STREAMS}),
            retry_after=5,
        )

    async def stream() -> AsyncGenerator[str]:
        state.streams[client] += 1
        try:
            async for event in updates():
                yield event
        finally:
            state.streams[client] -= 1
            if not state.streams[client]:
                del state.streams[client]

    async def updates() -> AsyncGenerator[str]:
        told: dict[int, PictureAnswer] = {}
        last = time.monotonic()
        yield "retry: 2000\n\n"
        while not state.closing.is_set():
            try:
                items = await to_thread.run_sync(jobs.items, job)
            except ProblemError:  # deleted
                yield _event("end", {"id": job, "state": "deleted"})
                return
            answers = [picture_answer(jobs, item) for item in items]
            changed = [picture for picture in answers if told.get(picture.number) != picture]
            summary = summary_of(job, jobs.progress(items), state.settings.keep_hours)
            for picture in changed:
                told[picture.number] = picture
                yield _event("picture", picture.model_dump(mode="json"))
            if changed:
                yield _event("progress", summary)
                last = time.monotonic()
            if summary["state"] == "done":
                yield _event("end", summary)
                return
            if time.monotonic() - last > _SILENCE_SECONDS:
                yield ": still here\n\n"
                last = time.monotonic()
            await asyncio.sleep(_POLL_SECONDS)

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@jobs_router.get(
    "/{job}/zip",
    summary="All results as one file",
    operation_id="getJobZip",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        **errors(404, 409, 422),
    },
)
def download(job: JobId, state: State, jobs: JobsOf, version: ResultVersion = "original") -> StreamingResponse:
    """What is done so far, with `report.json`, which lists the others as well. 409 while there is nothing.

    Versions for the screen and for paper are made while they are sent. Of a picture that cannot be made so (a print that
    would be too large), the report says why under `left_out`.
    """
    items = jobs.items(job)
    results = [(item, jobs.result(item)[0]) for item in items if item.state in ("final", "review")]
    if not results:
        raise ProblemError("no-result", "no picture of this job has a result yet")
    left_out: dict[int, str] = {}

    def entries() -> Generator[tuple[str, float, Path | bytes]]:
        if version == "original":
            yield from ((item.target, item.changed, path) for item, path in results)
            return
        kind: Version = version
        names = safe_names([f"{Path(item.target).stem}_{version}.x" for item, _ in results], [""] * len(results))
        for (item, _), name in zip(results, names, strict=True):
            try:
                # Behind what somebody waits for on the screen.
                made = state.pool.submit_background(lambda item=item: result_version(state, jobs, item, kind)).result()
            except (LikenessError, ProblemError) as error:
                left_out[number_of(item)] = str(error)
                continue
            yield f"{name}.{made.suffix}", item.changed, made.data

    def report() -> str:
        told = [
            {**details(jobs, item).model_dump(mode="json"), "left_out": left_out.get(number_of(item), "")}
            for item in items
        ]
        return json.dumps(told, ensure_ascii=False, indent=2)

    return StreamingResponse(
        zipped(entries(), report),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="likeness-{job[:8]}.zip"'},
    )


@jobs_router.get(
    "/{job}/pictures/{number}", summary="One picture of a job", operation_id="getJobPicture", responses=errors(404, 422)
)
def picture(job: JobId, number: Number, jobs: JobsOf) -> PictureDetails:
    """With its options and, once it is restored, its report."""
    return details(jobs, jobs.item(job, number))


@jobs_router.post(
    "/{job}/pictures/{number}",
    summary="Restore one picture again, in another way",
    operation_id="restoreJobPictureAgain",
    status_code=202,
    responses=errors(404, 415, 422, 429),
    openapi_extra=form_schema({}, example={"preset": "natural", "strength": 0.6}),
)
async def again(job: JobId, number: Number, request: Request, state: State, jobs: JobsOf) -> PictureDetails:
    """The fields replace what was asked for before; the same fields change nothing. Its name and format stay."""
    with state.pool.admit(client_of(request)), state.upload_memory.account() as account:
        item = await to_thread.run_sync(jobs.item, job, number)
        form = await receive_form(request, FormLimits(files={}, file_bytes=1, total_bytes=1 << 20), account)
        wanted = _wanted_again(item, form.fields)
        return details(jobs, await to_thread.run_sync(jobs.again, job, number, wanted))


def _wanted_again(item: Item, fields: Mapping[str, str]) -> RestoreRequest | VideoRequest:
    if is_video(item):
        values = video_values(fields)
        if "codec" in values:
            raise ConfigError(Notice("job.format-stays"))
        kept = {"codec": item.options["codec"]} if "codec" in item.options else {}
        return VideoRequest.of({**values, **kept})
    values = field_values(fields)
    if "format" in values:
        raise ConfigError(Notice("job.format-stays"))
    kept = {"format": item.options["format"]} if "format" in item.options else {}
    return RestoreRequest.of({**values, **kept})


@jobs_router.get(
    "/{job}/pictures/{number}/result",
    summary="One result",
    operation_id="getJobPictureResult",
    response_class=FileResponse,
    responses={200: picture_answers("The picture."), **errors(404, 409, 413, 422, 429)},
)
async def result(
    job: JobId,
    number: Number,
    request: Request,
    state: State,
    jobs: JobsOf,
    version: ResultVersion = "original",
) -> Response:
    """The restored picture as a file; 409 while there is none."""
    item = await to_thread.run_sync(jobs.item, job, number)
    path, media_type = jobs.result(item)
    if version == "original":
        return FileResponse(path, media_type=media_type, filename=item.target)
    made = await in_turn(request, state, lambda: result_version(state, jobs, item, version), kind="version")
    name = f"{Path(item.target).stem}_{version}.{made.suffix}"
    return Response(made.data, media_type=made.media_type, headers=attachment(name))


@jobs_router.get(
    "/{job}/pictures/{number}/original",
    summary="One picture as it came",
    operation_id="getJobPictureOriginal",
    response_class=FileResponse,
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
        **errors(404, 422),
    },
)
def original(job: JobId, number: Number, jobs: JobsOf) -> FileResponse:
    """The file that was sent, under the name of its result without a suffix."""
    item = jobs.item(job, number)
    kind = MEDIA_TYPES[Path(item.target).suffix] if is_video(item) else "application/octet-stream"
    return FileResponse(jobs.original(item), media_type=kind, filename=Path(item.target).stem)


@jobs_router.get(
    "/{job}/pictures/{number}/thumbnails/{side}",
    summary="A small picture",
    operation_id="getJobPictureThumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        **errors(404, 409, 422, 429),
    },
)
async def thumbnail(
    job: JobId,
    number: Number,
    side: Literal["before", "after"],
    request: Request,
    state: State,
    jobs: JobsOf,
    longest: Annotated[int, Query(ge=_SMALL, le=2048, description="Pixels of the longer side at most.")] = _SMALL,
) -> Response:
    """As wide and high as is asked for, at most; 409 while there is none."""
    item = await to_thread.run_sync(jobs.item, job, number)
    if longest > _SMALL and not is_video(item):
        data = await in_turn(request, state, lambda: view(state, jobs, item, side, longest), kind="version")
    else:
        found = await to_thread.run_sync(jobs.thumbnails, item)
        data = found.before if side == "before" else found.after or found.before
        if is_video(item):
            kept = data
            data = await in_turn(request, state, lambda: smaller(state, kept, longest), kind="version")
    return Response(data, media_type="image/jpeg")


def _requests(given: Mapping[str, str], count: int) -> list[RestoreRequest]:
    """What is to be done to each of a form's pictures, from its fields.

    Raises:
        ProblemError: without a picture.
        ConfigError, ControlError: for fields that cannot be used.
    """
    if not count:
        raise ProblemError("file-missing", 'the form has no file in its field "files"')
    fields = dict(given)
    overrides = _overrides(fields.pop("overrides", "{}"), count)
    values = field_values(fields)
    common = RestoreRequest.of(values)
    found: list[RestoreRequest] = []
    for number in range(count):
        if number not in overrides:
            found.append(common)
            continue
        try:
            found.append(RestoreRequest.of({**values, **overrides[number]}))
        except ConfigError as error:
            raise ConfigError(_of_picture(number, error)) from None
        except ControlError as error:
            raise ControlError(_of_picture(number, error)) from None
    return found


def _of_picture(number: int, error: LikenessError) -> Notice:
    return Notice("job.of-picture", {"number": number, "reason": error.notice})


def _overrides(text: str, count: int) -> dict[int, dict[str, Any]]:
    what = Notice("job.overrides")
    try:
        read: Any = read_json(text)
    except ValueError:
        raise ConfigError(what) from None
    if not isinstance(read, dict):
        raise ConfigError(what)
    found: dict[int, dict[str, Any]] = {}
    for number, values in cast("dict[str, Any]", read).items():
        if not (number.isascii() and number.isdecimal() and len(number) < 6 and isinstance(values, dict)):
            raise ConfigError(what)
        if int(number) >= count:
            raise ConfigError(Notice("job.override-unknown", {"index": int(number), "count": count}))
        if int(number) in found:
            raise ConfigError(Notice("job.override-twice", {"index": int(number)}))
        found[int(number)] = cast("dict[str, Any]", values)
    return found


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
