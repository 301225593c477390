"""MULTI, EXEC, DISCARD, WATCH, UNWATCH: a queue here, one atomic command for the machine."""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from pnyx.gateway.client import Client, Queued, Transaction as OpenTransaction
from pnyx.gateway.limits import (
    TRANSACTION_BYTES_MAX,
    TRANSACTION_COMMANDS_MAX,
    TRANSACTION_LOCAL_MAX,
    TRANSACTION_WORDS_MAX,
    WATCHED_KEYS_MAX,
)
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.operations import is_delay
from pnyx.gateway.rows import Ask, KeySpec, LocalReply, Row
from pnyx.gateway.words import NOT_INTEGER, integer
from pnyx.machine.commands import AnyCommand, Revisions, Transaction
from pnyx.machine.results import OK, NullArray, Refusal, Result, Status, Values
from pnyx.transport.resp import Encoded, Reply, Rows, encode_reply

QUEUED: Final = Status(b"QUEUED")
TOO_MANY_WATCHED: Final = Refusal(f"ERR PX0201 a connection may watch {WATCHED_KEYS_MAX} keys")
EXECABORT: Final = Refusal("EXECABORT Transaction discarded because of previous errors.")


def _multi(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    if client.transaction is not None:
        return Refusal("ERR MULTI calls can not be nested")
    client.transaction = OpenTransaction()
    return OK


def _discard(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    if client.transaction is None:
        return Refusal("ERR DISCARD without MULTI")
    client.transaction = None
    client.watched.clear()
    return OK


def queue(client: Client, row: Row, words: list[bytes]) -> Reply:
    """Put a command behind MULTI; too many break the transaction."""
    transaction = client.transaction
    assert transaction is not None, "the caller saw MULTI"
    transaction.bytes += sum(map(len, words))
    transaction.words += len(words)
    command = None if row.parse is None else row.parse(words)
    transaction.local += command is None and not row.asks
    if transaction.local > TRANSACTION_LOCAL_MAX:
        transaction.is_broken = True
        return Refusal(
            f"ERR PX0201 a transaction may have {TRANSACTION_LOCAL_MAX} commands that this node "
            "answers itself; nothing was done, send them without MULTI"
        )
    if (
        len(transaction.queued) >= TRANSACTION_COMMANDS_MAX
        or transaction.bytes > TRANSACTION_BYTES_MAX
        or transaction.words > TRANSACTION_WORDS_MAX
    ):
        transaction.is_broken = True
        return Refusal(
            f"ERR PX0201 a transaction may have {TRANSACTION_COMMANDS_MAX} commands, "
            f"{TRANSACTION_WORDS_MAX} words and {TRANSACTION_BYTES_MAX} bytes"
        )
    transaction.queued.append(Queued(words, command))
    return QUEUED


def take(client: Client) -> tuple[list[Queued], tuple[tuple[bytes, int], ...]] | Refusal:
    """End the transaction: return what was queued and what is watched, or why it is void."""
    transaction = client.transaction
    if transaction is None:
        return Refusal("ERR EXEC without MULTI")
    watched = tuple(sorted(client.watched.items()))
    client.transaction = None
    client.watched.clear()
    if transaction.is_broken:
        return EXECABORT
    return transaction.queued, watched


Own: TypeAlias = Ask | Callable[[], Reply] | None
"""What the node itself does for a queued command: asks, answers when EXEC does, or nothing."""


def is_unfit(row: Row, words: list[bytes]) -> bool:
    """Does it change when or whether its client is answered, as nothing within EXEC can be?"""
    return row.name == "client|reply" or (row.name == "debug" and is_delay(words))


def run(
    client: Client,
    queued: list[Queued],
    watched: tuple[tuple[bytes, int], ...],
    own: list[Own],
) -> LocalReply:
    """Return what EXEC must submit; `own` has one member a queued command."""
    commands: list[AnyCommand] = []
    for member, mine in zip(queued, own, strict=True):
        if isinstance(mine, Ask):
            commands.append(mine.command)
        elif member.command is not None and not isinstance(member.command, Refusal):
            commands.append(member.command)

    def merge(result: Result) -> Reply:
        if isinstance(result, NullArray | Refusal):
            return result
        assert isinstance(result, Values), "a transaction gives values"
        answers = iter(result.members)
        pairs = zip(queued, own, strict=True)
        return Rows(tuple([_encoded(_reply(member, mine, answers)) for member, mine in pairs]))

    def _encoded(reply: Reply) -> Encoded:
        # HELLO may be among them: each reply is in the protocol that holds when it is made.
        raw = encode_reply(reply, client.protocol)
        return Encoded(raw, raw)

    if not commands and not watched:
        return merge(Values(()))
    changes_client = any(mine is not None and not isinstance(mine, Ask) for mine in own)
    return Ask(Transaction(tuple(commands), watched), merge, ends_run=changes_client)


def _reply(member: Queued, own: Own, answers: Iterator[Result]) -> Reply:
    if isinstance(own, Ask):
        return own.shape(next(answers))
    if own is not None:
        return own()
    if isinstance(member.command, Refusal):
        return member.command
    return next(answers)


def _watch(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    if client.transaction is not None:
        return Refusal("ERR WATCH inside MULTI is not allowed")
    keys = tuple(dict.fromkeys(key for key in words[1:] if key not in client.watched))
    if len(client.watched) + len(keys) > WATCHED_KEYS_MAX:
        return TOO_MANY_WATCHED
    if not keys:
        return OK

    def remember(result: Result) -> Reply:
        if isinstance(result, Refusal):
            return result
        assert isinstance(result, Values), "revisions come as values"
        for key, revision in zip(keys, result.members, strict=True):
            assert isinstance(revision, int), "a revision is a number"
            client.watched[key] = revision
        return OK

    return Ask(Revisions(keys), remember, ends_run=True)


def _watch_revision(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    if client.transaction is not None:
        return Refusal("ERR PNYX.WATCH inside MULTI is not allowed")
    revision = integer(words[2])
    if revision is None or revision < 0:
        return NOT_INTEGER
    if words[1] not in client.watched and len(client.watched) >= WATCHED_KEYS_MAX:
        return TOO_MANY_WATCHED
    client.watched[words[1]] = revision
    return OK


def _unwatch(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    client.watched.clear()
    return OK


def _exec(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    raise AssertionError("the run builder does EXEC itself, for it needs the table")


_FLAGS: Final = "noscript loading stale fast allow_busy"

ROWS: Final = (
    Row("multi", 1, _FLAGS, "transactions", "1.2.0", "Start a transaction",
        local=_multi, categories="transaction"),
    Row("exec", 1, "noscript loading stale skip_slowlog", "transactions", "1.2.0",
        "Run the commands since MULTI, all or none", local=_exec, categories="transaction",
        complexity="Depends on the commands."),
    Row("discard", 1, _FLAGS, "transactions", "2.0.0", "Forget the commands since MULTI",
        local=_discard, categories="transaction"),
    Row("watch", -2, _FLAGS, "transactions", "2.2.0", "Let EXEC fail if a key changes",
        local=_watch, keys=(1, -1, 1), specs=(KeySpec("RO", 1, -1, 1),), categories="transaction",
        complexity="O(1) for each key"),
    Row("pnyx.watch", 3, _FLAGS, "transactions", "7.4.0",
        "Let EXEC fail unless a key has this revision (0: no key)",
        local=_watch_revision, keys=(1, 1, 1), specs=(KeySpec("RO", 1, 0, 1),),
        categories="transaction"),
    Row("unwatch", 1, _FLAGS, "transactions", "2.2.0", "Watch no key any more",
        local=_unwatch, categories="transaction"),
)  # fmt: skip

NEVER_QUEUED: Final = frozenset(
    {"multi", "exec", "discard", "watch", "pnyx.watch", "quit", "reset"}
)
