"""Fine-tunes and sweeps on a Ray cluster that is already there: the launching side, which submits and follows them.

It imports Ray when it connects and not before, and has no torch: what runs on the nodes is in `cluster.nodes` and only
named here. No other package of the program imports Ray.
"""
