"""The look of the HTML report: one style sheet, light and dark, on screen and on paper."""

from medqa_core.report.charts.palette import DARK, FONT, LIGHT, MONO, ROLES, Palette


def _variables(palette: Palette) -> str:
    return ";".join(f"--{role}:{getattr(palette, role)}" for role in ROLES)


CSS = f"""
:root{{color-scheme:light dark;{_variables(LIGHT)}}}
@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}
*{{box-sizing:border-box}}
body{{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--text);
font:1rem/1.5 {FONT};overflow-wrap:anywhere}}
h1{{font-size:1.35rem;line-height:1.3;margin:0 0 .5rem}}
h2{{font-size:1.1rem;margin:2.25rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--rule)}}
code{{font-family:{MONO};font-size:.9em}}
.verdict{{font-size:1.15rem;margin:0 0 1.25rem}}
.muted{{color:var(--muted)}}
.four{{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:1rem;margin:0;padding:0}}
.four div{{border-top:3px solid var(--tuned);padding-top:.4rem}}
.four dt{{color:var(--muted);font-size:.9rem}}
.four dd{{margin:0;font-variant-numeric:tabular-nums}}
.four .values{{font-size:1.15rem}}
.base{{color:var(--base)}}
.tuned{{color:var(--tuned);font-weight:600}}
.better{{color:var(--better)}}
.worse{{color:var(--worse)}}
figure{{margin:1.5rem 0}}
figcaption{{color:var(--muted);font-size:.9rem}}
.curve{{width:100%;height:auto;max-height:22rem}}
.curve{{overflow:visible}}
.curve text{{fill:var(--muted);font-size:12px}}
.curve .grid{{stroke:var(--rule)}}
.curve .axis{{stroke:var(--muted)}}
.curve polyline{{fill:none;stroke-width:2;stroke:var(--muted)}}
.curve .raw{{stroke-width:1;opacity:.35}}
.curve .validation{{stroke:var(--tuned)}}
.curve .dot{{fill:var(--tuned)}}
.curve .validation-name{{fill:var(--tuned)}}
.forest .row{{display:grid;grid-template-columns:8rem minmax(0,1fr) 8rem;align-items:center;gap:.75rem}}
.forest svg{{display:block;overflow:visible}}
.forest .zero{{stroke:var(--muted)}}
.forest .span{{stroke:var(--muted);stroke-width:3}}
.forest circle{{fill:var(--muted)}}
.forest .control{{fill:none;stroke:var(--control);stroke-width:2}}
.forest .mark{{color:var(--muted);white-space:nowrap}}
.forest .is-better .span{{stroke:var(--better)}}
.forest .is-better circle{{fill:var(--better)}}
.forest .is-better .mark{{color:var(--better)}}
.forest .is-worse .span{{stroke:var(--worse)}}
.forest .is-worse circle{{fill:var(--worse)}}
.forest .is-worse .mark{{color:var(--worse)}}
.forest text{{fill:var(--muted);font-size:12px}}
@media (max-width:34rem){{.curve text{{font-size:18px}}
.forest .row{{grid-template-columns:1fr auto;gap:0 .75rem;margin-bottom:.3rem}}
.forest svg{{grid-column:1/-1;grid-row:2}}}}
.scroll{{overflow-x:auto;margin:.75rem 0 1.25rem}}
table{{overflow-wrap:normal;border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.95rem}}
th,td{{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;min-width:5rem}}
th,td{{border-bottom:1px solid var(--rule)}}
th{{color:var(--muted);font-weight:500}}
.fields th{{width:16rem}}
.fields td{{overflow-wrap:anywhere}}
li{{margin:.4rem 0}}
footer{{margin-top:3rem;color:var(--muted)}}
@media print{{@page{{margin:14mm}}
:root{{color-scheme:light;font-size:13px;{_variables(LIGHT)}}}
body{{max-width:none;padding:0}}
figure,table,tr,li,p,.four{{break-inside:avoid}}
h2,p:has(+.scroll),p:has(+ul){{break-after:avoid}}
h2{{margin-top:1.5rem}}
.four{{grid-template-columns:repeat(4,minmax(0,1fr))}}
.four .values{{font-size:1rem;white-space:nowrap}}
td.better,td.worse,td .better,td .worse{{white-space:nowrap}}
.scroll{{overflow:visible}}
th,td{{min-width:0;padding:.2rem .7rem .2rem 0}}}}
""".strip()
"""In print a figure, a table that a page has room for and a heading with what follows it stay together."""
