"""What people see: the only code that imports streamlit or gradio. Thin pages over medqa_core."""
