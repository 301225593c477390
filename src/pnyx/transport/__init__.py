"""How nodes talk to each other: frames, links and what travels on them.

Purpose: carry parcels of packets between the nodes of one cluster, in order on each lane, and
say which nodes are reachable. The transport may lose what it was given (a link breaks, a buffer
is full) but never alters, reorders within a lane, or delivers to the wrong node. It knows message
types only to encode them; it never decides anything because of one.

Below `peers` nothing reads a clock or a socket: `frames`, `codec`, `handshake`, `lane` and
`backoff` are plain functions and objects over bytes, so the Lab runs the real ones.

Two nodes share two TCP connections, one a lane. The node whose label sorts first dials, and each
connection carries both directions: there is never a second connection to break a tie with, and a
link is either up for both sides or for none. Whoever dials keeps trying, with back-off.

`verdict` and `numbering` are the client's end of the wire: what may be said of a command that was
not answered, and the numbers that make its repetition safe.

Read in this order: frames, lane, codec, handshake, backoff, counts, link, dialer, peers.
The bytes are described in docs/reference/wire-format.md.
"""
