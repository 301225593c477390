"""The machine against a dict that was written from Redis' documentation, not from the machine."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings, strategies as st

from machine.driving import Driver
from pnyx.machine import commands as c
from pnyx.machine.commands import AnyCommand, Condition, Expiry

KEYS = st.sampled_from([b"a", b"b", b"{a}c", b""])
VALUES = st.sampled_from([b"", b"1", b"41", b"-7", b"word", b"\x00\xff"])
EXPIRIES = st.builds(
    Expiry, st.sampled_from([-5, 1, 40, 100, 1_000_040, 1_000_200]), st.booleans()
).filter(lambda expiry: expiry.relative or expiry.ms > 0)
SET_CONDITIONS = st.sampled_from(
    [
        Condition.ALWAYS,
        Condition.ABSENT,
        Condition.PRESENT,
        Condition.EQUAL,
        Condition.DIFFERENT,
    ]
)
EXPIRE_CONDITIONS = st.sampled_from(
    [(), (Condition.ABSENT,), (Condition.PRESENT,), (Condition.GREATER,), (Condition.LESS,)]
)
COMMANDS = st.one_of(
    st.builds(c.Get, KEYS),
    st.builds(
        c.Set,
        KEYS,
        VALUES,
        st.none() | EXPIRIES,
        SET_CONDITIONS,
        VALUES,
        keep_ttl=st.booleans(),
        get=st.booleans(),
    ).filter(lambda command: not (command.keep_ttl and command.expiry)),
    st.builds(c.SetNx, KEYS, VALUES),
    st.builds(c.Del, st.lists(KEYS, max_size=3).map(tuple)),
    st.builds(c.Exists, st.lists(KEYS, max_size=3).map(tuple)),
    st.builds(c.Append, KEYS, VALUES),
    st.builds(c.IncrBy, KEYS, st.integers(-3, 3)),
    st.builds(c.Expire, KEYS, EXPIRIES, EXPIRE_CONDITIONS),
    st.builds(c.Persist, KEYS),
    st.builds(c.GetEx, KEYS, st.none() | EXPIRIES),
    st.builds(c.GetDel, KEYS),
    st.builds(c.Rename, KEYS, KEYS, st.booleans()),
    st.builds(c.Ttl, KEYS, st.just(value=False), st.booleans()),
    st.just(c.DbSize()),
    st.just(c.Keys(b"*")),
    st.just(c.FlushAll()),
)
STORY = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 39, 60]), st.lists(COMMANDS, max_size=6)), max_size=12
)


@dataclass
class Model:
    """What Redis would hold, in the plainest way."""

    now: int = 1_000_000
    values: dict[bytes, bytes] = field(default_factory=dict)
    times: dict[bytes, int] = field(default_factory=dict)
    versions: dict[bytes, int] = field(default_factory=dict)
    writes: int = 0

    def drop_expired(self) -> None:
        for key in [key for key, at in self.times.items() if at <= self.now]:
            self.delete(key)

    def write(self, key: bytes, value: bytes, at: int | None) -> None:
        self.delete(key)
        self.writes += 1
        self.values[key] = value
        self.versions[key] = self.writes
        if at is not None:
            self.times[key] = at
        self.drop_expired()

    def delete(self, key: bytes) -> bool:
        self.times.pop(key, None)
        self.versions.pop(key, None)
        return self.values.pop(key, None) is not None

    def at(self, expiry: Expiry) -> int:
        return expiry.ms + (self.now if expiry.relative else 0)

    def answer(self, command: AnyCommand) -> object:
        method: Callable[[AnyCommand], object] = getattr(self, type(command).__name__.lower())
        return method(command)

    def get(self, command: c.Get) -> object:
        return self.values.get(command.key)

    def set(self, command: c.Set) -> object:
        old = self.values.get(command.key)
        met = {
            Condition.ALWAYS: True,
            Condition.ABSENT: old is None,
            Condition.PRESENT: old is not None,
            Condition.EQUAL: old == command.comparand,
            Condition.DIFFERENT: old != command.comparand,
        }[command.condition]
        if met:
            kept = self.times.get(command.key) if command.keep_ttl else None
            self.write(
                command.key, command.value, self.at(command.expiry) if command.expiry else kept
            )
        return old if command.get else ("OK" if met else None)

    def setnx(self, command: c.SetNx) -> object:
        if command.key in self.values:
            return 0
        self.write(command.key, command.value, None)
        return 1

    def exists(self, command: c.Exists) -> object:
        return len([key for key in command.keys if key in self.values])

    def append(self, command: c.Append) -> object:
        value = self.values.get(command.key, b"") + command.value
        self.write(command.key, value, self.times.get(command.key))
        return len(value)

    def incrby(self, command: c.IncrBy) -> object:
        text = self.values.get(command.key, b"0")
        if not re.fullmatch(rb"0|-?[1-9][0-9]{0,17}", text):
            return "-ERR value is not an integer or out of range"
        self.write(command.key, b"%d" % (int(text) + command.delta), self.times.get(command.key))
        return int(text) + command.delta

    def expire(self, command: c.Expire) -> object:
        if command.key not in self.values:
            return 0
        old, at = self.times.get(command.key), self.at(command.expiry)
        met = {
            (): True,
            (Condition.ABSENT,): old is None,
            (Condition.PRESENT,): old is not None,
            (Condition.GREATER,): old is not None and at > old,
            (Condition.LESS,): old is None or at < old,
        }[command.conditions]
        if met:
            self.write(command.key, self.values[command.key], at)
        return int(met)

    def persist(self, command: c.Persist) -> object:
        if command.key not in self.times:
            return 0
        self.write(command.key, self.values[command.key], None)
        return 1

    def getex(self, command: c.GetEx) -> object:
        value = self.values.get(command.key)
        if value is not None and command.expiry is not None:
            self.write(command.key, value, self.at(command.expiry))
        return value

    def getdel(self, command: c.GetDel) -> object:
        value = self.values.get(command.key)
        self.delete(command.key)
        return value

    def rename(self, command: c.Rename) -> object:
        if command.source not in self.values:
            return "-ERR no such key"
        if command.source != command.destination:
            if command.absent and command.destination in self.values:
                return 0
            value, at = self.values[command.source], self.times.get(command.source)
            self.delete(command.source)
            self.write(command.destination, value, at)
        elif command.absent:
            return 0
        return 1 if command.absent else "OK"

    def ttl(self, command: c.Ttl) -> object:
        if command.key not in self.values:
            return -2
        at = self.times.get(command.key)
        return -1 if at is None else at - (0 if command.absolute else self.now)

    def dbsize(self, _: c.DbSize) -> object:
        return len(self.values)

    def keys(self, _: c.Keys) -> object:
        return sorted(self.values)

    def flushall(self, _: c.FlushAll) -> object:
        for key in list(self.values):
            self.delete(key)
        return "OK"


# `del` is no name for a method.
setattr(Model, "del", lambda self, command: sum(self.delete(key) for key in command.keys))


@settings(max_examples=100)
@given(STORY)
def test_the_machine_answers_what_the_model_answers(
    story: list[tuple[int, list[AnyCommand]]],
) -> None:
    driver, model = Driver(), Model()
    revisions: dict[tuple[bytes, int], int] = {}
    for passed, commands in story:
        driver.now_ms += passed
        model.now += passed
        model.drop_expired()
        answers = driver.run(*commands)
        for command, answer in zip(commands, answers, strict=True):
            seen = sorted(answer) if isinstance(answer, list) else answer
            assert seen == model.answer(command), command
        assert driver.read(c.KeyspaceStats()) == [[len(model.values), len(model.times)]]
        assert driver.group.next_expiry_ms() == min(model.times.values(), default=None)
        for key in (b"a", b"b", b"{a}c", b""):
            revision = driver.read(c.Revisions((key,)))
            assert revision is not None
            version = model.versions.get(key, 0)
            # The machine's numbers are its own; equal they must be exactly when the model's are.
            known = revisions.setdefault((key, version), revision[0][0])  # type: ignore[index]
            assert [[known]] == revision
            assert (known == 0) == (version == 0)
    assert len(set(revisions.items())) == len({(key, rev) for (key, _), rev in revisions.items()})
