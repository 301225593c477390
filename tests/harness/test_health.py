"""One word for what all nodes say, an absent one included."""

import pytest

from pnyx.harness.health import Asked, Report, ReportedMember, Word, judge

LABELS = ("n1", "n2", "n3")


def asked(
    label: str, *, leader: str | None = "n1", term: int = 1, hears: tuple[str, ...] = LABELS
) -> Asked:
    ids = {name: number for number, name in enumerate(LABELS, start=1)}
    members = tuple(ReportedMember(name, ids[name], name in hears) for name in LABELS)
    report = Report(
        label=label,
        me=ids[label],
        term=term,
        quorum=leader is not None,
        leader=ids[leader] if leader else None,
        members=members,
    )
    return Asked(label, "127.0.0.1:1", report)


def silent(label: str) -> Asked:
    return Asked(label, "127.0.0.1:1", None, "connection refused")


def test_all_up_under_one_leader_is_healthy_and_one_may_go() -> None:
    seen = judge([asked(label) for label in LABELS])
    assert (seen.word, seen.leader, seen.may_lose, seen.exit_code) == (Word.HEALTHY, "n1", 1, 0)


def test_a_silent_node_is_never_healthy_whatever_the_others_say() -> None:
    seen = judge([asked("n1"), asked("n2"), silent("n3")])
    assert (seen.word, seen.may_lose, seen.exit_code) == (Word.DEGRADED, 0, 3)
    assert seen.down == (("n3", "connection refused"),)
    assert seen.slots_served == 16384


def test_a_node_that_the_leader_does_not_hear_is_down_though_it_answers() -> None:
    seen = judge([asked("n1", hears=("n1", "n2")), asked("n2"), asked("n3", leader=None)])
    assert seen.word is Word.DEGRADED
    assert seen.down == (("n3", "is cut off from the leader n1"),)
    assert seen.answering == 3


def test_an_old_leader_that_was_cut_off_does_not_count() -> None:
    old = asked("n1", leader="n1", term=1)
    new = [asked(label, leader="n2", term=2, hears=("n2", "n3")) for label in ("n2", "n3")]
    seen = judge([old, *new])
    assert seen.leader == "n2"
    assert [label for label, _ in seen.down] == ["n1"]


@pytest.mark.parametrize("answers", [[asked(label, leader=None) for label in LABELS], []])
def test_without_a_leader_nothing_is_served(answers: list[Asked]) -> None:
    seen = judge(answers or [silent(label) for label in LABELS])
    assert (seen.word, seen.slots_served, seen.may_lose, seen.exit_code) == (Word.DOWN, 0, 0, 4)


def test_the_sentence_names_who_is_missing_and_how_many_more_may_go() -> None:
    sentence = judge([asked("n1"), asked("n2"), silent("n3")]).sentence()
    assert sentence == (
        "DEGRADED  16384/16384 slots served; n3 connection refused; may lose 0 more nodes"
    )
