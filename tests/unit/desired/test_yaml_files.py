"""Which files belong to a configuration, and how they are read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.desired.yaml_files import find_files, find_root, read_documents
from reconciler.errors import ConfigurationError, NotFoundError


def test_the_root_is_found_from_below(tmp_path: Path) -> None:
    below = tmp_path / "accounts" / "acme"
    below.mkdir(parents=True)
    (tmp_path / "reconciler.yaml").write_text("version: 1\n")
    assert find_root(below) == tmp_path.resolve()


def test_no_root_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no reconciler\.yaml in .* `reconciler init DIR`"):
        find_root(tmp_path)


def test_files_are_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in (
        "b.yaml", "a/z.yml", "a/b.yaml", "a/reconciler.yaml", ".hidden.yaml", "_draft.yaml", "_drafts/c.yaml",
        ".state/d.yaml", "notes.txt", "reconciler.yaml",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("version: 1\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.txt").symlink_to("self.txt")
    assert list(find_files(tmp_path)) == [
        "reconciler.yaml", "a/b.yaml", "a/reconciler.yaml", "a/z.yml", "b.yaml",
    ]  # fmt: skip


def test_a_folder_that_cannot_be_read_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "accounts").mkdir()
    listed = os.scandir

    def scandir(folder: str) -> Iterator[os.DirEntry[str]]:
        if folder.endswith("accounts"):
            raise PermissionError(13, "Permission denied", folder)
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ConfigurationError, match=r"^accounts/:1:1: cannot be read: Permission denied$"):
        list(find_files(tmp_path))


def test_a_byte_order_mark_moves_no_position(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    (document,), problems = read_documents(tmp_path, "a.yaml")
    assert problems == []
    assert document.data == {"a": 1, "b": 2}
    assert str(document.position(("a",), of_key=True)) == "a.yaml:1:1"
    assert str(document.position(("b",))) == "a.yaml:2:4"


def test_utf_16_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("a: 1".encode("utf-16"))
    documents, (problem,) = read_documents(tmp_path, "a.yaml")
    assert documents == []
    assert (problem.code, str(problem.position)) == ("not-utf-8", "a.yaml:1:1")


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere")
    documents, (problem,) = read_documents(tmp_path, "a.yaml")
    assert documents == []
    assert (problem.code, problem.message) == ("bad-file", "cannot be read: No such file or directory")


def test_a_link_out_of_the_configuration_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password: hidden")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.yaml").symlink_to(tmp_path / "secret")
    documents, (problem,) = read_documents(root, "a.yaml")
    assert documents == []
    assert problem.code == "bad-file"
    assert "hidden" not in str(problem)
