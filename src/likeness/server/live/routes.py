"""What the page talks to: a picture is opened once, and every move of a slider asks for its look.

Sessions are kept in memory (`likeness.server.live.sessions`). A view is drawn from what the network returned before, so
that it costs arithmetic; only another ``degradation_scale`` or ``refine`` runs the network again. These routes are the
page's own and may change with it; what programs use is under ``/v1``.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from likeness.batch.sources import VIDEO_SUFFIXES
from likeness.core.hashing import sha256_of_bytes
from likeness.errors import ControlError, NoFaceError
from likeness.imaging.image import Size
from likeness.messages.notice import Notice, notice_of
from likeness.restore.command_line import flags_of
from likeness.restore.controls import AUTO, BESIDE_PRESETS, PRESET_REPAIRS, PRESETS
from likeness.restore.enlargement import Enlargement
from likeness.restore.picture_options import PictureOptions
from likeness.restore.selection import Selection
from likeness.server.api.restoring import MOST_REFERENCES, THE_PICTURE
from likeness.server.api.versions import check_print
from likeness.server.http.names import attachment
from likeness.server.http.problems import ProblemError
from likeness.server.http.state import ServerState, State, client_of
from likeness.server.http.uploads import FormLimits, receive_form
from likeness.server.http.waiting import in_turn, run_in_turn
from likeness.server.live.editing import Editing, EditingOrNone
from likeness.server.live.files import FileKind, make_file
from likeness.server.live.limits import LiveLimits
from likeness.server.live.looks import SLIDERS, LiveFace, LiveFields, LiveFileLook, LiveLook, LiveSizedLook, LiveViews
from likeness.server.live.sessions import OpenSessions, Sessions
from likeness.server.live.views import areas_in_view, draw, field_of, mask_png, pack
from likeness.studio.deliver import PrintOptions, WebOptions, drawn_upscale, print_scale
from likeness.video.library import has_av

__all__ = [
    "about",
    "add_reference",
    "close_picture",
    "command",
    "download",
    "evidence",
    "fields",
    "framed",
    "leave",
    "left",
    "live_router",
    "live_sessions",
    "marks",
    "open_picture",
    "picture",
    "verdicts",
    "views",
]

live_router = APIRouter(prefix="/live", include_in_schema=False)


def live_sessions(state: ServerState, editing: Editing | None = None) -> Sessions:
    """The open pictures of an application; it closes them when it ends."""
    pixels = state.settings.max_pixels
    limits = LiveLimits(pixels=pixels, faces=state.settings.max_faces, print_pixels=2 * pixels)
    if editing is None:
        return Sessions(state.restorer, limits, state.matcher)
    limits = replace(limits, idle_seconds=_EDITED_SECONDS)
    return Sessions(state.restorer, limits, state.matcher, on_gone=editing.gone)


_EDITED_SECONDS = 12 * 3600.0
"""How long the file that is edited stays open without a move: nobody else wants its place."""
_MOST_DRAWN = 4.0
"""How many times a print is enlarged by networks; the rest is interpolated."""


def _video(state: ServerState) -> dict[str, Any] | None:
    """The limits of a video, and how the names of videos end; None where there is nothing that reads one."""
    if not has_av():
        return None
    settings = state.settings
    return {
        "seconds": settings.max_video_seconds,
        "megabytes": settings.max_video >> 20,
        "suffixes": list(VIDEO_SUFFIXES),
    }


@live_router.get("/about")
def about(state: State, sessions: OpenSessions, editing: EditingOrNone) -> dict[str, Any]:
    """What the page needs before any picture: options, presets, model, limits."""
    runtime = sessions.restorer.runtime
    return {
        "model": state.model,
        "size": runtime.spec.side,
        "runtime": runtime.description,
        "options": [row.shown() for row in SLIDERS.values()],
        "presets": {name: asdict(controls) for name, controls in PRESETS.items()},
        "beside_presets": list(BESIDE_PRESETS),
        "preset_repairs": {
            name: {row.key: getattr(repairs, row.field_name) for row in SLIDERS.values() if row.part == "repairs"}
            for name, repairs in PRESET_REPAIRS.items()
        },
        "idle_seconds": sessions.limits.idle_seconds,
        "max_pixels": sessions.limits.pixels,
        "max_faces": sessions.limits.faces,
        "max_upload": state.settings.max_upload,
        "max_files": state.settings.max_files,
        "video": _video(state),
        "max_references": MOST_REFERENCES,
        "keep_hours": state.settings.keep_hours,
        "web_side": WebOptions.side,
        "print_scale": PrintOptions.scale,
        "editing": None if editing is None else editing.to_dict(),
    }


@live_router.post("/pictures", status_code=201)
async def open_picture(request: Request, state: State, sessions: OpenSessions) -> JSONResponse:
    """Open a picture: find its faces and say what is the matter with it."""
    client = client_of(request)
    with state.pool.admit(client) as ticket, state.upload_memory.account() as account:
        form = await receive_form(request, FormLimits.one_each(state.settings, "file"), account)
        form.no_fields()
        upload = form.file("file")

        def work() -> dict[str, Any]:
            image = state.decoder.read(upload.data, max_pixels=sessions.limits.pixels, name=THE_PICTURE)
            key, session = sessions.open(image, upload.name or "picture", client=client)
            return {"id": key, **session.to_dict()}

        return JSONResponse(await run_in_turn(request, state, ticket, work, kind="live"), status_code=201)


@live_router.get("/pictures/{key}")
def picture(key: str, sessions: OpenSessions) -> dict[str, Any]:
    """An open picture's faces and findings, as when it was opened."""
    return {"id": key, **sessions.get(key).to_dict()}


