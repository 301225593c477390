"""Histories for tests: made from a real execution, spoilt on purpose, and judged by brute force."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from pnyx.lab.history import History, Operation
from pnyx.lab.models.catalogue import MODELS
from pnyx.lab.values import FALSE, Value
from pnyx.prng import Prng


@dataclass(slots=True)
class Plan:
    """One operation of a made-up execution: what, and when it was called, done and answered."""

    process: int
    function: str
    key: Value
    arguments: tuple[Value, ...]
    called: int
    done: int
    answered: int
    value: Value = None
    outcome: str = "ok"


@dataclass(slots=True)
class Shape:
    """How a made-up history looks."""

    operations: int
    clients: int
    keys: int
    unknown_percent: int = 0
    functions: tuple[str, ...] = ("get", "append", "append", "put")
    latency: int = 1000
    model: str = "kv-append"
    values: int = 0
    """How many different values are written; 0: each write its own."""
    lengths: bool = False
    """Whether appends are answered with the length of the text."""


def made(shape: Shape, seed: int) -> History:
    """Return a history of clients that ask one thing after the other, all at the same time."""
    prng = Prng(seed)
    free = [prng.below(shape.latency) for _ in range(shape.clients)]
    counts = [0] * shape.clients
    plans: list[Plan] = []
    for _ in range(shape.operations):
        client = free.index(min(free))
        function = shape.functions[prng.below(len(shape.functions))]
        key = str(prng.below(shape.keys))
        value: Value = f"x {client} {counts[client]} y"
        if shape.values:
            value = prng.below(shape.values)
            if shape.model == "kv-append":
                value = "ab"[: value + 1]
        counts[client] += 1
        arguments: tuple[Value, ...] = () if function in {"get", "read"} else (value,)
        if function == "cas":
            arguments = (prng.below(shape.values), value)
        if shape.model == "kv-versions" and function == "put":
            arguments = (value, prng.below(3))
        called = free[client] + 1 + prng.below(3)
        done = called + 1 + prng.below(shape.latency)
        plan = Plan(client, function, key, arguments, called, done, done)
        plan.answered = done + 1 + prng.below(shape.latency)
        if prng.below(100) < shape.unknown_percent:
            plan.outcome = "info"
            # One in three never takes effect; the others may, long after the client gave up.
            plan.done = -1 if prng.below(3) == 0 else called + prng.below(shape.latency * 10)
        free[client] = plan.answered
        plans.append(plan)
    execute(plans, shape.model, lengths=shape.lengths)
    return recorded(plans, shape.model)


def execute(plans: Sequence[Plan], model: str, *, lengths: bool = False) -> None:
    """Give every operation the reply that one store would give, in order of `done`."""
    states: dict[Value, object] = {}
    for plan in sorted((plan for plan in plans if plan.done >= 0), key=lambda one: one.done):
        now = states.get(plan.key, "" if model == "kv-append" else None)
        match plan.function:
            case "get" | "read":
                plan.value = now  # type: ignore[assignment]
            case "append":
                text = str(now) + str(plan.arguments[0])
                states[plan.key] = text
                plan.value = len(text) if lengths else None
            case "cas":
                plan.value = FALSE if now != plan.arguments[0] else None
                if now == plan.arguments[0]:
                    states[plan.key] = plan.arguments[1]
            case _ if model == "kv-versions":
                version = 0 if now is None else now[1]  # type: ignore[index]
                plan.value = "OK" if plan.arguments[1] == version else "ErrVersion"
                if plan.value == "OK":
                    states[plan.key] = (plan.arguments[0], version + 1)
                elif now is None:
                    plan.value = "ErrNoKey"
            case _:
                states[plan.key] = plan.arguments[0]


def recorded(plans: Sequence[Plan], model: str) -> History:
    """Return the history that the clients saw."""
    history = History(model)
    events = [(plan.called, 0, at) for at, plan in enumerate(plans)]
    events += [(plan.answered, 1, at) for at, plan in enumerate(plans)]
    numbers: dict[int, int] = {}
    for time_us, is_return, at in sorted(events):
        plan = plans[at]
        if not is_return:
            numbers[at] = history.call(
                plan.process, plan.function, plan.key, plan.arguments, time_us=time_us
            )
        elif plan.outcome == "ok":
            history.returned(numbers[at], "ok", plan.value, time_us=time_us)
        else:
            history.returned(numbers[at], "info", time_us=time_us)
    return history


def spoilt(history: History, seed: int) -> History:
    """Return the history with one get that was answered as if an acknowledged write were lost."""
    prng = Prng(seed)
    operations = history.operations()
    reads = [one for one in operations if one.function == "get" and one.outcome == "ok"]
    later = [one for one in reads if one.number > len(operations) * 3 // 4]
    for _ in range(1000):
        chosen = later[prng.below(len(later))]
        parts = str(chosen.value).split("yx")
        sure = {
            one.arguments[0]
            for one in operations
            if one.function == "append"
            and one.returned is not None
            and one.returned < chosen.called
        }
        if len(parts) > 3 and "x" + parts[-2] + "y" in sure:
            text = "yx".join(parts[:-2] + parts[-1:])
            return changed(history, chosen.number, text)
    raise AssertionError("no get that could be spoilt")


def changed(history: History, number: int, value: Value) -> History:
    """Return the history with another reply to one operation."""
    result = History(history.model, history.initial)
    events = []
    for one in history.operations():
        events.append((one.called, one, False))
        if one.returned is not None:
            events.append((one.returned, one, True))
    numbers: dict[int, int] = {}
    for _, one, is_return in sorted(events, key=lambda event: event[0]):
        if is_return:
            told = value if one.number == number else one.value
            result.returned(numbers[one.number], one.outcome, told)
        else:
            process = one.process
            if (waiting := result.open_of(process)) is not None:
                result.returned(waiting, "info")
            numbers[one.number] = result.call(process, one.function, one.key, one.arguments)
    return result


def is_linearizable(history: History) -> bool:
    """Return what trying every order says; for a handful of operations."""
    model = MODELS[history.model]
    keys: dict[Value, list[Operation]] = {}
    for one in history.operations():
        keys.setdefault(one.key, []).append(one)
    return all(
        _some_order(history, operations, model.start(history.initial, key))
        for key, operations in keys.items()
    )


def _some_order(history: History, operations: list[Operation], start: object) -> bool:
    model = MODELS[history.model]
    sure = [one for one in operations if one.outcome != "info"]
    unsure = [one for one in operations if one.outcome == "info"]
    for count in range(len(unsure) + 1):
        for some in itertools.combinations(unsure, count):
            for order in itertools.permutations([*sure, *some]):
                if _explains(order, model, start):
                    return True
    return False


def _explains(order: Sequence[Operation], model: object, state: object) -> bool:
    latest_call = -1
    for one in order:
        if one.returned is not None and one.returned < latest_call:
            return False
        latest_call = max(latest_call, one.called)
        is_legal, state = model.step(state, one)  # type: ignore[attr-defined]
        if not is_legal:
            return False
    return True
