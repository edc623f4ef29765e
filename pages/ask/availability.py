"""Whether the browser reaches the widget at /qa/: some hosts pass on Streamlit's own addresses only."""

from functools import cache
from typing import Any

import streamlit as st

PROBE = """
const asked = new Map();
const isWidget = (address) => fetch(address, {cache: "no-store"})
  .then((answer) => answer.json()).then((config) => "dependencies" in config).catch(() => false);
export default ({data, setStateValue}) => {
  if (!asked.has(data.address)) asked.set(data.address, isWidget(data.address));
  asked.get(data.address).then((ok) => { if (!ok) setStateValue("blocked", true); });
};
"""
"""Tells only what is wrong, so that the page is not drawn a second time where all is well. A host without the route may
answer with the app's own page and a 200: what counts is the widget's configuration."""


def widget_blocked() -> bool:
    """True once the browser has found that the widget does not answer; the page is drawn anew then."""
    result = _probe()(data={"address": "/qa/config"}, key="widget-probe", on_blocked_change=lambda: None)
    return bool(result.blocked)


@cache
def _probe() -> Any:
    return st.components.v2.component("medqa_widget_probe", js=PROBE)
