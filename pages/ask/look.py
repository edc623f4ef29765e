"""How the Gradio widget looks: the app's palette on Gradio's parts, and how its frame fits the page."""

from typing import Any

import gradio as gr

from medqa_core.report.charts.palette import DARK, FONT, LIGHT, MONO

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
    button_primary_text_color=LIGHT.paper,
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
.embedded #run {{ display: none !important; }}
#after {{ border-left: 3px solid {LIGHT.rule}; padding-left: 12px; }}
.dark #after {{ border-left-color: {DARK.rule}; }}
#after:not(:has(.after)), #history:not(:has(.history)), #referral:not(:has(.referral)), #sources:not(:has(.sources)) {{
  display: none !important; }}
/* Gradio calls cancelled answers an error, above the line that says that they were stopped; and it greys out the line
while the second half of a press waits, which a refused one has too. */
#status:has([data-state="stopped"], [data-state="refused"], [role="alert"]) [data-testid="status-tracker"] {{
  display: none !important; }}
#status .pending {{ opacity: 1 !important; }}
#actions, #talking {{ align-items: center; }}
.muted, .card details {{ color: {LIGHT.muted}; font-size: .85rem; margin: 0; }}
.dark .muted, .dark .card details {{ color: {DARK.muted}; }}
.html-container {{ padding: 0 !important; }}
.card details, .card p.muted {{ padding: 2px 10px 8px; }}
#question textarea {{ font-size: 1.15rem; }}
#status {{ min-width: 200px !important; }}
.card {{ gap: 0 !important; justify-content: flex-start; }}
.card > * {{ flex: 0 0 auto !important; }}
.who {{ border-top: 3px solid {LIGHT.rule}; padding: 6px 2px 4px; font-weight: 600; }}
.dark .who {{ border-top-color: {DARK.rule}; }}
.who.base {{ border-top: 3px dashed {LIGHT.base}; color: {LIGHT.base}; }}
.dark .who.base {{ border-top-color: {DARK.base}; color: {DARK.base}; }}
.who.fine_tuned {{ border-top-color: {LIGHT.tuned}; color: {LIGHT.tuned}; }}
.dark .who.fine_tuned {{ border-top-color: {DARK.tuned}; color: {DARK.tuned}; }}
.who.with_sources {{ border-top: 3px dotted {LIGHT.with_sources}; color: {LIGHT.with_sources}; }}
.dark .who.with_sources {{ border-top-color: {DARK.with_sources}; color: {DARK.with_sources}; }}
.spans {{ white-space: pre-wrap; color: {LIGHT.text}; margin: 4px 0; }}
.dark .spans {{ color: {DARK.text}; }}
mark {{ color: inherit; background: none; padding-bottom: 1px; }}
mark.copied {{ border-bottom: 2px solid {LIGHT.worse}; }}
mark.near {{ border-bottom: 2px dotted {LIGHT.worse}; }}
.dark mark.copied, .dark mark.near {{ border-bottom-color: {DARK.worse}; }}
.linked {{ white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.55; padding: 8px 10px; min-height: 8em; }}
.linked .cite {{ font-size: .85em; white-space: nowrap; margin: 0; padding: 0; }}
.cite.none {{ color: {LIGHT.muted}; }}
.dark .cite.none {{ color: {DARK.muted}; }}
.history {{ padding: 6px 10px; font-size: .9rem; max-width: 60rem; }}
.history p {{ margin: 4px 0; }}
.history ol {{ list-style: decimal; padding-left: 1.4em; margin: 4px 0; }}
.history em {{ color: {LIGHT.muted}; }}
.dark .history em {{ color: {DARK.muted}; }}
.sources {{ padding: 6px 10px; font-size: .9rem; max-width: 60rem; }}
.sources p {{ margin: 4px 0; color: {LIGHT.muted}; }}
.dark .sources p {{ color: {DARK.muted}; }}
.sources ol {{ list-style: decimal; padding-left: 1.4em; margin: 4px 0; }}
.sources li {{ margin: 6px 0; padding: 2px 6px; }}
.sources li:focus {{ background: {LIGHT.panel}; outline: 1px solid {LIGHT.muted}; }}
.dark .sources li:focus {{ background: {DARK.panel}; outline-color: {DARK.muted}; }}
.sources a, a.cite {{ color: {LIGHT.link}; text-decoration: underline; }}
.dark .sources a, .dark a.cite {{ color: {DARK.link}; }}
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

CITE = """
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.cite"), target = link && document.getElementById(link.hash.slice(1));
  if (!target) return;
  event.preventDefault();
  target.querySelector("details").open = true;
  target.scrollIntoView({block: "center"});
  target.focus({preventScroll: true});
});
"""
"""A link to a passage opens it and goes there. Gradio's page has a base address: left to itself, the browser would load
that, without the answers."""

KEYS = """
(() => {
  const KEPT = "medqa-question", box = () => document.querySelector("#question textarea");
  const pressed = (event) => {
    if (event.key !== "Enter" || event.target !== box() || event.isComposing) return;
    event.stopPropagation();
    if (event.shiftKey || event.type === "keypress") return;
    event.preventDefault();
    document.querySelector("#ask")?.click();
  };
  for (const type of ["keydown", "keypress"]) document.addEventListener(type, pressed, true);
  const keep = (text) => { try { sessionStorage.setItem(KEPT, text); } catch {} };
  document.addEventListener("input", (event) => { if (event.target === box()) keep(event.target.value); }, true);
  const restored = new MutationObserver(() => {
    if (!box()) return;
    restored.disconnect();
    let text = "";
    try { text = sessionStorage.getItem(KEPT) ?? ""; } catch {}
    if (text && !box().value) { box().value = text; box().dispatchEvent(new Event("input", {bubbles: true})); }
  });
  restored.observe(document.documentElement, {childList: true, subtree: true});
})();
"""
"""Enter sends a question and Shift+Enter breaks its line. A question that was typed is there again when another run is
chosen, which loads the frame anew; it stays in this browser's tab."""

SAID = """
(() => {
  const announce = () => {
    for (const id of ["status", "int8-cost", "proof"]) {
      const line = document.getElementById(id);
      if (line && !line.role) Object.assign(line, {role: "status", ariaLive: "polite", ariaAtomic: "true"});
    }
  };
  new MutationObserver(announce).observe(document.documentElement, {childList: true, subtree: true});
})();
"""
"""The lines that say how something stands are read out when they change. Gradio replaces what is in them, and a screen
reader only listens to what was there before: the place itself is what it listens to."""

HEAD = f'<meta name="referrer" content="no-referrer"><script>{FRAME}{CITE}{KEYS}{SAID}</script>'

LOOK: dict[str, Any] = {"theme": THEME, "css": CSS, "head": HEAD}
"""What Gradio takes where it mounts or launches."""
