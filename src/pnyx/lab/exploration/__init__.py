"""Every interleaving of a small scope: the real cores, all orders of events, no seed.

A campaign samples long runs of a big world; an exploration visits *all* short runs of a small one.
Three members, two commands, an election or two: within that, nothing is left to luck, and the
first violation found is a shortest one.

    cores     copies of a `Raft` whose clock stands still, and what tells two of them apart
    member    one node: core, disk, writes under way; what each step does to it
    facts     what checks and goals see of members, disks and the past
    checks    the paper's guarantees, each with its source and a sentence
    scope     how much may happen: the budgets and the bounds
    goals     states one may look for, and how far a state is from them
    graph     whole states, and the steps from one to the next
    search    breadth first, until a goal, a violation, a bound or the end
    story     a path as text
    synod     single-decree Paxos instead of Raft: its whole states, steps and guarantees
    decrees   its goals, and its paths as text

What makes it fast is that a node cannot know more than its own past: what a step does depends on
that node's state and the input alone, so it is computed once, by the product's code, and looked up
ever after. A whole state is then a handful of small numbers.

What is abstracted, and why nothing that matters is lost, is argued in
docs/explanation/exploration.md. Nothing here reads a clock or draws entropy: the same scope gives
the same states in the same order.
"""
