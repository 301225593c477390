"""Links between real sockets: who is reachable, what arrives, and what happens when one breaks."""

import asyncio

import pytest

from pnyx.consensus.formation import Ask, Report
from pnyx.consensus.raft.messages import AppendEntries, Heartbeat
from pnyx.consensus.ready import Entry, EntryKind
from pnyx.errors import AddressTaken, SettingsWrong
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.transport import peers as peers_module
from pnyx.transport.codec import (
    FORMATION,
    Packet,
    Parcel,
    decode_body,
    encode_packets,
    encode_parcel,
)
from pnyx.transport.frames import frame
from pnyx.transport.lane import BUFFERED_BYTES_MAX, Lane
from transport.meeting import HOST, Meeting, Stranger, ask, identity, node_of, run, until


def test_three_nodes_meet_and_every_parcel_arrives_in_order() -> None:
    async def story() -> None:
        async with Meeting(3) as meeting:
            for label in ("n1", "n2", "n3"):
                await meeting.join(label)
            await until(meeting.all_up)
            n1 = meeting.peers["n1"]
            for group in range(50):
                assert n1.send(node_of("n3"), Lane.BULK, [ask(group), ask(group)])
            parcels = meeting.heard["n3"].parcels
            await until(lambda: len(parcels) == 50)
            assert [parcel.packets[1].group for parcel in parcels] == list(range(50))
            assert {(parcel.sender, parcel.to) for parcel in parcels} == {
                (node_of("n1"), node_of("n3"))
            }
            assert parcels[0].packets[0].message == Ask()
            assert parcels[0].wall_ms > 1_600_000_000_000
            assert meeting.heard["n2"].parcels == []

    run(story())


def test_both_sides_of_a_pair_can_speak_on_both_lanes() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            one, two = await meeting.join("n1"), await meeting.join("n2")
            await until(meeting.all_up)
            for lane in Lane:
                assert one.send(node_of("n2"), lane, [ask(lane)])
                assert two.send(node_of("n1"), lane, [ask(lane)])
            heard_all = meeting.heard.values()
            await until(lambda: all(len(heard.parcels) == 2 for heard in heard_all))
            for heard in heard_all:
                assert {parcel.packets[0].group for parcel in heard.parcels} == {0, 1}
            assert (one.links_up, two.links_up) == (2, 2)

    run(story())


def test_link_up_is_said_once_with_label_node_and_address() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            one = await meeting.join("n1")
            assert one.node_of("n2") is None
            await meeting.join("n2")
            await until(meeting.all_up)
            assert meeting.heard["n1"].events == [("up n2", node_of("n2"))]
            assert one.node_of("n2") == node_of("n2")
            said = one.identity(node_of("n2"))
            assert said is not None
            assert (said.announced.host, said.announced.http_port) == (HOST, 4)

    run(story())


def test_a_peer_that_restarts_is_down_then_up_again() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            await meeting.join("n1")
            await meeting.join("n2")
            await until(meeting.all_up)
            await meeting.leave("n2")
            await until(lambda: not meeting.peers["n1"].reachable(node_of("n2")))
            assert not meeting.peers["n1"].send(node_of("n2"), Lane.RAFT, [ask()])
            await meeting.join("n2", identity("n2", boot=8))
            await until(meeting.all_up)
            said = [event for event, _ in meeting.heard["n1"].events]
            assert said == ["up n2", "down", "up n2"]

    run(story())


def test_a_cut_node_is_alone_until_it_heals() -> None:
    async def story() -> None:
        async with Meeting(3) as meeting:
            for label in ("n1", "n2", "n3"):
                await meeting.join(label)
            await until(meeting.all_up)
            meeting.peers["n2"].cut()
            assert not meeting.peers["n2"].reachable(node_of("n1"))
            opened = meeting.peers["n1"].counts.links_opened
            await until(lambda: not meeting.peers["n1"].reachable(node_of("n2")))
            await until(lambda: not meeting.peers["n3"].reachable(node_of("n2")))
            await asyncio.sleep(0.5)
            assert meeting.peers["n2"].links_up == 0
            assert meeting.peers["n1"].counts.links_opened == opened
            assert meeting.peers["n1"].reachable(node_of("n3"))
            meeting.peers["n2"].heal()
            await until(meeting.all_up)

    run(story())


def test_a_split_keeps_the_links_inside_each_half() -> None:
    async def story() -> None:
        async with Meeting(5) as meeting:
            labels = [f"n{i}" for i in range(1, 6)]
            for label in labels:
                await meeting.join(label)
            await until(meeting.all_up)
            for label in ("n1", "n2"):
                meeting.peers[label].cut_from(["n3", "n4", "n5"])
            await until(
                lambda: (
                    not any(
                        meeting.peers[label].reachable(node_of(other))
                        for label in ("n3", "n4", "n5")
                        for other in ("n1", "n2")
                    )
                )
            )
            assert meeting.peers["n1"].reachable(node_of("n2"))
            assert meeting.peers["n4"].reachable(node_of("n5"))
            for label in ("n1", "n2"):
                meeting.peers[label].heal()
            await until(meeting.all_up)

    run(story())


