"""Fine-tune: what is being fine-tuned, how far is it, and what shall come next?"""

import streamlit as st

from medqa_core.foundation.settings import Settings
from pages.fine_tune import after, form, live
from pages.shared import notices, run_picker

settings = Settings.from_environment()
st.title("What is being fine-tuned?", anchor=False)
queue = live.draw(settings)

busy = {found.run.id for found in queue.current} | {entry.run.id for entry in queue.waiting}
for run in run_picker.open_all([st.session_state.get(run_picker.SHOWN) or ""]):
    if run.id not in busy and after.is_of_interest(run, alone=not busy):
        after.after(run, public=settings.public)

if settings.public:
    notices.notice(
        "This is a read-only demo.",
        "Runs can be looked at here; to start one, install MedQA Lab on your own machine:",
        command="python -m medqa_core train --preset starter",
    )
else:
    form.draw(settings)
