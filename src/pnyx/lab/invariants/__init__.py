"""What must always hold in the Lab's world, looked at after every event.

Each `Invariant` is data: a name, where it is written, a sentence for people, and its `sometimes`
twin, a mark that says whether the situation in which it matters was reached at all. The checks are
functions of what is seen from outside: messages as they leave, writes as they become durable, and
the state of the node that an event touched. Nothing here changes what it looks at.

    invariant    what an invariant, a mark and a run's counts of marks are
    catalogue    all of them, for documents and the command line
    shadow       what one NodeId has on disk, folded from its writes
    reference    the machine that replays the agreed log, and the sum of its rows
    record       the agreed log: what was ever committed, in order
    facts        everything the checks share, and what was last seen of each node
    elections    terms, votes, who stands and who leads
    logs         what logs may do and how they match
    commits      what is committed, by whom, and that it stays
    states       applied states equal the replay
    durability   nothing is promised before it is on disk, and a restart brings it back
    members      the membership is a function of the log
    resources    everything stays under its named limit
    rare         marks of rare events, told from counters and states
    checker      the watch that owns them
"""
