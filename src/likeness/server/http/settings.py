"""What a server is told: where it listens, whom it answers, and how much it takes on."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from likeness.core.home import state_folder
from likeness.errors import ConfigError
from likeness.imaging.decoding.pool import DecoderLimits
from likeness.imaging.sniff import FORMATS_READ
from likeness.messages.notice import Notice
from likeness.server.http.addresses import Network, network_of

__all__ = ["ServerSettings", "default_data_folder"]

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]", re.ASCII)

_COUNTS = (
    "max_upload",
    "max_request",
    "max_held",
    "max_video",
    "max_video_pixels",
    "max_pixels",
    "max_faces",
    "max_files",
    "max_jobs",
    "max_stored",
    "workers",
    "queue",
    "queue_per_client",
    "connections",
    "connections_per_client",
)


def default_data_folder() -> Path:
    """Where jobs lie unless another folder is named: in the user's folder for program state."""
    return state_folder() / "server"


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How a server listens, and its limits.

    Attributes:
        host, port: where it listens; port 0 takes a free one.
        api_key: what requests must bring; None for no key.
        cors: origins such as "https://studio.example" whose pages may call the server from a browser.
        allowed_hosts: names by which the server may be called, over and above its own address. Bound to loopback it answers
            to no other, so that no page of the web can reach it under a name of its own (DNS rebinding).
        proxies: addresses or networks ("10.0.0.0/8") of reverse proxies, whose X-Forwarded-For names the client; anybody
            else's is not looked at.
        data: the private folder for jobs; it is made with access for this user only.
        keep_hours: how long a job and its pictures are kept after its end.
        max_upload: bytes of one picture file.
        max_request: bytes of one request with many files.
        max_held: bytes of uploads held in memory at one time, by all requests together.
        max_pixels: width x height of one picture, checked before it is decoded.
        max_faces: faces of one picture restored together; what the network returned for each takes 30 MB meanwhile.
        max_video: bytes of one video file.
        max_video_seconds: how long a video may be.
        max_video_pixels: width x height of its frames, and of a result's.
        formats: the picture formats that are read, names of `likeness.imaging.sniff.FORMATS_READ`.
        max_files: files in one job.
        max_jobs: jobs that are not finished, at one time.
        max_stored: bytes of all jobs' pictures and results on the disk.
        workers: pictures worked on at one time; None for one a processor, 4 at most.
        queue: requests that may wait or be received, over and above those worked on.
        queue_per_client: how many of them, those worked on included, may be of one address.
        connections: open connections.
        connections_per_client: how many of them may be of one address, proxies aside; an IPv6 address counts as its network
            of 64 bits.
        request_seconds: longest time for one request from its last byte to the answer.
        stall_seconds: how long a request's head, or its body, may pause while it is sent.

    Raises:
        ConfigError: for a value that cannot be used; the sentence says which.
    """

    host: str = "127.0.0.1"
    port: int = 8470
    api_key: str | None = field(default=None, repr=False)
    cors: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    data: Path = field(default_factory=default_data_folder)
    keep_hours: float = 24.0
    max_upload: int = 64 << 20
    max_request: int = 2 << 30
    max_held: int = 512 << 20
    max_pixels: int = 50_000_000
    max_faces: int = 100
    max_video: int = 512 << 20
    max_video_seconds: float = 300.0
    max_video_pixels: int = 10_000_000
    formats: frozenset[str] = FORMATS_READ
    max_files: int = 500
    max_jobs: int = 50
    max_stored: int = 20 << 30
    workers: int | None = None
    queue: int = 32
    queue_per_client: int = 16
    connections: int = 256
    connections_per_client: int = 64
    request_seconds: float = 120.0
    stall_seconds: float = 20.0

    def __post_init__(self) -> None:
        if not self.host or not 0 <= self.port <= 65535:
            raise ConfigError(Notice("serve.host-and-port", {"host": repr(self.host), "port": self.port}))
        if self.api_key is not None and (len(self.api_key) < 16 or not self.api_key.isascii()):
            raise ConfigError(Notice("serve.short-key"))
        for origin in self.cors:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(Notice("serve.no-origin", {"origin": origin}))
        for host in self.allowed_hosts:
            if not _HOST.fullmatch(host):
                raise ConfigError(Notice("serve.no-host", {"host": host}))
        self._check_proxies()
        for name in ("keep_hours", "max_video_seconds", "request_seconds", "stall_seconds"):
            value = float(getattr(self, name))
            if not math.isfinite(value) or value <= 0:
                raise ConfigError(Notice("option.over-zero", {"name": name, "value": value}))
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(Notice("option.at-least-one", {"name": name, "value": value}))
        DecoderLimits(formats=self.formats)  # refuses what is no format
        if self.max_held < self.max_upload:
            raise ConfigError(Notice("serve.max-held"))

    @property
    def threads(self) -> int:
        """How many pictures are worked on at one time."""
        return self.workers if self.workers is not None else max(1, min(4, os.cpu_count() or 1))

    def _check_proxies(self) -> None:
        for proxy in self.proxies:
            try:
                network_of(proxy)
            except ValueError:  # noqa: PERF203 - the sentence names the one
                raise ConfigError(Notice("serve.no-proxy", {"proxy": proxy})) from None

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """Where the proxies are."""
        return tuple(map(network_of, self.proxies))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def answers_to(self, host: str) -> bool:
        """Whether a request's ``Host`` (without port, lower case) is a name of this server."""
        if host in {name.lower() for name in self.allowed_hosts}:
            return True
        if not self.loopback:
            # Behind a name of its own a server is found under that name only if the list says so; without one, any goes.
            return not self.allowed_hosts
        return host in {"localhost", "127.0.0.1", "[::1]", self.host.lower(), f"[{self.host.lower()}]"}
