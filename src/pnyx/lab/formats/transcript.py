"""What every format must obey: a return has a call, a client waits, replies fit the model."""

from dataclasses import replace
from typing import Final

from pnyx.errors import HistoryUnreadable
from pnyx.lab.history import History, Operation, Outcome, Process
from pnyx.lab.models.catalogue import MODELS
from pnyx.lab.models.model import NotOfModel
from pnyx.lab.values import Value

OPERATIONS_MAX: Final = 1_000_000
KEY_VALUE_NAMES: Final = {"read": "get", "write": "put"}
REGISTER_NAMES: Final = {"get": "read", "put": "write"}


def unreadable(line: int, cause: str) -> HistoryUnreadable:
    """Return the error that names `line`, counted from 1."""
    return HistoryUnreadable(
        f"line {line}: {cause}",
        cause="a history that contradicts itself or is cut off has no verdict",
        next_step="docs/reference/history-formats.md shows what each line may be",
    )


class Transcript:
    """Writes a history event by event and refuses what cannot have happened."""

    def __init__(self, model: str, initial: Value, line: int) -> None:
        if model not in MODELS:
            names = ", ".join(MODELS)
            raise unreadable(line, f"there is no model {model!r}; there are {names}")
        self.history = History(model, initial)
        self._model = MODELS[model]
        self._line = line
        self._calls: list[Operation] = []
        is_key_value = model.startswith("kv-")
        self._names = KEY_VALUE_NAMES if is_key_value else REGISTER_NAMES
        pairs = initial if is_key_value and isinstance(initial, tuple) else ()
        try:
            for key in (None, *(pair[0] for pair in pairs if isinstance(pair, tuple))):
                self._model.start(initial, key)
        except NotOfModel as error:
            raise unreadable(line, f"the initial value cannot be: {error}") from error

    def call(
        self,
        line: int,
        process: Process,
        function: str,
        key: Value,
        arguments: tuple[Value, ...],
        *,
        name: str = "",
        time_us: int | None = None,
    ) -> int:
        """Record a call and return the operation's number."""
        waiting = self.history.open_of(process)
        if waiting is not None:
            before = self._calls[waiting].line
            raise unreadable(line, f"process {process} still waits for its call of line {before}")
        if len(self._calls) >= OPERATIONS_MAX:
            raise unreadable(line, f"more than {OPERATIONS_MAX} operations")
        number = len(self._calls)
        function = self._names.get(function, function)
        asked = Operation(number, process, function, key, arguments, called=0, name=name, line=line)
        self._check(line, asked)
        self._calls.append(asked)
        return self.history.call(
            process, function, key, arguments, name=name, line=line, time_us=time_us
        )

    def returned(
        self,
        line: int,
        number: int,
        outcome: Outcome,
        value: Value,
        *,
        time_us: int | None = None,
    ) -> None:
        """Record a return."""
        asked = self._calls[number]
        if self.history.open_of(asked.process) != number:
            raise unreadable(line, f"the call of line {asked.line} has returned before")
        self._check(line, replace(asked, outcome=outcome, value=value))
        self.history.returned(number, outcome, value, time_us=time_us)

    def finished(self, line: int) -> History:
        """Return the history; `line` is the file's last."""
        if not self._calls:
            raise unreadable(line, "the history has no operation")
        return self.history

    def _check(self, line: int, operation: Operation) -> None:
        try:
            self._model.check(operation)
        except NotOfModel as error:
            raise unreadable(line, f"{self.history.model}: {error}") from error
