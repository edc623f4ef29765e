"""What the build does beyond pyproject.toml: dependencies from the requirements files, and the site into the wheel."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

SITE = "medqa_core/_site"
"""Where the wheel keeps app.py, pages/ and the shipped runs: beside no other package, so that a module called `app` or
`pages` of somebody else's is never replaced (`foundation.settings.site_folder` finds it)."""


class RequirementsHook(MetadataHookInterface):
    """Dependencies and extras: one list each, which pip reads as a file too."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what pyproject.toml declares as dynamic."""
        root = Path(self.root)
        metadata["dependencies"] = requirements(root / "requirements.txt")
        metadata["optional-dependencies"] = {
            extra: requirements(root / f"requirements-{extra}.txt") for extra in self.config["extras"]
        }


class SiteHook(BuildHookInterface[Any]):
    """What stands beside `medqa_core` in a checkout goes into the wheel; an editable installation uses the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files, before the wheel is written."""
        if version == "standard":
            for source in site_files(Path(self.root), self.config["site"], self.config["runs"]):
                build_data["force_include"][source] = f"{SITE}/{source}"


def requirements(path: Path) -> list[str]:
    """A requirements file's packages; comments and the file that it builds on are left out."""
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("-")]


def site_files(root: Path, site: list[str], runs: list[str]) -> list[str]:
    """The files of the site and of the shipped runs, relative to `root`; nothing that came by using them."""
    found = [path for name in site for path in _files(root / name)]
    found += [path for run in runs for path in _files(root / "reports" / run) if path.name != "votes.jsonl"]
    relative = [path.relative_to(root) for path in found]
    return [path.as_posix() for path in relative if not {"__pycache__", "checkpoints"} & set(path.parts)]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("[!.]*") if p.is_file())
