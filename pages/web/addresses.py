"""Addresses of pages: where a page's script finds its server, and one address for the first page."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

SERVER = '<script>window.__streamlit??={BACKEND_BASE_URL:new URL("./",location.href).href}</script>'
"""Tells Streamlit's script where the server is: by the rule by which the page finds its own scripts. Without it a page
opened at its own address asks below that address first, and two errors stand in the console."""

DRAWER = """<script>addEventListener("click", (event) => {
  if (innerWidth >= 768 || !event.target.closest?.('[data-testid="stSidebarNav"] a')) return;
  setTimeout(() => document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click(), 0);
});</script>"""
"""On a phone the drawer lies over the page: it closes when a page is chosen in it."""


async def first_page(request: Request) -> Response:
    """`/summary` leads to the first page, the Summary, so that the navigation marks it; the query goes along."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"./{query}", status_code=307)
