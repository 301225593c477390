"""The sentence why a part of a history cannot be: what everybody would point at, if there is such.

Each reason is a proof of its own: it holds whatever else happened. It is looked for among the
operations that were kept, and checked against all operations of the key; if there is none, the
sentence says how far the longest order came.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pnyx.lab.history import Operation
from pnyx.lab.linearizability import Found
from pnyx.lab.models.append import seen_of, text_of, write_of
from pnyx.lab.models.catalogue import MODELS
from pnyx.lab.models.model import UNOBSERVED, State
from pnyx.lab.models.texts import Origin, Origins
from pnyx.lab.models.versions import version_needed, version_of
from pnyx.lab.values import FALSE, shown

TOKEN_BYTES: Final = 40


@dataclass(slots=True)
class Reason:
    """A sentence, and the operations that it names."""

    sentence: str
    named: list[Operation]


def reason(
    model: str, whole: Sequence[Operation], kept: Sequence[Operation], start: State, found: Found
) -> Reason:
    """Return why `kept`, a part of a key's `whole` operations, has no order."""
    return proof(model, whole, kept, start) or _longest(model, kept, found)


def proof(
    model: str, whole: Sequence[Operation], kept: Sequence[Operation], start: State
) -> Reason | None:
    """Return a reason of the kind that proves itself, if `kept` has one."""
    match model:
        case "kv-append":
            reasons = _text_reasons(whole, kept, start)
        case "kv-versions":
            reasons = _version_reasons(whole, kept, start)
        case _:
            reasons = _register_reasons(whole, kept, start)
    return next(reasons, None)


def _longest(model: str, kept: Sequence[Operation], found: Found) -> Reason:
    stuck = found.stuck_at
    assert stuck is not None, "a search that fails is stuck at a return"
    held = "" if found.state is UNOBSERVED else f", while {_held(model, found.state)}"
    return Reason(
        f"no order explains these {len(kept)} operations: the longest one that there is explains "
        f"{len(found.order)} of them, and then {stuck.described()} must come, which "
        f"{_told(stuck)}{held}",
        [*found.order[-1:], stuck],
    )


def _held(model: str, state: State) -> str:
    if model == "kv-versions" and state is None:
        return "there is no such key"
    return f"the value is {shown(state)}"  # type: ignore[arg-type]


def _told(one: Operation) -> str:
    if one.is_read:
        return f"returned {shown(one.value)}"
    asked = shown(one.arguments[0])
    if one.function == "cas":
        return (
            f"was told that the value is not {asked}"
            if _refused(one)
            else f"replaced {asked} by {shown(one.arguments[1])}"
        )
    if one.outcome == "info":
        return f"wrote {asked}, perhaps"
    if one.function == "append" and isinstance(one.value, int):
        return f"returned the length {one.value}"
    if one.value is None or one.value == one.arguments[0]:
        return f"wrote {asked}"
    return f"wrote {asked} and was told {shown(one.value)}"


def _precedes(one: Operation, other: Operation) -> bool:
    return one.returned is not None and one.returned < other.called


# Registers


def _register_reasons(
    whole: Sequence[Operation], kept: Sequence[Operation], start: State
) -> Iterator[Reason]:
    model = MODELS["cas-register"]
    writes = [one for one in whole if not one.is_read and model.matters(one) and not _refused(one)]
    reads = [one for one in whole if one.outcome == "ok" and _looks(one)]
    known = {one.number for one in kept if one.returned is not None}
    for read in (one for one in reads if one.number in known):
        value = read.value if read.is_read else read.arguments[0]
        writers = [one for one in writes if one.arguments[-1] == value and one is not read]
        yield from _from_nowhere(read, writers, whole, is_initial=value == start)
        for other in reversed(writes):
            is_other = other.outcome == "ok" and other.arguments[-1] != value
            if is_other and _precedes(other, read) and all(_precedes(w, other) for w in writers):
                yield Reason(
                    f"{read.described()} {_told(read)}, but {other.described()}, which "
                    f"{_told(other)}, had completed before it was called, and nobody wrote "
                    f"{shown(value)} {'again' if writers else 'at all'}",
                    [*writers[-1:], other, read],
                )
        for other in reversed(reads):
            seen = other.value if other.is_read else other.arguments[0]
            is_newer = seen != value and all(_precedes(writer, other) for writer in writers)
            if is_newer and _precedes(other, read):
                yield Reason(
                    f"{read.described()} {_told(read)}, but {other.described()} had seen "
                    f"{shown(seen)} before it was called, and nobody wrote {shown(value)} "
                    f"{'again' if writers else 'at all'}",
                    [*writers[-1:], other, read],
                )
    yield from _replaced_twice(reads, writes, start)


