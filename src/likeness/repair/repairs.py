"""What may be repaired in an old or damaged picture, apart from the work itself, so that a command line loads no NumPy."""

from __future__ import annotations

from dataclasses import dataclass, fields

from likeness.core.numbers import in_figures, is_finite
from likeness.errors import ControlError
from likeness.messages.notice import Notice

__all__ = ["Repairs"]


@dataclass(frozen=True, kw_only=True)
class Repairs:
    """What to repair, each 0 (off) to 1 (in full); and how readily damage is seen.

    Attributes:
        scratches: opacity with which scratches, dust, tears and missing corners are filled from their surroundings.
        sensitivity: how readily something is taken for damage: at 0 what surely is, at 1 whatever may be.
        balance: how much of yellowing and fading is taken back.
        fringes: how much purple fringes are faded.
        screen: how much of a print's dots is taken away.

    Raises:
        ControlError: for a value outside 0 to 1.
    """

    scratches: float = 0.0
    balance: float = 0.0
    fringes: float = 0.0
    screen: float = 0.0
    sensitivity: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ControlError(_refused(field.name, "wanted.number-between", type(value).__name__))
            if not is_finite(value) or not 0 <= value <= 1:
                raise ControlError(_refused(field.name, "wanted.between", in_figures(value)))

    @property
    def any(self) -> bool:
        return max(self.scratches, self.balance, self.fringes, self.screen) > 0


def _refused(name: str, wanted: str, value: str) -> Notice:
    return Notice(
        "option.refused", {"name": f"repair {name}", "wanted": Notice(wanted, {"low": 0, "high": 1}), "value": value}
    )
