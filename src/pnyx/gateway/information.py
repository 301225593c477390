"""INFO: what tools and people read about a node, in Redis' sections and one of our own."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pnyx import __version__
from pnyx.gateway.client import Client
from pnyx.gateway.cluster import node_name
from pnyx.gateway.greeting import REDIS_VERSION, role_of
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.roles import followers_of, master_of
from pnyx.gateway.rows import Ask, LocalReply, Row
from pnyx.machine.commands import KeyspaceStats
from pnyx.machine.results import Result, Values
from pnyx.transport.resp import Reply, Verbatim

Fields = list[tuple[str, object]]


def resident_bytes() -> int:
    """Return this process's resident memory, 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def held_bytes(lobby: Lobby) -> tuple[int, int]:
    """Return the bytes of requests and replies that wait for all clients."""
    pairs = [client.held_bytes() for client in lobby.clients.values()]
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)


def _node(lobby: Lobby, client: Client) -> Fields:
    uptime = int(time.monotonic() - lobby.started_at)
    address = lobby.store.settings.me
    return [
        ("redis_version", REDIS_VERSION),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_mode", "cluster" if client.speaks_cluster else "standalone"),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("arch_bits", 64 if sys.maxsize > 2**32 else 32),
        ("multiplexing_api", "epoll"),
        ("process_id", os.getpid()),
        ("run_id", f"{lobby.store.boot:040x}"[-40:]),
        ("tcp_port", address.cluster_port if client.speaks_cluster else address.gateway_port),
        ("server_time_usec", int(time.time() * 1_000_000)),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86_400),
        ("executable", sys.executable),
    ]


def _clients(lobby: Lobby, _client: Client) -> Fields:
    requests = [client.held_bytes() for client in lobby.clients.values()]
    return [
        ("connected_clients", len(lobby.clients)),
        ("cluster_connections", 0),
        ("maxclients", lobby.limits.clients_max),
        ("client_recent_max_input_buffer", max((pair[0] for pair in requests), default=0)),
        ("client_recent_max_output_buffer", max((pair[1] for pair in requests), default=0)),
        ("blocked_clients", 0),
        ("tracking_clients", 0),
        ("clients_in_timeout_table", 0),
    ]


def _memory(lobby: Lobby, _client: Client) -> Fields:
    used = resident_bytes()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    requests, replies = held_bytes(lobby)
    return [
        ("used_memory", used),
        ("used_memory_human", f"{used / 2**20:.2f}M"),
        ("used_memory_rss", used),
        ("used_memory_peak", peak),
        ("used_memory_peak_human", f"{peak / 2**20:.2f}M"),
        ("maxmemory", 0),
        ("maxmemory_human", "0B"),
        ("maxmemory_policy", "noeviction"),
        ("mem_fragmentation_ratio", "1.00"),
        ("mem_clients_normal", requests + replies),
        ("mem_allocator", "libc"),
    ]


def _persistence(lobby: Lobby, _client: Client) -> Fields:
    return [
        ("loading", 0),
        ("async_loading", 0),
        ("rdb_changes_since_last_save", 0),
        ("rdb_bgsave_in_progress", 0),
        ("rdb_last_bgsave_status", "ok"),
        ("aof_enabled", 1),
        ("aof_rewrite_in_progress", 0),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_last_write_status", "ok"),
        ("aof_current_size", lobby.store.disk_bytes()),
    ]


def _stats(lobby: Lobby, _client: Client) -> Fields:
    counters = lobby.counters
    return [
        ("total_connections_received", counters.connections),
        ("total_commands_processed", counters.commands),
        ("instantaneous_ops_per_sec", lobby.commands_per_second),
        ("total_net_input_bytes", counters.bytes_in),
        ("total_net_output_bytes", counters.bytes_out),
        ("rejected_connections", counters.refused_connections),
        ("evicted_clients", counters.evicted_clients),
        ("evicted_keys", 0),
        ("client_output_buffer_limit_disconnections", counters.output_limit_disconnections),
        ("acl_access_denied_auth", counters.denied_passwords),
        ("total_error_replies", counters.errors.total()),
        ("pubsub_channels", 0),
        ("pubsub_patterns", 0),
    ]