def _from_nowhere(
    read: Operation, writers: list[Operation], whole: Sequence[Operation], *, is_initial: bool
) -> Iterator[Reason]:
    if is_initial or read.returned is None:
        return
    value = read.value if read.is_read else read.arguments[0]
    failed = [o for o in whole if o.outcome == "fail" and o.arguments[-1:] == (value,)]
    if not writers and failed:
        yield Reason(
            f"{read.described()} {_told(read)}, which only {failed[0].described()} asked to write, "
            "and that failed: it must have no effect",
            [failed[0], read],
        )
    elif not writers:
        yield Reason(f"{read.described()} {_told(read)}, which nobody ever wrote", [read])
    elif all(one.called > read.returned for one in writers):
        yield Reason(
            f"{read.described()} {_told(read)}, which was not written before "
            f"{writers[0].described()}, called after that reply",
            [read, writers[0]],
        )


def _replaced_twice(
    reads: Sequence[Operation], writes: Sequence[Operation], start: State
) -> Iterator[Reason]:
    for one in reads:
        if one.is_read or one.arguments[0] == one.arguments[1]:
            continue
        value = one.arguments[0]
        takers = [
            other
            for other in reads
            if not other.is_read and other.arguments[0] == value and other.arguments[1] != value
        ]
        writers = [other for other in writes if other.arguments[-1] == value]
        if len(takers) > len(writers) + (start == value):
            names = " and ".join(other.described() for other in takers[:2])
            often = len(writers) + (start == value)
            yield Reason(
                f"{len(takers)} requests, {names} among them, each replaced {shown(value)}, which "
                f"was there {'once' if often == 1 else f'{often} times'} at most",
                takers,
            )


def _refused(one: Operation) -> bool:
    return one.function == "cas" and one.outcome == "ok" and one.value == FALSE


def _looks(one: Operation) -> bool:
    return one.is_read or (one.function == "cas" and not _refused(one))


# Texts with appends


@dataclass(slots=True)
class _Got:
    one: Operation
    text: bytes
    origin: Origin
    writes: frozenset[int]
    base: int
    """The number of the put that it starts with; -1 for the initial value."""


def _text_reasons(
    whole: Sequence[Operation], kept: Sequence[Operation], start: State
) -> Iterator[Reason]:
    assert isinstance(start, bytes), "a text is kept as bytes"
    model = MODELS["kv-append"]
    by_number = {one.number: one for one in whole}
    writes = [one for one in whole if one.function != "get" and model.matters(one)]
    origins = Origins([write_of(one.number, one) for one in writes], start)
    gots: list[_Got] = []
    for one in kept:
        if one.function != "get" or one.returned is None:
            continue
        seen = seen_of(one.number, one)
        origin = origins.of(seen)
        if not origin.is_only:
            continue
        first = by_number[origin.writes[0]] if origin.writes else None
        base = first.number if first is not None and first.function == "put" else -1
        got = _Got(one, seen.text, origin, frozenset(origin.writes), base)
        if not origin.is_whole:
            yield _unexplained(got, whole)
            continue
        gots.append(got)
        yield from _missing(got, writes, by_number)
        yield from _misplaced(got, by_number)
    yield from _disagreeing(gots, by_number)


def _unexplained(got: _Got, whole: Sequence[Operation]) -> Reason:
    one, at = got.one, got.origin.explained_bytes
    rest = got.text[at:]
    shows = f"{one.described()} returned {shown(got.text)}"
    for other in whole:
        written = text_of(other.arguments[0]) if other.function == "append" else b""
        if not written or not rest.startswith(written):
            continue
        text = shown(other.arguments[0])
        if other.number in got.writes:
            return Reason(f"{shows}: it has {text} twice, once more than asked", [other, one])
        if other.outcome == "fail":
            return Reason(
                f"{shows}: it has {text}, which only {other.described()} asked to append, and "
                "that failed: it must have no effect",
                [other, one],
            )
        if one.returned is not None and other.called > one.returned:
            return Reason(
                f"{shows}: it has {text}, which {other.described()} asked for after that reply",
                [one, other],
            )
    where = f"after its first {at} bytes it has" if at else "it has"
    part = shown(rest[:TOKEN_BYTES])
    return Reason(f"{shows}: {where} {part}, which nobody wrote there", [one])


