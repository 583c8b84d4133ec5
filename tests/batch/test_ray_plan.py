"""What workers of Ray are sent, without Ray: its own tests start clusters, and take long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from likeness.batch import ray_
from likeness.batch.network import NetworkPlan
from likeness.batch.ray_ import picture_executor
from likeness.batch.ray_worker import Workplace
from likeness.batch.storage import Storage
from likeness.restore.config import Settings


class _Cluster:
    """Four processors and two GPUs of this machine."""

    local = True

    def __init__(self, *_: object, **__: object) -> None: ...

    def size(self, what: str) -> int:
        return {"CPU": 4, "GPU": 2}[what]

    def close(self) -> None: ...


@pytest.mark.parametrize(("device", "threads", "sent"), [(None, None, ("cpu", 1, 4)), ("cuda", 2, ("cuda", 2, 2))])
def test_workers_get_the_run_s_settings(
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Path,
    tmp_path: Path,
    device: str | None,
    threads: int | None,
    sent: Any,
) -> None:
    made: dict[str, Any] = {}

    def executor(_: object, begin: Workplace, **values: object) -> None:
        made.update(begin=begin, **values)

    monkeypatch.setattr(ray_, "Cluster", _Cluster)
    monkeypatch.setattr(ray_, "RayExecutor", executor)
    settings = Settings({"model": str(tiny_model), "precision": "f32", "device": device, "threads": threads})
    picture_executor(NetworkPlan(settings=settings, model="tiny"), Storage(str(tmp_path)))
    told = made["begin"].network.settings
    assert (told["device"], told["threads"], made["workers"]) == sent
    assert (told["precision"], told["model"]) == ("f32", str(tiny_model))
