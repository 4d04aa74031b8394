"""The workflows for CI: that they are ones, and what they run, run on a clone with a change."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import yaml

from tests.simulated.fleet import REPOSITORY

CI = REPOSITORY / "examples/ci"
WORKFLOWS = ("github.yaml", "gitea.yaml")
MARKER = "<!-- paisctl plan -->"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=ann", "-c", "user.email=ann@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a project with the reference fleet, on a branch of its own."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    origin = tmp_path / "origin"
    (origin / "inventory").mkdir(parents=True)
    shutil.copy(REPOSITORY / "inventory/pais.yaml", origin / "inventory")
    for folder in ("stacks", "templates"):
        unwanted = shutil.ignore_patterns("__pycache__", "*_driver")
        shutil.copytree(REPOSITORY / folder, origin / folder, ignore=unwanted)
    shutil.copytree(CI, origin / "ci")
    shutil.rmtree(origin / "stacks/qdrant")  # it comes with paisctl, driver and all
    git(origin, "init", "-q", "-b", "main")
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "The fleet")
    git(tmp_path, "clone", "-q", str(origin), "clone")
    git(tmp_path / "clone", "checkout", "-q", "-b", "change")
    return tmp_path / "clone"


def change(clone: Path, old: str, new: str, path: str = "inventory/pais.yaml") -> None:
    file = clone / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    git(clone, "commit", "-q", "-a", "-m", "A change")


def check(
    clone: Path, base: str = "origin/main", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the script as a workflow does: on this machine there is no host, and no secret."""
    own = {name: os.environ[name] for name in os.environ if name.startswith("GIT_CONFIG")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(clone), **own, **variables}
    command = ["sh", "ci/check", base, "plan.md"]
    return subprocess.run(
        command, cwd=clone, env=environment, check=False, capture_output=True, text=True
    )


def test_a_change_is_linted_and_planned(clone: Path) -> None:
    change(clone, "redis-cache: {memory: 8g}", "redis-cache: {memory: 7g}")
    # What others do to main meanwhile is no part of the change.
    origin = clone.parent / "origin"
    change(origin, "embeddings: {memory: 4g}", "embeddings: {memory: 5g}")
    git(clone, "fetch", "-q")
    summary = clone.parent / "summary.md"
    done = check(clone, GITHUB_STEP_SUMMARY=str(summary))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no problems in inventory/pais.yaml\n"
    text = (clone / "plan.md").read_text()
    start = git(clone, "rev-parse", "--short=12", "origin/main~1").strip()
    assert text.startswith("### Plan: 2 to change on 1 of 15 hosts.\n")
    assert f"Against `{start}`." in text
    assert "| `redis-cache` service redis memory limit | `8 GiB → 7 GiB` | recreate, inv" in text
    assert summary.read_text() == text
    assert git(clone, "status", "--porcelain") == "?? plan.md\n"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GITHUB_ACTIONS": "true"}, "::error file=inventory/pais.yaml,line="),
        ({"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true"}, "error: `redis-cache` has no"),
        ({}, "error: `redis-cache` has no"),
    ],
)
def test_a_mistake_fails_and_is_in_the_comment(
    clone: Path, variables: dict[str, str], said: str
) -> None:
    change(clone, "redis-cache: {memory: 8g}", "redis-cache: {memory: 8g, memroy: 8g}")
    done = check(clone, **variables)
    assert done.returncode == 1
    assert said in done.stdout.replace("`redis-cache` on k6", "`redis-cache`")
    text = (clone / "plan.md").read_text()
    assert text.startswith("### There is no plan for this change\n\n    error: ")
    assert "memroy" in text


def test_a_clone_that_is_too_shallow(clone: Path) -> None:
    change(clone, "redis-cache: {memory: 8g}", "redis-cache: {memory: 7g}")
    shallow = clone.parent / "shallow"
    git(clone.parent, "clone", "-q", "--depth=1", "--branch=change", f"file://{clone}", "shallow")
    missing = git(clone, "rev-parse", "origin/main").strip()
    done = check(shallow, missing)
    assert done.returncode == 1
    assert "fetch-depth: 0" in done.stderr
    assert "fetch-depth: 0" in (shallow / "plan.md").read_text()