def _missing(
    got: _Got, writes: Sequence[Operation], by_number: dict[int, Operation]
) -> Iterator[Reason]:
    base = by_number.get(got.base)
    for other in reversed(writes):
        if other.number in got.writes or not _precedes(other, got.one):
            continue
        text = shown(other.arguments[0])
        if other.outcome != "ok" or (base is not None and not _precedes(base, other)):
            continue
        shows = f"{got.one.described()} returned {shown(got.text)}"
        if other.function == "put":
            yield Reason(
                f"{shows}, but {other.described()}, which wrote {text}, had completed before it "
                "was called, and nobody wrote the other value again",
                [*([base] if base else []), other, got.one],
            )
        elif text_of(other.arguments[0]):
            yield Reason(
                f"{shows}: it lacks {text}, but {other.described()}, which appended that, had "
                "completed before it was called, and nothing overwrote it",
                [other, got.one],
            )


def _misplaced(got: _Got, by_number: dict[int, Operation]) -> Iterator[Reason]:
    parts = [by_number[number] for number in got.origin.writes]
    earliest: Operation | None = None
    # From the back, keep who returned first: nobody before it may have been called after that.
    for one in reversed(parts):
        if earliest is not None and _precedes(earliest, one):
            yield Reason(
                f"{got.one.described()} returned {shown(got.text)}: "
                f"{shown(earliest.arguments[0])} stands after {shown(one.arguments[0])}, but "
                f"{earliest.described()} had completed before {one.described()} was called",
                [earliest, one, got.one],
            )
        if one.returned is not None and (
            earliest is None or earliest.returned is None or one.returned < earliest.returned
        ):
            earliest = one


def _disagreeing(gots: Sequence[_Got], by_number: dict[int, Operation]) -> Iterator[Reason]:
    for late in gots:
        for early in gots:
            if early is late:
                continue
            both = (
                f"{late.one.described()} returned {shown(late.text)}, but {early.one.described()}"
            )
            if early.base == late.base:
                if not early.text.startswith(late.text) and not late.text.startswith(early.text):
                    yield Reason(
                        f"{both} returned {shown(early.text)}: neither is how the other begins, "
                        "and nobody overwrote the value between them",
                        [early.one, late.one],
                    )
                elif len(late.text) < len(early.text) and _precedes(early.one, late.one):
                    yield Reason(
                        f"{both} had returned the longer {shown(early.text)} before it was called",
                        [early.one, late.one],
                    )
            elif early.base >= 0 and _precedes(early.one, late.one):
                newer = by_number[early.base]
                older = by_number.get(late.base)
                if older is None or _precedes(older, newer):
                    yield Reason(
                        f"{both} had returned the newer {shown(early.text)} before it was called",
                        [*([older] if older else []), newer, early.one, late.one],
                    )


# Versions


def _version_reasons(
    whole: Sequence[Operation], kept: Sequence[Operation], start: State
) -> Iterator[Reason]:
    puts = [one for one in whole if one.function == "put"]
    known = {one.number for one in kept if one.returned is not None}
    shows = [(one, version) for one in whole if (version := _shows(one)) is not None]
    for one in (one for one in whole if one.number in known):
        needed = version_needed(one)
        if needed is None:
            continue
        if one.function == "get" and needed and one.value != start:
            told = one.value
            if not any((put.arguments[0], put.arguments[1] + 1) == told for put in puts):  # type: ignore[operator]
                yield Reason(
                    f"{one.described()} returned {shown(told)}, a value and version that no put "
                    "could have made",
                    [one],
                )
        for other, version in shows:
            if version > needed and _precedes(other, one):
                yield Reason(
                    f"{one.described()} {_saw(one, needed)}, but {other.described()} had shown "
                    f"version {version} before it was called, and versions only grow",
                    [other, one],
                )
        for other in puts:
            is_same = other is not one and other.value in {None, "OK"} and other.outcome == "ok"
            if one.function == "put" and is_same and version_needed(other) == needed:
                yield Reason(
                    f"{one.described()} and {other.described()} both replaced version {needed}, "
                    "which was there once",
                    [one, other],
                )


def _shows(one: Operation) -> int | None:
    """Return the version that there was for sure when it returned."""
    needed = version_needed(one)
    if one.function == "put" and one.outcome == "ok" and one.value in {None, "OK"}:
        return None if needed is None else needed + 1
    return needed


def _saw(one: Operation, needed: int) -> str:
    if one.function == "get":
        return f"returned version {version_of(one.value)}" if needed else "found no such key"
    return f"replaced version {needed}" if one.value != "ErrNoKey" else "found no such key"
