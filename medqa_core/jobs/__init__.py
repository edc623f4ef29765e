"""The control plane: a queue of runs on disk, one worker process per run, one run at a time on a device.

Everything that is known about a run is in its folder, so no process depends on another one staying alive. Training is
started as `medqa train --resume RUN` and never imported.
"""
