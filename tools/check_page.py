"""Check the types of the page's scripts, as JSDoc says them: with TypeScript, which the wheel of deno holds.

    python tools/check_page.py

The exit status is 0 if all is well. Nothing is fetched.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from likeness.server.live.page import PAGE_FILES, page_content

OPTIONS = {"checkJs": True, "strict": False, "lib": ["dom", "dom.iterable", "esnext"]}
"""TypeScript's; not strict, as most parameters are not described."""


def main() -> int:
    deno = Path(sys.executable).with_name("deno.exe" if sys.platform == "win32" else "deno")
    if not deno.is_file():
        print('deno is not installed here: pip install -e ".[dev]"', file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        scripts = [name for name in PAGE_FILES if name.endswith(".js")]
        for name in scripts:
            (Path(folder) / name).write_bytes(page_content(name))
        (Path(folder) / "deno.json").write_text(json.dumps({"compilerOptions": OPTIONS}))
        command = [str(deno), "check", "--quiet", "--no-remote", "--no-npm", *scripts]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
