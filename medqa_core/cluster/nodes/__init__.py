"""What runs on the nodes of a Ray cluster: the same training as anywhere, started by Ray instead of a person.

Imported on the nodes only, by the names that `cluster` submits.
"""
