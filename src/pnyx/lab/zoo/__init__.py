"""Real bugs of real systems, planted to see whether the Lab notices: the test of the tests.

mutant      what a planted bug is, and how it is planted for the time of a run
durability, commits, elections, reads, members, snapshots, flow, shards
            one family each; a line that cannot be planted says why
catalogue   all of them
biases      which runs of the swarm can show a bug that most cannot
hunting     runs of the swarm with a mutant in it
pinned      a seed for each mutant that catches it at once, and the page made of them
"""
