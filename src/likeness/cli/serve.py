"""``likeness serve``: the web page and the HTTP API, on this machine."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_verbosity, format_names, pixel_count, verbosity
from likeness.cli.opening import open_page
from likeness.errors import ConfigError, MissingExtraError
from likeness.messages.notice import Notice, reason_of
from likeness.restore.kinds import Choice
from likeness.restore.options import row_of

if TYPE_CHECKING:
    from likeness.server.http.settings import ServerSettings

__all__ = ["make_parser", "model_name", "need_server", "serve"]

_DESCRIPTION = """\
Serve the web page and the HTTP API. Without flags only this machine can reach it, at http://127.0.0.1:8470; open that
in a browser. Ctrl-C ends it: what is being worked on is finished, and jobs go on at the next start.

Other machines reach it with --host 0.0.0.0; give it an API key then, in the environment variable LIKENESS_API_KEY or in
a file. It speaks HTTP without encryption: put a proxy with TLS before it on a network that you do not trust."""

_EPILOG = """\
exit status:
  0    it was stopped
  2    it could not begin: a flag, a value, the address, the folder or the model cannot be used

examples:
  likeness serve --open
  likeness serve --port 9000 --data /srv/likeness --keep 72
  LIKENESS_API_KEY=$(cat key.txt) likeness serve --host 0.0.0.0 --allow-host studio.local
  curl -F file=@photo.jpg -F preset=natural -o restored.jpg http://127.0.0.1:8470/v1/restore"""

_KEY = "LIKENESS_API_KEY"

_MEGABYTES = {"max_upload", "max_video", "max_request", "max_held", "max_stored"}
"""Settings that are typed in megabytes."""


