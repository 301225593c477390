"""One file a scenario, by its id: `R-B1` is r_b1.py. Loaded by pnyx/lab/catalogue.py."""
