"""A project as it was at a revision of its git repository, beside the work tree and not in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from paisctl.errors import PaisctlError, UsageError
from paisctl.provenance import git_environment

_SHORT = 12  # hex digits of a commit, as everywhere in paisctl
_BUNDLES = ("stacks", "templates")
_LINK, _SUBMODULE = b"120000", b"160000"  # modes in a tree of git


@dataclass(frozen=True)
class Then:
    """A project as it was.

    Attributes:
        revision: as it was asked for; a commit's own name is shortened to `commit`.
        commit: the one that this is, 12 hex digits.
        paths: the inventory files as they were, in order; none if there was no inventory.
        folder: where they lie, and what was beside them.
        notes: what a person should know of it.
    """

    revision: str
    commit: str
    paths: tuple[Path, ...]
    folder: Path
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called, each name once: `main`, `1a2b3c4d5e6f`."""
        return tuple(dict.fromkeys((self.revision, self.commit)))

    def named(self, text: str) -> str:
        """A text in which files of then are called as git calls them, `main:inventory/pais.yaml`."""
        return text.replace(f"{self.folder}/", f"{self.revision}:")


@contextmanager
def project_at(paths: Sequence[Path], revision: str) -> Iterator[Then]:
    """Lay a project out as it was, in a folder of one's own that is gone afterwards.

    What git does not keep is taken as it is now. The work tree, the index and the repository stay
    as they are.

    Args:
        paths: the inventory, then its overlays, as they lie in the work tree.
        revision: what git knows a commit by.

    Raises:
        UsageError: git knows no such commit.
        PaisctlError: the inventory is in no repository, or git does not work.
    """
    repository = _Repository(paths[0].parent)
    commit = repository.commit(revision)
    called = commit[:_SHORT] if commit.startswith(revision.lower()) else revision
    with TemporaryDirectory(prefix="paisctl-") as folder:
        layout = _Layout(repository, commit, Path(folder).resolve())
        found = layout.lay_out(paths, called)
        yield Then(called, commit[:_SHORT], found, layout.root, tuple(layout.notes))


