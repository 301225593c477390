"""Does each error of a node mean to the client what it means to the node?"""

import pytest

from pnyx.client.errors import AuthError, CrossSlot, Refused
from pnyx.client.replies import Again, Doubt, Moved, Unseen, meaning
from pnyx.errors import PnyxError
from pnyx.gateway.outcomes import CROSSSLOT, LEADER_CHANGED, NOT_DONE, READONLY, UNKNOWN, moved
from pnyx.replica.requests import Reason

ASKED = ("h", 7001)


@pytest.mark.parametrize("reason", [one for one in NOT_DONE if one is not Reason.TOO_LARGE])
def test_what_was_surely_not_appended_is_tried_again(reason: Reason) -> None:
    assert isinstance(meaning(NOT_DONE[reason].text, ASKED), Again)


def test_an_unknown_outcome_is_doubt_and_nothing_else_is() -> None:
    assert isinstance(meaning(UNKNOWN.text, ASKED), Doubt)
    texts = [refusal.text for refusal in NOT_DONE.values()]
    for text in (
        *texts,
        LEADER_CHANGED.text,
        READONLY.text,
        CROSSSLOT.text,
        "ERR odd",
        "WRONGTYPE x",
    ):
        assert not isinstance(meaning(text, ASKED), Doubt)


def test_a_redirection_names_slot_and_node() -> None:
    assert meaning(moved(7, "10.0.0.1", 7003).text, ASKED) == Moved(7, ("10.0.0.1", 7003))
    assert meaning("MOVED 7 :7003", ASKED) == Moved(7, ("h", 7003))
    assert meaning("MOVED 7 [::1]:7003", ASKED) == Moved(7, ("::1", 7003))
    assert isinstance(meaning("MOVED seven h:1", ASKED), Refused)


def test_errors_that_only_the_program_can_mend_are_raised() -> None:
    assert isinstance(meaning("ERR value is not an integer or out of range", ASKED), Refused)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NOAUTH Authentication required.", AuthError),
        (CROSSSLOT.text, CrossSlot),
        (NOT_DONE[Reason.TOO_LARGE].text, Refused),
    ],
)
def test_a_refusal_says_nothing_of_an_earlier_attempt(text: str, kind: type[PnyxError]) -> None:
    what = meaning(text, ASKED)
    assert isinstance(what, Unseen)
    assert type(what.error) is kind
