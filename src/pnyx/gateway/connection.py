"""One socket: bytes in, runs down to the store, replies out. At most one request is under way."""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Final, cast

from pnyx.gateway.client import Client, Mute
from pnyx.gateway.delivery import Delivery, Outcome
from pnyx.gateway.dialogue import ANY_AGE, SEQUENCE, Dialogue
from pnyx.gateway.framing import LONE_BYTES_MAX, Framing, lone_commands
from pnyx.gateway.limits import (
    LINGER_SECONDS,
    PENDING_BYTES_MAX,
    RUN_BYTES_MAX,
    RUN_COMMANDS_MAX,
    TURN_SECONDS,
    WRITE_STALL_SECONDS,
)
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.outcomes import NOT_DONE
from pnyx.gateway.rows import Pause
from pnyx.gateway.run import Run
from pnyx.gateway.table import TABLE
from pnyx.replica.requests import Reason
from pnyx.transport.resp import BEFORE_AUTH, encode_error, encode_reply

SETTLE_BYTES: Final = 4096
"""Bytes a client may hold before they are counted into the node's budget."""

PREFIXES: Final = (SEQUENCE, ANY_AGE)

RUN_BYTES_SURE: Final = RUN_BYTES_MAX // 8
"""On the wire: even if each word is empty, a run of these is below RUN_BYTES_MAX."""

FAREWELL_SECONDS: Final = 0.5
"""How long a stop waits for a client's next command, to refuse it: to hang up while it is on its
way would leave its sender to wonder whether it was done."""

FULL: Final = b"-ERR max number of clients reached\r\n"


