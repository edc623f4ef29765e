"""How the Gradio widget looks and speaks: the app's palette, and the lines around the answers."""

from html import escape

import gradio as gr

from medqa_core.answering.compare import Answer
from medqa_core.answering.emergency.screen import BESIDE, CALL
from pages.parts.theme import DARK, FONT, LIGHT, MONO

NOTICE = '<p class="muted" role="note">A research demo: two small language models, often wrong. Not medical advice.</p>'
STATES = {
    "running": "answering",
    "ended": "ended by the model",
    "cut": "cut at the token limit",
    "stopped": "stopped",
}

THEME = gr.themes.Base(
    font=[*(part.strip().strip("'") for part in FONT.split(","))],
    font_mono=[*(part.strip().strip("'") for part in MONO.split(","))],
    radius_size="sm",
    spacing_size="sm",
).set(
    body_background_fill=LIGHT.paper,
    body_background_fill_dark=DARK.paper,
    body_text_color=LIGHT.text,
    body_text_color_dark=DARK.text,
    body_text_color_subdued=LIGHT.muted,
    body_text_color_subdued_dark=DARK.muted,
    background_fill_primary=LIGHT.paper,
    background_fill_primary_dark=DARK.paper,
    background_fill_secondary=LIGHT.panel,
    background_fill_secondary_dark=DARK.panel,
    block_background_fill=LIGHT.paper,
    block_background_fill_dark=DARK.paper,
    block_label_text_color=LIGHT.muted,
    block_label_text_color_dark=DARK.muted,
    block_info_text_color=LIGHT.muted,
    block_info_text_color_dark=DARK.muted,
    border_color_primary=LIGHT.rule,
    border_color_primary_dark=DARK.rule,
    block_border_color=LIGHT.rule,
    block_border_color_dark=DARK.rule,
    input_background_fill=LIGHT.panel,
    input_background_fill_dark=DARK.panel,
    input_border_color=LIGHT.muted,
    input_border_color_dark=DARK.muted,
    button_primary_background_fill=LIGHT.tuned,
    button_primary_background_fill_dark=DARK.tuned,
    button_primary_background_fill_hover=LIGHT.tuned,
    button_primary_background_fill_hover_dark=DARK.tuned,
    button_primary_text_color="#FFFFFF",
    button_primary_text_color_dark=DARK.paper,
    button_secondary_background_fill=LIGHT.panel,
    button_secondary_background_fill_dark=DARK.panel,
    button_secondary_text_color=LIGHT.text,
    button_secondary_text_color_dark=DARK.text,
    color_accent=LIGHT.link,
    slider_color=LIGHT.tuned,
    slider_color_dark=DARK.tuned,
)

CSS = f"""
.gradio-container, .gradio-container main {{ padding: 2px !important; max-width: none !important; }}
html.embedded {{ min-height: 0 !important; }}
.embedded .gradio-container > .app {{ padding: 0 !important; }}
.embedded #notice {{ display: none !important; }}
.muted, .card details {{ color: {LIGHT.muted}; font-size: .85rem; margin: 0; }}
.dark .muted, .dark .card details {{ color: {DARK.muted}; }}
.html-container {{ padding: 0 !important; }}
.card details {{ padding: 2px 10px 8px; }}
#question textarea {{ font-size: 1.15rem; }}
#actions {{ align-items: center; }}
#status {{ min-width: 200px !important; }}
.card {{ border-top: 3px solid {LIGHT.base}; }}
.card.base {{ border-top-style: dashed; }}
.dark .card {{ border-top-color: {DARK.base}; }}
.card.tuned {{ border-top-color: {LIGHT.tuned}; }}
.dark .card.tuned {{ border-top-color: {DARK.tuned}; }}
.card.base [data-testid="block-info"] {{ color: {LIGHT.base} !important; font-weight: 600; }}
.dark .card.base [data-testid="block-info"] {{ color: {DARK.base} !important; }}
.card.tuned [data-testid="block-info"] {{ color: {LIGHT.tuned} !important; font-weight: 600; }}
.dark .card.tuned [data-testid="block-info"] {{ color: {DARK.tuned} !important; }}
.card textarea {{ line-height: 1.55; }}
.bad {{ color: {LIGHT.worse}; }}
.dark .bad {{ color: {DARK.worse}; }}
.referral {{ border-left: 4px solid {LIGHT.worse}; padding: 8px 12px; margin: 4px 0; }}
.referral strong {{ font-size: 1.15rem; }}
.referral p {{ margin: 8px 0 0; }}
.dark .referral {{ border-left-color: {DARK.worse}; }}
code {{ font-family: {MONO}; font-size: .92em; background: none; overflow-wrap: anywhere; }}
:focus-visible {{ outline: 2px solid {LIGHT.link} !important; outline-offset: 2px; }}
.dark :focus-visible {{ outline-color: {DARK.link} !important; }}
footer img, footer .divider {{ display: none !important; }}
@media (prefers-reduced-motion: reduce) {{ * {{ animation: none !important; transition: none !important; }} }}
"""

