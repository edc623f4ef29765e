"""What a public demo does not have: there it is as if it were not there."""

from starlette.types import ASGIApp, Receive, Scope, Send

from medqa_core.foundation.settings import Settings
from pages.web.host_guard import refuse


class PrivateOnly:
    """Answers 404 with `MEDQA_PUBLIC`, before anything of the app behind it is imported or built."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; the environment is read with each: some hosts set it while the server starts."""
        if Settings.from_environment().public:
            await refuse(404, "There is nothing at this address.", scope, receive, send)
        else:
            await self._app(scope, receive, send)