def workflow(name: str) -> Any:
    # In YAML 1.1 the key `on` is true.
    return {
        str(k).replace("True", "on"): v for k, v in yaml.safe_load((CI / name).read_text()).items()
    }


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_one(name: str) -> None:
    vendored = resources.files("check_jsonschema.builtin_schemas.vendor")
    schema = json.loads(vendored.joinpath("github-workflows.json").read_text("utf-8"))
    jsonschema.validate(workflow(name), schema)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_safe(name: str) -> None:
    found = workflow(name)
    # With pull_request_target a fork's code would run with a token that writes.
    assert set(found["on"]) == {"pull_request"}
    allowed = found["permissions"]
    assert {scope for scope, access in allowed.items() if access == "write"} <= {
        "pull-requests",
        "issues",
    }
    assert allowed["contents"] == "read"
    assert not any("permissions" in job for job in found["jobs"].values())
    steps = [step for job in found["jobs"].values() for step in job["steps"]]
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
        # What a stranger may choose, such as a branch's name, must not become a part of a script.
        assert "${{" not in step.get("run", "")
    assert (CI / name).read_text().count(" # v") == sum("uses" in step for step in steps)
    fetched = next(step for step in steps if "checkout" in step.get("uses", ""))
    assert fetched["with"] == {"fetch-depth": 0, "persist-credentials": False}
    with_token = [step for step in steps if "TOKEN" in step.get("env", {})]
    assert [step["name"] for step in with_token] == ["Comment"]
    assert "head.repo.full_name == github.repository" in with_token[0]["if"]


def test_the_workflows_run_the_same_steps() -> None:
    github, gitea = (workflow(name)["jobs"]["check"]["steps"] for name in WORKFLOWS)
    assert github == gitea
    assert "sh ci/check" in str(github)
    assert "ci/comment.py plan.md" in str(github)


@contextmanager
def server(comments: list[dict[str, Any]], *, pages: bool) -> Iterator[str]:
    """The comments of a pull request; with `pages` not all of them at once."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, body: object) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def _given(self) -> str:
            assert self.headers["Authorization"] == "token t0ken"
            text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
            return text

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            assert url.path == "/repos/ann/home/issues/7/comments"
            page, size = (int(parse_qs(url.query)[name][0]) for name in ("page", "per_page"))
            first = (page - 1) * size
            self._answer(comments[first : first + size] if pages else comments)

        def do_POST(self) -> None:
            assert self.path == "/repos/ann/home/issues/7/comments"
            comments.append({"id": len(comments), "body": self._given()})
            self._answer(comments[-1])

        def do_PATCH(self) -> None:
            number = int(self.path.removeprefix("/repos/ann/home/issues/comments/"))
            comments[number]["body"] = self._given()
            self._answer(comments[number])

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.mark.parametrize("pages", [True, False], ids=["GitHub", "Gitea"])
@pytest.mark.parametrize("others", [0, 3, 50, 120])
def test_the_comment_is_kept_up_to_date(tmp_path: Path, others: int, *, pages: bool) -> None:
    comments = [{"id": n, "body": f"I quote: {MARKER}"} for n in range(others)]
    file = tmp_path / "plan.md"
    with server(comments, pages=pages) as url:
        environment = {"GITHUB_API_URL": url, "GITHUB_REPOSITORY": "ann/home", "TOKEN": "t0ken"}
        for text in ("one\n", "two \u2192 ü\n"):
            file.write_text(text, "utf-8")
            command = [sys.executable, str(CI / "comment.py"), str(file), "7"]
            subprocess.run(command, env=environment, check=True)
    assert [each["body"] for each in comments[others:]] == [f"{MARKER}\ntwo \u2192 ü\n"]
