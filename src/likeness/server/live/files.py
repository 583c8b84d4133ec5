"""Files of an open picture: for the screen, for paper, lossless, and the proof that shows before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from likeness.errors import ControlError
from likeness.evidence.inspection import Inspector
from likeness.faces.face import Face
from likeness.imaging.encode import encode_image
from likeness.imaging.image import Box, Image
from likeness.messages.notice import Language, Notice
from likeness.restore.framing import Framing
from likeness.server.api.versions import version_file
from likeness.server.http.names import safe_stem
from likeness.server.live.session import Session
from likeness.studio.answers import Asking
from likeness.studio.captions import Captions, done_line, figures_line, kept_line, untouched
from likeness.studio.deliver import PrintOptions, WebOptions
from likeness.studio.proof import ProofOptions, make_proof
from likeness.studio.proof_page import proof_page

__all__ = ["FileKind", "LiveFile", "make_file"]

FileKind: TypeAlias = Literal["web", "print", "png", "proof"]


@dataclass(frozen=True, kw_only=True)
class LiveFile:
    """A file to download.

    Attributes:
        data: its bytes.
        media_type: what they are.
        name: for the client's disk.
        warnings: what the user should know about it.
    """

    data: bytes
    media_type: str
    name: str
    warnings: tuple[str, ...] = ()


def make_file(
    kind: FileKind,
    session: Session,
    after: Image,
    framing: Framing,
    record: dict[str, Any],
    inspector: Inspector,
    *,
    web: WebOptions,
    paper: PrintOptions,
    drawn: float,
    language: Language,
) -> LiveFile:
    """Make one.

    Args:
        kind: "web", "print", "png" (full size, the picture's own depth and profile) or "proof" (a page of one file).
        session: the picture.
        after: it, restored and finished; perhaps enlarged, ``drawn`` times.
        framing: what of it is kept.
        record: what was done, as a report's picture record has it; for the proof's lines.
        inspector: measures the largest restored face for the proof.
        web, paper: how versions for screen and paper are made.
        language: of the proof.

    Raises:
        ResolutionError, ImageTooLargeError: if a print of that size cannot be made.
        ImageWriteError: if the file cannot be encoded.
    """
    stem = safe_stem(session.name)
    if kind == "proof":
        return LiveFile(
            data=_proof(session, after, framing, record, inspector, language).encode(),
            media_type="text/html; charset=utf-8",
            name=f"{stem}_proof.html",
        )
    after = framing.cropped(after, session.image.size)
    if kind == "png":
        return LiveFile(data=encode_image(after, "PNG"), media_type="image/png", name=f"{stem}_restored.png")
    made = version_file(after, web if kind == "web" else paper, drawn=drawn)
    name = f"{stem}_{kind}.{made.suffix}"
    return LiveFile(data=made.data, media_type=made.media_type, name=name, warnings=made.warnings)


def _proof(
    session: Session,
    after: Image,
    framing: Framing,
    record: dict[str, Any],
    inspector: Inspector,
    language: Language,
) -> str:
    size = session.image.size
    kept = framing.box(size)
    chosen = {int(face["index"]) for face in record["faces"]}
    faces = [
        seen for seen in session.faces if seen.index in chosen and seen.area is not None and _inside(seen.face, kept)
    ]
    if not faces:
        raise ControlError(Notice("live.proof-without-face"))
    largest = max(faces, key=lambda seen: seen.face.box.area)
    found = inspector.inspect_face(session.image, after, largest.face, index=largest.index).to_dict()
    before, after = framing.cropped(session.image, size), framing.cropped(after, size)
    share = untouched(before, after)
    captions = Captions(
        done=done_line(language, record, len(faces)),
        kept=kept_line(language, found["figures"], share, record),
        figures=figures_line(language, found["figures"], share),
    )
    proof = make_proof(
        before,
        after,
        [seen.face.moved(-kept.left, -kept.top) for seen in faces],
        captions,
        ProofOptions(language=language),
        name=safe_stem(session.name),
        record=record,
    )
    return proof_page(proof, Asking())


def _inside(face: Face, kept: Box) -> bool:
    """Whether the middle of a face is kept."""
    middle = face.box.centre
    return kept.left <= middle.x < kept.right and kept.top <= middle.y < kept.bottom
