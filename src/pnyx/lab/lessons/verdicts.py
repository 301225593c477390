"""What must hold of multi-instance Paxos in every state of every run."""

from typing import Final

from pnyx.lab.invariants.invariant import Invariant, Mark

ONE_VALUE: Final = Invariant(
    "one_value_per_instance",
    "Paxos Made Simple §2.1",
    "Two peers that act on different decisions of one instance are different from then on.",
    Mark("values_competed", "In one instance two values were accepted by somebody."),
)
MAJORITY_CHOSE: Final = Invariant(
    "learned_is_chosen",
    "Paxos Made Simple §2.1",
    "Who learns what no majority accepted in one ballot acts upon what another may replace.",
    Mark("learned_with_others_away", "A value was learned that not everybody had accepted."),
)
LEARNED_STAYS: Final = Invariant(
    "learned_never_changes",
    "MIT 6.824 2015, lab 3A: Status",
    "What a service has applied cannot be taken back when the instance is started again.",
    Mark("asked_when_decided", "A peer asked about an instance that another knew decided."),
)
NOTHING_TAKEN_BACK: Final = Invariant(
    "promise_and_acceptance_only_grow",
    "Paxos Made Simple §2.2, P1a",
    "A promise that sinks lets a lower ballot in after a higher one has been asked.",
    Mark("refused_a_ballot", "An acceptor refused a ballot, for it had promised a higher one."),
)
DURABLE_FIRST: Final = Invariant(
    "durable_before_told",
    "Paxos Made Simple §2.5",
    "A promise that a crash forgets is counted by who heard it, and given again to another.",
    Mark("crashed_unwritten", "A peer crashed with writes on their way to its disk."),
)
BALLOT_ONCE: Final = Invariant(
    "one_proposal_per_ballot",
    "Paxos Made Simple §2.2",
    "Acceptances of two values in one ballot add up to a majority that neither has.",
    Mark("began_again", "A peer that had lost its memory or its disk proposed again."),
)
ALL_ARE_DONE: Final = Invariant(
    "forgotten_only_when_all_are_done",
    "MIT 6.824 2015, lab 3A: Done and Min",
    "Who still needs an instance that others have forgotten can never learn it.",
    Mark("forgot", "A peer forgot instances."),
)
FORGOTTEN_STAYS: Final = Invariant(
    "forgotten_stays_forgotten",
    "MIT 6.824 2015, lab 3A: Start",
    "An instance that is opened again may be decided again, otherwise.",
    Mark("asked_when_forgotten", "A peer was told or asked of an instance it had forgotten."),
)
REFILLED_FIRST: Final = Invariant(
    "refilled_before_it_votes",
    "Viewstamped Replication Revisited §4.3; Michael et al., DISC 2017",
    "A peer that lost its disk and votes promises to one what its old disk promised to another.",
    Mark("disk_replaced", "A peer came back with an empty disk and was refilled."),
)
EQUAL_STATES: Final = Invariant(
    "replicas_are_equal",
    "MIT 6.824 2015, lab 3B",
    "Replicas that applied the same instances and differ answer differently for ever.",
    Mark("caught_up", "A replica applied an instance that another had applied long before."),
)
ON_DISK_BEFORE_DONE: Final = Invariant(
    "applied_on_disk_before_done",
    "MIT 6.824 2015, lab 5",
    "A replica that lets others forget what is not on its disk can never have it again.",
    Mark("restarted_after_done", "A replica restarted when instances had been forgotten."),
)
PAXOS: Final = (
    ONE_VALUE,
    MAJORITY_CHOSE,
    LEARNED_STAYS,
    NOTHING_TAKEN_BACK,
    DURABLE_FIRST,
    BALLOT_ONCE,
    ALL_ARE_DONE,
    FORGOTTEN_STAYS,
    REFILLED_FIRST,
)
SERVICE: Final = (EQUAL_STATES, ON_DISK_BEFORE_DONE)
