"""The look of the pages: which palette a visitor sees, and the style sheet. The colours are the core's."""

from functools import cache
from typing import Literal

import streamlit as st

from medqa_core.report.charts.palette import DARK, LIGHT, MONO, ROLES, Palette, rgb
from pages.shared import tables

Mode = Literal["light", "dark"]


def mode() -> Mode:
    """The theme the visitor sees; light until the browser has said."""
    return "dark" if st.context.theme.type == "dark" else "light"


def palette() -> Palette:
    """The colours of the theme that the visitor sees."""
    return DARK if mode() == "dark" else LIGHT


WARM_UP = "<style>.mq{color:var(--mq-text)}</style>"
_in_shell = False


def style() -> None:
    """Put the style sheet on the page, where the server does not send it with the page's HTML.

    A rule is sent all the same: the first element of a kind has a placeholder of another height until its script is
    there, and this first HTML takes no place.
    """
    st.html(WARM_UP if _in_shell else _sheet())


def in_shell() -> str:
    """The style sheet for a page's HTML, where it counts from the first drawing on; `style` then leaves it to that."""
    global _in_shell
    _in_shell = True
    return _sheet()


@cache
def _sheet() -> str:
    """The style sheet. It follows the theme by itself through CSS `light-dark()`."""
    pairs = {role: (getattr(LIGHT, role), getattr(DARK, role)) for role in ROLES}
    variables = "".join(f"--mq-{r}:light-dark({light},{dark});" for r, (light, dark) in pairs.items())
    charts = "".join(_redraw(*pair) for pair in [*pairs.values(), *zip(LIGHT.runs, DARK.runs, strict=True)])
    return f"<style>:root{{{variables}--mq-mono:{MONO};}}{charts}{_WAITING}{_SHEET}{_CARDS}</style>"


def _redraw(light: str, dark: str) -> str:
    """Rules that turn a drawn chart to the other theme at once: the page itself hears of a switch only later."""
    return "".join(
        f'.js-plotly-plot [style*="{what}: rgb{rgb(drawn)}"]{{{what}:light-dark({light},{dark})!important}}'
        for what in ("fill", "stroke")
        for drawn in (light, dark)
    )


_ELEMENT, _PLACEHOLDER = (
    '[data-testid="stElementContainer"]:not([class*="st-key-chart-"])',
    '[data-testid="stSkeleton"]',
)
_WAITING = "".join(
    f'[data-testid="stMain"] {waiting}~:not(:has(h1)){{visibility:hidden}}'
    for waiting in (f"{_ELEMENT}:has({_PLACEHOLDER})", f":has({_ELEMENT} {_PLACEHOLDER})")
)
"""What follows an element whose script is still being loaded waits for it instead of being moved by it: a placeholder
has a height of its own. A chart's has the chart's, and the heading is not held up."""

_CARDS = "".join(
    f"@container (max-width:{room}rem){{"
    f".mq-by-{room} thead{{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}"
    f".mq-by-{room},.mq-by-{room} tbody,.mq-by-{room} tr,.mq-by-{room} td,.mq-by-{room} th"
    "{display:block;text-align:left!important;padding-right:0!important}"
    f".mq-by-{room} tr{{border-bottom:1px solid var(--mq-rule);padding:.4rem 0}}"
    f".mq-by-{room} td,.mq-by-{room} th{{border:0;padding:.1rem 0;white-space:normal!important;overflow-wrap:anywhere}}"
    f".mq-by-{room} td{{display:grid;grid-template-columns:8.5rem minmax(0,1fr);gap:.6rem}}"
    f".mq-by-{room} td::before{{content:attr(data-label);color:var(--mq-muted);font-size:.82rem;white-space:normal}}}}"
    for room in tables.ROOM
)
"""Where a table's place is too narrow for its columns each row is a card: a column that is cut off is lost."""

