"""The application: everything that ``likeness serve`` answers to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Literal

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.middleware.cors import CORSMiddleware

from likeness.errors import LikenessError
from likeness.evidence.inspection import Inspector
from likeness.imaging.decoding.pool import DecoderLimits, DecoderPool
from likeness.models.catalog import DEFAULT_MODEL
from likeness.restore.pipeline import Restorer
from likeness.server.api.catalogue import catalogue_router
from likeness.server.api.forms import errors
from likeness.server.api.pictures import pictures_router
from likeness.server.api.webui import webui_router
from likeness.server.http.guard import Guard
from likeness.server.http.metrics import METRICS_TYPE
from likeness.server.http.pool import WorkPool
from likeness.server.http.problems import add_error_handlers
from likeness.server.http.settings import ServerSettings
from likeness.server.http.state import ServerState, State, UploadMemory
from likeness.server.jobs.jobs import Jobs
from likeness.server.jobs.routes import jobs_router
from likeness.server.jobs.video_routes import videos_router
from likeness.server.live.editing import Editing, editing_router
from likeness.server.live.page import page_router
from likeness.server.live.routes import live_router, live_sessions

__all__ = ["Health", "create_app", "healthz", "metrics"]

_log = logging.getLogger(__name__)

_SWEEP_SECONDS = 60.0

_DESCRIPTION = """\
Restores portraits and keeps the person. Pictures go in as multipart forms, and come out as pictures or as JSON.
Every error has one shape, `application/problem+json`, with a `code` for programs and a sentence for people in `detail`."""


def create_app(
    settings: ServerSettings, restorer: Restorer, *, model: str = DEFAULT_MODEL, editing: Editing | None = None
) -> FastAPI:
    """Make the application. Its work pool and its journal of jobs are open until the application's shutdown.

    Args:
        settings: limits, key, names and folders.
        restorer: the one network that all requests share.
        model: what the network is called, for people.
        editing: the one file that its page is for; None for a page that any picture is brought to.

    Raises:
        ConfigError: if the data folder cannot be used, or ``restorer`` restores no faces.
        BatchError: if the journal of jobs in it cannot.
    """
    restorer.need_faces()
    state = ServerState(
        settings=settings,
        restorer=restorer,
        model=model,
        inspector=Inspector(),
        pool=WorkPool(workers=settings.threads, queue=settings.queue, queue_per_client=settings.queue_per_client),
        upload_memory=UploadMemory(settings.max_held),
        decoder=DecoderPool(processes=settings.threads, limits=DecoderLimits(formats=settings.formats)),
    )
    _watch(state)
    try:
        jobs = Jobs(state)
    except LikenessError:
        state.pool.close()
        raise

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        await to_thread.run_sync(state.decoder.start)
        sweeping = asyncio.create_task(_sweep(jobs))
        try:
            yield
        finally:
            state.closing.set()
            sweeping.cancel()
            app.state.live.close_all()
            # What is being worked on ends; the journal keeps what is not begun.
            await to_thread.run_sync(state.pool.close)
            await to_thread.run_sync(jobs.close)
            await to_thread.run_sync(state.decoder.close)

    app = FastAPI(
        title="Likeness",
        version=version("likeness"),
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        # Their pages load scripts from elsewhere; no request leaves this machine.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.likeness = state
    app.state.jobs = jobs
    app.state.live = live_sessions(state, editing)
    app.state.editing = editing
    add_error_handlers(app)
    for router in (
        page_router,
        editing_router,
        live_router,
        pictures_router,
        jobs_router,
        videos_router,
        catalogue_router,
        webui_router,
        _router,
    ):
        app.include_router(router)
    app.add_middleware(Guard, settings=settings, metrics=state.metrics)
    if settings.cors:
        # Outermost, so that a page that may call the server can read its refusals, too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "X-API-Key"],
            expose_headers=["Content-Disposition", "Likeness-Faces", "Likeness-Restored", "Retry-After"],
        )
    return app


async def _sweep(jobs: Jobs) -> None:
    while True:
        try:
            await to_thread.run_sync(jobs.sweep)
        except (LikenessError, OSError) as error:
            reason = str(error) if isinstance(error, LikenessError) else type(error).__name__
            _log.error("jobs could not be looked through (%s)", reason)
        await asyncio.sleep(_SWEEP_SECONDS)


def _watch(state: ServerState) -> None:
    figures, pool = state.metrics, state.pool
    figures.watch("likeness_queue_waiting", "Pieces of work in the line.", lambda: pool.waiting)
    figures.watch("likeness_queue_running", "Pieces of work being done.", lambda: pool.running)
    figures.watch("likeness_queue_admitted", "Requests that hold a place.", lambda: pool.admitted)
    figures.watch("likeness_held_bytes", "Uploads in memory.", lambda: state.upload_memory.bytes)


_router = APIRouter(tags=["server"])


class Health(BaseModel):
    """That the server lives."""

    status: Literal["ok"] = "ok"
    version: str = Field(description="Likeness's version.", examples=["0.1.0"])


@_router.head("/healthz", include_in_schema=False)
@_router.get("/healthz", summary="Whether the server lives", responses=errors())
async def healthz() -> Health:
    """Answers without a key."""
    return Health(version=version("likeness"))


@_router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {METRICS_TYPE: {"schema": {"type": "string"}}}}, **errors()},
)
def metrics(state: State) -> Response:
    return Response(state.metrics.page(), media_type=METRICS_TYPE)
