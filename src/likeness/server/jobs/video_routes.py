"""The route that takes a video; once it is taken, it is a job like any other (`likeness.server.jobs.routes`)."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from likeness.server.api.forms import errors, form_schema
from likeness.server.api.restoring import MOST_REFERENCES
from likeness.server.api.video_requests import VIDEO_FIELDS, VideoRequest, video_values
from likeness.server.http.problems import ProblemError, full_disk_told
from likeness.server.http.state import State, client_of
from likeness.server.http.uploads import FormLimits, receive_form
from likeness.server.http.waiting import run_in_turn
from likeness.server.jobs.answers import JobAnswer, answer_of
from likeness.server.jobs.routes import LINKS, JobsOf

__all__ = ["create_video", "videos_router"]

videos_router = APIRouter(prefix="/v1/videos", tags=["jobs"])

_FILES = {"file": "The video."}
_OPTIONAL: dict[str, str] = {
    "person": "A photograph of the one person in the video who is to be restored; the largest face in it counts.",
    "references": "Other photographs of the people in the video, which lend their detail to the faces they fit.",
}


@videos_router.post(
    "",
    summary="Restore a video in the background",
    operation_id="createVideo",
    status_code=202,
    responses={202: {"links": LINKS}, **errors(415, 422, 429, 501, 507)},
    openapi_extra=form_schema(
        _FILES,
        optional_files=_OPTIONAL,
        many={"references": MOST_REFERENCES},
        fields=VIDEO_FIELDS,
        example={"preset": "natural"},
    ),
)
async def create_video(request: Request, response: Response, state: State, jobs: JobsOf) -> JobAnswer:
    """A job with one video, which is its picture 0: looked at, watched, fetched and deleted as every job.

    The video is looked at before the answer: what is no video, too long, too large, or cannot be written as it is wanted
    is told at once.
    """
    settings = state.settings
    with full_disk_told(), state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        job, folder = await to_thread.run_sync(jobs.reserve)
        try:
            limits = FormLimits(
                files={"file": 1, "person": 1, "references": MOST_REFERENCES},
                file_bytes=settings.max_upload,
                own_bytes={"file": settings.max_video},
                total_bytes=settings.max_request,
            )
            form = await receive_form(request, limits, account, folder=folder)
            wanted = VideoRequest.of(video_values(form.fields))
            videos = await to_thread.run_sync(jobs.sort, job, form.files)
            if not videos:
                raise ProblemError("file-missing", 'the form has no file in its field "file"')
            suffix = await run_in_turn(request, state, ticket, lambda: jobs.look_at(job, videos[0], wanted), kind="job")
            await to_thread.run_sync(jobs.begin_video, job, videos[0], wanted, suffix)
        except BaseException:
            await to_thread.run_sync(jobs.discard, job)
            raise
    response.headers["Location"] = f"/v1/jobs/{job}"
    return await to_thread.run_sync(answer_of, jobs, job, settings.keep_hours)
