"""The studio's mail settings: a TOML file for what may be read by all, the login from elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from likeness.core.home import expanded
from likeness.core.spelling import known_and_meant
from likeness.core.tables import read_toml
from likeness.errors import ConfigError
from likeness.messages.notice import Language, Notice, notice_of, reason_of
from likeness.studio.notices.letters import checked_address, on_one_line
from likeness.studio.notices.words import as_language

__all__ = ["NEW_SETTINGS", "Login", "MailSettings", "Security", "read_login", "read_mail_settings"]

Security: TypeAlias = Literal["starttls", "tls", "none"]

NEW_SETTINGS = """\
# Who writes to clients, and through which server: likeness notify out/ --mail THIS FILE shows the mails, --send sends them.
# No password stands here: it comes from LIKENESS_SMTP_USER and LIKENESS_SMTP_PASSWORD, or from login_file.

studio = "Your studio"              # in the letters, and as the sender's name
from = "studio@example.com"
# reply_to = "pictures@example.com" # where answers go; without it to the sender
language = "en"                     # or "zh": of clients for whom the list names none
wanted_side = 600                   # the shorter side that letters ask for, px

# host = "mail.example.com"         # the mail server; needed for --send only
security = "starttls"               # or "tls" from the first byte, or "none" for a relay on this machine
# port = 587                        # 587 with STARTTLS, 465 with TLS, 25 without
# login_file = "mail-login.txt"     # user name and password on two lines; nobody else may read the file
# ca_file = "our-own.pem"           # certificates to trust instead of the system's
# templates = "letters"             # folder of letters of your own
# timeout = 30                      # seconds for each step
# attempts = 4                      # while the server says "later"
"""
"""What ``likeness notify --init`` writes: every setting, those that have a default as comments."""

_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}

_LOCAL = ("localhost", "127.0.0.1", "::1")

_USER, _PASSWORD = "LIKENESS_SMTP_USER", "LIKENESS_SMTP_PASSWORD"


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """How a studio writes, and through which server.

    Attributes:
        studio: its name, in the letters and as the sender's.
        sender: its address.
        reply_to: where answers go; "" for the sender.
        language: of clients for whom the CSV names none.
        wanted_side: the shorter side that the letters ask for, px.
        templates: folder of the studio's own templates, or None.
        host: the mail server; "" is enough to see letters, but not to send them.
        port: None for the usual one: 587 with STARTTLS, 465 with TLS, 25 without.
        security: "starttls" (demanded, never skipped), "tls" from the first byte, or "none", which is for a relay on this
            machine only.
        ca_file: certificates to trust instead of the system's, or None.
        login_file: file with user name and password on two lines, or None: then the environment is asked.
        timeout: seconds to wait for the server at each step.
        attempts: how often a mail is tried while the server says "later".

    Raises:
        ConfigError: for a value that cannot be used.
    """

    studio: str
    sender: str
    reply_to: str = ""
    language: Language = "en"
    wanted_side: int = 600
    templates: Path | None = None
    host: str = ""
    port: int | None = None
    security: Security = "starttls"
    ca_file: Path | None = None
    login_file: Path | None = None
    timeout: float = 30.0
    attempts: int = 4

    def __post_init__(self) -> None:
        if not self.studio or on_one_line(self.studio) != self.studio or len(self.studio) > 100:
            raise ConfigError(Notice("mail.studio", {"studio": repr(self.studio)}))
        object.__setattr__(self, "sender", checked_address(self.sender))
        if self.reply_to:
            object.__setattr__(self, "reply_to", checked_address(self.reply_to))
        if self.security not in _PORTS:
            raise ConfigError(Notice("mail.security", {"security": repr(self.security)}))
        if self.security == "none" and self.host and self.host not in _LOCAL:
            raise ConfigError(Notice("mail.in-the-open", {"host": self.host}))
        for name, value, low, high in (
            ("port", self.port or 1, 1, 65535),
            ("timeout", self.timeout, 1, 600),
            ("attempts", self.attempts, 1, 10),
            ("wanted_side", self.wanted_side, 1, 20000),
        ):
            if not low <= value <= high:
                raise ConfigError(Notice("option.from-to", {"name": name, "low": low, "high": high, "value": value}))

    @property
    def used_port(self) -> int:
        return self.port or _PORTS[self.security]

    @property
    def answers_to(self) -> str:
        return self.reply_to or self.sender


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user name and password; neither is ever shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(...)"


def read_mail_settings(path: Path) -> MailSettings:
    """Read the settings from TOML; files it names are relative to its folder.

    Raises:
        ConfigError: if the file is missing or damaged, or holds an unknown key, a password, or a value that cannot be used.
    """
    values = read_toml(path, what=Notice("mail.settings"))
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key.lower() in ("password", "user", "username", "login"):
            raise ConfigError(
                Notice("mail.password-here", {"path": str(path), "key": key, "user": _USER, "password": _PASSWORD})
            )
        if key not in _KEYS:
            raise ConfigError(
                Notice("config.unknown-key", {"path": str(path), "key": key, **known_and_meant(key, _KEYS)})
            )
        what, fits, name = _KEYS[key]
        if not fits(value):
            raise ConfigError(
                Notice("mail.kind", {"path": str(path), "key": key, "what": Notice(what), "value": repr(value)})
            )
        known[name] = path.parent / expanded(value) if key in _FILES else value
    for key in ("studio", "from"):
        if _KEYS[key][2] not in known:
            raise ConfigError(Notice("mail.lacks", {"path": str(path), "key": key}))
    if "language" in known:
        known["language"] = as_language(known["language"], f"{path}: language")
    try:
        return MailSettings(**known)
    except ConfigError as error:
        raise ConfigError(Notice("file.named", {"file": str(path), "reason": notice_of(error)})) from error


def read_login(settings: MailSettings, environment: Mapping[str, str] = os.environ) -> Login | None:
    """The login from the settings' file, else from LIKENESS_SMTP_USER and LIKENESS_SMTP_PASSWORD; None if there is none.

    Raises:
        ConfigError: if only one of the two is set, or the file cannot be used or may be read by other users.
    """
    path = settings.login_file
    if path is None:
        user, password = environment.get(_USER, ""), environment.get(_PASSWORD, "")
        if bool(user) != bool(password):
            raise ConfigError(Notice("mail.both", {"user": _USER, "password": _PASSWORD}))
        return Login(user=user, password=password) if user else None
    try:
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(Notice("mail.password-open", {"path": str(path)}))
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError(Notice("mail.login-unread", {"path": str(path), "why": reason_of(error)})) from error
    except UnicodeError:  # from None: it holds the bytes
        raise ConfigError(Notice("mail.login-encoding", {"path": str(path)})) from None
    if len(lines) < 2 or not lines[0].strip() or not lines[1]:
        raise ConfigError(Notice("mail.login-lines", {"path": str(path)}))
    return Login(user=lines[0].strip(), password=lines[1])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_FILES = ("templates", "ca_file", "login_file")

_KEYS: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "studio": ("mail.kind.name", _is_text, "studio"),
    "from": ("mail.kind.address", _is_text, "sender"),
    "reply_to": ("mail.kind.address", _is_text, "reply_to"),
    "language": ("mail.kind.languages", _is_text, "language"),
    "wanted_side": ("mail.kind.pixels", _is_whole, "wanted_side"),
    "templates": ("mail.kind.folder", _is_text, "templates"),
    "host": ("mail.kind.server", _is_text, "host"),
    "port": ("mail.kind.whole", _is_whole, "port"),
    "security": ("mail.kind.securities", _is_text, "security"),
    "ca_file": ("mail.kind.file", _is_text, "ca_file"),
    "login_file": ("mail.kind.file", _is_text, "login_file"),
    "timeout": ("mail.kind.seconds", _is_number, "timeout"),
    "attempts": ("mail.kind.whole", _is_whole, "attempts"),
}
