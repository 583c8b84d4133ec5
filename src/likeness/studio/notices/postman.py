"""Handing mail to an SMTP server (RFC 5321): TLS with certificates checked, patience with "later", an end with "no"."""

from __future__ import annotations

import base64
import logging
import smtplib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from types import TracebackType
from typing import Literal

from likeness.errors import MailError
from likeness.messages.notice import Notice, notice_of
from likeness.studio.notices.settings import Login, MailSettings

__all__ = ["Delivery", "Postman"]

_log = logging.getLogger(__name__)

_TOO_LONG = 552
"""What a server answers to MAIL if the size that is said with it is more than it takes (RFC 1870, 6.1)."""

_FIRST_WAIT = 2.0
_GROWTH = 4.0

_TAKING = 600.0
"""Seconds that a server may take to accept a text it has got, looking for viruses and the like (RFC 5321, 4.5.3.2.6)."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of a mail.

    Attributes:
        state: "sent" (the server took it), "refused" (a permanent error, 5xx), "deferred" (all attempts met a temporary
            one, 4xx, or a broken connection).
        detail: the server's words where it was not sent.
        attempts: how often it was tried.
    """

    state: Literal["sent", "refused", "deferred"]
    detail: str = ""
    attempts: int = 1


class _UnreachableError(Exception):
    """No connection for now; the message holds the server's words."""


