"""Floor `admin`: what an operator asks of a running cluster, over its nodes' http pages.

Purpose: one way for the command line, the harness and the client library. The nodes decide; here
they are found, asked, and what they say is put into words.

Reading order: `page` (one question to one node), `health` (what all nodes say about themselves, and
the one word for it), `members` (who belongs to the cluster), `controller` (which group has what),
`placing` (where a new group goes), `moves` (changes from asking to done), `groups` (what is known
of them without the controller), `leaders` (who leads), `movement` (how moves
get on).

Blocking and plain: no loop, no dependency but msgspec. It must not know node, client or harness.
"""
