"""Likeness restores portraits and keeps the person.

::

    from likeness import Restorer, write_image

    restorer = Restorer()  # loads the network; keep it
    restoration = restorer.restore("photo.jpg", "natural")
    write_image(restoration.image, "restored.jpg")
    for outcome in restoration.faces:
        print(outcome.index, outcome.status, outcome.reason)

Everything is imported when it is first used, so that ``import likeness`` costs nothing.
"""

from __future__ import annotations

import lazy_loader

_lazy_getattr, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Import an exported name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("likeness")
    return _lazy_getattr(name)
