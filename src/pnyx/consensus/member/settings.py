"""Every limit and duration of a member, named, with its default."""

from dataclasses import dataclass

from pnyx.errors import SettingsWrong

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """How one member behaves; all members of a group should have the same.

    Raises:
        SettingsWrong: a value, or two together, cannot work.
    """

    heartbeat_ms: int = 50
    """How often a leader is heard at least."""
    election_ms_min: int = 300
    """A follower is loyal for this long after it last heard its leader."""
    election_ms_max: int = 600
    """The random election timeout is below this; a leader without quorum steps down after it."""
    inflight_max: int = 256
    """Unanswered append messages to one peer."""
    inflight_bytes_max: int = 8 * _MIB
    """Payload bytes in unanswered append messages to one peer (one message always may go)."""
    append_bytes_max: int = 1 * _MIB
    """Payload bytes of one append message (one entry always fits)."""
    append_entries_max: int = 1024
    """Entries of one append message."""
    uncommitted_bytes_max: int = 64 * _MIB
    """Payload bytes a leader holds that are not committed; proposals beyond are refused."""
    entry_bytes_max: int = 8 * _MIB
    """Payload bytes of one entry."""
    apply_entries_max: int = 128
    """Entries in one `Ready.committed`."""
    apply_bytes_max: int = _MIB // 4
    """Payload bytes in one `Ready.committed` (one entry always fits)."""
    notice_ms: int = 0
    """How long a leader waits for an append that can tell the peers what is committed, before it
    tells them separately; 0: not at all."""
    thrift_ms: int = 0
    """How long entries may wait for peers whose answers a quorum did not need
    (thrift.py); 0: all are asked at once."""
    thrift_bytes: int = 32 * 1024
    """Payload bytes of which so many are no longer held back: a message of its own costs little
    beside them, and with many clients the first answer of two is worth more."""
    thrift_count: int = 64
    """Entries; a peer that lacks more is behind, and nothing is held back from it."""
    hedge_ms: int = 3
    """With no quorum for so long, they are asked at once."""
    reads_max: int = 65_536
    """Read barriers that may wait at once; more are refused."""
    beat_grid_ms: int = 0
    """Leaders beat at multiples of this (or of `heartbeat_ms`) on their clock; 0: at any time. So
    all groups that one node leads beat together, and what they say to a node is one message."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for name in self.__slots__:
            least = 0 if name in {"notice_ms", "thrift_ms", "beat_grid_ms"} else 1
            if getattr(self, name) < least:
                raise SettingsWrong(
                    f"{name} = {getattr(self, name)} cannot be used; nothing was started",
                    cause="every duration and limit of consensus is positive, but for "
                    "notice_ms and thrift_ms",
                    next_step=f"set {name} to {least} or more, or leave it out for the default",
                )
        if 2 * self.heartbeat_ms > self.election_ms_min:
            raise SettingsWrong(
                "the election timeout cannot be used; nothing was started",
                cause=f"election_ms_min = {self.election_ms_min} is less than two heartbeats "
                f"of {self.heartbeat_ms} ms: one lost heartbeat would depose the leader",
                next_step="raise election_ms_min to ten heartbeats or so",
            )
        if self.election_ms_max <= self.election_ms_min:
            raise SettingsWrong(
                "the election timeout cannot be used; nothing was started",
                cause=f"election_ms_max = {self.election_ms_max} is not above "
                f"election_ms_min = {self.election_ms_min}: all nodes would stand at once",
                next_step="raise election_ms_max to twice election_ms_min",
            )
        if self.entry_bytes_max > self.uncommitted_bytes_max:
            raise SettingsWrong(
                "the size limits cannot be used; nothing was started",
                cause="entry_bytes_max is above uncommitted_bytes_max: "
                "the largest entry could never be proposed",
                next_step="lower entry_bytes_max",
            )

    def next_beat_ms(self, now_ms: int) -> int:
        """Return when a leader that beats now is to beat again."""
        due_ms = now_ms + self.heartbeat_ms
        grid_ms = min(self.beat_grid_ms, self.heartbeat_ms)
        return due_ms - due_ms % grid_ms if grid_ms else due_ms