def serve(argv: Sequence[str], console: Console) -> int:
    """Run the command until it is stopped.

    Returns:
        0.

    Raises:
        ConfigError, CheckpointError: if it cannot begin.
        MissingExtraError: if the server's libraries are not installed.
        SystemExit: for ``--help``, and for flags that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    need_server()
    from likeness.models.catalog import DEFAULT_MODEL
    from likeness.restore.pipeline import Restorer
    from likeness.server.app import create_app
    from likeness.server.http.listen import Listener

    settings = _settings(flags)
    model = flags.model or DEFAULT_MODEL
    restorer = Restorer(
        model,
        device=flags.device,
        precision=flags.precision,
        threads=flags.threads,
        runtime=flags.runtime,
        task=flags.task,
    )
    console.detail(f"model {model}, {restorer.runtime.spec.side} px, {restorer.runtime.description}")
    listener = Listener(create_app(settings, restorer, model=model_name(flags.model)))
    if not settings.loopback and settings.api_key is None:
        console.warn(f"everybody on the network can use this server, as it has no API key; set {_KEY}")

    def ready(url: str) -> None:
        console.show(url)
        console.say(f"ready; jobs are kept in {settings.data} for {settings.keep_hours:g} hours; Ctrl-C ends it")
        if flags.open and not open_page(url):
            console.warn(f"no browser could be opened; open {url} yourself")

    listener.run(ready)
    console.say("stopped")
    return 0


def need_server() -> None:
    """Load the server's libraries, and keep to themselves their remarks on what strangers send: the answer says it, and the
    log of requests.

    Raises:
        MissingExtraError: if they are not installed.
    """
    try:
        importlib.import_module("likeness.server.app")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("likeness"):
            raise
        raise MissingExtraError(Notice("cli.serve-needs", {"name": error.name or str(error)})) from error
    for library in ("python_multipart", "uvicorn"):
        logging.getLogger(library).setLevel(logging.ERROR)


def model_name(model: str | None) -> str:
    """What the page calls a model: by its name, or that of its file."""
    from likeness.models.catalog import DEFAULT_MODEL

    return Path(model).stem if model and Path(model).is_file() else model or DEFAULT_MODEL


def _settings(flags: argparse.Namespace) -> ServerSettings:
    from likeness.server.http.settings import ServerSettings

    given: dict[str, Any] = {}
    for name in ServerSettings.__dataclass_fields__:
        value = getattr(flags, name, None)
        if value is not None:
            given[name] = round(value * (1 << 20)) if name in _MEGABYTES else value
    for name in ("cors", "allowed_hosts", "proxies"):
        given[name] = tuple(given.get(name, ()))
    return ServerSettings(api_key=_key(flags.api_key_file), **given)


def _key(path: Path | None) -> str | None:
    """The API key: what a file holds, or the environment; never a flag, which every user of the machine can see."""
    if path is None:
        return os.environ.get(_KEY) or None
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        detail = reason_of(error) if isinstance(error, OSError) else Notice("cli.no-text")
        raise ConfigError(Notice("cli.key-unread", {"path": str(path), "detail": detail})) from error
    if not key:
        raise ConfigError(Notice("cli.key-empty", {"path": str(path)}))
    return key


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness serve",
        usage="likeness serve [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    add_verbosity(parser)
    group = parser.add_argument_group("where it listens, and to whom")
    group.add_argument("--host", metavar="ADDRESS", help="address to listen on (127.0.0.1: this machine only)")
    group.add_argument("--open", action="store_true", help="open the page in the browser when it is ready")
    group.add_argument("--port", type=int, metavar="N", help="port; 0 takes a free one (8470)")
    group.add_argument("--api-key-file", type=Path, metavar="FILE", help=f"file with the API key (or set {_KEY})")
    for flag, destination, metavar, text in (
        ("--allow-host", "allowed_hosts", "NAME", "host name to answer to; repeatable (on 127.0.0.1: localhost only)"),
        ("--cors", "cors", "ORIGIN", "origin whose pages may call the API, such as https://studio.example; repeatable"),
        ("--proxy", "proxies", "ADDRESS", "address or network of a reverse proxy that names the client; repeatable"),
    ):
        group.add_argument(flag, dest=destination, metavar=metavar, action="append", help=text)
    group = parser.add_argument_group("jobs")
    group.add_argument(
        "--data", type=Path, metavar="FOLDER", help="private folder for jobs (in the user's state folder)"
    )
    group.add_argument("--keep", dest="keep_hours", type=float, metavar="HOURS", help="how long jobs are kept (24)")
    group.add_argument("--max-files", type=int, metavar="N", help="pictures of one job (500)")
    group.add_argument("--max-jobs", type=int, metavar="N", help="jobs that are not finished (50)")
    group.add_argument("--max-stored", type=float, metavar="MB", help="all jobs together on the disk (20480)")
    group = parser.add_argument_group("limits")
    group.add_argument("--max-upload", type=float, metavar="MB", help="one picture file (64)")
    group.add_argument("--max-request", type=float, metavar="MB", help="one request with many files (2048)")
    group.add_argument("--max-held", type=float, metavar="MB", help="uploads in memory, all requests together (512)")
    group.add_argument("--max-pixels", type=pixel_count, metavar="N", help="width x height of one picture; 80M (50M)")
    group.add_argument("--max-faces", type=int, metavar="N", help="faces of one picture restored together (100)")
    group.add_argument("--max-video", type=float, metavar="MB", help="one video file (512)")
    group.add_argument("--max-video-seconds", type=float, metavar="S", help="length of a video (300)")
    group.add_argument("--max-video-pixels", type=pixel_count, metavar="N", help="width x height of its frames (10M)")
    group.add_argument(
        "--formats", type=format_names, metavar="LIST", help="picture formats to take, such as jpeg,png,heic (all)"
    )
    group.add_argument("--workers", type=int, metavar="N", help="pictures at a time (one a processor, 4 at most)")
    group.add_argument("--queue", type=int, metavar="N", help="requests that may wait; more get 429 (32)")
    group.add_argument("--queue-per-client", type=int, metavar="N", help="of one address (16)")
    group.add_argument("--connections", type=int, metavar="N", help="open connections (256)")
    group.add_argument("--connections-per-client", type=int, metavar="N", help="of one address (64)")
    group.add_argument("--timeout", dest="request_seconds", type=float, metavar="S", help="for one answer (120)")
    group.add_argument("--stall", dest="stall_seconds", type=float, metavar="S", help="for a pause in a request (20)")
    group = parser.add_argument_group("model")
    group.add_argument("--model", metavar="NAME|FILE", help="likeness models list shows the names (likeness-512)")
    for key, default in (("task", None), ("device", "auto"), ("runtime", "auto")):
        row = row_of(key)
        group.add_argument(f"--{key}", choices=cast(Choice, row.kind).values, default=default, help=row.help.en)
    group.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto", help="arithmetic of the network")
    group.add_argument("--threads", type=int, metavar="N", help="processor threads of the network (all)")
    return parser
