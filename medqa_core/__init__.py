"""MedQA Lab's core: what the program knows. No user-interface library is imported anywhere below here."""

import os

__version__ = "0.2.0"

# Before any of these libraries is imported, or they have read the variables already. Who sets them otherwise is heard.
for _name, _value in (("DO_NOT_TRACK", "1"), ("HF_HUB_DISABLE_TELEMETRY", "1"), ("GRADIO_ANALYTICS_ENABLED", "False")):
    os.environ.setdefault(_name, _value)
