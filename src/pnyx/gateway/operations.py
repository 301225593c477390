"""The rows about this node and its group: TIME, ROLE, WAIT, SLOWLOG, LATENCY, MEMORY, DEBUG."""

import time
from typing import Final

from pnyx.gateway.client import Client
from pnyx.gateway.greeting import role_of
from pnyx.gateway.information import held_bytes, resident_bytes
from pnyx.gateway.keyspace import MEMORY_USAGE, help_text
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.roles import followers_of, master_of
from pnyx.gateway.rows import LocalReply, Pause, Row, container, wrong_subcommand
from pnyx.gateway.words import NOT_INTEGER, integer, text_of
from pnyx.machine.results import OK, Refusal, Values
from pnyx.transport.resp import Map, Reply, Rows, Verbatim

SLEEP_SECONDS_MAX: Final = 60.0


def _time(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    ms = lobby.store.clock_ms()
    micros = time.time_ns() // 1000 % 1000
    return Values((b"%d" % (ms // 1000), b"%d" % (ms % 1000 * 1000 + micros)))


def _role(lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    topology = lobby.store.topology()
    master = master_of(topology, topology.me)
    groups = [group.group for group in (() if master is None else master.groups)]
    offset = sum(lobby.store.position(group).commit for group in groups)
    if role_of(lobby, client) == "master":
        replicas = [
            Values((member.host.encode(), b"%d" % member.cluster_port, b"%d" % offset))
            for member in followers_of(topology)
        ]
        return Rows((b"master", offset, Values(tuple(replicas))))
    if master is None:
        return Values((b"slave", b"", 0, b"connect", offset))
    state = b"connected" if all(group.quorum for group in master.groups) else b"connect"
    return Values(
        (b"slave", master.member.host.encode(), master.member.cluster_port, state, offset)
    )


def _wait(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    wanted, timeout = integer(words[1]), integer(words[2])
    if wanted is None:
        return NOT_INTEGER
    if timeout is None:
        return Refusal("ERR timeout is not an integer or out of range")
    if timeout < 0:
        return Refusal("ERR timeout is negative")
    if role_of(lobby, client) != "master":
        return Refusal(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis "
            "4.0 if a replica is configured to be writable (which is not the default) writes to "
            "replicas are just local and are not propagated."
        )
    return min(max(wanted, 0), _durable_followers(lobby))


def _waitaof(lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    local, replicas, timeout = (integer(word) for word in words[1:4])
    if local is None or replicas is None:
        return NOT_INTEGER
    if not 0 <= local <= 1:
        return Refusal("ERR value is out of range, must be between 0 and 1")
    if replicas < 0:
        return Refusal("ERR value is out of range, must be positive")
    if timeout is None:
        return Refusal("ERR timeout is not an integer or out of range")
    if timeout < 0:
        return Refusal("ERR timeout is negative")
    # Every answered write is synced on a majority, this group's leader's disk included.
    return Values((local, min(replicas, _durable_followers(lobby))))


def _durable_followers(lobby: Lobby) -> int:
    """Return how many nodes besides one surely have every answered write on disk."""
    store = lobby.store
    counts = [
        max(store.position(group.group).followers_at_commit, len(group.voters) // 2)
        for group in store.topology().groups
    ]
    return min(counts, default=0)


def _lastsave(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return lobby.store.clock_ms() // 1000


def _slowlog_get(lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    count = 10
    if len(words) > 2:
        asked = integer(words[2])
        if len(words) > 3:
            return wrong_subcommand(words)
        if asked is None or asked < -1:
            return Refusal("ERR count should be greater than or equal to -1")
        count = asked
    events: list[Reply] = [
        Values(
            (
                event.id,
                event.at_seconds,
                event.micros,
                Values(event.words),
                event.address.encode(),
                event.name,
            )
        )
        for event in lobby.slow_log.newest(count)
    ]
    return Rows(tuple(events))


def _slowlog_len(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return len(lobby.slow_log)


def _slowlog_reset(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    lobby.slow_log.reset()
    return OK


def _slowlog_help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text("SLOWLOG", "GET [<count>]", "HELP", "LEN", "RESET")


def _nothing(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return Values(())


def _no_events(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return 0


def _latency_doctor(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return Verbatim(b"Latencies are in this node's /metrics; no events are collected here.\n")


def _latency_histogram(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return Map(())


def _latency_help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text("LATENCY", "DOCTOR", "HELP", "HISTORY <event>", "LATEST", "RESET")


def _memory_doctor(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return Verbatim(b"Values lie on disk; see used_memory in INFO memory.\n")


def _memory_stats(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    requests, replies = held_bytes(lobby)
    return Map(((b"total.allocated", resident_bytes()), (b"clients.normal", requests + replies)))


def _memory_purge(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return OK


def _memory_help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text("MEMORY", "DOCTOR", "HELP", "PURGE", "STATS", "USAGE <key> [SAMPLES <count>]")


def _debug(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    """Answer DEBUG, which in Redis is one command with words of its own."""
    member = words[1].upper()
    if member == b"SLEEP" and len(words) == 3:
        return _sleep(words[2])
    if member == b"SET-ACTIVE-EXPIRE" and len(words) == 3:
        return OK
    if member == b"HELP" and len(words) == 2:
        return help_text(
            "DEBUG", "HELP", "SET-ACTIVE-EXPIRE <0|1>", "SLEEP <seconds> (this client only)"
        )
    return wrong_subcommand(words)


def is_delay(words: list[bytes]) -> bool:
    """Would this DEBUG be answered later?"""
    return words[1].upper() == b"SLEEP" and len(words) == 3 and isinstance(_sleep(words[2]), Pause)


def _sleep(word: bytes) -> LocalReply:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not 0 <= seconds <= SLEEP_SECONDS_MAX:
        return Refusal(f"ERR DEBUG SLEEP takes 0 to {SLEEP_SECONDS_MAX:.0f} seconds")
    return Pause(seconds, lambda: OK) if seconds else OK


def _function_flush(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    if len(words) > 3:
        return wrong_subcommand(words)
    if len(words) == 3 and words[2].upper() not in {b"SYNC", b"ASYNC"}:
        return Refusal("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    return OK


def _function_list(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    options = {b"WITHCODE", b"LIBRARYNAME"}
    at = 2
    while at < len(words):
        option = words[at].upper()
        if option not in options:
            return Refusal(f"ERR Unknown argument {text_of(words[at])}")
        options.remove(option)
        if option == b"LIBRARYNAME":
            at += 1
            if at == len(words):
                return Refusal("ERR library name argument was not given")
        at += 1
    return Values(())


def _function_help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text(
        "FUNCTION", "FLUSH [SYNC|ASYNC]", "HELP", "LIST [LIBRARYNAME <name>] [WITHCODE]"
    )


_ADMIN: Final = "admin noscript loading stale"
_ANY: Final = "loading stale"
_VARIES: Final = "nondeterministic_output"
_EACH: Final = f"{_VARIES} request_policy:all_nodes response_policy:special"
_EACH_SHARD: Final = f"{_VARIES} request_policy:all_shards response_policy:special"
_ALL_NODES: Final = "request_policy:all_nodes response_policy:all_succeeded"
_ALL_SHARDS: Final = "request_policy:all_shards response_policy:all_succeeded"
_SLOWLOG: Final = "admin loading stale"

ROWS: Final = (
    Row("time", 1, "loading stale fast", "server", "2.6.0", "Return this node's clock",
        local=_time, tips=_VARIES),
    Row("role", 1, "noscript loading stale fast", "server", "2.8.12",
        "Return whether this node leads, and who follows", local=_role,
        categories="admin dangerous", waits=True),
    Row("wait", 3, "noscript", "generic", "3.0.0",
        "Return how many followers have what was written", local=_wait, categories="connection",
        waits=True, tips="request_policy:all_shards response_policy:agg_min"),
    Row("waitaof", 4, "noscript", "generic", "7.2.0",
        "Return where what was written is on disk", local=_waitaof, categories="connection",
        waits=True, tips="request_policy:all_shards response_policy:agg_min"),
    Row("lastsave", 1, "loading stale fast", "server", "1.0.0",
        "Return now: every answered write is on disk", local=_lastsave,
        categories="admin dangerous", tips=_VARIES),
    container(
        "slowlog", "server", "2.2.12", "Look at requests that took long",
        Row("slowlog|get", -2, _SLOWLOG, "server", "2.2.12", "Return the newest",
            local=_slowlog_get, tips=f"request_policy:all_nodes {_VARIES}"),
        Row("slowlog|help", 2, _ANY, "server", "6.2.0", "Show the subcommands",
            local=_slowlog_help),
        Row("slowlog|len", 2, _SLOWLOG, "server", "2.2.12", "Count them", local=_slowlog_len,
            tips=f"request_policy:all_nodes response_policy:agg_sum {_VARIES}"),
        Row("slowlog|reset", 2, _SLOWLOG, "server", "2.2.12", "Forget them",
            local=_slowlog_reset,
            tips=_ALL_NODES),
    ),
    container(
        "latency", "server", "2.8.13", "Nothing is collected here: see /metrics",
        Row("latency|doctor", 2, _ADMIN, "server", "2.8.13", "Say where latencies are",
            local=_latency_doctor, tips=_EACH),
        Row("latency|help", 2, _ANY, "server", "2.8.13", "Show the subcommands",
            local=_latency_help),
        Row("latency|histogram", -2, _ADMIN, "server", "7.0.0", "Return nothing",
            local=_latency_histogram, tips=_EACH),
        Row("latency|history", 3, _ADMIN, "server", "2.8.13", "Return nothing", local=_nothing,
            tips=_EACH),
        Row("latency|latest", 2, _ADMIN, "server", "2.8.13", "Return nothing", local=_nothing,
            tips=_EACH),
        Row("latency|reset", -2, _ADMIN, "server", "2.8.13", "Return 0", local=_no_events,
            tips=_ALL_NODES),
    ),
    container(
        "memory", "server", "4.0.0", "Look at memory",
        Row("memory|doctor", 2, "", "server", "4.0.0", "Say where values are",
            local=_memory_doctor, tips=_EACH_SHARD),
        Row("memory|help", 2, _ANY, "server", "4.0.0", "Show the subcommands",
            local=_memory_help),
        Row("memory|purge", 2, "", "server", "4.0.0", "Accepted", local=_memory_purge,
            tips=_ALL_SHARDS),
        Row("memory|stats", 2, "", "server", "4.0.0", "Return what memory is used for",
            local=_memory_stats, tips=_EACH_SHARD),
        MEMORY_USAGE,
    ),
    container(
        "function", "scripting", "7.0.0", "There are no functions",
        Row("function|flush", -2, "write noscript", "scripting", "7.0.0", "Accepted",
            local=_function_flush, categories="scripting", tips=_ALL_SHARDS),
        Row("function|help", 2, _ANY, "scripting", "7.0.0", "Show the subcommands",
            local=_function_help, categories="scripting"),
        Row("function|list", -2, "noscript", "scripting", "7.0.0", "Return nothing",
            local=_function_list, categories="scripting",
            tips="nondeterministic_output_order"),
    ),
    Row("debug", -2, _ADMIN, "server", "1.0.0", "For tests of clients", local=_debug, waits=True),
)  # fmt: skip
