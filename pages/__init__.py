"""What people see: the only code that imports streamlit or gradio. Thin pages over medqa_core."""

import medqa_core  # noqa: F401 - its variables are set before gradio, which reads some of them, and torch are imported