def _replication(lobby: Lobby, client: Client) -> Fields:
    topology = lobby.store.topology()
    is_master = role_of(lobby, client) == "master"
    fields: Fields = [("role", "master" if is_master else "slave")]
    master = master_of(topology, topology.me)
    groups = () if master is None else master.groups
    positions = [lobby.store.position(group.group) for group in groups]
    if not is_master and master is not None:
        fields += [
            ("master_host", master.member.host),
            ("master_port", master.member.cluster_port),
            ("master_link_status", "up" if all(group.quorum for group in groups) else "down"),
            ("master_last_io_seconds_ago", 0),
            ("master_sync_in_progress", 0),
            ("slave_repl_offset", sum(position.applied for position in positions)),
            ("slave_priority", 100),
            ("slave_read_only", 1),
        ]
    replicas = followers_of(topology) if is_master else []
    offset = sum(position.commit for position in positions)
    fields.append(("connected_slaves", len(replicas)))
    for at, member in enumerate(replicas):
        state = "online" if member.voter else "wait_bgsave"
        line = f"ip={member.host},port={member.cluster_port},state={state},"
        fields.append((f"slave{at}", f"{line}offset={offset},lag=0"))
    fields += [
        ("master_failover_state", "no-failover"),
        ("master_replid", f"{lobby.store.settings.cluster_id:0>40}"),
        ("master_repl_offset", offset),
        ("second_repl_offset", -1),
        ("repl_backlog_active", 0),
    ]
    return fields


def _cpu(_lobby: Lobby, _client: Client) -> Fields:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return [
        ("used_cpu_sys", f"{usage.ru_stime:.6f}"),
        ("used_cpu_user", f"{usage.ru_utime:.6f}"),
    ]


def _errorstats(lobby: Lobby, _client: Client) -> Fields:
    counted = sorted(lobby.counters.errors.items())
    return [(f"errorstat_{prefix}", f"count={count}") for prefix, count in counted]


def _cluster(_lobby: Lobby, client: Client) -> Fields:
    return [("cluster_enabled", int(client.speaks_cluster))]


def _pnyx(lobby: Lobby, _client: Client) -> Fields:
    topology = lobby.store.topology()
    positions = {group.group: lobby.store.position(group.group) for group in topology.groups}
    fields: Fields = [
        ("pnyx_version", __version__),
        ("pnyx_node", lobby.store.settings.name),
        ("pnyx_node_id", node_name(topology.me)),
        ("pnyx_cluster_id", lobby.store.settings.cluster_id),
        ("pnyx_members", len(topology.members)),
        ("pnyx_voters", sum(member.voter for member in topology.members)),
        ("pnyx_members_reachable", sum(member.reachable for member in topology.members)),
        ("pnyx_http", ",".join(f"{m.label}={m.host}:{m.http_port}" for m in topology.placed)),
        ("pnyx_configuration", topology.number),
        ("pnyx_shards", len(topology.owners)),
        ("pnyx_groups", len(topology.groups)),
        ("pnyx_commit_index", sum(position.commit for position in positions.values())),
        ("pnyx_applied_index", sum(position.applied for position in positions.values())),
        ("pnyx_disk_bytes", lobby.store.disk_bytes()),
        ("pnyx_protocol_faults", lobby.counters.protocol_faults),
    ]
    for group in topology.groups:
        leader = topology.leader(group.group)
        position = positions[group.group]
        line = (
            f"leader={'' if leader is None else leader.label},quorum={int(group.quorum)},"
            f"term={group.term},commit={position.commit},applied={position.applied},"
            f"shards={topology.owners.count(group.group)}"
        )
        fields.append((f"pnyx_group{group.group}", line))
    return fields


_SECTIONS: Final[dict[str, Callable[[Lobby, Client], Fields]]] = {
    "Server": _node,
    "Clients": _clients,
    "Memory": _memory,
    "Persistence": _persistence,
    "Stats": _stats,
    "Replication": _replication,
    "CPU": _cpu,
    "Errorstats": _errorstats,
    "Cluster": _cluster,
    "Pnyx": _pnyx,
}
_ALL: Final = {"all", "everything", "default"}


def _info(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    asked = {word.decode("ascii", "replace").lower() for word in words[1:]} or _ALL
    everything = bool(asked & _ALL)

    def text(keyspace: Result) -> Reply:
        parts: list[str] = []
        for title, fields in _SECTIONS.items():
            if everything or title.lower() in asked:
                lines = "".join(f"{name}:{value}\r\n" for name, value in fields(lobby, client))
                parts.append(f"# {title}\r\n{lines}")
        if everything or "keyspace" in asked:
            parts.append(f"# Keyspace\r\n{_keyspace_line(keyspace)}")
        return Verbatim("\r\n".join(parts).encode())

    if everything or "keyspace" in asked:
        return Ask(KeyspaceStats(), text, ends_run=True, otherwise=lambda: text(None))
    return text(None)


def _keyspace_line(stats: Result) -> str:
    if not isinstance(stats, Values) or stats.members[0] == 0:
        return ""
    keys, expires = stats.members
    assert isinstance(keys, int), "a count"
    assert isinstance(expires, int), "a count"
    return f"db0:keys={keys},expires={expires},avg_ttl=0\r\n"


ROWS: Final = (
    Row("info", -1, "loading stale", "server", "1.0.0", "Describe this node", local=_info,
        asks=True,
        categories="dangerous", waits=True,
        tips="nondeterministic_output request_policy:all_shards response_policy:special"),
)  # fmt: skip
