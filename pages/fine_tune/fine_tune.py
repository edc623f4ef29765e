"""Fine-tune a model: what is running, what came of the last run, and the form for a new one."""

import streamlit as st

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.settings import Settings
from pages.fine_tune import after, fields, form, live
from pages.shared import notices, reuse, run_picker
from pages.shared.flash import flash

settings = Settings.from_environment()
handed_over = reuse.taken()
if handed_over is not None:
    fields.fill(handed_over)
    flash("The form below now has these settings.")
queue = live.draw(settings)

busy = {found.run.id for found in queue.current} | {entry.run.id for entry in queue.waiting}
for run in run_picker.open_all([st.session_state.get(run_picker.SHOWN) or ""]):
    if run.id not in busy and after.is_of_interest(run, alone=not busy):
        after.after(run, public=settings.public)

if settings.public:
    notices.notice(
        "This is a read-only demo.",
        "You can look at runs here; to start one, install MedQA Lab on your own machine:",
        command=f"{PROGRAM} train --preset starter",
    )
else:
    form.draw(settings)
