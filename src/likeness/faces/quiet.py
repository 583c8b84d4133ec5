"""MediaPipe writes to the process's stderr while it loads its models; the user asked for none of it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Generator

__all__ = ["silence"]

_lock = threading.Lock()


@contextlib.contextmanager
def silence() -> Generator[None]:
    """Keep what native code writes to file descriptor 2 off the terminal.

    If the body raises, what was held back is written after all, as it may say why.
    """
    with _lock, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # no stderr at all (a service without one): nothing to keep quiet
            yield
            return
        try:
            os.dup2(held.fileno(), 2)
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
