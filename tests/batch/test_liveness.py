"""Who is alive: told by locks, also while somebody is only just being born."""

from __future__ import annotations

from pathlib import Path

import pytest

from likeness.batch import liveness
from likeness.batch.liveness import Owner, dead_owners, living_owners


@pytest.mark.parametrize("until", ["it is gone", "it is held"])
def test_who_looks_for_the_living_takes_nobody_for_dead_who_has_no_lock_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    lock = liveness.try_lock
    met: list[str] = []

    def meets_somebody_who_looks(descriptor: int) -> bool:
        if not met:
            met.append(until)
            if until == "it is held":
                return False
            assert living_owners(tmp_path / "owners") == []
        return lock(descriptor)

    monkeypatch.setattr(liveness, "try_lock", meets_somebody_who_looks)
    owner = Owner(tmp_path / "owners")
    assert met
    assert living_owners(tmp_path / "owners") == [owner.name]
    assert dead_owners(tmp_path / "owners", [owner.name]) == []
    assert [path.name for path in (tmp_path / "owners").iterdir()] == [owner.name]
    owner.close()
    assert not (tmp_path / "owners").exists()
