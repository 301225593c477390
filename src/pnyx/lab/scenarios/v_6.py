"""V-6: five clients append to one key over lossy links."""

from pnyx.lab.scenarios.onekey import one_key_scenario

one_key_scenario("V-6", "MIT 6.5840 2024 lab 2, TestUnreliableOneKey2")
