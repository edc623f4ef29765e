"""The shell of the app: look, navigation, run picker, heading, and then the page that the address names."""

from pathlib import Path

import streamlit as st

from pages.shared import go, run_picker, theme

HERE = Path(__file__).parent
ABOUT = (
    "**MedQA Lab** trains, measures and shows a small medical question-answering fine-tune. "
    "It is a research demo and not medical advice."
)

HEADS: dict[str, tuple[str, run_picker.About]] = {
    "Summary": ("Did fine-tuning help?", "one run"),
    "Loss curves": ("How did training go?", "one run"),
    "Metrics": ("How large is the difference?", "one run"),
    "Answers": ("What does each model answer?", "one run"),
    "Data": ("What is the model trained on?", "one run"),
    "Compare runs": ("What differs between runs?", "runs"),
    "Runs": ("Which runs are there?", "the machine"),
    "Ask": ("What do both models answer?", "one run"),
    "Fine-tune": ("Fine-tune a model", "the machine"),
}
"""Each page's question, which is its heading, and what it is about. Here and not on the pages, so that the heading is
there while a page still loads what it draws with."""

theme.style()
page = st.navigation(
    [
        st.Page("summary/summary.py", title="Summary", default=True),
        st.Page("loss_curves/loss_curves.py", title="Loss curves", url_path="loss_curves"),
        st.Page("metrics/metrics.py", title="Metrics", url_path="metrics"),
        st.Page("answers/answers.py", title="Answers", url_path="answers"),
        st.Page("data/data.py", title="Data", url_path="data"),
        st.Page("compare/compare.py", title="Compare runs", url_path="compare"),
        st.Page("runs/runs.py", title="Runs", url_path="runs"),
        st.Page("ask/ask.py", title="Ask", url_path="ask"),
        st.Page("fine_tune/fine_tune.py", title="Fine-tune", url_path="fine_tune"),
    ]
)
st.set_page_config(
    page_title=f"{page.title} · MedQA Lab",
    page_icon=str(HERE / "shared" / "icon.svg"),
    layout="wide",
    menu_items={"Get help": None, "Report a bug": None, "About": ABOUT},
)
go.now()
run_picker.draw()
run_picker.head(*HEADS[page.title])
page.run()
