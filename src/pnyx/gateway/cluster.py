"""The rows of CLUSTER: the members of the group in Redis Cluster's words.

A process has one role: it is a master if it leads, else a replica of the leader it follows.
During an election the last known leader stays a master, for clients need all 16384 slots.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final

from pnyx.gateway.client import Client
from pnyx.gateway.greeting import NO_CLUSTER
from pnyx.gateway.keyspace import help_text
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.rows import Ask, Local, LocalReply, Row, container
from pnyx.gateway.words import integer, text_of
from pnyx.ids import SLOT_COUNT, NodeId
from pnyx.machine.commands import SlotCount, SlotKeys
from pnyx.machine.results import OK, Refusal, Values
from pnyx.machine.slots import slot_of
from pnyx.node.status import Member, Topology
from pnyx.transport.resp import Map, Reply, Rows, Verbatim

SLOT_KEYS_MAX: Final = 1000


def node_name(node: NodeId) -> str:
    """Return a node's id as Redis Cluster writes it, 40 hex digits."""
    return f"{node:040x}"


def _in_cluster(local: Local) -> Local:
    @wraps(local)
    def checked(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
        return local(lobby, client, words) if client.speaks_cluster else NO_CLUSTER

    return checked


def _master(topology: Topology) -> Member | None:
    return None if topology.leader is None else topology.member(topology.leader)


def _replicas(topology: Topology) -> list[Member]:
    return [member for member in topology.placed if member.node != topology.leader]


def _info(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    served = SLOT_COUNT if topology.quorum else 0
    lines = (
        f"cluster_state:{'ok' if topology.quorum else 'fail'}",
        f"cluster_slots_assigned:{SLOT_COUNT if topology.leader is not None else 0}",
        f"cluster_slots_ok:{served}",
        "cluster_slots_pfail:0",
        f"cluster_slots_fail:{SLOT_COUNT - served}",
        f"cluster_known_nodes:{len(topology.placed)}",
        f"cluster_size:{1 if topology.leader is not None else 0}",
        f"cluster_current_epoch:{topology.term}",
        f"cluster_my_epoch:{topology.term}",
        "cluster_stats_messages_sent:0",
        "cluster_stats_messages_received:0",
        "total_cluster_links_buffer_limit_exceeded:0",
    )
    return Verbatim("".join(f"{line}\r\n" for line in lines).encode())


def _node_line(topology: Topology, member: Member) -> str:
    master = _master(topology)
    leads = master is not None and member.node == master.node
    flags = "myself," if member.node == topology.me else ""
    flags += "master" if leads or master is None else "slave"
    if not member.voter:
        # Redis' word for a replica that never becomes a master.
        flags += ",nofailover"
    if not member.reachable:
        flags += ",fail?"
    fields = [
        node_name(member.node),
        f"{member.host}:{member.cluster_port}@{member.peer_port}",
        flags,
        "-" if leads or master is None else node_name(master.node),
        "0",
        "0",
        str(topology.term),
        "connected" if member.reachable else "disconnected",
    ]
    if leads:
        fields.append(f"0-{SLOT_COUNT - 1}")
    return " ".join(fields) + "\n"


def _nodes(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    text = "".join(_node_line(topology, member) for member in topology.placed)
    return Verbatim(text.encode())


def _slots_entry(member: Member) -> Reply:
    name = node_name(member.node).encode()
    return Rows((member.host.encode(), member.cluster_port, name, Map(())))


def _slots(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    master = _master(topology)
    if master is None:
        return Values(())
    # A learner may be far behind: nobody is sent there to read.
    followers = [member for member in _replicas(topology) if member.voter]
    nodes = [_slots_entry(member) for member in (master, *followers)]
    return Rows((Rows((0, SLOT_COUNT - 1, *nodes)),))


def _shards_entry(lobby: Lobby, topology: Topology, member: Member) -> Reply:
    position = lobby.store.position()
    return Map(
        (
            (b"id", node_name(member.node).encode()),
            (b"port", member.cluster_port),
            (b"ip", member.host.encode()),
            (b"endpoint", member.host.encode()),
            (b"role", b"master" if member.node == topology.leader else b"replica"),
            (b"replication-offset", position.applied),
            (b"health", _health(member)),
        )
    )


def _health(member: Member) -> bytes:
    if not member.reachable:
        return b"failed"
    return b"online" if member.voter else b"loading"


def _shards(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    master = _master(topology)
    ordered = ((master,) if master is not None else ()) + tuple(_replicas(topology))
    return Rows(
        (
            Map(
                (
                    (b"slots", Values((0, SLOT_COUNT - 1) if master is not None else ())),
                    (b"nodes", Rows(tuple(_shards_entry(lobby, topology, one) for one in ordered))),
                )
            ),
        )
    )


def _keyslot(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    return slot_of(words[2])


def _myid(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return node_name(lobby.store.topology().me).encode()


def _myshardid(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    # There is one group, and with it one shard of all slots.
    return b"%040x" % 1


def _slot(word: bytes) -> int | None:
    slot = integer(word)
    return slot if slot is not None and 0 <= slot < SLOT_COUNT else None


_BAD_SLOT: Final = Refusal("ERR Invalid or out of range slot")


def _count_keys(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    if integer(words[2]) is None:
        return _BAD_SLOT
    slot = _slot(words[2])
    return Refusal("ERR Invalid slot") if slot is None else Ask(SlotCount(slot), _as_is)


def _get_keys(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    slot, count = _slot(words[2]), integer(words[3])
    if slot is None:
        return _BAD_SLOT
    if count is None or count < 0:
        return Refusal("ERR Invalid slot or number of keys")
    return Ask(SlotKeys(slot, min(count, SLOT_KEYS_MAX)), _as_is)


def _as_is(result: Reply) -> Reply:
    return result


def _replicas_of(lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    named = [one for one in topology.placed if node_name(one.node).encode() == words[2]]
    if not named:
        return Refusal(f"ERR Unknown node {text_of(words[2])}")
    if named[0].node != topology.leader:
        return Refusal("ERR The specified node is not a master")
    lines = [_node_line(topology, member).encode().rstrip() for member in _replicas(topology)]
    return Values(tuple(lines))


def _links(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    links = [
        Map(
            (
                (b"direction", b"to"),
                (b"node", node_name(member.node).encode()),
                (b"create-time", 0),
                (b"events", b"rw"),
                (b"send-buffer-allocated", 0),
                (b"send-buffer-used", 0),
            )
        )
        for member in topology.placed
        if member.node != topology.me and member.reachable
    ]
    return Rows(tuple(links))


def _by_pnyx(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    return Refusal(
        f"ERR CLUSTER {text_of(words[1]).upper()} is refused: pnyx forms and changes its clusters "
        "itself; nothing was done"
    )


def _settled(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return OK


def _help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text(
        "CLUSTER", "COUNTKEYSINSLOT <slot>", "GETKEYSINSLOT <slot> <count>", "HELP", "INFO",
        "KEYSLOT <key>", "LINKS", "MYID", "MYSHARDID", "NODES", "REPLICAS <node-id>", "SHARDS",
        "SLOTS",
    )  # fmt: skip


def _member(  # noqa: PLR0917 - a row reads across
    name: str, arity: int, since: str, summary: str, local: Callable[..., LocalReply],
    flags: str = "stale", tips: str = "",
) -> Row:  # fmt: skip
    return Row(
        f"cluster|{name}", arity, flags, "cluster", since, summary,
        local=_in_cluster(local), tips=tips, asks=name in {"countkeysinslot", "getkeysinslot"},
    )  # fmt: skip


_VARIES: Final = "nondeterministic_output"
_ADMIN: Final = "admin stale no_async_loading"
_REFUSED: Final = (
    ("addslots", -3, "3.0.0"),
    ("addslotsrange", -4, "7.0.0"),
    ("bumpepoch", 2, "3.0.0"),
    ("delslots", -3, "3.0.0"),
    ("delslotsrange", -4, "7.0.0"),
    ("failover", -2, "3.0.0"),
    ("flushslots", 2, "3.0.0"),
    ("forget", 3, "3.0.0"),
    ("meet", -4, "3.0.0"),
    ("replicate", 3, "3.0.0"),
    ("reset", -2, "3.0.0"),
    ("set-config-epoch", 3, "3.0.0"),
    ("setslot", -4, "3.0.0"),
)

ROWS: Final = (
    container(
        "cluster", "cluster", "3.0.0", "Look at the cluster",
        _member("countkeysinslot", 3, "3.0.0", "Count the keys of a slot", _count_keys),
        _member("getkeysinslot", 4, "3.0.0", "Return keys of a slot", _get_keys, tips=_VARIES),
        _member("help", 2, "5.0.0", "Show the subcommands", _help, "loading stale"),
        _member("info", 2, "3.0.0", "Describe the cluster's state", _info, tips=_VARIES),
        _member("keyslot", 3, "3.0.0", "Return the slot of a key", _keyslot),
        _member("links", 2, "7.0.0", "List the links to other nodes", _links, tips=_VARIES),
        _member("myid", 2, "3.0.0", "Return this node's id", _myid),
        _member("myshardid", 2, "7.2.0", "Return the id of this node's shard", _myshardid,
                tips=_VARIES),
        _member("nodes", 2, "3.0.0", "Describe all nodes", _nodes, tips=_VARIES),
        _member("replicas", 3, "5.0.0", "Describe the replicas of a node", _replicas_of,
                "admin stale", _VARIES),
        _member("saveconfig", 2, "3.0.0", "Accepted: nothing is ever unsaved", _settled, _ADMIN),
        _member("shards", 2, "7.0.0", "Describe slots and nodes", _shards, tips=_VARIES),
        _member("slaves", 3, "3.0.0", "Describe the replicas of a node", _replicas_of,
                "admin stale", _VARIES),
        _member("slots", 2, "3.0.0", "Describe who serves which slots", _slots, tips=_VARIES),
        *(
            _member(name, arity, since, "Refused: pnyx changes its clusters itself", _by_pnyx,
                    "admin noscript stale" if name == "reset" else _ADMIN,
                    _VARIES if name == "bumpepoch" else "")
            for name, arity, since in _REFUSED
        ),
    ),
)  # fmt: skip
