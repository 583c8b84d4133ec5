"""Everything Likeness raises on purpose.

::

    LikenessError                   anything below; catch this one to catch all
    ├── FileWriteError              a file or a folder cannot be written: missing, permission, full disk
    ├── ImageError                  a picture file
    │   ├── ImageReadError          missing, unreadable, truncated, or no picture at all
    │   │   └── RawImageError       a camera's raw file
    │   ├── ImageTooLargeError      more pixels than the limit (decompression bomb)
    │   ├── ImageWriteError         cannot be written: folder, permission, format (a FileWriteError, too)
    │   └── ResolutionError         too few pixels for the print that is wanted
    ├── DecoderError                the processes that decode pictures do not run; no picture is to blame
    ├── NoFaceError                 no face where one is needed
    ├── PairError (ValueError)      two pictures that cannot be compared, before and after
    ├── ArgumentError (ValueError)  something handed to the library that it cannot take: type, shape, range of samples
    ├── ControlError (ValueError)   a control outside its range; the message holds the range
    ├── ConfigError (ValueError)    a configuration file or an option that cannot be used
    ├── CheckpointError             network weights
    │   ├── CheckpointFormatError   not weights, or not of a known network
    │   ├── ChecksumError           the bytes are not the ones that were promised
    │   ├── DownloadError           could not be fetched
    │   └── LicenceError            the weights' licence was not accepted
    ├── MailError                   the mail server cannot be used: address, certificate, login
    ├── RecordError                 a file of votes, sent mail or answers cannot be read or written
    ├── BatchError                  a batch's journal, input or output cannot be used
    │   └── JournalError            the journal: its disk is full or fails, or it is damaged
    ├── ForkError                   a network in a process that was forked from one that had it loaded
    ├── MissingExtraError           a feature whose optional dependency is not installed
    ├── ServerError                 a server of Likeness that cannot be reached, or will not do what was asked
    │   └── ServerBusyError         it has too much to do at the moment; ask again later
    ├── VideoError                  a video cannot be read, or not written: damaged, no video, too long, no encoder
    └── TrainingError               a training run that cannot start or go on

Each message is one sentence for a person: what is wrong, with which file, and what to do.
"""

from __future__ import annotations

from likeness.messages.notice import Notice, notice_of

__all__ = [
    "ArgumentError",
    "BatchError",
    "CheckpointError",
    "CheckpointFormatError",
    "ChecksumError",
    "ConfigError",
    "ControlError",
    "DecoderError",
    "DownloadError",
    "FileWriteError",
    "ForkError",
    "ImageError",
    "ImageReadError",
    "ImageTooLargeError",
    "ImageWriteError",
    "JournalError",
    "LicenceError",
    "LikenessError",
    "MailError",
    "MissingExtraError",
    "NoFaceError",
    "PairError",
    "RawImageError",
    "RecordError",
    "ResolutionError",
    "ServerBusyError",
    "ServerError",
    "TrainingError",
    "VideoError",
]


class LikenessError(Exception):
    """Base of every error that Likeness raises on purpose."""

    @property
    def notice(self) -> Notice:
        """The sentence with its code and values, for other languages; its code is "said" where it has none of its own."""
        return notice_of(self)


class FileWriteError(LikenessError):
    """A file could not be written, or a folder not made; nothing was left behind."""


class ImageError(LikenessError):
    """A picture file could not be read or written."""


class ImageReadError(ImageError):
    """A file is missing, unreadable, truncated, or not a picture."""


class RawImageError(ImageReadError):
    """A file is a camera's raw file, which has to be developed first."""


class ImageTooLargeError(ImageError):
    """A picture has more pixels than the limit allows.

    Attributes:
        pixels: how many; None where a library's own limit was met.
    """

    def __init__(self, message: str, *, pixels: int | None = None) -> None:
        super().__init__(message)
        self.pixels = pixels


class ImageWriteError(ImageError, FileWriteError):
    """A picture could not be written; nothing was left behind."""


class ResolutionError(ImageError):
    """A picture has too few pixels for the print that is wanted."""


class DecoderError(LikenessError):
    """The processes that decode pictures cannot be started, end before they are asked anything, or the machine leaves them
    no time; the picture need not be to blame."""


class NoFaceError(LikenessError):
    """A picture holds no face, or none that the selection lets through."""


class PairError(LikenessError, ValueError):
    """Two pictures, before and after, cannot be compared."""


class ControlError(LikenessError, ValueError):
    """A control was given a value outside its range."""


class ConfigError(LikenessError, ValueError):
    """A configuration file or option cannot be used."""


class CheckpointError(LikenessError):
    """Network weights could not be obtained or used."""


class CheckpointFormatError(CheckpointError):
    """A file is not a checkpoint of a network known here."""


class ChecksumError(CheckpointError):
    """A file's SHA-256 is not the expected one."""


class DownloadError(CheckpointError):
    """A checkpoint could not be fetched."""


class LicenceError(CheckpointError):
    """A checkpoint's licence has to be accepted before its first use."""


class MailError(LikenessError):
    """No mail can be sent: the server is not there, or refuses the certificate, the login or the sender."""


class RecordError(LikenessError):
    """A file of records (votes, mail that was sent, clients' answers) cannot be read or written."""


class BatchError(LikenessError):
    """A batch's journal, its input or its output cannot be used."""


class JournalError(BatchError):
    """A batch's journal cannot be used: its disk is full or fails, or it is damaged."""


class ArgumentError(LikenessError, ValueError):
    """Something was handed to the library that it cannot take: another type, shape, or samples outside 0 to 1."""


class ForkError(LikenessError):
    """A network was asked for work in a process that was forked from one that had loaded networks; use "spawn"."""


class MissingExtraError(LikenessError):
    """An optional dependency is not installed; the message names the extra."""


class ServerError(LikenessError):
    """A server of Likeness cannot be reached, or will not do what was asked."""


class ServerBusyError(ServerError):
    """A server of Likeness has too much to do at the moment.

    Attributes:
        retry_after: after how many seconds asking again is worth while.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TrainingError(LikenessError):
    """A training run cannot start or go on."""


class VideoError(LikenessError):
    """A video cannot be read, or not written: it is damaged, too large, holds no pictures, or nothing here encodes it."""
