"""Keys with texts: put, append, get. A key that nobody wrote holds the empty text.

The value remembers who wrote it, as long as clients write texts that nobody else writes: then each
value that was read says which appends stand before it, and in which order. The plan keeps the
search on that path (`pnyx.lab.models.texts`).
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from pnyx.lab.history import Operation
from pnyx.lab.models.model import ILLEGAL, UNOBSERVED, NotOfModel, State, bits, precedence
from pnyx.lab.models.texts import Origin, Origins, Seen, Write
from pnyx.lab.values import Value

FOREVER: Final = 1 << 62
"""A position after every event: the return of an operation that has none."""


class AppendModel:
    """An append's reply may be null, its own argument, or the value's new length in bytes."""

    name = "kv-append"
    functions = ("get", "put", "append")

    def start(self, initial: Value, key: Value) -> State:
        """Return the initial text of `key`, as bytes."""
        if isinstance(initial, tuple):
            pairs = {pair[0]: pair[1] for pair in initial if isinstance(pair, tuple)}
            initial = pairs.get(key, pairs.get(str(key)))
        return text_of(initial)

    def check(self, operation: Operation) -> None:
        """Raise `NotOfModel` if an argument or reply is not a text."""
        if operation.function not in self.functions:
            raise NotOfModel(f"{operation.function} is not one of {', '.join(self.functions)}")
        wanted = 0 if operation.function == "get" else 1
        if len(operation.arguments) != wanted:
            raise NotOfModel(f"{operation.function} has {wanted} arguments besides the key")
        for argument in operation.arguments:
            text_of(argument)
        if operation.outcome != "ok":
            return
        if operation.function == "get":
            text_of(operation.value)
        elif operation.value is None or operation.value == operation.arguments[0]:
            return
        elif operation.function == "put" or not isinstance(operation.value, int):
            raise NotOfModel(f"the {operation.function} returned a value that is not its own")

    def matters(self, operation: Operation) -> bool:
        """See `Model.matters`."""
        match operation.outcome:
            case "ok":
                return True
            case "fail":
                return False
            case "info":
                return operation.function != "get"

    def step(self, state: State, operation: Operation) -> tuple[bool, State]:
        """Return whether the reply is legal, and the text after."""
        assert isinstance(state, bytes), "a text is kept as bytes"
        if operation.outcome == "fail":
            return True, state
        if operation.function == "get":
            return operation.outcome == "info" or text_of(operation.value) == state, state
        written = text_of(operation.arguments[0])
        after = written if operation.function == "put" else state + written
        length = length_told(operation)
        return length is None or length == len(after), after

    def plan(self, operations: Sequence[Operation], start: State) -> "AppendPlan":
        """Return the search plan of one key."""
        assert isinstance(start, bytes), "a text is kept as bytes"
        return AppendPlan(operations, start)

    def is_removable(self, operation: Operation, kept: Sequence[Operation]) -> bool:
        """Gets always; a write if no text that was read holds its own and no length was told."""
        if operation.function == "get":
            return True
        if any(length_told(other) is not None for other in kept):
            return False
        text = text_of(operation.arguments[0])
        return text != b"" and not any(
            text in text_of(other.value)
            for other in kept
            if other.function == "get" and other.outcome == "ok"
        )


def text_of(value: Value) -> bytes:
    """Return a text as bytes, nothing as the empty one; raises `NotOfModel`."""
    match value:
        case None:
            return b""
        case bytes():
            return value
        case str():
            return value.encode(errors="surrogatepass")
        case _:
            raise NotOfModel("with appends, a value is a text")


def length_told(operation: Operation) -> int | None:
    """Return the length that an append was told, if it was told one."""
    is_append = operation.function == "append" and operation.outcome == "ok"
    return operation.value if is_append and isinstance(operation.value, int) else None


def write_of(number: int, operation: Operation) -> Write:
    """Return a put or an append as the search for origins takes it."""
    text = text_of(operation.arguments[0])
    return Write(number, operation.function == "put", text, operation.called)


def seen_of(number: int, operation: Operation) -> Seen:
    """Return an answered get as the search for origins takes it."""
    until = FOREVER if operation.returned is None else operation.returned
    return Seen(number, text_of(operation.value), until)


def _length_of(state: State) -> State:
    return len(state) if isinstance(state, bytes) else state


class AppendPlan:
    """Bits of the gets that each text, each write and each put serves."""

    def __init__(self, operations: Sequence[Operation], start: bytes) -> None:
        self.initial: State = start
        self._operations = operations
        self._gets = [seen_of(n, one) for n, one in enumerate(operations) if one.function == "get"]
        writes = [write_of(n, one) for n, one in enumerate(operations) if one.function != "get"]
        in_order = sorted(self._gets, key=lambda seen: seen.text)
        self._sorted = [seen.text for seen in in_order]
        self._first = [
            0,
            *itertools.accumulate((1 << seen.number for seen in in_order), int.__or__),
        ]
        """The first n of them, as bits."""
        self._told = {seen.number: seen.text for seen in self._gets}
        self._texts = {write.number: write.text for write in writes}
        self._is_put = [one.function == "put" for one in operations]
        self._lengths = [length_told(one) for one in operations]
        self._measured = bits([n for n, length in enumerate(self._lengths) if length is not None])
        """Appends whose reply tells how long the text was."""
        self._wants = [0] * len(operations)
        """Gets whose value is surely made with this write."""
        self._may_want = [0] * len(operations)
        """Gets whose value might be."""
        self._puts = bits([write.number for write in writes if write.is_put])
        self._bases: dict[int, int] = {}
        """Sets of puts, and the gets whose value starts with one of the set."""
        self._texts_met: dict[bytes, tuple[bytes, int]] = {}
        self._stranded_by_puts: dict[int, int] = {}
        self._is_hopeless = False
        self._unsure = 0
        """Gets whose value could be made in several ways."""
        self._reigns: dict[int, list[Operation]] = {}
        origins = Origins(writes, start)
        for seen in self._gets:
            self._note(seen, origins.of(seen), writes)
        self._after = precedence(self._reigns)
        self._alike_before = self._earlier_alike(writes)

    def _earlier_alike(self, writes: Sequence[Write]) -> dict[int, int]:
        """Return for each append that no get could hold the others of its length called before."""
        found: dict[int, int] = {}
        of_length: dict[int, int] = {}
        for write in writes:
            is_seen = self._wants[write.number] | self._may_want[write.number]
            is_open = self._operations[write.number].returned is None
            if is_open and not is_seen and not write.is_put:
                before = of_length.get(len(write.text), 0)
                found[write.number] = before
                of_length[len(write.text)] = before | 1 << write.number
        return found

    def _note(self, seen: Seen, origin: Origin, writes: Sequence[Write]) -> None:
        bit = 1 << seen.number
        if origin.is_only:
            self._is_hopeless = self._is_hopeless or not origin.is_whole
            for number in origin.writes:
                self._wants[number] |= bit
            base = bits([n for n in origin.writes[:1] if self._is_put[n]])
            if base:
                reign = self._reigns.setdefault(origin.writes[0], [])
                reign += [self._operations[n] for n in (*origin.writes, seen.number)]
        else:
            base = 0
            self._unsure |= bit
            for write in writes:
                if write.called < seen.until and write.text in seen.text:
                    self._may_want[write.number] |= bit
                    if write.is_put and seen.text.startswith(write.text):
                        base |= 1 << write.number
        self._bases[base] = self._bases.get(base, 0) | bit

    def take(self, state: State, done: int, number: int) -> State:
        """See `Plan.take`; the text must stay a beginning of what is still to be read."""
        if self._is_hopeless:
            return ILLEGAL
        if number in self._told:
            return self._read(state, done, number)
        text = self._texts[number]
        after: State
        if self._is_put[number]:
            if self._after.get(number, 0) & ~done:
                return ILLEGAL
            after, served = self._met(text)
        elif isinstance(state, bytes):
            after, served = self._met(state + text)
        else:
            after, served = state + len(text) if isinstance(state, int) else UNOBSERVED, 0
        left = ~done & ~served
        is_wrong = self._lengths[number] not in {None, _length_of(after)}
        if is_wrong or self._wants[number] & left or self._stranded(done) & left:
            return ILLEGAL
        return self._seen_by(after, served & ~done, done)

    def _read(self, state: State, done: int, number: int) -> State:
        if state != self._told[number]:
            return ILLEGAL
        after, served = self._met(self._told[number])
        return self._seen_by(after, served & ~done, done)

    def _seen_by(self, after: State, gets: int, done: int) -> State:
        """Return the state: the text, if one of `gets` could see it without another put.

        Else its length, if somebody who remains was told one.
        """
        if gets & (self._stranded(done) | self._unsure):
            return after
        return _length_of(after) if self._measured & ~done else UNOBSERVED

    def is_settled(self, state: State, done: int, number: int) -> bool:
        """See `Plan.is_settled`: gets, and overwritten writes that no get has in its value."""
        if self._operations[number].function == "get":
            return True
        if self._measured & ~done:
            return False
        if not self._texts[number] and not self._is_put[number]:
            return True
        return state is UNOBSERVED and self._is_unseen(done, number)

    def is_idle(self, state: State, done: int, number: int) -> bool:
        """See `Plan.is_idle`: a write that no get has in its value.

        While lengths are to be explained it may be needed for its own, but not before an append
        that was called earlier and does the same to the length.
        """
        del state
        if self._measured & ~done:
            return self._alike_before.get(number, 0) & ~done != 0
        return self._is_unseen(done, number)

    def _is_unseen(self, done: int, number: int) -> bool:
        return not (self._wants[number] | self._may_want[number]) & ~done

    def _met(self, text: bytes) -> tuple[bytes, int]:
        """Return the text, one copy for all states, and the gets whose value begins with it."""
        found = self._texts_met.get(text)
        if found is not None:
            return found
        # Those that begin with it stand together in their order.
        low = bisect_left(self._sorted, text)
        if low == len(self._sorted) or not self._sorted[low].startswith(text):
            return text, 0
        length = len(text)
        high = bisect_right(self._sorted, text, lo=low, key=lambda one: one[:length])
        found = self._texts_met[text] = (text, self._first[high] & ~self._first[low])
        return found

    def _stranded(self, done: int) -> int:
        """Return the gets that no put which is still to come can serve."""
        puts_done = done & self._puts
        found = self._stranded_by_puts.get(puts_done)
        if found is None:
            found = 0
            for base, gets in self._bases.items():
                if not base & ~puts_done:
                    found |= gets
            self._stranded_by_puts[puts_done] = found
        return found
