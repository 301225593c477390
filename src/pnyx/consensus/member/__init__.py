"""A member of a group, as far as it does not matter which engine it runs.

Both engines order a log under a leader. What that takes beside the rules by which one comes to lead
and may commit is here; those rules are in raft/ and multipaxos/, each told as its paper tells them.

    messages    what is said alike
    settings    every limit and duration
    log         the entries, their terms, the membership they imply
    writes      what is on its way to the disk, and which promise waits for what
    progress    what a leader knows of one peer, and its window
    reads       reads that wait for a confirmed round
    state       all of the above, for one member, and the acts that every role shares
    start       with what a member starts
    transfer    leadership moves on purpose
    members     members change, through joint consensus
    leading     what a leader does whatever it commits by: propose, confirm reads, tell
    stream      entries on their way to each peer
    following   what a follower does whomever it follows
    rest        whether nothing but heartbeats happens
    door        what both doors have in common

Term and vote are the words here. Multi-Paxos means its round by the one, and by the other the node
whose ballot was promised in it.
"""
