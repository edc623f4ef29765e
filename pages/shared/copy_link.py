"""A button that copies the page's address: the run, the tab, the question and whatever else was chosen are in it."""

from functools import cache
from typing import Any

import streamlit as st

HTML = (
    '<button type="button">Copy link</button>'
    '<input readonly hidden aria-label="Link to this page"><span role="status"></span>'
)
CSS = """
:host, div {text-align: right}
button {font: inherit; font-size: .85rem; color: var(--mq-link); background: none; border: 0; padding: 0;
  min-height: 24px; text-decoration: underline; cursor: pointer; white-space: nowrap}
button:focus-visible {outline: 2px solid var(--mq-link); outline-offset: 2px}
input {font: inherit; font-size: .85rem; color: var(--mq-text); background: none; border: 1px solid var(--mq-muted);
  width: 9rem}
[role=status] {position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)}
"""
JS = """
export default ({parentElement}) => {
  const [button, field, said] = ["button", "input", "[role=status]"].map((one) => parentElement.querySelector(one));
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = said.textContent = "Link copied";
      setTimeout(() => { button.textContent = "Copy link"; said.textContent = ""; }, 3000);
    } catch {
      field.value = location.href;
      field.hidden = false;
      field.select();
      said.textContent = "This browser does not let the page copy: the link is selected, copy it by hand.";
    }
  };
};
"""
"""A browser gives the clipboard to pages of https and of this machine alone; elsewhere the link is there, selected."""


def button() -> None:
    """The button; the address is read when it is pressed, and the server hears nothing of it."""
    _component()(key="copy-link", width="content", height="content")


@cache
def _component() -> Any:
    return st.components.v2.component("medqa_copy_link", html=HTML, css=CSS, js=JS)
