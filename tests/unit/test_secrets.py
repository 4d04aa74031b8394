from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from paisctl.errors import PaisctlError
from paisctl.pipeline import desire, lint
from paisctl.secrets import (
    Vault,
    describe,
    init_secrets,
    load_vault,
    looks_secret,
    names_in,
    quoted,
    token,
    unquoted,
)

FLEET = Path(__file__).parents[1] / "cases/plan/fleet"
NASTY = "a\"b'c\\d$e${f}#g: h\n\ti\x85\u2028é漢🔑\x7f"


def test_a_token_is_revealed_and_described() -> None:
    text = f"x={token('one')} {token('two')} {token('one')}"
    assert names_in(text) == ["one", "two"]
    assert describe(text) == "x=(secret one) (secret two) (secret one)"
    assert Vault({"one": "1", "two": "2"}, "key").reveal(text) == "x=1 2 1"


def test_a_value_between_quotes_is_escaped() -> None:
    vault = Vault({"one": NASTY}, "key")
    text = f'{{"a": "x{token("one")}"}}'
    assert json.loads(vault.reveal(quoted(text, "json")))["a"] == f"x{NASTY}"
    assert yaml.safe_load(vault.reveal(quoted(text, "json")))["a"] == f"x{NASTY}"
    compose = yaml.safe_load(vault.reveal(quoted(text, "compose")))["a"]
    assert compose == f"x{NASTY}".replace("$", "$$")
    assert unquoted(quoted(text, "compose")) == text
    assert describe(quoted(token("one"), "json")) == "(secret one)"


def test_a_missing_value_is_an_error_that_names_it() -> None:
    with pytest.raises(PaisctlError, match="`one` has no value"):
        Vault({}, "key").reveal(token("one"))


def test_nothing_is_sealed_without_a_key() -> None:
    with pytest.raises(PaisctlError, match="no key"):
        Vault({"one": "1"}, "").seal("1")


def test_redacting_prefers_the_longest_value() -> None:
    vault = Vault({"short": "secret", "long": "secret sauce", "empty": ""}, "key")
    assert vault.redact("the secret sauce is secret") == "the (secret long) is (secret short)"


def test_a_secret_of_several_lines_is_found_in_pieces_and_escaped() -> None:
    """A log has one line at a time, and programs print what they were given as JSON."""
    vault = Vault({"pem": '-----BEGIN\n  line "one"\nx\n'}, "key")
    shown = vault.redact('line "one"') + vault.redact(r'{"a": "-----BEGIN\n  line \"one\"\nx\n"}')
    assert shown == '(secret pem){"a": "(secret pem)"}'
    assert vault.redact("x") == "x"


@pytest.mark.parametrize("name", ["DB_PASSWORD", "apiKey", "API_KEY", "token", "PRIVATE_KEY"])
def test_names_that_sound_secret(name: str) -> None:
    assert looks_secret(name)


def test_values_are_generated_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets.yaml"
    path.touch(0o600)
    path.write_text("mine: hand made\n")
    assert init_secrets(path, {"mine": 32, "new": 16}) == ["new"]
    before = path.read_bytes()
    vault = load_vault(path)
    assert vault.values["mine"] == "hand made"
    assert len(vault.values["new"]) == 32
    assert len(vault.key) == 64
    assert init_secrets(path, {"mine": 32, "new": 16}) == []
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["- a", "a: 1", "a: {b: c}", "a: [", "\xff"])
def test_files_that_are_no_secrets(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.yaml"
    path.touch(0o600)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(PaisctlError):
        load_vault(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text("a: b\n")
    path.chmod(mode)
    with pytest.raises(PaisctlError, match="can be read by others"):
        load_vault(path)


def project(directory: Path, compose: str, files: str = "[]") -> Path:
    stack = directory / "stacks/db"
    stack.mkdir(parents=True)
    bundle = (FLEET / "stacks/db/bundle.yaml").read_text()
    (stack / "bundle.yaml").write_text(f"{bundle}files: {files}\n")
    (stack / "compose.yaml.j2").write_text(compose)
    (stack / "conf.j2").write_text("password {{ vars.password }}\n")
    text = (FLEET / "inventory.yaml").read_text().replace("      web: {memory: 1g}\n", "")
    (directory / "inventory.yaml").write_text(
        text.replace('  web:\n    images: {app: {tag: "2.0"}}\n', "")
    )
    return directory / "inventory.yaml"


COMPOSE = """\
services:
  db:
    image: {{ images.db | json }}
    ports: [{{ ports.sql | string | json }}]
    volumes: ["data:/var/lib/postgresql"]
    restart: always
    %s
volumes: {data: }
"""


@pytest.mark.parametrize(
    "place",
    [
        "command: [serve, --password, {{ vars.password | json }}]",
        "labels: {password: {{ vars.password | json }}}",
        "healthcheck: {test: check {{ vars.password }}}",
    ],
)
def test_a_secret_that_everyone_on_the_host_could_read_is_an_error(
    tmp_path: Path, place: str
) -> None:
    found = lint([project(tmp_path, COMPOSE % place)])
    assert [item.code for item in found.errors] == ["exposed-secret"]
    mark = found.errors[0].mark
    assert mark
    assert Path(mark.file).name == "inventory.yaml"


def test_a_file_with_a_secret_is_private_whatever_its_bundle_says(tmp_path: Path) -> None:
    files = "[{path: x/conf, template: conf.j2, mode: '0644', on_change: {action: none}}]"
    desired = desire([project(tmp_path, COMPOSE % "read_only: true", files)])
    file = desired.hosts["box"].stacks["db"].files["x/conf"]
    assert (file.secret, file.mode) == (True, "0600")
