"""A project laid out as it was at a revision: real git, real folders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from paisctl.errors import PaisctlError, UsageError
from paisctl.revision import project_at

INVENTORY = Path("inventory/pais.yaml")


def git(*arguments: str, folder: Path | None = None) -> str:
    command = ["git", "-c", "user.name=ann", "-c", "user.email=ann@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def write(**texts: str) -> None:
    for path, text in texts.items():
        file = Path(path.replace("__", "/").replace("_yaml", ".yaml"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def commit() -> str:
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "As it is")
    return git("rev-parse", "HEAD").strip()


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a repository, with one commit."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    git("init", "-q", "-b", "main")
    write(inventory__pais_yaml="one\n", stacks__web__bundle_yaml="one\n", notes="one\n")
    commit()
    return folder


def laid_out(revision: str, *paths: Path) -> tuple[dict[str, str], tuple[str, ...], Sequence[Path]]:
    """The files of then with their texts, the notes, and where the inventory files lie."""
    with project_at(paths or (INVENTORY,), revision) as then:
        texts = {
            str(path.relative_to(then.folder)): path.read_text()
            for path in sorted(then.folder.rglob("*"))
            if path.is_file()
        }
        relative = [Path(os.path.relpath(path, then.folder)) for path in then.paths]
        folder = then.folder
    assert not folder.exists(), "nothing is left of it"
    return texts, then.notes, relative


def test_the_inventory_and_its_bundles_are_as_they_were(repository: Path) -> None:
    write(inventory__pais_yaml="two\n", stacks__web__bundle_yaml="two\n", stacks__new__b="x\n")
    before = git("status", "--porcelain")
    assert laid_out("main") == (
        {"inventory/pais.yaml": "one\n", "stacks/web/bundle.yaml": "one\n"},
        (),
        [INVENTORY],
    )
    assert git("status", "--porcelain") == before
    assert not list(repository.glob(".git/worktrees"))


def test_in_a_hook_of_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There git says which repository it works on, which is then taken for the one of every folder."""
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git/index.lock"))
    write(inventory__pais_yaml="two\n", stacks__web__bundle_yaml="two\n")
    texts, notes, _ = laid_out("main")
    assert texts == {"inventory/pais.yaml": "one\n", "stacks/web/bundle.yaml": "one\n"}
    assert notes == ()


def test_a_project_in_a_folder_of_a_bigger_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    write(home__inventory__pais_yaml="one\n", home__templates__x__y="one\n")
    commit()
    monkeypatch.chdir("home")
    texts, notes, paths = laid_out("HEAD")
    assert texts == {"home/inventory/pais.yaml": "one\n", "home/templates/x/y": "one\n"}
    assert (notes, paths) == ((), [Path("home/inventory/pais.yaml")])


def test_an_inventory_at_the_top_has_bundles_beside_the_repository(tmp_path: Path) -> None:
    write(pais_yaml="one\n")
    commit()
    above = tmp_path / "stacks"
    above.mkdir()
    with project_at([Path("pais.yaml")], "HEAD") as then:
        assert (then.folder.parent / "stacks").resolve() == above.resolve()
    assert then.notes == (f"{above} is not in the repository: taken as it is on both sides",)


def test_overlays(tmp_path: Path) -> None:
    """One that git keeps, one that is new, one that git does not keep, one from elsewhere."""
    write(inventory__kept_yaml="one\n")
    commit()
    write(inventory__kept_yaml="two\n", inventory__new_yaml="new\n", inventory__own_yaml="own\n")
    git("add", "inventory/new.yaml")
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("elsewhere\n")
    kept, new, own = (Path(f"inventory/{name}.yaml") for name in ("kept", "new", "own"))
    texts, notes, paths = laid_out("HEAD", INVENTORY, kept, new, own, elsewhere)
    assert texts["inventory/kept.yaml"] == "one\n"
    assert texts["inventory/own.yaml"] == "own\n"
    assert notes == (
        "there is no inventory/new.yaml at HEAD: all that it says is new",
        "git does not keep inventory/own.yaml: taken as it is on both sides",
        f"{elsewhere} is not in the repository: taken as it is on both sides",
    )
    assert [path.name for path in paths] == ["pais.yaml", "kept.yaml", "own.yaml", elsewhere.name]