FRAME = """
(() => {
  const root = document.documentElement, frame = window.frameElement;
  if (frame === null || !new URLSearchParams(location.search).has("embedded")) return;
  root.classList.add("embedded");
  const fit = () => {
    if (document.getElementById("question")) frame.style.height = Math.ceil(root.getBoundingClientRect().height) + "px";
  };
  new ResizeObserver(fit).observe(root);
})();
"""
"""On the Ask page (`embedded` in the address, in a frame of this app) the note is the page's, and the frame is as high
as what is in it. Opened by itself the widget shows its note whatever the address says."""

HEAD = f'<meta name="referrer" content="no-referrer"><script>{FRAME}</script>'


def status(text: str, *, bad: bool = False) -> str:
    """The line above the answers, read out when it changes."""
    role = "alert" if bad else "status"
    return f'<p role="{role}" aria-live="polite" class="{"bad" if bad else "muted"}">{escape(text)}</p>'


def referred() -> str:
    """The referral, in place of both answers and read out at once."""
    return f'<div role="alert" class="referral"><strong>{escape(CALL)}</strong><p>{escape(BESIDE)}</p></div>'


def about(emergencies: str) -> str:
    """What this demo is, and how well it tells an emergency."""
    parts = (
        "Two small language models answer: the base model as it was published, and the same model after a fine-tune. "
        "Neither knows medicine; both make things up. Nothing here is medical advice.",
        "A question that describes an emergency is not put to them; the emergency number is given instead. What "
        f"decides is a small statistical classifier, which understands nothing. {emergencies}",
        "Under each answer stands what produced it: the hashes of the weights and the prompt, the settings, the seed.",
    )
    return "".join(f"<p>{escape(part)}</p>" for part in parts)


def meta(answer: Answer) -> str:
    """The line under an answer: what produced it, in full behind a disclosure."""
    made = answer.provenance
    adapter = f"adapter {made.adapter_sha256[:8]}" if made.adapter_sha256 else "no adapter"
    short = (
        f"{made.model}, {adapter} · {answer.tokens} tokens in {answer.seconds:.1f} s "
        f"({answer.tokens_per_second:.1f} a second) · {STATES[answer.state]}"
    )
    facts = {
        "run": made.run_id,
        "base weights, SHA-256": made.base_sha256,
        "adapter, SHA-256": made.adapter_sha256 or "none: this is the base model as it is",
        "prompt": f"{made.prompt}, SHA-256 {made.prompt_sha256}",
        "temperature": f"{made.temperature:g}",
        "longest answer": f"{made.max_new_tokens} tokens",
        "seed": str(made.seed),
    }
    rows = "".join(f"<div>{escape(name)}: <code>{escape(value)}</code></div>" for name, value in facts.items())
    return f"<details><summary>{escape(short)}</summary>{rows}</details>"
