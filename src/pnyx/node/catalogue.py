"""All settings as rows of a table: for error texts, the example file and the reference page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pnyx.node.settings import NodeAddress, Section, Settings

LABEL: Final = "<label>"
"""Stands for a node's label in the name of a setting of one node."""
_BOOKKEEPING: Final = frozenset({"origins"})


@dataclass(frozen=True, slots=True)
class Row:
    """One setting."""

    name: str
    """Dotted: table and key."""
    default: object
    """None: it must be given."""
    low: int | None
    high: int | None
    sentence: str

    @property
    def allowed(self) -> str:
        """The values it may have, in a few words."""
        if self.low is not None and self.high is not None:
            return f"{self.low} to {self.high}"
        if isinstance(self.default, bool):
            return "true or false"
        return _TEXTS.get(self.name, "text")


_TEXTS: Final = {
    "name": "a label below [nodes]: letters a-z, digits, hyphens, at most 32",
    "cluster_id": "32 hex digits",
    "consensus": "raft or multipaxos",
    "events.format": "text or json",
    "events.level": "debug, info, warning or error",
}


def row_of(name: str) -> Row | None:
    """Return the row of the setting with this dotted name; of a node's, whatever its label."""
    table, _, rest = name.partition(".")
    if table == "nodes" and "." in rest:
        name = f"nodes.{LABEL}.{rest.rpartition('.')[2]}"
    return CATALOGUE.get(name)


def _rows(model: type[BaseModel], above: str = "") -> Iterator[Row]:
    for key, field in model.model_fields.items():
        if key in _BOOKKEEPING:
            continue
        kind = field.annotation
        if key == "nodes":
            yield from _rows(NodeAddress, f"nodes.{LABEL}.")
        elif isinstance(kind, type) and issubclass(kind, Section):
            yield from _rows(kind, f"{key}.")
        else:
            yield _row(above + key, field)


def _row(name: str, field: FieldInfo) -> Row:
    low = high = None
    for rule in field.metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
    default = None if field.default is PydanticUndefined else field.default
    assert field.description, f"{name} has a sentence"
    return Row(name, default, low, high, field.description)


CATALOGUE: Final[Mapping[str, Row]] = {row.name: row for row in _rows(Settings)}
"""By dotted name, in the order of the files."""