def test_an_inventory_that_was_not_there() -> None:
    write(inventory__other_yaml="new\n")
    commit()
    _, notes, paths = laid_out("HEAD^", Path("inventory/other.yaml"), INVENTORY)
    assert notes == ("there is no inventory/other.yaml at HEAD^: everything is new",)
    assert paths == []


def test_links_lead_where_they_led() -> None:
    write(shared__web__bundle_yaml="shared\n")
    Path("stacks/linked").symlink_to("../shared/web")
    commit()
    with project_at([INVENTORY], "HEAD") as then:
        assert (then.folder / "stacks/linked/bundle.yaml").read_text() == "shared\n"


def test_a_submodule_is_taken_as_it_is() -> None:
    git("init", "-q", "stacks/foreign")
    write(stacks__foreign__bundle_yaml="now\n")
    git("add", "-A", folder=Path("stacks/foreign"))
    git("commit", "-q", "-m", "As it is", folder=Path("stacks/foreign"))
    commit()
    with project_at([INVENTORY], "HEAD") as then:
        assert (then.folder / "stacks/foreign/bundle.yaml").read_text() == "now\n"
    assert then.notes == ("stacks/foreign is a submodule: taken as it is on both sides",)


def test_attributes_for_archives_and_odd_names_mean_nothing() -> None:
    write(stacks__web__bundle_yaml="one\n")
    Path("stacks/web/two words\n\u00e9").write_bytes(b"\x00\xff\n\n")
    Path(".gitattributes").write_text("stacks export-ignore\n")
    commit()
    with project_at([INVENTORY], "HEAD") as then:
        assert (then.folder / "stacks/web/two words\n\u00e9").read_bytes() == b"\x00\xff\n\n"


def test_a_revision_is_called_as_it_was_asked_for() -> None:
    whole = git("rev-parse", "HEAD").strip()
    for revision, names in (
        ("main", ("main", whole[:12])),
        ("HEAD", ("HEAD", whole[:12])),
        (whole, (whole[:12],)),
        (whole[:8], (whole[:12],)),
    ):
        with project_at([INVENTORY], revision) as then:
            assert then.names == names


@pytest.mark.parametrize("revision", ["nonsense", "-p", "--help", "main..HEAD", "HEAD:inventory"])
def test_a_revision_that_git_does_not_know(revision: str, repository: Path) -> None:
    with pytest.raises(UsageError) as raised, project_at([INVENTORY], revision):
        pass
    assert raised.value.message == f"there is no revision `{revision}` in {repository}"
    assert raised.value.hint


def test_an_empty_revision() -> None:
    with pytest.raises(UsageError, match="--base names no revision"), project_at([INVENTORY], ""):
        pass


def test_a_shallow_clone_and_a_branch_of_elsewhere(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("branch", "feature")
    commit()
    for options, revision, hint in (
        (["--depth=1"], "HEAD^", "fetch-depth: 0"),
        ([], "feature", "did you mean `origin/feature`?"),
    ):
        clone = tmp_path / f"clone-{revision}"
        git("clone", "-q", *options, f"file://{repository}", str(clone))
        monkeypatch.chdir(clone)
        with pytest.raises(UsageError) as raised, project_at([INVENTORY], revision):
            pass
        assert hint in (raised.value.hint or "")


def test_no_repository(tmp_path: Path) -> None:
    file = tmp_path / "pais.yaml"
    file.write_text("one\n")
    message = f"{tmp_path} is in no git repository"
    with pytest.raises(PaisctlError, match=message), project_at([file], "HEAD"):
        pass


def test_no_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PaisctlError, match="there is no git"), project_at([INVENTORY], "HEAD"):
        pass
