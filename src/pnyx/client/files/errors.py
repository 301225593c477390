"""What the file service raises beyond Python's own errors for files."""

from pnyx.errors import PnyxError


class NameRefused(PnyxError, ValueError):
    """The path cannot name a file. Nothing was done."""

    code = "PX0701"


class FormatNewer(PnyxError):
    """A newer version of pnyx has written this. Nothing was read or changed."""

    code = "PX0702"


class ChunkMissing(PnyxError, OSError):
    """A part of the file is gone: the file was replaced some time ago, or it is damaged."""

    code = "PX0703"


class ChunkDamaged(PnyxError, OSError):
    """A part of the file is not what was written. Nothing of it was returned."""

    code = "PX0704"


class CommitTooLate(PnyxError, OSError):
    """The writer took longer than a writer may. The file is as it was before."""

    code = "PX0705"


class QuotaExceeded(PnyxError, OSError):
    """The file would be larger than allowed, or all files together. It is as it was before."""

    code = "PX0706"


class Unsettled(PnyxError, OSError):
    """Directories were renamed in too fast to be listed at one moment. Nothing was collected."""

    code = "PX0707"


class Overtaken(PnyxError, OSError):
    """The file that was appended to was replaced or removed meanwhile. Nothing was changed."""

    code = "PX0709"


class MoveUnfinished(PnyxError, OSError):
    """The file is at its new name, whole; it may be at the old one, too."""

    code = "PX0710"