@live_router.delete("/pictures/{key}", status_code=204)
def close_picture(key: str, sessions: OpenSessions) -> None:
    """Forget a picture now."""
    sessions.close(key)


@live_router.post("/pictures/{key}/references", status_code=201)
async def add_reference(key: str, request: Request, state: State, sessions: OpenSessions) -> JSONResponse:
    """Bring another photograph of the persons in a picture; a look says whether it is used."""
    session = sessions.get(key)
    with state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        form = await receive_form(request, FormLimits.one_each(state.settings, "file"), account)
        form.no_fields()
        upload = form.file("file")

        def work() -> dict[str, Any]:
            image = state.decoder.read(upload.data, max_pixels=sessions.limits.pixels, name=THE_PICTURE)
            return session.add_other(sha256_of_bytes(upload.data), image, upload.name or "photograph")

        try:
            return JSONResponse(await run_in_turn(request, state, ticket, work, kind="live"), status_code=201)
        except NoFaceError as error:
            raise ProblemError("reference-unusable", notice_of(error)) from error


@live_router.post("/pictures/{key}/leave", status_code=204)
def leave(key: str, sessions: OpenSessions) -> None:
    """The page is left; the picture goes in half a minute unless it is asked for again."""
    sessions.leave(key)


@live_router.post("/pictures/{key}/views")
async def views(key: str, look: LiveViews, request: Request, state: State, sessions: OpenSessions) -> Response:
    """Parts of the picture before and after, and the layer of grain that is in them."""
    opened = sessions.get(key)

    def work() -> bytes:
        session = opened.framed(look.framing())
        asked = areas_in_view(session, look.areas, _MOST_DRAWN)
        if sum(area.size.pixels for area in asked) > sessions.limits.view_pixels:
            raise ControlError(Notice("live.views-too-large", {"most": sessions.limits.view_pixels}))
        return pack(*draw(session, look))

    return _private(await in_turn(request, state, work, kind="live"))


@live_router.post("/pictures/{key}/framed")
async def framed(key: str, look: LiveLook, request: Request, state: State, sessions: OpenSessions) -> dict[str, Any]:
    """The picture as a look turns and straightens it: its size, faces and findings, as when it was opened."""
    opened = sessions.get(key)

    def work() -> dict[str, Any]:
        return {"id": key, **opened.framed(look.framing()).to_dict()}

    return await in_turn(request, state, work, kind="live")


@live_router.post("/pictures/{key}/fields")
async def fields(key: str, look: LiveFields, request: Request, state: State, sessions: OpenSessions) -> Response:
    """What previews of the faces are computed from in the browser."""
    opened = sessions.get(key)

    def work() -> bytes:
        session, controls = opened.framed(look.framing()).mended(look.mending()), look.by_face()
        upscale = session.upscale(look.faces, controls, look.upscale)
        canvas = session.canvas(look.faces, controls, upscale)
        # All of the look's faces are served, as one photograph lends to one face of a picture.
        faces = session.served(look.faces, controls, look.wanted())
        found = [
            field_of(item, controls[item.index], canvas)
            for item in faces
            if look.only is None or item.index in look.only
        ]
        return pack({"fields": [head for head, _ in found]}, [data for _, data in found])

    return _private(await in_turn(request, state, work, kind="live"))


@live_router.post("/pictures/{key}/marks")
async def marks(key: str, look: LiveLook, request: Request, state: State, sessions: OpenSessions) -> Response:
    """Where the picture is mended, or would be: a PNG, white where it is."""
    session = sessions.get(key)

    def work() -> bytes:
        return mask_png(session.framed(look.framing()).marks(look.mending()))

    data = await in_turn(request, state, work, kind="live")
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


@live_router.post("/pictures/{key}/left")
async def left(key: str, look: LiveLook, request: Request, state: State, sessions: OpenSessions) -> dict[str, int]:
    """How many scratches, specks and missing pieces are not mended, and would be at the usual sensitivity."""
    session = sessions.get(key)

    def work() -> dict[str, int]:
        return asdict(session.framed(look.framing()).left(look.mending()))

    return await in_turn(request, state, work, kind="live")