_SHEET = """
[data-testid="stMainBlockContainer"]{max-width:74rem}
@media (min-width:768px){[data-testid="stAppViewContainer"]:not(:has([data-testid="stSidebar"]))>div{margin-left:300px}}
[data-testid="stHeader"]::before{position:absolute;left:0;right:3.5rem;margin-left:max(1rem,calc(50% - 35rem));
display:flex;align-items:center;height:3.75rem;line-height:1.3;color:var(--mq-muted);font-size:.875rem;
pointer-events:none;
content:"MedQA Lab · fine-tunes small language models on medical questions and shows what came of it"}
[data-testid="stMain"] h1{padding:0 0 .85rem}
[data-testid="stHeading"] h2{padding:.6rem 0 .9rem}
[data-testid="stSidebar"] [data-testid="stWidgetLabelRequired"]{display:none}
[data-testid="stMainBlockContainer"]>[data-testid="stVerticalBlock"]{gap:.75rem}
.mq{color:var(--mq-text);line-height:1.5;overflow-wrap:anywhere}
.mq p{margin:0 0 .5rem} .mq ul{margin:.1rem 0 .5rem;padding-left:1.1rem} .mq li{margin:.15rem 0}
.mq-eyebrow{color:var(--mq-muted);font-size:.85rem;margin:0}
.mq-answer{font-size:1.2rem;line-height:1.45;max-width:56rem;margin:0;text-wrap:pretty}
.mq-word{font-size:1.35em;line-height:1.1;font-weight:650}
.mq-caveat{font-size:1rem;line-height:1.45;max-width:56rem;margin:0;text-wrap:pretty}
.mq-note,.mq-muted{color:var(--mq-muted)} .mq-note{font-size:.875rem;max-width:56rem;margin:0}
.mq-base{color:var(--mq-base)} .mq-tuned{color:var(--mq-tuned)} .mq-strong{font-weight:600}
.mq-better{color:var(--mq-better)} .mq-worse,.mq .bad{color:var(--mq-worse)}
.mq code{font-family:var(--mq-mono);font-size:.86em;background:none;color:inherit;padding:0}
.mq .mq-figures{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));margin:0;padding:0;
border-top:2px solid var(--mq-text)}
.mq-figures>div{padding:.55rem 1rem .6rem 0;border-bottom:1px solid var(--mq-rule)}
.mq-figures>div+div{padding-left:1rem;border-left:1px solid var(--mq-rule)}
.mq-figures dt{font-size:.875rem;color:var(--mq-text);font-weight:600}
.mq-figures dt span{font-weight:400;color:var(--mq-muted)}
.mq-figures dt,.mq-figures dd{margin:0;padding:0} .mq-figures dt span{display:block;font-size:.8rem}
.mq-figures dd{font-variant-numeric:tabular-nums;font-size:.875rem}
.mq:has(>.mq-figures){container-type:inline-size}
.mq-figures .mq-pair{font-size:clamp(1.1rem,2.55cqi,1.45rem);line-height:1.35;white-space:nowrap}
.mq-figures .mq-pair .mq-base{font-size:.76em}
@container (max-width:44rem){.mq .mq-figures{grid-template-columns:repeat(2,minmax(0,1fr))}
.mq-figures>div:nth-child(odd){border-left:0;padding-left:0}
.mq-figures .mq-pair{font-size:1.25rem}}
.mq-scroll{overflow-x:auto;max-width:100%;container-type:inline-size}
.mq-scroll:focus-visible,.mq-text:focus-visible{outline:2px solid var(--mq-link);outline-offset:2px}
.mq table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums;margin:0}
.mq table{overflow-wrap:normal} .mq th[scope="row"]{min-width:7rem} .mq-caption{padding-bottom:.3rem}
.mq th{font-weight:600;text-align:left;vertical-align:bottom} .mq th .mq-note{font-weight:400}
.mq thead th{color:var(--mq-muted);font-weight:400;font-size:.82rem;border-bottom:1px solid var(--mq-text)}
.mq td,.mq th{padding:.38rem 1.1rem .38rem 0;border:0;border-bottom:1px solid var(--mq-rule);vertical-align:top}
.mq table.mq-dense{font-size:.84rem} .mq-dense td,.mq-dense th{padding-right:.75rem}
.mq .num{text-align:right;white-space:nowrap}
.mq thead .num{white-space:normal} .mq td:last-child,.mq th:last-child{padding-right:.2rem}
.mq .fit{white-space:nowrap;overflow-wrap:normal}
.mq-notice{border-left:3px solid var(--mq-muted);padding:.1rem 0 .1rem .9rem;max-width:56rem}
.mq-notice.mq-bad{border-left-color:var(--mq-worse)} .mq-notice p:last-child{margin-bottom:0}
.mq h2{font-size:1.05rem;font-weight:600;margin:0;padding:0 0 .2rem;letter-spacing:0}
.mq-finding{padding:.45rem 0 .5rem;border-top:1px solid var(--mq-rule)}
.mq-finding>p{margin:0;font-size:.95rem}
.mq details>summary{cursor:pointer;color:var(--mq-muted);font-size:.875rem;width:fit-content}
.mq details>summary:hover{color:var(--mq-link)}
.mq summary:focus-visible{outline:2px solid var(--mq-link);outline-offset:2px}
.mq details.mq-part{border-bottom:1px solid var(--mq-rule)}
.mq details.mq-part>summary{color:var(--mq-text);font-size:1rem;padding:.55rem 0;width:auto}
.mq details.mq-part[open]{padding-bottom:1rem} .mq-evidence{padding:.3rem 0 .2rem .9rem}
.mq-evidence li{font-size:.85rem}
.mq-bar{height:6px;background:var(--mq-rule);border-radius:3px;overflow:hidden;margin:.25rem 0 .35rem}
.mq-bar i{display:block;height:100%;background:var(--mq-tuned)}
.mq-row{border-top:1px solid var(--mq-rule);padding:.9rem 0 1.1rem}
.mq .mq-q{font-size:1.05rem;font-weight:600;margin:0 0 .1rem} .mq-q a{color:inherit}
.mq-cards{display:grid;grid-template-columns:1fr 1fr;gap:0 1.5rem;margin-top:.5rem}
.mq-cards .wide{grid-column:1/-1;margin-top:.6rem} .mq-card.used{border-top-color:var(--mq-muted)}
.mq-card{border-top:3px solid var(--mq-rule);padding-top:.3rem;min-width:0}
.mq-card.base{border-top:3px dashed var(--mq-base)} .mq-card.tuned{border-top-color:var(--mq-tuned)}
.mq .mq-who{font-size:.85rem;font-weight:600;margin:0;color:var(--mq-muted)}
.mq .mq-card.base .mq-who{color:var(--mq-base)} .mq .mq-card.tuned .mq-who{color:var(--mq-tuned)}
.mq-text{max-height:calc(9*1.5em);overflow-y:auto;white-space:pre-wrap;margin:.25rem 0;line-height:1.5}
.mq-whole .mq-text{max-height:none}
.mq-card.sourced{grid-column:1/-1;margin-top:.6rem;border-top:3px dotted var(--mq-with_sources)}
.mq .mq-card.sourced .mq-who{color:var(--mq-with_sources)} .mq .cite{font-size:.85em}
.mq .cite.none{color:var(--mq-muted)} .mq .sources{margin-top:.8rem} .mq .sources li:target{background:var(--mq-panel)}
.mq mark{background:none;color:inherit;padding:0}
.mq-card.base mark{text-decoration:underline dashed var(--mq-base) 1px;text-underline-offset:3px}
.mq-card.tuned mark{text-decoration:underline solid var(--mq-tuned) 1px;text-underline-offset:3px}
.mq .mq-run{display:grid;grid-template-columns:5.2rem 5.4rem 6.6rem 5.2rem minmax(0,1fr) 3.6rem;gap:0 .7rem;
margin:0;padding:.35rem 0 0;font-size:.85rem;font-variant-numeric:tabular-nums} .mq-run dd{margin:0}
.mq-run>:last-child{text-align:right}
.mq-run dt{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
:has(>.st-key-run-address){display:none}
.st-key-runs-head{border-bottom:1px solid var(--mq-text);padding-bottom:.2rem}
.st-key-runs-head .mq .mq-muted{font-size:.82rem;padding:0}
[class*="st-key-run-row-"]{border-bottom:1px solid var(--mq-rule);padding-bottom:.45rem}
.mq-run-id{padding-left:1.6rem} [class*="st-key-run-row-"] [data-testid="stVerticalBlock"]{gap:.1rem}
[data-testid="stButtonGroup"] button[data-selected="true"] p{color:var(--mq-text);font-weight:600}
[data-testid^="stBaseButton-primary"],[data-testid^="stBaseButton-primary"] p{color:var(--mq-paper)}
body>:not(#root) [data-testid^="stBaseButton-primary"]{background:var(--mq-tuned);
border-color:var(--mq-tuned)}
#js-plotly-tester{visibility:hidden}
:is([data-testid="stSidebarNav"] a,[data-testid="stMain"]):focus-visible,
[data-testid="stApp"] :has(>:is(input[type="text"],input[type="number"],textarea):focus-visible){
outline:2px solid var(--mq-link);outline-offset:-2px}
[data-testid="stSidebar"] [role="combobox"]{text-overflow:ellipsis}
body:has([data-testid="stSidebar"] [role="combobox"][aria-expanded="true"]) [data-testid="stSelectboxVirtualDropdown"]{
width:min(34rem,calc(100vw - 60px))!important}
[data-testid="stSelectboxVirtualDropdown"] [role="listbox"]>[role="option"]{height:auto;min-height:2.5rem}
[data-testid="stSelectboxVirtualDropdown"] [role="listbox"]>[role="option"]>div{white-space:normal}
[data-testid="stMultiSelect"] input{min-width:24px;min-height:24px}
[data-testid="stMultiSelect"] [data-tag]{background:var(--mq-paper);border:1px solid var(--mq-muted)}
[data-testid="stMultiSelect"] [data-tag],[data-testid="stMultiSelect"] [data-tag] button{color:var(--mq-text)}
[class*="st-key-place-"]>:first-child{display:none}
.st-key-place-loss{min-height:29.2rem} .st-key-place-gains{min-height:19.7rem}
.st-key-place-two-answers:not(:has(.mq-row)){min-height:84rem}
.st-key-place-lengths:not(:has(.mq-notice)){min-height:23.25rem}
.st-key-run-head{flex-wrap:nowrap!important} .st-key-run-head>:first-child{flex:0 1 auto;min-width:0}
.st-key-copy-link{min-width:4rem;min-height:24px}
.st-key-widget{position:relative}
.st-key-widget::before{content:"Loading the question widget. The first time takes some seconds.";position:absolute;
top:1rem;left:0;color:var(--mq-muted);font-size:.875rem}
.st-key-widget iframe{position:relative;height:45rem}
.st-key-widget [data-testid="stElementContainer"]{height:auto}
@media (max-width:767px){[data-testid="stHeader"]::before{margin-left:3.5rem;font-size:.8rem;
content:"MedQA Lab · fine-tunes small language models on medical questions"}}
@media (max-width:640px){
.st-key-place-loss{min-height:35.3rem} .st-key-place-gains{min-height:22.2rem}
.st-key-place-two-answers:not(:has(.mq-row)){min-height:137rem}
.st-key-place-lengths:not(:has(.mq-notice)){min-height:24.6rem}
.st-key-runs-head{display:none} .mq .mq-run{grid-template-columns:1fr 1fr;gap:.3rem .8rem;padding-left:1.6rem}
.mq-run dt{position:static;width:auto;height:auto;clip-path:none;color:var(--mq-muted);font-size:.8rem}
.mq-run>:last-child{text-align:left}
.mq-answer{font-size:1.08rem}.mq-cards{grid-template-columns:1fr;row-gap:.8rem}
[data-testid="stMainBlockContainer"]{padding-left:1rem;padding-right:1rem}}
@media (prefers-reduced-motion:reduce){*{animation-duration:.01ms!important;transition-duration:.01ms!important}}
"""
