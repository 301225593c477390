"""Where settings come from: the file, then the environment, then flags; the last word wins.

A flag or variable names a value with its table: ``raft.heartbeat_ms``, PNYX_RAFT__HEARTBEAT_MS. A
key that does not exist is an error with a suggestion. Only a variable that resembles no key is
passed over: container platforms set names like PNYX_PORT_6379_TCP by themselves.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pnyx.errors import SettingsWrong
from pnyx.node.catalogue import CATALOGUE, LABEL, row_of
from pnyx.node.settings import Contradiction, Settings

PREFIX: Final = "PNYX_"
SECRETS: Final = frozenset({"requirepass"})
"""Values never shown in an error, a log or `config show`."""


class _Value(NamedTuple):
    """One value as it was written, and where."""

    path: tuple[str, ...]
    value: object
    origin: str

    @property
    def name(self) -> str:
        return ".".join(self.path)


def load(
    path: Path,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings of the file at `path`, overridden by `environ` and then by `flags`.

    Args:
        path: a TOML file; a relative `data` starts from its directory.
        environ: variables, of which those that begin with PREFIX count; None: there are none.
        flags: dotted names and values, as the command line got them; None values are left out.

    Raises:
        SettingsWrong: with key, value, range and origin of the first thing wrong.
    """
    tree = _parsed(path)
    written = [_Value(where, value, str(path)) for where, value in _leaves(tree, ())]
    for value in written:
        _refuse_unknown(value)
    origins = {value.name: value.origin for value in written}
    for value in (*_from_environment(environ or {}), *_from_flags(flags or {})):
        table = tree
        for step in value.path[:-1]:
            table = table.setdefault(step, {})
        table[value.path[-1]] = value.value
        origins[value.name] = value.origin
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise _refusal(error.errors()[0], origins, path) from error
    data = path.absolute().parent / settings.data.expanduser()
    return settings.model_copy(update={"data": data, "origins": origins})


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsWrong(
            f"cannot read the settings file {path}",
            cause=error.strerror or str(error),
            next_step="name an existing file with --config, or write one with pnyx init",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsWrong(
            f"the settings file {path} is not TOML",
            cause=str(error),
            next_step="correct that line; pnyx config example shows a whole file",
        ) from error


def _leaves(
    tree: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _from_environment(environ: Mapping[str, str]) -> list[_Value]:
    values = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX):
            continue
        path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        if row_of(".".join(path)):
            values.append(_Value(path, text, variable))
        elif close := _closest(path):
            meant = PREFIX + close.upper().replace(".", "__")
            raise SettingsWrong(
                f"the variable {variable} sets nothing",
                cause=f"there is no setting {'.'.join(path)}",
                next_step=f"did you mean {meant}?",
            )
    return values


def _from_flags(flags: Mapping[str, object]) -> list[_Value]:
    values = [
        _Value(tuple(name.split(".")), value, "flag")
        for name, value in flags.items()
        if value is not None
    ]
    for value in values:
        _refuse_unknown(value)
    return values


def _refuse_unknown(value: _Value) -> None:
    if row_of(value.name):
        return
    close = _closest(value.path)
    raise SettingsWrong(
        f"{value.origin}: there is no setting {value.name}",
        cause="every key must be known, or a typing error would silently change nothing",
        next_step=f"did you mean {close}?" if close else "pnyx config example lists all of them",
    )


def _closest(path: tuple[str, ...]) -> str | None:
    """Return the known name that `path` most resembles, also if only the table is wrong."""
    label = path[1] if path[0] == "nodes" and len(path) > 1 else LABEL
    names = [name.replace(LABEL, label) for name in CATALOGUE]
    by_last = {name.rpartition(".")[2]: name for name in reversed(names)}
    if path[-1] in by_last:
        return by_last[path[-1]]
    whole = difflib.get_close_matches(".".join(path), names, n=1, cutoff=0.8)
    if whole:
        return whole[0]
    last = difflib.get_close_matches(path[-1], by_last, n=1, cutoff=0.8)
    return by_last[last[0]] if last else None


def _refusal(detail: ErrorDetails, origins: Mapping[str, str], path: Path) -> SettingsWrong:
    """Return the error in the operator's words."""
    problem = detail.get("ctx", {}).get("error")
    if isinstance(problem, Contradiction):
        return SettingsWrong(
            f"the settings of {path} contradict each other; nothing was started",
            cause=str(problem),
            next_step=problem.next_step,
        )
    name = ".".join(str(step) for step in detail["loc"] if step != "[key]")
    if detail["type"] == "missing":
        row = row_of(name)
        return SettingsWrong(
            f"{path}: {name} is missing; nothing was started",
            cause=row.sentence if row else "it has no default",
            next_step="add it; pnyx init writes files that have everything",
        )
    row = row_of(name)
    value = "(not shown)" if name in SECRETS else repr(detail["input"])
    allowed = row.allowed if row else detail["msg"]
    return SettingsWrong(
        f"{name} = {value} cannot be used; nothing was started",
        cause=f"{origins.get(name, path)} sets it; allowed: {allowed}",
        next_step=f"correct it, or leave it out. {row.sentence if row else ''}".rstrip(),
    )
