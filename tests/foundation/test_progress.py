"""How far a download is, by the files that it writes."""

from pathlib import Path

import pytest

from medqa_core.foundation import progress


def test_what_files_have_grown_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "before").write_bytes(bytes(500))
    told: list[tuple[str, int, int]] = []
    with progress.downloading(tmp_path / "cache", lambda *step: told.append(step), 1000):
        (tmp_path / "cache" / "part").write_bytes(bytes(400))
        while not told or told[-1][1] < 400:
            pass
        (tmp_path / "cache" / "part").write_bytes(bytes(4000))
    assert told[-1] == ("download", 1000, 1000), "never more than the whole"
    assert sorted(told) == told
    with pytest.raises(OSError), progress.downloading(tmp_path / "gone", lambda *step: told.append(step)):
        raise OSError
    assert told[-1] == ("download", 0, 0)
