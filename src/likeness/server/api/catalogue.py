"""Routes that say what there is: networks and presets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from likeness.models.spec import FACE_PURPOSES
from likeness.models.store import Store
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.kinds import rows_of
from likeness.server.api.forms import errors
from likeness.server.api.requests import FIELDS
from likeness.server.http.state import State

__all__ = ["ModelAnswer", "ModelsAnswer", "PresetAnswer", "PresetsAnswer", "catalogue_router", "models", "presets"]

catalogue_router = APIRouter(prefix="/v1", tags=["catalogue"])


class ModelAnswer(BaseModel):
    """A network."""

    name: str = Field(examples=["likeness-512"])
    state: Literal["embedded", "fetched", "imported", "available"]
    description: str
    licence: str
    loaded: bool = Field(description="Whether it is the one that this server runs.")


class ModelsAnswer(BaseModel):
    """The networks that this server knows."""

    loaded: str = Field(description="What runs.", examples=["likeness-512"])
    size: int = Field(description="Side of its crop, px.", examples=[512])
    runtime: str = Field(description="Library, device and precision.")
    models: list[ModelAnswer]


def _with_controls(schema: dict[str, Any]) -> None:
    controls = {row.key: FIELDS[row.key] for row in rows_of(Controls)}
    schema["properties"] |= controls
    schema["required"] += list(controls)


class PresetAnswer(BaseModel):
    """What a preset sets; the names are those of the form's fields."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_with_controls)

    name: str = Field(examples=["natural"])


class PresetsAnswer(BaseModel):
    """Every preset."""

    presets: list[PresetAnswer]


@catalogue_router.get("/models", summary="The networks", responses=errors())
def models(state: State) -> ModelsAnswer:
    """One network runs on a server; `likeness serve --model NAME` says which."""
    runtime = state.restorer.runtime
    return ModelsAnswer(
        loaded=state.model,
        size=runtime.spec.side,
        runtime=runtime.description,
        models=[
            ModelAnswer(
                name=model.name,
                state=model.state,
                description=model.description,
                licence=model.licence,
                loaded=model.name == state.model,
            )
            for model in Store().list()
            if model.purpose in FACE_PURPOSES
        ],
    )


@catalogue_router.get("/presets", summary="The presets", responses=errors())
async def presets() -> PresetsAnswer:
    """The values that each preset sets."""
    return PresetsAnswer(
        presets=[PresetAnswer.model_validate({"name": name, **asdict(controls)}) for name, controls in PRESETS.items()]
    )
