"""One row says all about one Redis command: shape, rights, words for people, and what it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from pnyx.gateway.client import Client
from pnyx.gateway.limits import COMMAND_WORDS_MAX
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.words import text_of
from pnyx.machine.commands import AnyCommand
from pnyx.machine.results import Refusal, Result
from pnyx.transport.resp import Reply


class Silence(Enum):
    """No reply at all (CLIENT REPLY OFF)."""

    SILENCE = 0


SILENCE: Final = Silence.SILENCE


@dataclass(frozen=True, slots=True)
class Ask:
    """A local command that needs the machine: submit `command`, turn its result into the reply."""

    command: AnyCommand
    shape: Callable[[Result], Reply]
    ends_run: bool = False
    """The result changes this connection's state: the next command waits for it."""
    otherwise: Callable[[], Reply] | None = None
    """The reply if the machine cannot be reached; without it Redis clients get the reason."""

    def reply(self, result: Result) -> Reply:
        """Return the reply to a result."""
        if isinstance(result, Refusal):
            return result if self.otherwise is None else self.otherwise()
        return self.shape(result)


@dataclass(frozen=True, slots=True)
class Pause:
    """Answer `reply` after `seconds`; this connection's other commands wait behind it."""

    seconds: float
    reply: Callable[[], Reply]


@dataclass(frozen=True, slots=True)
class Drop:
    """Hang up without a reply."""


LocalReply: TypeAlias = Reply | Silence | Ask | Pause | Drop
Parse: TypeAlias = Callable[[list[bytes]], AnyCommand | Refusal]
Local: TypeAlias = Callable[[Lobby, Client, list[bytes]], LocalReply]


@dataclass(frozen=True, slots=True)
class KeySpec:
    """Where keys stand among the words, and what is done to them (COMMAND INFO, element 9)."""

    flags: str
    first: int
    last: int
    """Relative to `first`; negative from the end of the words."""
    step: int


@dataclass(frozen=True, slots=True)
class Row:
    """One Redis command or subcommand."""

    name: str
    """Lower case; a subcommand's as ``client|id``."""
    arity: int
    """Words with the name; negative: at least so many."""
    flags: str
    group: str
    since: str
    summary: str
    parse: Parse | None = None
    """Words to a machine command, for commands that depend on words alone."""
    local: Local | None = None
    """What this node itself does. With `subcommands`: for the bare name."""
    subcommands: Mapping[bytes, "Row"] = field(default_factory=dict)
    keys: tuple[int, int, int] = (0, 0, 0)
    """First, last and step of key positions."""
    specs: tuple[KeySpec, ...] = ()
    categories: str = ""
    """ACL categories beyond those that follow from flags."""
    tips: str = ""
    complexity: str = "O(1)"
    waits: bool = False
    """A local command that must see what came before it: earlier ones are answered first."""
    asks: bool = False
    """Its `local` returns an `Ask`, which EXEC must put into the transaction."""
    is_write: bool = field(init=False)
    has_one_key: bool = field(init=False)
    least: int = field(init=False)
    most: int = field(init=False)

    def __post_init__(self) -> None:
        answers_here = self.local is not None or bool(self.subcommands)
        assert answers_here != (self.parse is not None), f"{self.name}: machine or here, not both"
        object.__setattr__(self, "is_write", "write" in self.flags.split())
        first, last, _step = self.keys
        object.__setattr__(self, "has_one_key", first > 0 and first == last)
        object.__setattr__(self, "least", abs(self.arity))
        object.__setattr__(self, "most", self.arity if self.arity > 0 else COMMAND_WORDS_MAX)

    def keys_of(self, words: list[bytes]) -> list[bytes]:
        """Return the keys among `words`, which fit the arity."""
        first, last, step = self.keys
        if not first:
            return []
        return words[first : len(words) + 1 + last if last < 0 else last + 1 : step]

    def acl_categories(self) -> list[str]:
        """Return the categories with their at sign, in Redis' order of classes."""
        flags = self.flags.split()
        found = self.categories.split()
        found += [name for name, flag in _IMPLIED if flag in flags and name not in found]
        if "admin" in flags and "dangerous" not in found:
            found.append("dangerous")
        found.append("fast" if "fast" in flags else "slow")
        return [f"@{name}" for name in _CATEGORIES if name in found]


_IMPLIED: Final = (("read", "readonly"), ("write", "write"), ("admin", "admin"))
_CATEGORIES: Final = (
    "keyspace", "read", "write", "string", "bitmap", "admin", "fast", "slow", "dangerous",
    "connection", "transaction", "scripting",
)  # fmt: skip


def wrong_arity(name: str) -> Refusal:
    """Return Redis' error for too few or too many words."""
    return Refusal(f"ERR wrong number of arguments for '{name}' command")


def wrong_subcommand(words: list[bytes]) -> Refusal:
    """Return Redis' error for a subcommand that fits its arity and still has too many words."""
    member = text_of(words[1][:128])
    container_name = words[0].decode().upper()
    return Refusal(
        f"ERR unknown subcommand or wrong number of arguments for '{member}'. "
        f"Try {container_name} HELP."
    )


def unknown_command(words: list[bytes]) -> Refusal:
    """Return Redis' error, which shows the first 128 bytes of the arguments."""
    shown = ""
    for word in words[1:]:
        if len(shown) >= 128:
            break
        shown += f"'{text_of(word[: 128 - len(shown)])}' "
    name = text_of(words[0][:128])
    return Refusal(f"ERR unknown command '{name}', with args beginning with: {shown}")


def unknown_subcommand(row: Row, words: list[bytes]) -> Refusal:
    """Return Redis' error, which names the container."""
    return Refusal(
        f"ERR unknown subcommand '{text_of(words[1][:128])}'. Try {row.name.upper()} HELP."
    )


def container(name: str, group: str, since: str, summary: str, *members: Row) -> Row:
    """Return the row that leads to `members`, e.g. CLIENT to CLIENT ID."""
    return Row(
        name, -2, "", group, since, summary,
        subcommands=by_last_name(members), complexity="Depends on the subcommand.",
    )  # fmt: skip


def by_last_name(members: Sequence[Row]) -> dict[bytes, Row]:
    """Return the rows under what follows the bar in their names."""
    return {member.name.split("|")[1].encode(): member for member in members}