class Connection(asyncio.Protocol):
    """The protocol of both ports."""

    def __init__(self, lobby: Lobby, *, speaks_cluster: bool) -> None:
        self._lobby = lobby
        self._speaks_cluster = speaks_cluster
        self._pending: deque[list[bytes]] = deque()
        self._pending_bytes = 0
        self._run: Run | None = None
        """Submitted, or pausing; nothing else starts until it is over."""
        self._is_quiet = False
        """A client that is logged in, reads, and has sent nothing beyond the run under way: no
        prefix or MULTI either, so that what comes next means the same whatever came before."""
        self._started = 0.0
        self._is_reading = True
        self._stalled_at: float | None = None
        """Since when the client reads too slowly, on the monotonic clock."""
        self._stalled_bytes = 0
        self._over_soft_at = 0.0
        """Since when more than the soft limit is unread."""
        self._held_in = 0
        self._held_out = 0
        self._unsettled = 0
        self._is_over = False
        """No more bytes of this client count: hung up, or about to."""
        self._leaves_at: float | None = None
        """In a stop, when to hang up on the monotonic clock; whatever comes before is refused."""
        self._has_ended = False
        """The client has sent its last byte (half-closed)."""

    # The socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        lobby = self._lobby
        self._transport = cast("asyncio.Transport", transport)
        if len(lobby.clients) >= lobby.limits.clients_max or lobby.is_stopping:
            lobby.counters.refused_connections += 1
            self._is_over = True
            self._transport.write(FULL)
            self._transport.close()
            return
        self._client = Client(
            id=lobby.next_client_id(),
            address=_address(transport.get_extra_info("peername")),
            local_address=_address(transport.get_extra_info("sockname")),
            speaks_cluster=self._speaks_cluster,
            connected_ms=lobby.now_ms,
            close=self.abort,
            held_bytes=self.held_bytes,
            is_authenticated=not lobby.wants_password,
            last_ms=lobby.now_ms,
        )
        self._framing = Framing(
            lobby.limits.requests() if self._client.is_authenticated else BEFORE_AUTH
        )
        self._dialogue = Dialogue(lobby, self._client)
        self._delivery = Delivery(lobby, self._client, self._answered)
        self._is_known = self._client.is_authenticated
        """For whom the framing's limits are now: who logged in, or a stranger."""
        lobby.counters.connections += 1
        lobby.clients[self._client.id] = self._client
        lobby.connections[self._client.id] = self

    def connection_lost(self, _exc: Exception | None) -> None:
        self._is_over = True
        self._pending.clear()
        if not hasattr(self, "_client"):
            return
        self._delivery.stop()
        lobby = self._lobby
        lobby.held_bytes -= self._held_in + self._held_out
        self._held_in = self._held_out = 0
        lobby.clients.pop(self._client.id, None)
        lobby.connections.pop(self._client.id, None)

    def eof_received(self) -> bool:
        """Answer what came before the client's last byte, then hang up."""
        self._has_ended = True
        self._is_quiet = False
        if not self._is_over and self._run is None:
            self._pump()
        return not self._is_over

    def data_received(self, data: bytes) -> None:
        if self._is_over or self._framing.fault is not None:
            return
        client, lobby, size = self._client, self._lobby, len(data)
        lobby.counters.bytes_in += size
        client.last_ms = lobby.now_ms
        self._unsettled += size
        if self._is_quiet and self._run is None and size <= LONE_BYTES_MAX:
            commands = lone_commands(data)
            if commands is not None and self._dialogue.take_lone(commands):
                client.last_words = commands[-1]
                lobby.counters.commands += 1
                self._start(self._dialogue.lone_run)
                return
        self._is_quiet = False
        self._pending_bytes += size
        if client.is_authenticated:
            self._pending.extend(self._framing.feed(data))
        else:
            self._framing.add(data)
        if self._run is None:
            self._pump()
        if self._waits() and self._is_reading and self._ahead_bytes() > PENDING_BYTES_MAX:
            self._is_reading = False
            self._transport.pause_reading()
        self._let_others_in()
        if self._unsettled > SETTLE_BYTES:
            self._settle()

    def _let_others_in(self) -> None:
        """Take the rest of a command in the next turn: uvloop gives up to 8 MB of it in one."""
        if self._is_reading and not self._is_over and not self._framing.is_idle:
            self._is_reading = False
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._resume_reading)

    def pause_writing(self) -> None:
        self._is_quiet = False
        self._stalled_at = self._over_soft_at = monotonic()
        self._stalled_bytes = self._transport.get_write_buffer_size()
        if not self._client.is_authenticated:
            # CVE-2025-21605: strangers do not get replies stored for them.
            self._lobby.counters.output_limit_disconnections += 1
            self.abort()

    def resume_writing(self) -> None:
        self._stalled_at = None
        self._settle()
        if self._run is None and not self._is_over:
            self._pump()

    # Runs.

    def _start(self, run: Run) -> None:
        self._run = run
        self._started = started = monotonic()
        self._delivery.start(run, started)

    def _answered(self, outcomes: Sequence[Outcome]) -> None:
        """Say what became of the run, then go on."""
        run = self._run
        assert run is not None, "outcomes belong to a run"
        self._run = None
        if self._is_over:
            return
        micros = (monotonic() - self._started) * 1_000_000
        if micros > self._lobby.slow_log.slower_than_micros >= 0:
            self._note_slow(run, int(micros))
        if self._is_quiet:
            self._send(self._dialogue.lone_reply(outcomes[0]))
            return
        self._write(run, self._dialogue.replies(run, outcomes))
        if not self._is_over:
            self._pump()

    def _pump(self) -> None:
        """Start runs until one must wait, the client must, or nothing is left."""
        done = 0
        until = monotonic() + TURN_SECONDS
        while self._run is None and self._stalled_at is None and not self._is_over:
            if not self._pending and not self._find_more():
                return
            if self._leaves_at is not None:
                self._refuse()
                return
            if done and (done >= RUN_COMMANDS_MAX or monotonic() > until):
                # Commands that this node answers itself must not keep the loop from others.
                self._run = Run()
                asyncio.get_running_loop().call_soon(self._go_on)
                return
            is_small = self._pending_bytes <= RUN_BYTES_SURE
            run = self._dialogue.next_run(self._pending, is_small=is_small, until=until)
            done += len(run.plan)
            self._lobby.counters.commands += len(run.plan)
            self._client.last_words = run.last_words
            if not self._pending:
                self._pending_bytes = 0
            if run.drops:
                self.abort()
                return
            if run.commands:
                self._start(run)
                return
            self._write(run, self._dialogue.replies(run, ()))

    def _find_more(self) -> bool:
        """Put what the parser still holds into `pending`; False if there is nothing to do."""
        framing = self._framing
        is_known = self._client.is_authenticated
        if is_known is not self._is_known:
            self._is_known = is_known
            framing.set_limits(self._lobby.limits.requests() if is_known else BEFORE_AUTH)
        if self._is_reading and not self._has_ended and framing.is_idle:
            self._pending_bytes = 0
            is_clear = self._dialogue.is_plain() and self._client.prefix is None
            self._is_quiet = is_clear and self._leaves_at is None
            return False
        if framing.fault is not None:
            pass
        elif is_known:
            self._pending.extend(framing.feed(b""))
        else:
            # One at a time: AUTH among them changes what the next may be.
            command = framing.next_command()
            if command is not None:
                self._pending.append(command)
        if self._pending:
            return True
        self._pending_bytes = 0
        self._resume_reading()
        if framing.fault is not None:
            self._lobby.counters.protocol_faults += 1
            self._hang_up(encode_error(f"ERR {framing.fault}"))
        elif self._has_ended:
            self._hang_up(b"")
        return False

    def _write(self, run: Run, replies: list[bytes]) -> None:
        said = replies[0] if len(replies) == 1 else b"".join(replies)
        if run.is_last:
            self._lobby.counters.bytes_out += len(said)
            self._hang_up(said)
            return
        if run.pause is not None:
            self._run = run
            asyncio.get_running_loop().call_later(run.pause.seconds, self._resume, run.pause)
        self._send(said)

    def _send(self, said: bytes) -> None:
        self._lobby.counters.bytes_out += len(said)
        if said:
            self._transport.write(said)
        if self._stalled_at is not None or self._unsettled > SETTLE_BYTES:
            self._settle()

    def _go_on(self) -> None:
        self._run = None
        self._pump()

    def _resume(self, pause: Pause) -> None:
        self._run = None
        if self._is_over:
            return
        self._transport.write(encode_reply(pause.reply(), self._client.protocol))
        self._pump()

    def _note_slow(self, run: Run, micros: int) -> None:
        words = next(place[1] for place in run.plan if isinstance(place, tuple))
        client, now_s = self._client, self._lobby.store.clock_ms() // 1000
        self._lobby.slow_log.note(micros, words, now_s, client.address, client.name)

    # Limits.

    def _waits(self) -> bool:
        return self._run is not None or self._stalled_at is not None

    def _ahead_bytes(self) -> int:
        return self._pending_bytes + self._framing.buffered_bytes

    def _resume_reading(self) -> None:
        if not self._is_reading and not self._is_over:
            self._is_reading = True
            self._transport.resume_reading()

    def held_bytes(self) -> tuple[int, int]:
        """Return the bytes of requests and of replies that wait here."""
        return self._ahead_bytes(), self._unread_bytes()

    def _unread_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    def _settle(self) -> None:
        """Count what this client holds into the node's budget, and shed if that is too much."""
        lobby = self._lobby
        self._unsettled = 0
        held_in, held_out = self.held_bytes()
        lobby.held_bytes += held_in + held_out - self._held_in - self._held_out
        self._held_in, self._held_out = held_in, held_out
        lobby.shed()

    def check(self, now: float) -> None:
        """Drop the client if it is too slow or too silent; called about once a second."""
        if self._is_over:
            return
        limits, client = self._lobby.limits, self._client
        silent = (self._lobby.now_ms - client.last_ms) / 1000
        age = (self._lobby.now_ms - client.connected_ms) / 1000
        if (not client.is_authenticated and age > limits.login_seconds and self._run is None) or (
            limits.idle_seconds and silent > limits.idle_seconds and self._run is None
        ):
            self.abort()
        elif self._stalled_at is not None:
            self._check_stall(now, self._stalled_at)

    def notify(self, notice: bytes) -> None:
        """Tell a client that wants to know, between two replies."""
        client = self._client
        if client.wants_notices and client.protocol == 3 and not self._is_over:
            self._send(notice)

    def _check_stall(self, now: float, stalled_at: float) -> None:
        limits = self._lobby.limits
        unread = self._unread_bytes()
        is_moving = unread < self._stalled_bytes
        self._stalled_bytes = unread
        if is_moving:
            self._stalled_at = stalled_at = now
        if unread <= limits.output_bytes_soft_max:
            self._over_soft_at = now
        # A reply may be larger than the limits, as long as its reader keeps reading.
        if (
            (unread > limits.output_bytes_max and not is_moving)
            or now - self._over_soft_at > limits.output_soft_seconds
            or now - stalled_at > WRITE_STALL_SECONDS
        ):
            self._lobby.counters.output_limit_disconnections += 1
            self.abort()

    # The end.

    @property
    def is_busy(self) -> bool:
        """Is a request under way, or, in a stop, perhaps on its way?"""
        return not self._is_over and (self._run is not None or self._leaves_at is not None)

    def _hang_up(self, last: bytes) -> None:
        self._is_over = True
        self._pending.clear()
        if last:
            self._transport.write(last)
        if not last or self._has_ended:
            self._transport.close()
            return
        # To close on what still arrives would reset the connection, and the client would lose these
        # words (RFC 2525 §2.17): it is taken and dropped for a while.
        self._transport.write_eof()
        if not self._is_reading:
            self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

    def finish(self) -> None:
        """Refuse what comes from now on; hang up on it, or when nothing has come for a while.

        To be called again and again until the client is gone.
        """
        if self._is_over:
            return
        now = monotonic()
        if self._leaves_at is None or self._run is not None:
            self._is_quiet = False
            self._leaves_at = now + FAREWELL_SECONDS
        elif now >= self._leaves_at:
            self._hang_up(b"")

    def _refuse(self) -> None:
        """Tell each command that it was not done, and hang up."""
        lobby, count = self._lobby, 0
        while self._pending:
            # A prefix has no reply: its command, which may be on its way, has.
            count += sum(TABLE.get(words[0].upper()) not in PREFIXES for words in self._pending)
            self._pending.clear()
            if self._client.is_authenticated:
                self._pending.extend(self._framing.feed(b""))
        if not count:
            return
        why = NOT_DONE[Reason.STOPPING].text
        for _ in range(count):
            lobby.count_error(why)
        lobby.counters.commands += count
        self._hang_up(encode_error(why) * count if self._client.mute is Mute.SPEAKING else b"")

    def abort(self) -> None:
        """Hang up at once; what is under way gets no reply."""
        self._is_over = True
        self._pending.clear()
        self._transport.abort()


def _address(name: object) -> str:
    """Return host:port as Redis writes it."""
    if isinstance(name, tuple):
        host, port = name[0], name[1]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return "?:0"
