"""Options that many verbs have: how each is spelled, and its sentence."""

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

Flag: TypeAlias = Annotated[bool, Parameter(negative=())]

Count: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0))]
"""Of a limit that 0 is a meaning of its own for, or a number of things."""
Seed: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lt=2**64))]

Config: TypeAlias = Annotated[
    Path | None, Parameter(help="a node's settings file: it names nodes to ask.")
]
Http: TypeAlias = Annotated[
    str | None,
    Parameter(help="HOST:PORT of one node's http page, which names the others."),
]
Password: TypeAlias = Annotated[
    str | None,
    Parameter(env_var="PNYX_PASSWORD", help="what the nodes' `requirepass` says."),
]
Address: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--addr",
        help="HOST:PORT of a gateway port; without it a running demo's, else 127.0.0.1:6379.",
    ),
]
Nodes: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--nodes",
        help="HOST:PORT[,HOST:PORT...] of cluster or gateway ports; without it a running demo's.",
    ),
]
