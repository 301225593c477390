"""What an operator may set, with the unit in each name, a range, a default and a sentence.

Every node of a cluster reads a file of its own; the files differ in `name` and `data` only. The
table in docs/reference/settings.md is made from this file. Where values come from, and what is said
about wrong ones, is in sources.py.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.settings import MemberSettings
from pnyx.errors import SettingsWrong
from pnyx.machine.configuration import GROUPS_MAX, SHARDS_MAX
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.replica.limits import MigrationLimits, ReplicaLimits

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
NODE_COUNT_MAX: Final = 9
"""More voters make every write slower and no cluster safer."""

GATHER_MS: Final = 10
"""At most so long a batch waits for clients that were just answered."""
NOTICE_MS: Final = 3
"""At most so long followers wait to hear what is committed: usually the next append says it."""
THRIFT_MS: Final = 10
"""At most so long entries wait for peers without which a quorum was made ..."""
HEDGE_MS: Final = 3
"""... or so long, if the next is not made by then."""

PORT_KINDS: Final = ("gateway_port", "cluster_port", "peer_port", "http_port")

Label: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65_535)]


class Contradiction(ValueError):
    """Two values that are fine alone cannot both be meant."""

    def __init__(self, text: str, next_step: str) -> None:
        super().__init__(text)
        self.next_step = next_step


class Section(BaseModel):
    """Base of the tables: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class NodeAddress(Section):
    """Where one node listens. Every node's file lists all nodes."""

    host: str = Field(min_length=1, description="Name or address the node binds and is reached at.")
    gateway_port: Port = Field(default=6379, description="Redis clients without cluster support.")
    cluster_port: Port = Field(default=7001, description="Redis Cluster clients.")
    peer_port: Port = Field(default=7101, description="The other nodes. Never open it to clients.")
    http_port: Port = Field(default=8301, description="/livez, /readyz, /metrics and /v1.")

    @property
    def ports(self) -> tuple[int, int, int, int]:
        """All four, in the order of PORT_KINDS."""
        return self.gateway_port, self.cluster_port, self.peer_port, self.http_port


class RaftTable(Section):
    """Elections and replication. All nodes should have the same values."""

    heartbeat_ms: int = Field(
        default=50, ge=5, le=10_000, description="How often a leader is heard at least."
    )
    election_ms_min: int = Field(
        default=300,
        ge=20,
        le=60_000,
        description="A follower is loyal for this long without a heartbeat.",
    )
    election_ms_max: int = Field(
        default=600, ge=40, le=120_000, description="The random election timeout is below this."
    )
    inflight_max: int = Field(
        default=256, ge=1, le=65_536, description="Unanswered append messages to one peer."
    )
    inflight_bytes_max: int = Field(
        default=8 * MIB,
        ge=64 * KIB,
        le=GIB,
        description="Bytes in unanswered append messages to one peer.",
    )
    append_bytes_max: int = Field(
        default=MIB,
        ge=4 * KIB,
        le=16 * MIB,
        description="Bytes of one append message; one entry fits.",
    )
    append_entries_max: int = Field(
        default=1_024, ge=1, le=65_536, description="Entries of one append message."
    )
    apply_bytes_max: int = Field(
        default=256 * KIB,
        ge=4 * KIB,
        le=64 * MIB,
        description="Bytes applied before others get a turn.",
    )
    apply_entries_max: int = Field(
        default=128, ge=1, le=65_536, description="Entries applied before others get a turn."
    )
    reads_max: int = Field(
        default=65_536,
        ge=1,
        le=1_000_000,
        description="Linearizable reads waiting for their index.",
    )


class MembersTable(Section):
    """How members change. All nodes should have the same values."""

    replace_silent_ms: int = Field(
        default=30_000,
        ge=500,
        le=3_600_000,
        description="A node whose disk was wiped takes its place after the old one's silence.",
    )
    catch_up_ms: int = Field(
        default=60_000,
        ge=1_000,
        le=3_600_000,
        description="How long a node that is added may take to catch up.",
    )


class StorageTable(Section):
    """The log and the applied state on this node's disk."""

    segment_bytes: int = Field(
        default=64 * MIB, ge=MIB, le=GIB, description="Size of a log file; they are made ahead."
    )
    flush_log_bytes: int = Field(
        default=16 * MIB, ge=MIB, le=GIB, description="A restart replays about this much log."
    )
    compact_log_bytes: int = Field(
        default=64 * MIB,
        ge=MIB,
        le=64 * GIB,
        description="The log is compacted when it holds more.",
    )
    tail_log_bytes: int = Field(
        default=32 * MIB,
        ge=0,
        le=64 * GIB,
        description="Log kept for followers that are a little behind.",
    )
    low_space_bytes: int = Field(
        default=256 * MIB,
        ge=MIB,
        le=64 * GIB,
        description="With less free disk than this, writes are refused, and no snapshot is taken "
        "in, until there is more.",
    )


