"""One client's commands in order: which go to the store together, and what is said to them.

A run is what can be answered together: consecutive commands up to the first whose outcome changes
what the next one means (WATCH, HELLO, INFO after writes). A run that has commands for the machine
becomes one `Request`; local commands in it are answered at their place.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from pnyx.gateway import transactions
from pnyx.gateway.client import STALE, Client, Mute, Prefix, Queued
from pnyx.gateway.delivery import Outcome
from pnyx.gateway.fan import is_of_many
from pnyx.gateway.limits import COMMAND_WORDS_MAX, RUN_BYTES_MAX, RUN_COMMANDS_MAX
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.outcomes import (
    CROSSSLOT,
    LEADER_CHANGED,
    NOT_DONE,
    READONLY,
    UNKNOWN,
    moved,
)
from pnyx.gateway.rows import (
    Ask,
    Drop,
    LocalReply,
    Pause,
    Row,
    Silence,
    unknown_command,
    unknown_subcommand,
    wrong_arity,
)
from pnyx.gateway.run import Place, Run
from pnyx.gateway.sessions import (
    NOT_A_PREFIX,
    NOT_STALE,
    in_session,
    numbered,
    parsed_in_session,
    prefix_of,
    sequenced,
    stale_of,
)
from pnyx.gateway.table import QUICK, TABLE
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import NOBODY
from pnyx.machine.holdings import slots_of
from pnyx.machine.results import OK, Refusal, Status
from pnyx.machine.slots import slot_of
from pnyx.replica.requests import Elsewhere, NotDone, Unknown
from pnyx.transport.resp import WORD_OVERHEAD_BYTES, Reply, encode_error, encode_reply

RUN_COMMANDS_FIRST: Final = 4
"""A run grows only while replies are small: many GETs of large values must not meet in memory."""

REPLY_BYTES_SMALL: Final = 256 * 1024
"""Replies of a run up to this let the next run be larger."""

_CROSS_PROTOCOL: Final = frozenset({b"POST", b"HOST:"})
"""A browser was made to talk to us: hang up (Redis does the same)."""

_NOAUTH: Final = Refusal("NOAUTH Authentication required.")
_NOT_IN_MULTI: Final = Refusal("ERR Command not allowed inside a transaction")
_MANY_WORDS: Final = Refusal(
    f"ERR PX0201 a command may have {COMMAND_WORDS_MAX} words; nothing was done, send less at once"
)
_OK_REPLY: Final = encode_reply(OK, 2)
_SPEAKING: Final = Mute.SPEAKING
_UNDONE: Final = frozenset({Elsewhere, NotDone, Unknown})
SEQUENCE: Final = TABLE[b"PNYX.SEQ"]
ANY_AGE: Final = TABLE[b"PNYX.STALE"]


class Dialogue:
    """What one connection says and hears; no socket."""

    def __init__(self, lobby: Lobby, client: Client) -> None:
        self._lobby = lobby
        self._client = client
        self._commands_max = RUN_COMMANDS_FIRST
        self.lone_run = Run()
        """The run of a command that came alone. There is one at a time, so one does for all; it
        keeps the words, which are few bytes, until the next."""

    def take_lone(self, commands: list[list[bytes]]) -> bool:
        """Put what the only command, or the prefix of a session and one, asks into `lone_run`.

        False, and nothing is done, if they need the further look of `next_run`. This is its hot
        path for the client that `is_plain`, has no prefix and waits for each answer: all cost would
        be in what surrounds one command there.
        """
        words = commands[-1]
        row = QUICK.get(words[0])
        if row is None or not row.has_one_key or row.parse is None:
            return False
        if not row.least <= len(words) <= row.most:
            return False
        store = self._lobby.store
        slot = slot_of(words[row.keys[0]])
        group = store.group_of_slot(slot)
        if self._client.speaks_cluster and not store.leads(group):
            return False
        command = row.parse(words)
        if len(commands) > 1:
            command = self._alone_in_session(commands[0], slot, words, command)
        if type(command) is Refusal:
            return False
        run = self.lone_run
        run.plan = [(row, words, None)]
        run.commands = [command]
        run.group = group
        run.by_log = command.writes
        return True

    def _alone_in_session(
        self, before: list[bytes], slot: int, words: list[bytes], command: AnyCommand | Refusal
    ) -> AnyCommand | Refusal:
        prefix = prefix_of(before) if QUICK.get(before[0]) is SEQUENCE else NOT_A_PREFIX
        if isinstance(prefix, Refusal) or isinstance(command, Refusal) or not command.writes:
            return NOT_A_PREFIX
        return numbered(self._client, prefix, slot, words, command)

    def lone_reply(self, outcome: Outcome) -> bytes:
        """Return what `replies` would for `lone_run`."""
        if outcome is OK:
            return _OK_REPLY
        is_value = isinstance(outcome, bytes) and len(outcome) < REPLY_BYTES_SMALL
        # Refusals are counted, and large values make the next runs smaller: not here.
        if is_value or outcome is None or isinstance(outcome, int):
            plain: Any = outcome
            return encode_reply(plain, self._client.protocol)
        return self.replies(self.lone_run, (outcome,))[0]

    def next_run(self, pending: deque[list[bytes]], *, is_small: bool, until: float) -> Run:
        """Take the next run off `pending`; `is_small` if all of it is below the byte limit.

        Commands that this node answers itself are taken until the monotonic clock says `until`.
        """
        run = Run()
        plan, commands = run.plan, run.commands
        store, spelled = self._lobby.store, QUICK.get
        room = self._commands_max
        size = 0
        is_plain = self.is_plain()
        words: list[bytes] = []
        client, redirects = self._client, self._client.speaks_cluster
        while pending and room and not run.is_full:
            words = pending.popleft()
            if not is_small:
                size += sum(map(len, words)) + WORD_OVERHEAD_BYTES * len(words)
                if size > RUN_BYTES_MAX and commands:
                    pending.appendleft(words)
                    break
            row = spelled(words[0])
            if row is SEQUENCE or row is ANY_AGE:
                # No reply, so no place in the run, and nothing that CLIENT REPLY could skip. If it
                # were counted, runs of such commands would never fill up, and so never grow.
                room -= client.prefix is not None
                client.prefix = prefix_of(words) if row is SEQUENCE else stale_of(words)
                is_plain = is_plain and row is SEQUENCE
                continue
            room -= 1
            if (
                is_plain
                and row is not None
                and row.has_one_key
                and row.parse is not None
                and row.least <= len(words) <= row.most
                and (group := store.group_of_slot(slot := slot_of(words[row.keys[0]])))
                and not (redirects and not store.leads(group))
            ):
                command = (
                    row.parse(words)
                    if client.prefix is None
                    else parsed_in_session(client, row, slot, words)
                )
                if type(command) is Refusal:
                    self._say(run, command)
                    continue
                plan.append((row, words, None))
                run.group = group if not commands or group == run.group else NOBODY
                commands.append(command)
                if command.writes:
                    run.by_log = True
                continue
            if not self._take(run, words):
                pending.appendleft(words)
                break
            is_plain = self.is_plain() and not run.stale
            run.is_full |= monotonic() > until
        run.last_words = words[:2]
        return run

    def replies(self, run: Run, outcomes: Sequence[Outcome]) -> list[bytes]:
        """Return the bytes of all replies of a run, given the outcomes of its commands."""
        protocol = self._client.protocol
        results = iter(outcomes)
        said: list[bytes] = []
        size = 0
        for item in run.plan:
            if isinstance(item, bytes):
                said.append(item)
                continue
            result: Any = next(results)
            if type(result) in _UNDONE:
                said.append(self._undone(item, result))
                continue
            shaped: Reply = result if item[2] is None else item[2].reply(result)
            if type(shaped) is Status and shaped.text == b"OK":
                said.append(_OK_REPLY)
                continue
            if type(shaped) is Refusal:
                self._lobby.count_error(shaped.text)
            reply = encode_reply(shaped, protocol)
            size += len(reply)
            said.append(reply)
        if size > REPLY_BYTES_SMALL:
            self._commands_max = max(RUN_COMMANDS_FIRST, self._commands_max // 4)
        elif len(run.plan) == self._commands_max < RUN_COMMANDS_MAX:
            self._commands_max *= 4
        muted = run.muted
        if muted is not None:
            said = [reply for at, reply in enumerate(said) if at not in muted]
        return said

    def _undone(self, place: Place, outcome: Outcome) -> bytes:
        row, words, ask = place
        if ask is not None and ask.otherwise is not None:
            return encode_reply(ask.otherwise(), self._client.protocol)
        refusal = self._reason(row, words, outcome)
        self._lobby.count_error(refusal.text)
        return encode_error(refusal.text)

    def _reason(self, row: Row, words: list[bytes], outcome: Outcome) -> Refusal:
        if isinstance(outcome, NotDone):
            return NOT_DONE[outcome.reason]
        if isinstance(outcome, Elsewhere):
            leader = self._lobby.store.topology().member(outcome.leader)
            if not self._client.speaks_cluster or leader is None:
                return LEADER_CHANGED
            keys = row.keys_of(words)
            if not keys:
                return READONLY if row.is_write else LEADER_CHANGED
            return moved(slot_of(keys[0]), leader.host, leader.cluster_port)
        return UNKNOWN

    def is_plain(self) -> bool:
        """Do commands with one key need no look beyond their row?"""
        client = self._client
        return (
            client.is_authenticated
            and client.transaction is None
            and client.mute is _SPEAKING
            and client.prefix is not STALE
        )

    def _say(self, run: Run, reply: Reply) -> None:
        if isinstance(reply, Refusal):
            self._lobby.count_error(reply.text)
        run.plan.append(encode_reply(reply, self._client.protocol))

    def _take(self, run: Run, words: list[bytes]) -> bool:
        """Add one command to the run; False if what came before must be answered first."""
        client = self._client
        row = self._row(words)
        if isinstance(row, Refusal):
            if words[0].upper() in _CROSS_PROTOCOL:
                run.drops = run.is_full = True
                return True
        elif row is SEQUENCE or row is ANY_AGE:
            # In a spelling that nobody uses; see `next_run`.
            client.prefix = prefix_of(words) if row is SEQUENCE else stale_of(words)
            return True
        elif run.commands and (row.waits or self._may_be_alone(row)):
            return False
        before = len(run.plan)
        wrong = row if isinstance(row, Refusal) else self._wrong(row, words)
        if wrong is not None:
            self._say(run, self._rejection(row, wrong))
        else:
            assert not isinstance(row, Refusal), "a refusal is wrong"
            if not self._obey(run, row, words):
                return False
        client.prefix = None
        self._mute(run, before)
        return True

    def _mute(self, run: Run, before: int) -> None:
        """Let the replies that a command added, those from place `before` on, be heard or not."""
        client = self._client
        if client.mute in {Mute.SILENT, Mute.SKIPPING}:
            run.muted = (run.muted or frozenset()).union(range(before, len(run.plan)))
        if client.mute is Mute.SKIPPING:
            client.mute = Mute.SPEAKING
        elif client.mute is Mute.SKIPPING_NEXT:
            client.mute = Mute.SKIPPING

    def _rejection(self, row: Row | Refusal, wrong: Refusal) -> Refusal:
        """Return the error, after it has spoiled an open transaction."""
        client = self._client
        if isinstance(row, Row) and row.name == "exec":
            client.transaction = None
            client.watched.clear()
            why = wrong.text.removeprefix("ERR ")
            return Refusal(f"EXECABORT Transaction discarded because of: {why}")
        if client.transaction is not None:
            client.transaction.is_broken = True
        return wrong

    def _row(self, words: list[bytes]) -> Row | Refusal:
        row = TABLE.get(words[0].upper())
        if row is None:
            return unknown_command(words)
        if row.subcommands and len(words) > 1:
            member = row.subcommands.get(words[1].lower())
            if member is None:
                return unknown_subcommand(row, words)
            return member
        return row

    def _wrong(self, row: Row, words: list[bytes]) -> Refusal | None:
        if not row.least <= len(words) <= row.most:
            is_long = row.arity < 0 and len(words) > row.most
            return _MANY_WORDS if is_long else wrong_arity(row.name)
        if not self._client.is_authenticated and "no_auth" not in row.flags:
            return _NOAUTH
        if isinstance(self._client.prefix, Refusal):
            return self._client.prefix
        if self._client.prefix is STALE and (
            row.is_write or self._client.transaction is not None or not row.keys_of(words)
        ):
            return NOT_STALE
        if self._client.speaks_cluster and row.name != "exec":
            return self._misrouted(row.keys_of(words), row)
        return None

    def _may_be_alone(self, row: Row) -> bool:
        """May what this row's `local` asks of the store not be in a run with other commands?"""
        if row.name != "exec":
            return row.asks or row.name == "watch"
        # EXEC takes what is queued, so it is known before whether it will be alone.
        client = self._client
        queued = client.transaction.queued if client.transaction is not None else []
        keys = [*self._queued_keys(queued), *client.watched]
        return len({slot_of(key) for key in keys}) != 1 or any(
            member.command is None or not self._queued_keys([member]) for member in queued
        )

    def _misrouted(self, keys: list[bytes], row: Row) -> Refusal | None:
        """Return why the cluster port does not do this here."""
        store = self._lobby.store
        if not keys:
            return self._forbidden(row)
        slots = {slot_of(key) for key in keys}
        if len(slots) > 1:
            return CROSSSLOT
        slot = slots.pop()
        group = store.group_of_slot(slot)
        if store.leads(group) or self._client.prefix is STALE:
            return None
        topology = store.topology()
        status = topology.group(group)
        # Without a leader it is parked below, and so is what nobody serves right now.
        if status is None or not status.quorum or status.leader == topology.me:
            return None
        if self._client.reads_here and not row.is_write and status.has(topology.me):
            return None
        leader = topology.member(status.leader)
        return None if leader is None else moved(slot, leader.host, leader.cluster_port)

    def _forbidden(self, row: Row) -> Refusal | None:
        """Return why a command without keys is not done by this process."""
        if not row.is_write or row.parse is None:
            return None
        topology = self._lobby.store.topology()
        is_led = any(group.quorum for group in topology.groups)
        return READONLY if is_led and not topology.led_by(topology.me) else None

    def _obey(self, run: Run, row: Row, words: list[bytes]) -> bool:
        client = self._client
        if client.transaction is not None and row.name not in transactions.NEVER_QUEUED:
            if transactions.is_unfit(row, words):
                self._say(run, self._rejection(row, _NOT_IN_MULTI))
                return True
            self._say(run, transactions.queue(client, row, words))
            return True
        if row.parse is not None:
            command = row.parse(words)
            if isinstance(command, Refusal):
                self._say(run, command)
                return True
            return self._submit(run, (row, words, None), command)
        if row.name == "exec":
            reply: LocalReply = self._exec(row)
        else:
            assert row.local is not None, "a container's bare name has the wrong arity"
            reply = row.local(self._lobby, client, words)
        return self._perform(run, row, words, reply)

    def _submit(self, run: Run, place: Place, command: AnyCommand) -> bool:
        row, words, _ask = place
        client = self._client
        if client.prefix is not None and row.name != "exec":
            once = in_session(client, row.keys_of(words), words, command)
            if isinstance(once, Refusal):
                self._say(run, once)
                return True
            command = once
        is_alone = is_of_many(command)
        is_stale = client.prefix is STALE
        if run.commands and (is_alone or is_stale != run.stale):
            return False
        run.stale = is_stale
        keys = row.keys_of(words)
        if client.speaks_cluster and not command.writes and (client.reads_here or not keys):
            run.stale_role_ok = True
        group = NOBODY if is_alone else self._lobby.store.group_of_slot(slots_of(command)[0])
        run.add(place, command, group)
        run.is_alone = is_alone
        run.is_full = run.is_full or is_alone
        return True

    def _perform(self, run: Run, row: Row, words: list[bytes], reply: LocalReply) -> bool:
        if isinstance(reply, Ask):
            if not self._submit(run, (row, words, reply), reply.command):
                return False
            run.is_full = run.is_full or reply.ends_run
        elif isinstance(reply, Pause):
            run.pause = reply
            run.is_full = True
        elif isinstance(reply, Drop):
            run.drops = run.is_full = True
        elif not isinstance(reply, Silence):
            self._say(run, reply)
        if self._client.is_closing:
            run.is_last = run.is_full = True
        return True

    def _exec(self, row: Row) -> LocalReply:
        client = self._client
        transaction = client.transaction
        if client.speaks_cluster and transaction is not None and not transaction.is_broken:
            wrong = self._misrouted(self._queued_keys(transaction.queued), row)
            if wrong is not None:
                client.transaction = None
                client.watched.clear()
                return wrong
        taken = transactions.take(client)
        if isinstance(taken, Refusal):
            return taken
        queued, watched = taken
        reply = transactions.run(client, queued, watched, [self._own(member) for member in queued])
        if not isinstance(reply, Ask) or not isinstance(client.prefix, Prefix):
            return reply
        keys = [*self._queued_keys(queued), *(key for key, _ in watched)]
        words = [member.words for member in queued]
        once = sequenced(client, client.prefix, keys, words, reply.command)
        return once if isinstance(once, Refusal) else replace(reply, command=once)

    def _queued_keys(self, queued: list[Queued]) -> list[bytes]:
        rows = ((self._row(member.words), member.words) for member in queued)
        return [key for row, words in rows if isinstance(row, Row) for key in row.keys_of(words)]

    def _own(self, member: Queued) -> Ask | Callable[[], Reply] | None:
        """Return what this node itself does for a queued command."""
        if member.command is not None:
            return None
        row = self._row(member.words)
        assert isinstance(row, Row), "only known commands are queued"
        local = row.local
        assert local is not None, "queued without a command"

        def perform() -> Reply:
            reply = local(self._lobby, self._client, member.words)
            if isinstance(reply, Ask | Pause | Drop):
                return _NOT_IN_MULTI
            return OK if isinstance(reply, Silence) else reply

        if not row.asks:
            return perform
        reply = local(self._lobby, self._client, member.words)
        if isinstance(reply, Ask):
            return reply
        assert not isinstance(reply, Pause | Drop | Silence), "rows that ask answer"
        return lambda: reply
