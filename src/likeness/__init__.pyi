# What `likeness` exports, for it and for type checkers; each name stands here and nowhere else.
from .client.answers import RequestOptions as RequestOptions
from .client.http import LikenessClient as LikenessClient
from .errors import (
    ArgumentError as ArgumentError,
    BatchError as BatchError,
    CheckpointError as CheckpointError,
    CheckpointFormatError as CheckpointFormatError,
    ChecksumError as ChecksumError,
    ConfigError as ConfigError,
    ControlError as ControlError,
    DecoderError as DecoderError,
    DownloadError as DownloadError,
    FileWriteError as FileWriteError,
    ForkError as ForkError,
    ImageError as ImageError,
    ImageReadError as ImageReadError,
    ImageTooLargeError as ImageTooLargeError,
    ImageWriteError as ImageWriteError,
    JournalError as JournalError,
    LicenceError as LicenceError,
    LikenessError as LikenessError,
    MailError as MailError,
    MissingExtraError as MissingExtraError,
    NoFaceError as NoFaceError,
    PairError as PairError,
    RawImageError as RawImageError,
    RecordError as RecordError,
    ResolutionError as ResolutionError,
    ServerBusyError as ServerBusyError,
    ServerError as ServerError,
    TrainingError as TrainingError,
    VideoError as VideoError,
)
from .evidence.face_verdict import FaceVerdict as FaceVerdict
from .evidence.figures import (
    FaceEvidence as FaceEvidence,
    Figure as Figure,
    Inspection as Inspection,
)
from .evidence.inspection import (
    Inspector as Inspector,
    inspect as inspect,
)
from .faces.face import Face as Face
from .faces.findings import (
    Finding as Finding,
    Limits as Limits,
)
from .faces.preflight import preflight as preflight
from .imaging.accepting import ImageInput as ImageInput
from .imaging.decoding.pool import (
    DecoderLimits as DecoderLimits,
    DecoderPool as DecoderPool,
)
from .imaging.files import (
    read_image as read_image,
    write_image as write_image,
)
from .imaging.image import (
    Box as Box,
    Image as Image,
    Point as Point,
    Size as Size,
)
from .imaging.metadata_fields import Metadata as Metadata
from .integrations.modelscope import pipeline as pipeline
from .messages.notice import Notice as Notice
from .reference.references import References as References
from .repair.repair import (
    RepairResult as RepairResult,
    repair as repair,
)
from .repair.repairs import Repairs as Repairs
from .restore.canvas import (
    CanvasPlan as CanvasPlan,
    plan_canvas as plan_canvas,
)
from .restore.compare import compare as compare
from .restore.controls import (
    PRESETS as PRESETS,
    Controls as Controls,
    RegionWeights as RegionWeights,
)
from .restore.enlargement import Enlargement as Enlargement
from .restore.framing import Framing as Framing
from .restore.face_controls import FaceControls as FaceControls
from .restore.following import (
    Mapped as Mapped,
    Progress as Progress,
)
from .restore.once import restore_image as restore_image
from .restore.outcome import (
    FaceOutcome as FaceOutcome,
    FaceProjection as FaceProjection,
    Restoration as Restoration,
)
from .restore.pipeline import Restorer as Restorer
from .restore.placing import Canvas as Canvas
from .restore.selection import Selection as Selection

__version__: str
