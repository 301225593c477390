"""Files in the key-value store: `fsspec`'s filesystem ``pnyx://``, built on the client alone.

A file is chunks under a random id, spread over all slots, and one manifest that names the id; the
manifest is replaced by one transaction, so readers see the old file or the new one. Nothing here is
known to a node.

Reading order: `errors`, `names` (paths and keys), `formats` (manifest and chunk as bytes),
`chunks` (reading, writing and letting them go), `directory` (one directory's entries), `quota`,
`store` (what can be done to a path), `stream` (an open file), `layers` (text and compression),
`filesystem` (fsspec's face), `orphans` and `fsck` (what a crash may leave).
"""
