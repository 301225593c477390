"""K-19: five clients append to one key over lossy links, replicated."""

from pnyx.lab.scenarios.onekey import one_key_scenario

one_key_scenario("K-19", "MIT 6.5840 until 2024, lab 4 (kvraft), TestUnreliableOneKey3A")
