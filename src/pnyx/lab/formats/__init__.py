"""Files with histories: told apart by their content, refused with the line that is wrong.

Read in this order: transcript (what every format must obey), canonical, edn, jepsen, reading. The
formats for people: docs/reference/history-formats.md.
"""
