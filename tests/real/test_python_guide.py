"""Is what the guide to the Python client shows what happens?"""

import re
from pathlib import Path

import pytest

from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real

PAGE = (Path(__file__).parents[2] / "docs/guides/python-client.md").read_text()
FENCES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_what_the_guide_shows_is_what_happens(shared: Cluster) -> None:
    places = {"6379": str(shared.nodes["n1"].ports.gateway)}
    for number, node in enumerate(shared.nodes.values(), start=1):
        places[f"700{number}"] = str(node.ports.cluster)
    with shared.connect("n1") as connection:
        connection.call("FLUSHALL")
    names: dict[str, object] = {}
    assert len(FENCES) > 6
    for fence in FENCES:
        program = re.sub("|".join(places), lambda found: places[found[0]], fence)
        exec(compile(program, "python-client.md", "exec"), names)