def test_a_parcel_for_another_node_closes_the_link_unheard() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            await stranger.meet(identity("n1"))
            piece = encode_packets([ask()])[0]
            wrong = encode_parcel(node_of("n1"), NodeId(5), 0, piece)
            await stranger.write(frame(wrong))
            assert await stranger.bodies() == []
            assert n2.counts.bad_frames == 1
            assert meeting.heard["n2"].parcels == []

    run(story())


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", frame(b"\x93abc")])
def test_garbage_after_the_handshake_is_counted_and_closes_the_link(garbage: bytes) -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            await stranger.meet(identity("n1"))
            await stranger.write(garbage)
            assert await stranger.bodies() == []
            await until(lambda: n2.links_up == 0)
            assert n2.counts.bad_frames == 1

    run(story())


def test_a_peer_that_takes_nothing_costs_one_buffer_and_no_more() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            await stranger.meet(identity("n1"))
            nodes = tuple((f"{i:01000}", NodeId(i)) for i in range(256))
            packets = [Packet(FORMATION, Report(nodes, complete=False))]
            taken = 0
            await until(lambda: n2.links_up == 1)
            while n2.send(node_of("n1"), Lane.RAFT, packets):
                taken += 1
                await asyncio.sleep(0)
                assert taken < 1_000, "the limit must be reached"
            assert taken * 256_000 > BUFFERED_BYTES_MAX[Lane.RAFT]
            assert n2.counts.dropped_full == 1
            stranger.close()

    run(story())


def test_a_heartbeat_passes_while_the_bulk_lane_is_full() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            raft, bulk = [await Stranger.dial(meeting.ports["n2"]) for _ in Lane]
            await raft.meet(identity("n1"), Lane.RAFT)
            await bulk.meet(identity("n1"), Lane.BULK)
            await until(lambda: n2.reachable(node_of("n1")))
            entry = Entry(Index(1), Term(1), EntryKind.COMMANDS, bytes(1 << 20))
            append = AppendEntries(Term(1), Index(0), Term(0), (entry,), Index(0))
            packets = [Packet(GroupId(1), append)]
            await until(lambda: not n2.send(node_of("n1"), Lane.BULK, packets))
            heartbeat = Packet(GroupId(1), Heartbeat(Term(1), 1, Index(0), Term(0)))
            assert n2.send(node_of("n1"), Lane.RAFT, [heartbeat])
            parcel = decode_body(await raft.first_body())
            assert isinstance(parcel, Parcel)
            assert parcel.packets == (heartbeat,)
            raft.close()
            bulk.close()

    run(story())


def test_a_cut_from_a_stranger_is_refused_and_changes_nothing() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n1 = await meeting.join("n1")
            await meeting.join("n2")
            await until(meeting.all_up)
            with pytest.raises(SettingsWrong, match="n9"):
                n1.cut_from(["n2", "n9"])
            assert n1.cut_off == ()
            assert meeting.all_up()

    run(story())


def test_a_new_cut_replaces_the_one_before() -> None:
    async def story() -> None:
        async with Meeting(3) as meeting:
            for label in ("n1", "n2", "n3"):
                await meeting.join(label)
            await until(meeting.all_up)
            n1 = meeting.peers["n1"]
            n1.cut_from(["n2"])
            n1.cut_from(["n3"])
            await until(lambda: n1.reachable(node_of("n2")))
            assert not n1.reachable(node_of("n3"))
            assert n1.cut_off == ("n3",)

    run(story())


def test_a_link_on_which_nothing_arrives_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "PULSE_MS", 50)

    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            await stranger.meet(identity("n1"))
            assert len(await stranger.bodies()) >= 1, "pulses"
            assert n2.counts.links_idle == 1

    run(story())


def test_pulses_keep_a_quiet_link_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "PULSE_MS", 40)

    async def story() -> None:
        async with Meeting(2) as meeting:
            await meeting.join("n1")
            await meeting.join("n2")
            await until(meeting.all_up)
            await asyncio.sleep(0.6)
            assert meeting.heard["n1"].events == [("up n2", node_of("n2"))]
            assert meeting.heard["n1"].parcels == []

    run(story())


def test_a_taken_port_is_said_so() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            await meeting.join("n1")
            meeting.ports["n2"] = meeting.ports["n1"]
            with pytest.raises(AddressTaken, match="is taken"):
                await meeting.join("n2")

    run(story())


def test_a_node_that_was_replaced_before_is_not_reachable_by_its_old_id() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n1 = await meeting.join("n1")
            await meeting.join("n2", identity("n2", NodeId(1)))
            await until(lambda: n1.reachable(NodeId(1)))
            await meeting.leave("n2")
            await meeting.join("n2", identity("n2", NodeId(2)))
            await until(lambda: n1.reachable(NodeId(2)))
            assert not n1.reachable(NodeId(1))
            assert not n1.send(NodeId(1), Lane.RAFT, [Packet(GroupId(1), Ask())])

    run(story())
