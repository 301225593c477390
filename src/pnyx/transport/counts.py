"""What the transport counts: plain integers that the metrics page reads."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Since this node started."""

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    bad_frames: int = 0
    """Wrong magic, version, length or checksum, or a body that is no message: link closed."""
    dropped_full: int = 0
    """Sends given up because the link's buffer was at its limit."""
    dropped_unreachable: int = 0
    """Sends to a peer without a link."""
    dropped_oversize: int = 0
    """Single packets larger than a frame may be."""
    handshakes_refused: int = 0
    """Refused by us or by the peer."""
    handshakes_timed_out: int = 0
    handshakes_crowded: int = 0
    """Connections closed because too many had not introduced themselves, the oldest first."""
    links_opened: int = 0
    links_idle: int = 0
    """Closed because nothing arrived for too long."""
