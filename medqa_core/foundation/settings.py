"""Where things are: beside the code, and where the environment says. Variables are read when asked, never at import."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from medqa_core.foundation.errors import InputError, shorten

APP_NAME = "medqa-lab"
"""What this program's folders below a user's data and cache folders are called."""
PACKAGE_ROOT = Path(__file__).resolve().parents[2]
"""The folder that `medqa_core` lies in: the root of a checkout, or an environment's site-packages."""
PACKAGED_SITE = PACKAGE_ROOT / "medqa_core" / "_site"
"""What an installation keeps of a checkout's other folders (`hatch_build.py` puts it there); a checkout has none."""
_HOST = re.compile(r"\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_FRAME = re.compile(r"https?://(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?")


@dataclass(frozen=True)
class Settings:
    """The paths and switches that the environment sets."""

    reports: Path
    """The run store: one folder a run (`MEDQA_REPORTS`, else a checkout's own, else below the user's data folder)."""
    cache: Path
    """Downloads, converted models and uploads (`MEDQA_CACHE`); all but the uploads can be made again."""
    medquad: Path | None
    """MedQuAD as the original ZIP or its unpacked folder (`MEDQA_MEDQUAD`), or None where it is not available."""
    mmlu: Path | None
    """A folder with the MMLU subsets as CSV (`MEDQA_MMLU`), or None."""
    public: bool
    """A read-only demo for strangers (`MEDQA_PUBLIC=1`)."""
    library: Path | None = None
    """Documents of one's own that answers with sources are given from: a folder, or a table (`MEDQA_LIBRARY`)."""
    embeddings: str | None = None
    """An embedding model, a folder or `owner/name`, that finds passages in place of BM25 (`MEDQA_EMBEDDINGS`)."""
    judge: str | None = None
    """A judge model: an OpenAI-compatible address, or a model of this machine (`MEDQA_JUDGE`)."""
    judge_model: str | None = None
    """What the address calls the model (`MEDQA_JUDGE_MODEL`)."""
    judge_key: str | None = field(default=None, repr=False)
    """Sent to that address and nowhere else; never written (`MEDQA_JUDGE_KEY`)."""
    keep_questions: bool = False
    """Whether a blind vote keeps its question's text (`MEDQA_KEEP_QUESTIONS=1`): it may tell of the person who asks."""
    hosts: tuple[str, ...] = ()
    """Names beside this machine's own that the app answers to (`MEDQA_HOSTS`); `*`: any."""
    frames: tuple[str, ...] = ()
    """Addresses of sites that may show the app in a frame (`MEDQA_FRAMES`)."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings as the environment has them now.

        Raises:
            InputError: a path starts with `~` and a user that does not exist, or a host or site is not written as one.
        """
        return cls(
            reports=_path("MEDQA_REPORTS") or default_store(),
            cache=_path("MEDQA_CACHE") or Path(platformdirs.user_cache_dir(APP_NAME)),
            medquad=_path("MEDQA_MEDQUAD") or _beside_checkout("MedQuAD-master.zip"),
            mmlu=_path("MEDQA_MMLU") or _beside_checkout("mmlu"),
            public=_on("MEDQA_PUBLIC"),
            library=_path("MEDQA_LIBRARY"),
            embeddings=_text("MEDQA_EMBEDDINGS"),
            judge=_text("MEDQA_JUDGE"),
            judge_model=_text("MEDQA_JUDGE_MODEL"),
            judge_key=_text("MEDQA_JUDGE_KEY"),
            keep_questions=_on("MEDQA_KEEP_QUESTIONS"),
            hosts=_words("MEDQA_HOSTS", _HOST, "a host name such as lab.example.org"),
            frames=_words("MEDQA_FRAMES", _FRAME, "a site such as https://example.org") + _space(),
        )


def is_installed() -> bool:
    """Whether this code was installed as a package; False in a checkout, an editable installation included."""
    return PACKAGED_SITE.is_dir()


def site_folder() -> Path:
    """The folder with app.py, pages/, .streamlit/ and the shipped reports/. A process started in it finds this code."""
    return PACKAGED_SITE if is_installed() else PACKAGE_ROOT


def default_store() -> Path:
    """The run store where `MEDQA_REPORTS` names none."""
    folder = Path(platformdirs.user_data_dir(APP_NAME)) if is_installed() else PACKAGE_ROOT
    return folder / "reports"


def _path(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    try:
        return Path(value).expanduser().absolute() if value else None
    except RuntimeError as error:  # `~name` of a user that does not exist
        raise InputError(f"{shorten(value)!r} names the home folder of an unknown user.", field=variable) from error


def _text(variable: str) -> str | None:
    return os.environ.get(variable, "").strip() or None


def _on(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() in {"1", "true", "yes", "on"}


def _words(variable: str, form: re.Pattern[str], what: str) -> tuple[str, ...]:
    """What stands in the variable, between commas or spaces; they go into a header, so their form is checked."""
    found = tuple(os.environ.get(variable, "").lower().replace(",", " ").split())
    for word in found:
        if not form.fullmatch(word):
            raise InputError(f"{shorten(word)!r} is not {what}.", field=variable)
    return found


def _space() -> tuple[str, ...]:
    """Hugging Face shows a Space in a frame of its own site, and tells the Space what it is."""
    return ("https://huggingface.co",) if os.environ.get("SPACE_ID") else ()


def _beside_checkout(name: str) -> Path | None:
    """A data set in `shared/data` beside the checkout, if it is there."""
    path = PACKAGE_ROOT.parent / "shared" / "data" / name
    return path if path.exists() and not is_installed() else None