class _Repository:
    """The git repository that a folder is in."""

    def __init__(self, folder: Path) -> None:
        self.top = folder
        top = self.ask("rev-parse", "--show-toplevel")
        if top is None:
            if "dubious ownership" in self.complaint:
                hint = f"git config --global --add safe.directory {folder.resolve()}"
                raise PaisctlError(f"git refuses to read {folder}: it is somebody else's", hint)
            hint = "keep the project in git, or compare with the hosts: paisctl plan"
            raise PaisctlError(f"{folder.resolve()} is in no git repository", hint)
        self.top = Path(top)

    def commit(self, revision: str) -> str:
        name = f"{revision}^{{commit}}"
        if not revision.strip():
            raise UsageError("--base names no revision", "such as: --base main")
        found = None
        if not revision.startswith("-"):
            found = self.ask("rev-parse", "--verify", "--quiet", name)
        if found:
            return found
        message = f"there is no revision `{revision}` in {self.top}"
        if self.ask("rev-parse", "--is-shallow-repository") == "true":
            hint = "this clone is shallow: `fetch-depth: 0` for actions/checkout, else "
            raise UsageError(message, f"{hint}git fetch --unshallow")
        if self.ask("rev-parse", "--verify", "--quiet", f"refs/remotes/origin/{name}"):
            raise UsageError(message, f"did you mean `origin/{revision}`?")
        raise UsageError(message, "name a branch, a tag or a commit; `git fetch` what is elsewhere")

    def place(self, path: Path) -> PurePosixPath | None:
        """Where a file is in the repository; None if it lies elsewhere."""
        found = self.ask("rev-parse", "--show-toplevel", "--show-prefix", folder=path.parent)
        top, _, prefix = (found or "").partition("\n")
        return PurePosixPath(prefix) / path.name if top and Path(top) == self.top else None

    def knows(self, place: PurePosixPath) -> bool:
        """Whether a file belongs to the repository now."""
        return bool(self.ask("ls-files", "--", f":(literal){place}"))

    def tree(self, commit: str, *places: str) -> list[_Entry]:
        """What a commit has at some places, with all that is below; everything without places."""
        listed = self._run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *places)
        return [_Entry.read(line) for line in listed.split(b"\0") if line]

    def blobs(self, entries: Sequence[_Entry]) -> Iterator[bytes]:
        """The contents of files, one after the other."""
        names = b"".join(entry.blob + b"\n" for entry in entries)
        answer, start = self._run("cat-file", "--batch", given=names), 0
        for _ in entries:
            end = answer.index(b"\n", start)
            size = int(answer[start:end].split()[-1])
            yield answer[end + 1 : end + 1 + size]
            start = end + 1 + size + 1

    def ask(self, *arguments: str, folder: Path | None = None) -> str | None:
        """What git answers, or None if it does not."""
        done = self._git(arguments, folder or self.top)
        self.complaint = os.fsdecode(done.stderr)
        return os.fsdecode(done.stdout).removesuffix("\n") if done.returncode == 0 else None

    def _run(self, *arguments: str, given: bytes = b"") -> bytes:
        done = self._git(arguments, self.top, given)
        if done.returncode:
            complaint = os.fsdecode(done.stderr).strip().partition("\n")[0]
            raise PaisctlError(f"git {arguments[0]} in {self.top}: {complaint}")
        return done.stdout

    def _git(
        self, arguments: Sequence[str], folder: Path, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
        try:
            return subprocess.run(
                command, input=given, capture_output=True, check=False, env=git_environment()
            )
        except FileNotFoundError:
            raise PaisctlError("there is no git here", "install it: --base asks it") from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file in a tree of git."""

    mode: bytes
    blob: bytes
    path: PurePosixPath

    @classmethod
    def read(cls, line: bytes) -> _Entry:
        facts, _, name = line.partition(b"\t")
        mode, _, blob = facts.split()
        path = PurePosixPath(os.fsdecode(name))
        if path.is_absolute() or ".." in path.parts:
            raise PaisctlError(f"git has a file that lies outside of its tree: {path}")
        return cls(mode, blob, path)


class _Layout:
    """A folder in which a project is laid out as it was."""

    def __init__(self, repository: _Repository, commit: str, folder: Path) -> None:
        self.repository = repository
        self.commit = commit
        self.root = folder / "project"
        self.notes: list[str] = []

    def lay_out(self, paths: Sequence[Path], revision: str) -> tuple[Path, ...]:
        places = {path: self.repository.place(path) for path in paths}
        self._extract([place for place in places.values() if place])
        found = {path: self._find(path, place, revision) for path, place in places.items()}
        if found[paths[0]] is None:
            self.notes = [f"there is no {paths[0]} at {revision}: everything is new"]
            return ()
        return tuple(file for file in found.values() if file)

    def _find(self, path: Path, place: PurePosixPath | None, revision: str) -> Path | None:
        """An inventory file as it was, or else as it is; None if it was not there yet."""
        if place is None:
            self.notes.append(f"{path} is not in the repository: taken as it is on both sides")
            return path.absolute()
        file = self.root / place
        if os.path.lexists(file):
            return file
        if self.repository.knows(place):
            self.notes.append(f"there is no {path} at {revision}: all that it says is new")
            return None
        self.notes.append(f"git does not keep {path}: taken as it is on both sides")
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, file)
        return file

    def _extract(self, places: Sequence[PurePosixPath]) -> None:
        """Write the inventory files and the bundles that may be theirs."""
        self.root.mkdir()
        wanted = {str(place) for place in places}
        for folder in {place.parent for place in places}:
            wanted |= {str(folder / name) for name in _BUNDLES}
            if folder == PurePosixPath():
                self._link_above()
            else:
                wanted |= {str(folder.parent / name) for name in _BUNDLES}
        entries = self.repository.tree(self.commit, *sorted(wanted)) if wanted else []
        if any(entry.mode == _LINK for entry in entries):
            entries = self.repository.tree(self.commit)  # links may lead anywhere in it
        self._write(entries)

    def _link_above(self) -> None:
        """Bundles beside the repository's own folder are in no revision of it."""
        for name in _BUNDLES:
            above = self.repository.top.parent / name
            if above.is_dir():
                (self.root.parent / name).symlink_to(above)
                self.notes.append(f"{above} is not in the repository: taken as it is on both sides")

    def _write(self, entries: Sequence[_Entry]) -> None:
        files = [entry for entry in entries if entry.mode != _SUBMODULE]
        contents = zip(files, self.repository.blobs(files), strict=True)
        # Links come last, so that nothing is ever written through one.
        for entry, content in sorted(contents, key=lambda each: each[0].mode == _LINK):
            path = self.root / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry.mode == _LINK:
                path.symlink_to(os.fsdecode(content))
            else:
                path.write_bytes(content)
        for entry in entries:
            if entry.mode == _SUBMODULE:
                path = self.root / entry.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(self.repository.top / entry.path)
                self.notes.append(f"{entry.path} is a submodule: taken as it is on both sides")
