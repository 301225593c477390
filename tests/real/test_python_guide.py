"""Is what the guides to the Python client and to files show what happens?"""

import re
from pathlib import Path

import pytest

from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real

GUIDES = Path(__file__).parents[2] / "docs/guides"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("page", "least"), [("python-client.md", 7), ("files.md", 1)])
def test_what_the_guide_shows_is_what_happens(shared: Cluster, page: str, least: int) -> None:
    places = {"6379": str(shared.nodes["n1"].ports.gateway)}
    for number, node in enumerate(shared.nodes.values(), start=1):
        places[f"700{number}"] = str(node.ports.cluster)
    with shared.connect("n1") as connection:
        connection.call("FLUSHALL")
    names: dict[str, object] = {}
    fences = FENCE.findall((GUIDES / page).read_text())
    assert len(fences) >= least
    for fence in fences:
        program = re.sub("|".join(places), lambda found: places[found[0]], fence)
        exec(compile(program, page, "exec"), names)
