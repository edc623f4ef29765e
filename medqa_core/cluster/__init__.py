"""Fine-tunes and sweeps on a Ray cluster that is already there: the part that hands them over and follows them.

The only package besides `nodes` that imports Ray, and it does so when it connects. What runs on the nodes is in `nodes`
and named here, never imported: this floor has no torch.
"""
