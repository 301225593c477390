"""The rows of CLUSTER: nodes and groups in Redis Cluster's words (roles.py says who is what)."""

from collections.abc import Callable
from functools import wraps
from operator import itemgetter
from typing import Final

from pnyx.gateway.client import Client
from pnyx.gateway.greeting import NO_CLUSTER
from pnyx.gateway.keyspace import help_text
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.roles import Master, master_of, masters, slots_of
from pnyx.gateway.rows import Ask, Local, LocalReply, Row, container
from pnyx.gateway.words import NOT_INTEGER, integer, text_of
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


def _info(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    leading = masters(topology)
    quorate = {group.group for group in topology.groups if group.quorum}
    served = sum(last - first + 1 for first, last in slots_of(quorate, topology.owners))
    mine = [master.epoch for master in leading if master.member.node == topology.me]
    epoch = max((group.term for group in topology.groups), default=0)
    lines = (
        f"cluster_state:{'ok' if served == SLOT_COUNT else 'fail'}",
        f"cluster_slots_assigned:{sum(master.slot_count for master in leading)}",
        f"cluster_slots_ok:{served}",
        "cluster_slots_pfail:0",
        f"cluster_slots_fail:{SLOT_COUNT - served}",
        f"cluster_known_nodes:{len(topology.placed)}",
        f"cluster_size:{len(leading)}",
        f"cluster_current_epoch:{epoch}",
        f"cluster_my_epoch:{mine[0] if mine else epoch}",
        "cluster_stats_messages_sent:0",
        "cluster_stats_messages_received:0",
        "total_cluster_links_buffer_limit_exceeded:0",
    )
    return Verbatim("".join(f"{line}\r\n" for line in lines).encode())


def _node_line(topology: Topology, member: Member, master: Master | None) -> str:
    """Describe a member; `master` is what it is, or whose replica it is."""
    follows = master is not None and master.member.node != member.node
    flags = "myself," if member.node == topology.me else ""
    flags += "slave" if follows else "master"
    if not member.voter:
        # Redis' word for a replica that never becomes a master.
        flags += ",nofailover"
    if not member.reachable:
        flags += ",fail?"
    fields = [
        node_name(member.node),
        f"{member.host}:{member.cluster_port}@{member.peer_port}",
        flags,
        node_name(master.member.node) if follows and master is not None else "-",
        "0",
        "0",
        "0" if master is None else str(master.epoch),
        "connected" if member.reachable else "disconnected",
    ]
    if master is not None and not follows:
        fields += [f"{first}-{last}" for first, last in master.slots]
    return " ".join(fields) + "\n"


def _nodes(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    role = {
        one.node: master
        for master in masters(topology)
        for one in (master.member, *master.replicas)
    }
    lines = [_node_line(topology, member, role.get(member.node)) for member in topology.placed]
    return Verbatim("".join(lines).encode())


def _slots_entry(member: Member) -> Reply:
    name = node_name(member.node).encode()
    return Rows((member.host.encode(), member.cluster_port, name, Map(())))


def _slots(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    runs: list[tuple[int, Reply]] = []
    for master in masters(topology):
        for group in master.groups:
            # A learner may be far behind: nobody is sent there to read.
            replicas = [one for one in master.replicas if one.node in group.voters]
            nodes = [_slots_entry(one) for one in (master.member, *replicas)]
            for first, last in slots_of({group.group}, topology.owners):
                runs.append((first, Rows((first, last, *nodes))))
    return Rows(tuple(run for _, run in sorted(runs, key=itemgetter(0))))


def _shards_entry(member: Member, role: bytes, offset: int) -> Reply:
    return Map(
        (
            (b"id", node_name(member.node).encode()),
            (b"port", member.cluster_port),
            (b"ip", member.host.encode()),
            (b"endpoint", member.host.encode()),
            (b"role", role),
            (b"replication-offset", offset),
            (b"health", _health(member)),
        )
    )


def _health(member: Member) -> bytes:
    if not member.reachable:
        return b"failed"
    return b"online" if member.voter else b"loading"


def _shards(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    shards: list[Reply] = []
    for master in masters(lobby.store.topology()):
        offset = lobby.store.position(master.groups[0].group).applied
        nodes = [_shards_entry(master.member, b"master", offset)]
        nodes += [_shards_entry(one, b"replica", offset) for one in master.replicas]
        slots = Values(tuple(slot for run in master.slots for slot in run))
        shards.append(Map(((b"slots", slots), (b"nodes", Rows(tuple(nodes))))))
    return Rows(tuple(shards))


def _keyslot(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    return slot_of(words[2])


def _myid(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return node_name(lobby.store.topology().me).encode()


def _myshardid(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    master = master_of(topology, topology.me)
    return node_name(topology.me).encode() if master is None else master.name


def _count_keys(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    slot = integer(words[2])
    if slot is None:
        return NOT_INTEGER
    return Ask(SlotCount(slot), _as_is) if 0 <= slot < SLOT_COUNT else _BAD_SLOT


def _get_keys(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    slot, count = integer(words[2]), integer(words[3])
    if slot is None or count is None:
        return NOT_INTEGER
    if not 0 <= slot < SLOT_COUNT or count < 0:
        return Refusal("ERR Invalid slot or number of keys")
    return Ask(SlotKeys(slot, min(count, SLOT_KEYS_MAX)), _as_is)


_BAD_SLOT: Final = Refusal("ERR Invalid slot")


def _as_is(result: Reply) -> Reply:
    return result


def _replicas_of(lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    if not any(node_name(one.node).encode() == words[2] for one in topology.placed):
        return Refusal(f"ERR Unknown node {text_of(words[2])}")
    for master in masters(topology):
        if node_name(master.member.node).encode() == words[2]:
            lines = [_node_line(topology, one, master) for one in master.replicas]
            return Values(tuple(line.encode().rstrip() for line in lines))
    return Refusal("ERR The specified node is not a master")


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
