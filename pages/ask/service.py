"""The one answer service of this process: the widget and the page without it share models, limits and store."""

import threading
from functools import lru_cache

from medqa_core.answering.service import AnswerService
from medqa_core.foundation.settings import Settings

_LOCK = threading.Lock()  # two visitors who come first at the same time get the same one


def answer_service(settings: Settings) -> AnswerService:
    """The service for these settings, built when it is first asked for; it loads nothing yet."""
    with _LOCK:
        return _built(settings)


_built = lru_cache(maxsize=1)(AnswerService.of)