class Postman:
    """A connection to a mail server, made when it is first needed and again when it breaks. Use as a context manager.

    Args:
        settings: which server, and how.
        login: None for a server that wants none.
        pause: waits the given seconds between attempts: 2, then 8, then 32, ...
    """

    def __init__(
        self, settings: MailSettings, login: Login | None, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        if not settings.host:
            raise MailError(Notice("mail.no-host"))
        self._settings = settings
        self._login = login
        self._pause = pause
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Postman:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._hang_up(politely=kind is None)

    def deliver(self, message: EmailMessage, address: str) -> Delivery:
        """Hand over a mail to one address, trying again while the server says "later".

        A connection that breaks after the text was sent leaves open whether the server took it. It is tried again with the
        same Message-ID then, as RFC 5321 (6.1) wants: rather twice than never.

        Raises:
            MailError: if nothing at all can be sent: no server there, a certificate that does not hold, a login or a
                sender that is refused.
        """
        data = message.as_bytes(policy=SMTP)
        detail, reached = "", False
        for attempt in range(1, self._settings.attempts + 1):
            if attempt > 1:
                wait = _FIRST_WAIT * _GROWTH ** (attempt - 2)
                _log.info("%s: %s; next attempt in %g s", address, detail, wait)
                self._pause(wait)
            reached = True
            try:
                self._transfer(self._connection or self._connect(), data, address)
            except _UnreachableError as error:
                detail, reached = notice_of(error), False
            except smtplib.SMTPRecipientsRefused as refusal:
                code, words = next(iter(refusal.recipients.values()))
                detail = _words(code, words)
                if code >= 500:
                    return Delivery(state="refused", detail=detail, attempts=attempt)
            except smtplib.SMTPSenderRefused as refusal:
                detail = _words(refusal.smtp_code, refusal.smtp_error)
                if refusal.smtp_code == _TOO_LONG:
                    return Delivery(state="refused", detail=detail, attempts=attempt)
                if refusal.smtp_code >= 500:
                    raise MailError(
                        Notice(
                            "mail.sender-refused",
                            {"where": self._where, "sender": self._settings.sender, "detail": detail},
                        )
                    ) from refusal
            except smtplib.SMTPResponseException as refusal:  # DATA, and the end of the text
                detail = _words(refusal.smtp_code, refusal.smtp_error)
                if refusal.smtp_code >= 500:
                    return Delivery(state="refused", detail=detail, attempts=attempt)
            except (smtplib.SMTPServerDisconnected, OSError) as error:
                detail = Notice("mail.broke-off", {"why": notice_of(error)})
                self._hang_up(politely=False)
            else:
                return Delivery(state="sent", attempts=attempt)
            if detail.startswith("421"):  # the server is about to close the connection
                self._hang_up(politely=False)
        if not reached:  # so it would be for every other mail
            raise MailError(Notice("mail.for-now", {"where": self._where, "detail": detail}))
        return Delivery(state="deferred", detail=detail, attempts=self._settings.attempts)

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.used_port}"

    def _transfer(self, connection: smtplib.SMTP, data: bytes, address: str) -> None:
        """As `smtplib.SMTP.sendmail`, but patient at the end of the text: who gives up there may send everything twice."""
        sender = self._settings.sender
        connection.ehlo_or_helo_if_needed()
        code, words = connection.mail(sender, [f"size={len(data)}"] if connection.has_extn("size") else [])
        if code != 250:
            self._reset(connection, code)
            raise smtplib.SMTPSenderRefused(code, words, sender)
        code, words = connection.rcpt(address)
        if code not in (250, 251):
            self._reset(connection, code)
            raise smtplib.SMTPRecipientsRefused({address: (code, words)})
        line = connection.sock
        if line is not None:
            line.settimeout(max(self._settings.timeout, _TAKING))
        try:
            code, words = connection.data(data)
        except smtplib.SMTPDataError as refusal:  # before it has seen any of the text, as greylists do
            self._reset(connection, refusal.smtp_code)
            raise
        if line is not None:
            line.settimeout(self._settings.timeout)
        if code != 250:
            self._reset(connection, code)
            raise smtplib.SMTPDataError(code, words)

    def _reset(self, connection: smtplib.SMTP, code: int) -> None:
        """Begin the next mail afresh; after 421 the server closes the connection by itself."""
        if code != 421:
            connection.rset()

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise MailError(
                Notice("mail.certificates", {"ca_file": str(settings.ca_file), "why": notice_of(error)})
            ) from error
        try:
            if settings.security == "tls":
                connection: smtplib.SMTP = smtplib.SMTP_SSL(
                    settings.host, settings.used_port, timeout=settings.timeout, context=context
                )
            else:
                connection = smtplib.SMTP(settings.host, settings.used_port, timeout=settings.timeout)
            self._connection = connection
            if settings.security == "starttls":
                connection.starttls(context=context)
            self._log_in(connection)
        except ssl.SSLCertVerificationError as error:
            self._hang_up(politely=False)
            raise MailError(
                Notice("mail.certificate", {"where": self._where, "detail": error.verify_message})
            ) from error
        except ssl.SSLError as error:
            self._hang_up(politely=False)
            raise MailError(
                Notice("mail.no-tls", {"where": self._where, "detail": error.reason or notice_of(error)})
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            self._hang_up(politely=False)
            raise MailError(Notice("mail.nothing-sent", {"where": self._where, "why": notice_of(error)})) from error
        except smtplib.SMTPAuthenticationError as error:
            self._hang_up(politely=True)
            if error.smtp_code < 500:
                raise _UnreachableError(_words(error.smtp_code, error.smtp_error)) from error
            words = _words(error.smtp_code, error.smtp_error)
            raise MailError(Notice("mail.login-refused", {"where": self._where, "words": words})) from error
        except smtplib.SMTPResponseException as error:
            self._hang_up(politely=False)
            words = _words(error.smtp_code, error.smtp_error)
            if 400 <= error.smtp_code < 500:
                raise _UnreachableError(words) from error
            raise MailError(Notice("mail.not-from-here", {"where": self._where, "words": words})) from error
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up(politely=False)
            raise _UnreachableError(Notice("mail.no-connection", {"why": notice_of(error)})) from error
        return connection

    def _log_in(self, connection: smtplib.SMTP) -> None:
        login = self._login
        if login is None:
            return
        if f"{login.user}{login.password}".isascii():
            connection.login(login.user, login.password)
            return
        # smtplib writes ASCII only. Of the ways to log in, PLAIN says how other letters are written (RFC 4616).
        connection.ehlo_or_helo_if_needed()
        if "PLAIN" not in connection.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError(Notice("mail.login-letters"))
        said = base64.b64encode(f"\0{login.user}\0{login.password}".encode()).decode("ascii")
        code, words = connection.docmd("AUTH", f"PLAIN {said}")
        if code not in (235, 503):  # 503: logged in already
            raise smtplib.SMTPAuthenticationError(code, words)

    def _hang_up(self, *, politely: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if politely:
                connection.quit()
        except (smtplib.SMTPException, OSError):
            _log.debug("the server did not say goodbye")
        finally:
            connection.close()


def _words(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"
