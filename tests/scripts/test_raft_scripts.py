"""What exactly happens, message by message? Each script in raft/ is a story with its outcome.

Commands (numbers are nodes):

    nodes N [learners=L] [voters=V] [setting=value ...]   start; `logs` gives them logs instead
    logs 1,1,2 / 1 / -                         one log a node, by the terms of its entries
    term T                                     everybody has heard of term T
    elect N | campaign N | tick N              with, or without, letting everything settle
    win N with A ..                            N is elected by these; nobody hears of it yet
    propose N TEXT | read N | transfer N to M  ask something of N
    change N to A,B [learning C,D]             ask N for these voters and learners
    take N | sync N                            carry out its ready | its oldest write is durable
    deliver [A>B] [count] | drop [A>B]         messages in flight, all by default
    settle | wait MS | run MS                  do all there is | only the clock | both
    cut A B | isolate A .. | heal              links
    crash N | restart N | hang N | unhang N    nodes and disks
    compact N to INDEX | streams               logs and snapshots
    status                                     one line a node
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

import scripting
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, Position, ReadRelease, Role, Write
from pnyx.ids import NodeId
from raftworld import Flight, Member, World, load_logs, terms

SCRIPTS = sorted((Path(__file__).parent / "raft").glob("*.txt"))


def entry_text(entry: Entry) -> str:
    where = f"{entry.index}:{entry.term}"
    if entry.kind is EntryKind.MEMBERSHIP:
        membership = msgspec.msgpack.decode(entry.payload, type=Membership)
        return f"{where}={membership_text(membership)}"
    return f"{where}={entry.payload.decode()}" if entry.payload else where


def membership_text(membership: Membership) -> str:
    """E.g. {1,2 from 1,2,3 learning 4}."""
    words = ",".join(map(str, membership.voters))
    if membership.outgoing:
        words += " from " + ",".join(map(str, membership.outgoing))
    if membership.learners:
        words += " learning " + ",".join(map(str, membership.learners))
    return f"{{{words}}}"


def numbers(words: str) -> tuple[NodeId, ...]:
    """E.g. 1,2,3; nothing for an empty word."""
    return tuple(NodeId(int(word)) for word in words.split(",") if word)


def message_text(message: Any) -> str:
    """Every field by name, entries as index:term=payload."""
    words = [type(message).__name__]
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if name == "entries":
            value = "[" + " ".join(entry_text(entry) for entry in value) + "]"
        words.append(f"{name} {value}")
    return " ".join(words)


def write_text(write: Write) -> str:
    words = [f"write {write.write_id}"]
    if write.restart is not None:
        words.append(f"restart {write.restart.index}:{write.restart.term}")
    if write.hard_state is not None:
        words.append(f"term {write.hard_state.term} vote {write.hard_state.voted_for}")
    if write.entries:
        words.append("entries " + " ".join(entry_text(entry) for entry in write.entries))
    if write.compacted is not None:
        words.append(f"compacted {write.compacted.index}:{write.compacted.term}")
    return " ".join(words)


class Traced(World):
    """A world that tells what happens."""

    trace: list[str]

    def _send(self, flight: Flight) -> None:
        self.trace.append(f"{flight.sender}>{flight.to} {message_text(flight.message)}")
        super()._send(flight)

    def _apply(self, member: Member, entry: Entry) -> None:
        self.trace.append(f"{member.node} applies {entry_text(entry)}")
        super()._apply(member, entry)

    def _release(self, member: Member, release: ReadRelease) -> None:
        answer = "refused" if release.index is None else f"at {release.index}"
        self.trace.append(f"{member.node} read {release.ticket} {answer}")
        super()._release(member, release)

    def _asked(self, member: Member, write: Write) -> None:
        self.trace.append(f"{member.node} asks for {write_text(write)}")

    def stream(self, sender: NodeId, to: NodeId) -> None:
        self.trace.append(f"{sender}>{to} snapshot at {len(self.members[sender].applied)}")
        super().stream(sender, to)


class Interpreter:
    """Executes one command at a time on a world."""

    def __init__(self) -> None:
        self.world: Traced = Traced(0)

    def execute(self, command: str) -> list[str]:
        name, *words = command.split()
        self.world.trace = []
        lines: list[str] | None = getattr(self, f"do_{name}")(*words)
        return [*self.world.trace, *(lines or [])]

    def do_nodes(self, size: str, *words: str) -> None:
        options = dict(word.split("=") for word in words)
        count, learners = int(size), int(options.pop("learners", 0))
        nodes = tuple(NodeId(number) for number in range(1, count + learners + 1))
        voters = int(options.pop("voters", count))
        membership = Membership(nodes[:voters], learners=nodes[count:])
        settings = MemberSettings(**{key: int(value) for key, value in options.items()})
        self.world = Traced(len(nodes), settings=settings, membership=membership)
        self.world.trace = []

    def do_logs(self, *words: str) -> None:
        logs = [[int(t) for t in log.split(",") if t != "-"] for log in words if log != "/"]
        self.world = Traced(len(logs))
        load_logs(self.world, *logs)
        self.world.trace = []

    def do_settings(self, *words: str) -> None:
        values = {key: int(value) for key, value in (word.split("=") for word in words)}
        self.world.settings = MemberSettings(**values)
        for member in self.world.running:
            self.world.crash(member.node)
            self.world.restart(member.node)

    def do_term(self, term: str) -> None:
        self.world.adopt_term(int(term))
        self.world.trace.clear()

    def do_elect(self, number: str) -> None:
        self.world.elect(int(number))

    def do_campaign(self, number: str) -> None:
        self.world[int(number)].campaign(self.world.now_ms)

    def do_win(self, number: str, _with: str, *voters: str) -> None:
        world, me = self.world, int(number)
        world.advance(world.settings.election_ms_min)
        for _ in range(3):
            world[me].campaign(world.now_ms)
            for _ in range(2):
                self._exchange(me, voters)
            if world[me].role is Role.LEADER:
                break
        assert world[me].role is Role.LEADER
        world.flights.clear()
        world.trace.clear()

    def _exchange(self, me: int, voters: tuple[str, ...]) -> None:
        if self.world[me].role is Role.LEADER:
            return
        self.world.take(me)
        self.world.sync(me)
        for voter in voters:
            self.do_deliver(f"{me}>{voter}")
            self.world.take(int(voter))
            self.world.sync(int(voter))
            self.do_deliver(f"{voter}>{me}")

    def do_tick(self, number: str) -> None:
        raft = self.world[int(number)]
        self.world.now_ms = max(self.world.now_ms, raft.deadline_ms)
        raft.tick(self.world.now_ms)

    def do_propose(self, number: str, text: str) -> list[str]:
        place = self.world.propose(int(number), text.encode())
        if isinstance(place, Position):
            return [f"at {place.index}:{place.term}"]
        return [f"refused: {place.reason}"]

    def do_read(self, number: str) -> list[str]:
        return [f"ticket {self.world.read(int(number))}"]

    def do_transfer(self, number: str, _to: str, target: str) -> list[str]:
        started = self.world[int(number)].transfer_leadership(
            NodeId(int(target)), self.world.now_ms
        )
        return ["started" if started else "refused"]

    def do_change(self, number: str, _to: str, voters: str, *learning: str) -> list[str]:
        target = Membership(numbers(voters), learners=numbers(",".join(learning[1:])))
        place = self.world[int(number)].change_membership(target, self.world.now_ms)
        if isinstance(place, Position):
            return [f"at {place.index}:{place.term}"]
        return [f"refused: {place.reason}"]

    def do_take(self, number: str) -> None:
        self.world.take(int(number))

    def do_sync(self, number: str) -> list[str]:
        return [] if self.world.sync(int(number)) else ["nothing to sync"]

    def do_deliver(self, link: str = "", count: str = "99999") -> None:
        for flight in self._take_flights(link, int(count)):
            self.world.deliver(flight)

    def do_drop(self, link: str = "", count: str = "99999") -> None:
        self._take_flights(link, int(count))

    def do_settle(self) -> None:
        self.world.settle()

    def do_run(self, ms: str) -> None:
        self.world.run(int(ms))

    def do_quietly(self, *words: str) -> None:
        """Do something without telling about it."""
        self.execute(" ".join(words))
        self.world.trace.clear()

    def do_isolate(self, *numbers: str) -> None:
        self.world.isolate(*map(int, numbers))

    def do_heal(self) -> None:
        self.world.heal()

    def do_crash(self, number: str) -> None:
        self.world.crash(int(number))

    def do_restart(self, number: str) -> None:
        self.world.restart(int(number))

    def do_hang(self, number: str) -> None:
        self.world.members[NodeId(int(number))].disk_hangs = True

    def do_unhang(self, number: str) -> None:
        self.world.members[NodeId(int(number))].disk_hangs = False

    def do_compact(self, number: str, _to: str, index: str) -> None:
        self.world.compact(int(number), int(index))

    def do_streams(self) -> None:
        while self.world.streams:
            self.world.stream(*self.world.streams.pop(0))

    def do_status(self) -> list[str]:
        return [self._line(member) for member in self.world.members.values()]

    def _line(self, member: Member) -> str:
        raft = member.raft
        if raft is None:
            return f"{member.node} down"
        start = f"..{raft.compacted.index} " if raft.compacted.index else ""
        log = start + " ".join(map(str, terms(raft)))
        role = raft.role.name.lower()
        return f"{member.node} {role} term {raft.term} commit {raft.commit_index} log [{log}]"

    def _take_flights(self, link: str, count: int) -> list[Flight]:
        flights = self.world.flights
        taken = [one for one in flights if link in ("", f"{one.sender}>{one.to}")][:count]
        for flight in taken:
            # By identity: two equal messages are two messages.
            position = next(i for i, one in enumerate(flights) if one is flight)
            del flights[position]
        return taken


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_happens_exactly_as_the_script_says(path: Path, rewrite: bool) -> None:
    scripting.run(path, Interpreter().execute, rewrite=rewrite)


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 10


def test_the_same_script_gives_the_same_bytes_twice() -> None:
    def trace() -> list[str]:
        interpreter = Interpreter()
        commands = ["nodes 5", "run 2000", "settle"]
        return [line for command in commands for line in interpreter.execute(command)]

    assert trace() == trace() != []
