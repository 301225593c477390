"""What travels in frames comes back as it was; anything else is refused whole."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, strategies as st

from pnyx.consensus.formation import Ask, Propose, Report
from pnyx.consensus.member import messages as shared
from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos import messages as paxos
from pnyx.consensus.raft import messages as raft
from pnyx.consensus.ready import Entry, EntryKind, Mark
from pnyx.errors import LimitExceeded
from pnyx.ids import Epoch, GroupId, Index, NodeId, Term
from pnyx.machine.commands import Get, Set
from pnyx.machine.configuration import Configuration, Directory, Member, Placement, Serving
from pnyx.machine.results import OK, Values
from pnyx.replica import messages as replica
from pnyx.replica.requests import Done, NotDone, Reason
from pnyx.transport import codec
from pnyx.transport.codec import (
    FORMATION,
    JOINED_BYTES_MAX,
    PULSE,
    BadParcel,
    Message,
    Packet,
    Parcel,
    Pieces,
    Pulse,
    decode_body,
    encode_packets,
    encode_parcel,
    frame_parcel,
)
from pnyx.transport.frames import frame

TERM, INDEX = Term(3), Index(9)
NODES = (("n1", NodeId(2**63 - 1)), ("n2", NodeId(2)))
PLACEMENT = Placement(GroupId(1), (Member("n1", "localhost:7101", NodeId(2**63 - 1)),))
ENTRY = Entry(INDEX, TERM, EntryKind.COMMANDS, b"\x00\xff" * 50)
MESSAGES: list[Any] = [
    raft.AppendEntries(TERM, INDEX, TERM, (ENTRY, ENTRY), INDEX),
    raft.AppendEntriesReply(TERM, INDEX),
    raft.AppendEntriesRefusal(TERM, INDEX, INDEX, TERM),
    raft.Heartbeat(TERM, 7, INDEX, TERM),
    raft.HeartbeatReply(TERM, 7),
    shared.CommitIndex(TERM, INDEX, TERM),
    raft.PreVote(TERM, TERM, INDEX, TERM),
    raft.PreVoteReply(TERM, TERM, granted=True),
    raft.RequestVote(TERM, INDEX, TERM, transfer=False),
    raft.RequestVoteReply(TERM, granted=False),
    shared.TimeoutNow(TERM),
    shared.ReadIndex(TERM, 2**63 - 1, 5),
    shared.ReadIndexReply(TERM, 8, 5, None),
    paxos.Beat(TERM, 7, happy=True, leads=False, commit_index=INDEX, commit_term=TERM),
    paxos.BeatReply(TERM, 7, happy=True),
    paxos.Prepare(TERM, TERM, INDEX, INDEX, INDEX),
    paxos.Promise(TERM, TERM, INDEX, INDEX, INDEX, (ENTRY,)),
    paxos.Refusal(TERM),
    paxos.Accept(TERM, INDEX, TERM, (ENTRY, ENTRY), INDEX, INDEX),
    paxos.Accepted(TERM, INDEX),
    paxos.Wanted(TERM, INDEX, INDEX),
    replica.Forward(8, 5, (Set(b"k", b"v"), Get(b"k")), by_log=True),
    replica.Forward(8, 5, (Get(b"k"),), by_log=False, stale=True),
    replica.ForwardReply(8, 5, Done((OK, None, 3, b"x", Values((1, b"y"))))),
    replica.ForwardReply(8, 5, NotDone(Reason.NO_QUORUM)),
    replica.SnapshotChunk(
        1, Mark(INDEX, TERM), Membership((NodeId(1),)), 0, ((b"k", b"v"),), last=True, checksum=7
    ),
    replica.SnapshotReply(1, Mark(INDEX, TERM), 1, installed=True),
    replica.SpaceReport(),
    replica.Join("n2"),
    replica.Retired(NODES),
    replica.Subscribe(-1, 0),
    replica.Beats(((GroupId(1), raft.Heartbeat(TERM, 7, INDEX, TERM)),)),
    replica.BeatsHeard(((GroupId(1), TERM, 7), (GroupId(2), TERM, 8))),
    replica.News(
        Configuration(1, (GroupId(1), GroupId(2)), (PLACEMENT,)),
        Directory((Serving(Epoch(1), GroupId(1), GroupId(2)), Serving()), (PLACEMENT,)),
        (NodeId(1),),
    ),
    Propose(NODES),
    Report(NODES, complete=True),
    Ask(),
]


def parcel_of(*messages: Any) -> bytes:
    packets = [Packet(GroupId(1), message) for message in messages]
    return encode_parcel(NodeId(1), NodeId(2), 1_700_000_000_000, encode_packets(packets)[0])


def test_every_message_there_is_comes_back_as_it_was() -> None:
    assert {type(message) for message in MESSAGES} == set(get_args(Message))
    parcel = decode_body(parcel_of(*MESSAGES))
    assert isinstance(parcel, Parcel)
    assert (parcel.sender, parcel.to, parcel.wall_ms) == (1, 2, 1_700_000_000_000)
    assert [packet.message for packet in parcel.packets] == MESSAGES


def test_a_pulse_is_no_parcel() -> None:
    assert decode_body(PULSE) == Pulse()


@pytest.mark.parametrize(
    "built",
    [
        ["parcel", 1, 2, 3],
        ["parcel", 1, 2, "3", []],
        ["parcel", 1, 2, 3, [[1, ["no_such_message", 1]]]],
        ["parcel", 1, 2, 3, [[1, ["heartbeat", 1]]]],
        ["parcel", 1, 2, 3, [[1, ["heartbeat", 1, 2, 3, "x"]]]],
        ["parcel", 1, 2, 3, [["1", ["formation_ask"]]]],
        ["hello", 1, 0, []],
        ["parcel", 1, 2, 3, [[1 << 32, ["formation_ask"]]]],
        ["parcel", 1 << 63, 2, 3, []],
        {"parcel": 1},
        None,
    ],
)
def test_what_is_no_message_of_ours_is_refused(built: object) -> None:
    with pytest.raises(BadParcel):
        decode_body(msgspec.msgpack.encode(built))


@pytest.mark.parametrize("number", [-1, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize(
    "message",
    [
        lambda number: ["heartbeat", number, 0, 0, 0],
        lambda number: ["heartbeat", 0, 0, number, 0],
        lambda number: ["prepare", number, 0, 0, 0, 0],
        lambda number: ["append_entries", 1, 0, 0, [[number, 1, 0, b""]], 0],
        lambda number: ["snapshot_reply", 1, [1, number], 0, False, False],
        lambda number: ["formation_propose", [["n1", number]]],
    ],
    ids=["term", "index", "round", "entry", "mark", "node"],
)
def test_no_term_index_or_id_that_the_log_could_not_write_is_taken_in(
    message: Callable[[int], list[object]], number: int
) -> None:
    good = decode_body(msgspec.msgpack.encode(["parcel", 1, 2, 3, [[1, message(1)]]]))
    assert isinstance(good, Parcel)
    with pytest.raises(BadParcel, match="Expected `int`"):
        decode_body(msgspec.msgpack.encode(["parcel", 1, 2, 3, [[1, message(number)]]]))


@given(st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    with pytest.raises(BadParcel):
        decode_body(noise)


@given(st.data())
def test_a_damaged_parcel_is_refused_or_still_a_parcel(data: st.DataObject) -> None:
    body = bytearray(parcel_of(*MESSAGES))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_body(bytes(body))
    except BadParcel:
        return
    assert isinstance(decoded, Parcel)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(BadParcel):
        decode_body(b"\x91" * 100_000)
    inside = b"\x93\x01\x02" + b"\x92\xa1v\x91" * 50_000
    with pytest.raises(BadParcel):
        decode_body(b"\x95\xa6parcel\x01\x02\x03\x91\x92\x01\x94\xadforward_reply\x01\x02" + inside)


def test_packets_that_fit_in_no_frame_together_are_split_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec, "PIECE_BYTES_MAX", 200)
    packets = [
        Packet(FORMATION, raft.AppendEntries(TERM, Index(i), TERM, (), INDEX)) for i in range(40)
    ]
    pieces = encode_packets(packets)
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= 200
    again: list[Packet] = []
    for piece in pieces:
        parcel = decode_body(encode_parcel(NodeId(1), NodeId(2), 0, piece))
        assert isinstance(parcel, Parcel)
        again.extend(parcel.packets)
    assert again == packets


def test_a_message_that_fits_in_no_frame_is_refused_before_anything_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec, "PIECE_BYTES_MAX", 200)
    large = Packet(GroupId(1), raft.AppendEntries(TERM, INDEX, TERM, (ENTRY,) * 9, INDEX))
    with pytest.raises(LimitExceeded, match="does not fit in a frame"):
        encode_packets([Packet(GroupId(1), Ask()), large])


@pytest.mark.parametrize("size", [1, JOINED_BYTES_MAX, JOINED_BYTES_MAX + 1])
def test_a_frame_is_the_same_in_parts(size: int) -> None:
    parcel = NodeId(1), NodeId(2), 1_700_000_000_000, bytes(size)
    assert b"".join(frame_parcel(*parcel)) == frame(encode_parcel(*parcel))


def test_what_two_peers_are_sent_is_encoded_once_and_what_differs_anew() -> None:
    pieces, large = Pieces(), raft.AppendEntries(TERM, INDEX, TERM, (ENTRY,), INDEX)
    first = pieces.of([Packet(GroupId(1), large)])
    assert pieces.of([Packet(GroupId(1), large)]) is first
    other = [Packet(GroupId(2), large)]
    assert pieces.of(other) == encode_packets(other)
    assert pieces.of([Packet(GroupId(1), large)]) == first