class LimitsTable(Section):
    """What clients may use of a node. Nothing grows beyond these."""

    value_bytes_max: int = Field(
        default=4 * MIB, ge=KIB, le=256 * MIB, description="Longest value of a key."
    )
    entry_bytes_max: int = Field(
        default=8 * MIB,
        ge=65 * KIB,
        le=512 * MIB,
        description="Longest log entry: a transaction fits in.",
    )
    uncommitted_bytes_max: int = Field(
        default=64 * MIB,
        ge=MIB,
        le=4 * GIB,
        description="Writes under way on a leader; then overloaded.",
    )
    batch_bytes_max: int = Field(
        default=MIB, ge=4 * KIB, le=64 * MIB, description="Requests put into one log entry."
    )
    park_ms: int = Field(
        default=1_500, ge=0, le=60_000, description="How long a request waits for a leader."
    )
    parked_bytes_max: int = Field(
        default=16 * MIB,
        ge=0,
        le=4 * GIB,
        description="Requests of all clients that wait for a leader.",
    )
    outcome_ms: int = Field(
        default=3_000,
        ge=100,
        le=120_000,
        description="After this an open write is answered: unknown.",
    )
    clients_max: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Connected clients, both ports together."
    )
    query_bytes_max: int = Field(
        default=64 * MIB, ge=64 * KIB, le=GIB, description="One connection's unfinished command."
    )
    output_bytes_max: int = Field(
        default=32 * MIB,
        ge=64 * KIB,
        le=GIB,
        description="Unread replies that drop a client at once.",
    )
    output_bytes_soft_max: int = Field(
        default=8 * MIB,
        ge=64 * KIB,
        le=GIB,
        description="Unread replies that drop it after a while, ...",
    )
    output_soft_ms: int = Field(
        default=60_000, ge=100, le=3_600_000, description="... namely this one."
    )
    held_bytes_max: int = Field(
        default=256 * MIB,
        ge=MIB,
        le=64 * GIB,
        description="Requests and replies of all clients; then the largest holder is dropped.",
    )
    move_rate_bytes: int = Field(
        default=4 * MIB,
        ge=0,
        le=1 << 40,
        description="Copied a second to one group that shards move to; 0: as fast as it goes.",
    )
    login_ms: int = Field(
        default=10_000, ge=100, le=600_000, description="How long a client may owe the password."
    )
    idle_ms: int = Field(
        default=0,
        ge=0,
        le=86_400_000,
        description="Drop clients that are silent for so long; 0 never.",
    )


class EventsTable(Section):
    """What the node writes to standard error."""

    format: Literal["text", "json"] = Field(
        default="text", description="One line an event, either way."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Events below this are not written."
    )


