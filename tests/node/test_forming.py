"""Does a node that forms a cluster go on asking, and stop once it is formed or ends?"""

import asyncio
from pathlib import Path

import pytest

from pnyx.consensus.formation import Ask, Formation, Formed, Report
from pnyx.node import forming as forming_module
from pnyx.node.batching import Batcher
from pnyx.node.forming import Forming
from pnyx.storage.directory import DiskFiles
from pnyx.storage.owner import Identity
from pnyx.storage.wal import GroupWrite, Wal, WalSettings
from pnyx.transport.codec import FORMATION, Packet
from pnyx.transport.lane import Lane
from transport.meeting import CLUSTER, Meeting, node_of, run, until

ASK_AGAIN_MS = 30


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forming_module, "ASK_AGAIN_MS", ASK_AGAIN_MS)


@pytest.mark.parametrize("by", ["formed", "stop"])
def test_a_node_asks_again_until_its_cluster_is_formed_or_it_ends(tmp_path: Path, by: str) -> None:
    labels, nodes = ("n1", "n2"), (("n1", node_of("n1")), ("n2", node_of("n2")))
    own = Identity(CLUSTER, "n1", node_of("n1"))
    wal, _ = Wal.open(DiskFiles(tmp_path), own, WalSettings(), {}, lambda: 7)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        formed: asyncio.Future[Formed] = loop.create_future()
        failed: asyncio.Future[None] = loop.create_future()
        async with Meeting(2) as meeting:
            peers, silent = await meeting.join("n1"), await meeting.join("n2")
            await until(meeting.all_up)

            def written(_writes: list[GroupWrite], record: Formed | None, _seconds: float) -> None:
                assert record is not None
                forming.recorded(record)

            batcher = Batcher(wal, loop, None, written=written, failed=failed.set_exception)
            forming = Forming(
                Formation("n1", own.node, labels),
                batcher=batcher,
                peers=peers,
                complete=formed.set_result,
                stopped=failed.set_exception,
            )
            forming.start()
            forming.connected("n2", node_of("n2"))
            asked = meeting.heard["n2"].parcels
            await until(lambda: len(asked) >= 4)
            assert all(parcel.packets == (Packet(FORMATION, Ask()),) for parcel in asked)
            if by == "stop":
                forming.stop()
            else:
                for report in (Report((), False), Report(nodes, False)):
                    assert silent.send(own.node, Lane.RAFT, [Packet(FORMATION, report)])
                    heard = meeting.heard["n1"].parcels
                    await until(lambda heard=heard: bool(heard))  # type: ignore[misc]
                    forming.received(heard.pop())
                assert (await asyncio.wait_for(formed, 5)).complete
            # What was sent before is under way.
            await asyncio.sleep(ASK_AGAIN_MS / 1_000)
            before = len(asked)
            await asyncio.sleep(4 * ASK_AGAIN_MS / 1_000)
            assert len(asked) == before
            assert not failed.done()
            await batcher.stop()

    try:
        run(story())
    finally:
        wal.close()
