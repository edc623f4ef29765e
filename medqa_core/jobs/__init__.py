"""The control plane: a queue of runs on disk, one worker process a run, one run at a time on a device.

Everything that is known about a run stands in its folder, so no process has to live for another one's sake. Training
is started as `python -m medqa_core train --resume RUN` and never imported.
"""