@live_router.post("/pictures/{key}/evidence")
async def evidence(key: str, look: LiveFace, request: Request, state: State, sessions: OpenSessions) -> dict[str, Any]:
    """What the restoration did to one face, in figures."""
    opened = sessions.get(key)
    if look.face not in look.faces:
        raise ControlError(Notice("live.face-not-restored", {"index": look.face}))

    def work() -> dict[str, Any]:
        # Repairs are meant to change marks and colours: what is measured is what came after them.
        session = opened.framed(look.framing()).mended(look.mending())
        after = session.finished(look.faces, look.by_face(), look.finishing(), wanted=look.wanted())
        seen = session.faces[look.face]
        return state.inspector.inspect_face(session.image, after, seen.face, index=seen.index).to_dict()

    return await in_turn(request, state, work, kind="live")


@live_router.post("/pictures/{key}/verdicts")
async def verdicts(
    key: str, look: LiveSizedLook, request: Request, state: State, sessions: OpenSessions
) -> dict[str, Any]:
    """Whether each face came out well, and if not, why."""
    opened = sessions.get(key)

    def work() -> dict[str, Any]:
        session, controls = opened.framed(look.framing()).mended(look.mending()), look.by_face()
        upscale = session.upscale(look.faces, controls, look.upscale)
        found = session.verdicts(look.faces, controls, upscale, look.wanted())
        return {"verdicts": [{"face": index, **verdict.to_dict()} for index, verdict in found.items()]}

    return await in_turn(request, state, work, kind="live")


@live_router.post("/pictures/{key}/command")
async def command(
    key: str, look: LiveFileLook, request: Request, state: State, sessions: OpenSessions
) -> dict[str, Any]:
    """What is seen as a command line, and whether there is something in it that none can say."""
    session = opened = sessions.get(key)
    framing = look.framing()
    if framing.moves:
        # Its faces may have to be found first.
        session = await in_turn(request, state, lambda: opened.framed(framing), kind="live")
    which = tuple(look.faces)
    every = [seen.index for seen in session.faces if seen.area is not None]
    options = PictureOptions(
        controls=look.controls(),
        face_controls=look.face_controls(),
        repairs=look.mending().repairs,
        framing=framing,
        selection=Selection() if not which or list(which) == every else Selection(which=which),
        enlargement=Enlargement(upscale=look.upscale),
    )
    # What was chosen for this picture is written out: another one would get something else. The usual preset needs no word.
    settings = options.to_settings(look.preset if look.preset in PRESETS and look.preset != "standard" else None)
    more = bool(look.strokes or look.references) or look.finishing().any
    name = f"./{session.name}" if session.name.startswith("-") else session.name
    return {"command": shlex.join(["likeness", "restore", name, *flags_of(settings)]), "more": more}


@live_router.post("/pictures/{key}/files/{kind}")
async def download(
    key: str, kind: FileKind, look: LiveFileLook, request: Request, state: State, sessions: OpenSessions
) -> Response:
    """A file of the picture: what is seen, computed in full."""
    opened = sessions.get(key)
    if look.preset not in (AUTO, *PRESETS):
        raise ControlError(Notice("live.unknown-preset", {"known": ", ".join((AUTO, *PRESETS))}))
    web = WebOptions(side=look.side)
    paper = PrintOptions(scale=look.scale, millimetres=look.millimetres)

    def work() -> Response:
        session, framing = opened.framed(look.framing()), look.framing()
        kept = framing.box(session.image.size)
        size = Size(round(kept.width), round(kept.height))
        if kind == "print":
            check_print(size, print_scale(size, paper), sessions.limits.print_pixels)
        # What is larger on paper than the photograph gets the pixels that the network drew, as far as memory allows.
        # Over that a print is as coarse as it was: its pixels would be made up, and pass for the photograph's.
        most = min(math.sqrt(sessions.limits.pixels / session.image.size.pixels), _MOST_DRAWN)
        asked = look.upscale
        if kind == "print":
            asked = max(1.0, min(drawn_upscale(size, paper), most))
        elif kind == "proof":
            asked = 1.0
        mended = session.mended(look.mending())
        # What a proof says of how the picture was made.
        served = mended.served(look.faces, look.by_face(), look.wanted()) if kind == "proof" else ()
        record: dict[str, Any] = {
            "preset": look.preset,
            "controls": asdict(look.controls()),
            "faces": [
                {
                    "index": item.index,
                    "status": "restored",
                    "box": asdict(item.face.box),
                    "controls": None if (own := look.by_face().own.get(item.index)) is None else asdict(own),
                    "references": None if item.references is None else item.references.to_dict(),
                }
                for item in served
            ],
            "repairs": None if mended.repaired is None else mended.repaired.to_dict(),
        }
        upscale = mended.upscale(look.faces, look.by_face(), asked)
        after = mended.finished(look.faces, look.by_face(), look.finishing(), upscale, look.wanted())
        file = make_file(
            kind,
            session,
            after,
            framing,
            record,
            state.inspector,
            web=web,
            paper=paper,
            drawn=upscale,
            language=look.language,
        )
        headers = {**attachment(file.name), "Cache-Control": "no-store"}
        if file.warnings:
            headers["Likeness-Warning"] = quote("; ".join(file.warnings))
        return Response(file.data, media_type=file.media_type, headers=headers)

    return await in_turn(request, state, work, kind="live")


def _private(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
