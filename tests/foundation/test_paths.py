"""Whatever text arrives as a run id or a path, it stays in the store or is refused."""

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.foundation.errors import InputError, OutsideStore
from medqa_core.foundation.paths import check_run_id, resolve_inside

ALLOWED = set(string.ascii_letters + string.digits + "._-")
nasty = st.text(alphabet=st.sampled_from([*"a.-_/\\~\0\n ", "é", "\ud800", "\u202e"]), max_size=80)
parts = st.one_of(
    st.text(max_size=30), nasty, st.sampled_from(["..", ".", "/", "/etc/passwd", "../..", "a/../../b", "~"])
)


@given(st.one_of(st.text(max_size=80), nasty))
def test_a_run_id_is_a_harmless_name_or_refused(text: str) -> None:
    try:
        kept = check_run_id(text)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert kept == text
    assert 1 <= len(kept) <= 64
    assert set(kept) <= ALLOWED
    assert kept[0] not in "._-"


@pytest.mark.parametrize("text", ["a", "run-2", "A.b_c-9", "x" * 64])
def test_good_ids(text: str) -> None:
    assert check_run_id(text) == text


@pytest.mark.parametrize("text", ["", ".", "..", ".hidden", "-x", "a/b", "a\\b", "a b", "x" * 65, "a\n", "run.", "é"])
def test_bad_ids(text: str) -> None:
    with pytest.raises(InputError, match="run id"):
        check_run_id(text)


@settings(deadline=None)
@given(st.lists(parts, max_size=4))
def test_a_path_is_inside_or_refused(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "root"
    root.mkdir(exist_ok=True)
    try:
        path = resolve_inside(root, *names)
    except OutsideStore as error:
        assert "\n" not in str(error)
        return
    real = root.resolve()
    assert path == real or real in path.parents
    assert path == path.resolve()


def test_a_link_out_is_refused_and_a_link_within_is_not(tmp_path: Path) -> None:
    root, outside = tmp_path / "store", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "a").mkdir()
    (root / "within").symlink_to(root / "a")
    (root / "out").symlink_to(outside)
    (root / "up").symlink_to("..")
    assert resolve_inside(root, "within") == root.resolve() / "a"
    for name in ("out", "up"):
        with pytest.raises(OutsideStore, match="leads out of store"):
            resolve_inside(root, name)
    with pytest.raises(OutsideStore):
        resolve_inside(root, "out", "file")


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OutsideStore, match="not a usable path"):
        resolve_inside(tmp_path, "loop")


def test_a_sibling_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store-2").mkdir()
    with pytest.raises(OutsideStore):
        resolve_inside(tmp_path / "store", "../store-2")