class Settings(Section):
    """One node's settings. `sources.load` makes them; a value set nowhere has its default."""

    name: Label = Field(description="Which of the nodes below this one is.")
    cluster_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] = Field(
        description="32 hex digits, the same on all nodes; `pnyx init` draws them."
    )
    consensus: EngineName = Field(
        default=EngineName.RAFT,
        description="The engine of the cluster, the same on all nodes, chosen before the first "
        "start.",
    )
    groups: int = Field(
        default=1,
        ge=1,
        le=GROUPS_MAX,
        description="Groups of keys that a new cluster begins with; each has its own leader.",
    )
    shards: int = Field(
        default=SHARDS_DEFAULT,
        ge=1,
        le=SHARDS_MAX,
        description="What moves between groups: the slots are cut into so many, for ever.",
    )
    data: Path = Field(description="Directory of log and state, relative to the settings file.")
    requirepass: str = Field(
        default="", repr=False, description="Password of clients; empty: none."
    )
    insecure: bool = Field(
        default=False, description="Allow an address others can reach without a password."
    )
    faults: bool = Field(
        default=False, description="Obey fault requests (partition); for demos and tests."
    )
    drain_ms: int = Field(
        default=10_000, ge=100, le=120_000, description="How long a node told to stop may take."
    )
    vigil_us: int = Field(
        default=2_000,
        ge=0,
        le=100_000,
        description="How long a busy node looks for more before it sleeps; 0: it sleeps at once.",
    )
    nodes: dict[Label, NodeAddress] = Field(
        min_length=1, max_length=NODE_COUNT_MAX, description="All nodes, this one included."
    )
    raft: RaftTable = Field(default_factory=RaftTable)
    members: MembersTable = Field(default_factory=MembersTable)
    storage: StorageTable = Field(default_factory=StorageTable)
    limits: LimitsTable = Field(default_factory=LimitsTable)
    events: EventsTable = Field(default_factory=EventsTable)
    origins: dict[str, str] = Field(default_factory=dict, exclude=True, repr=False)
    """Dotted name -> the file, variable or flag that set it; others have their default."""

    @property
    def me(self) -> NodeAddress:
        """This node's own addresses."""
        return self.nodes[self.name]

    @property
    def raft_settings(self) -> MemberSettings:
        """The same, as consensus takes them."""
        return MemberSettings(
            **self.raft.model_dump(),
            notice_ms=NOTICE_MS,
            thrift_ms=THRIFT_MS,
            hedge_ms=HEDGE_MS,
            beat_grid_ms=self.raft.heartbeat_ms,
            uncommitted_bytes_max=self.limits.uncommitted_bytes_max,
            entry_bytes_max=self.limits.entry_bytes_max,
        )

    @property
    def replica_limits(self) -> ReplicaLimits:
        """The same, as a replica takes them."""
        return ReplicaLimits(
            park_ms=self.limits.park_ms,
            parked_bytes=self.limits.parked_bytes_max,
            outcome_ms=self.limits.outcome_ms,
            batch_bytes=self.limits.batch_bytes_max,
            gather_ms=GATHER_MS,
            value_bytes=self.limits.value_bytes_max,
            flush_log_bytes=self.storage.flush_log_bytes,
            compact_log_bytes=self.storage.compact_log_bytes,
            tail_log_bytes=self.storage.tail_log_bytes,
            catch_up_ms=self.members.catch_up_ms,
            replace_silent_ms=self.members.replace_silent_ms,
        )

    @property
    def migration_limits(self) -> MigrationLimits:
        """The same, as those who carry out moves take them."""
        return MigrationLimits(rate_bytes_s=self.limits.move_rate_bytes)

    def origin(self, name: str) -> str:
        """Return what set the value with this dotted name."""
        return self.origins.get(name, "default")

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.name not in self.nodes:
            raise Contradiction(
                f"name = {self.name} is none of the nodes {', '.join(sorted(self.nodes))}",
                f"add a table [nodes.{self.name}], or correct name",
            )
        _check_ports(self.nodes)
        _check_sizes(self.limits, self.storage)
        try:
            _ = self.raft_settings
        except SettingsWrong as error:
            raise Contradiction(error.cause, error.next_step) from error
        if not (is_loopback(self.me.host) or self.requirepass or self.insecure):
            raise Contradiction(
                f"anybody who reaches {self.me.host} could read and write everything: "
                "there is no requirepass",
                "set requirepass, use a loopback address, or say insecure = true (--insecure)",
            )
        return self


def is_loopback(host: str) -> bool:
    """Can only this machine reach `host`? A name other than localhost counts as reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_ports(nodes: Mapping[str, NodeAddress]) -> None:
    taken: dict[tuple[str, int], str] = {}
    for label, address in sorted(nodes.items()):
        for kind, port in zip(PORT_KINDS, address.ports, strict=True):
            mine = f"{kind} of {label}"
            other = taken.setdefault((address.host, port), mine)
            if other != mine:
                raise Contradiction(
                    f"{other} and {mine} are both {address.host}:{port}",
                    "give each its own port, in every node's file",
                )


def _check_sizes(limits: LimitsTable, storage: StorageTable) -> None:
    pairs = (
        # Room for the key and what surrounds both.
        ("limits.value_bytes_max", limits.value_bytes_max + 64 * KIB, "limits.entry_bytes_max",
         limits.entry_bytes_max),
        ("twice limits.entry_bytes_max", 2 * limits.entry_bytes_max, "storage.segment_bytes",
         storage.segment_bytes),
        ("limits.output_bytes_soft_max", limits.output_bytes_soft_max, "limits.output_bytes_max",
         limits.output_bytes_max),
        ("storage.tail_log_bytes", storage.tail_log_bytes, "storage.compact_log_bytes",
         storage.compact_log_bytes),
    )  # fmt: skip
    for smaller, small, larger, large in pairs:
        if small > large:
            raise Contradiction(
                f"{smaller} must fit in {larger} = {large}",
                f"raise {larger} to {small} or more, or lower the other",
            )
