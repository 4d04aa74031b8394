"""Secret values: where they are kept, and how everything else speaks of them without them.

Desired state holds tokens, never values. A value replaces its token at the last moment, in the
bytes that are sent to a host. To notice a changed secret, values are compared through a keyed
digest (HMAC-SHA-256 with a key that lives beside the values), never a plain one, which would let
anyone who sees a plan or a manifest try out guesses.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets as random_source
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from paisctl.errors import PaisctlError
from paisctl.private_file import write_private

# Private-use characters: no inventory or template has reason to hold them, YAML lets them pass.
_OPEN, _CLOSE = "\ue000", "\ue001"
_TOKEN = re.compile(f"{_OPEN}([a-z][a-z0-9_]*)(?::([a-z]+))?{_CLOSE}")
# Line ends and the like to YAML, but not to JSON (https://yaml.org/spec/1.2.2/#51-character-set).
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SECRET_NAME = re.compile(r"PASS(WORD|WD)?|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE", re.IGNORECASE)
_DIGEST_KEY = "digest_key"
_TELLING = 4  # characters
_MAX_BYTES = 1024 * 1024  # of the secrets file


def token(name: str) -> str:
    """What stands in desired state for the secret called `name`."""
    return f"{_OPEN}{name}{_CLOSE}"


Quoting = Literal["json", "compose"]


def quoted(text: str, quoting: Quoting) -> str:
    """Have the values of a text's tokens escaped when they are revealed.

    Args:
        text: tokens in it stand between double quotes.
        quoting: `json` for strings of JSON and YAML, `compose` where Compose interpolates, too.
    """
    return _TOKEN.sub(rf"{_OPEN}\1:{quoting}{_CLOSE}", text)


def unquoted(text: str) -> str:
    """The text with tokens as `token` makes them, for values that were read back from YAML."""
    return _TOKEN.sub(rf"{_OPEN}\1{_CLOSE}", text)


def _in_json(value: str) -> str:
    inside = json.dumps(value, ensure_ascii=False)[1:-1]
    return _BREAKS.sub(lambda match: f"\\u{ord(match[0]):04x}", inside)


_ESCAPES: dict[str | None, Callable[[str], str]] = {
    None: str,
    "json": _in_json,
    "compose": lambda value: _in_json(value.replace("$", "$$")),
}


def has_token(text: str) -> bool:
    return _OPEN in text


def names_in(text: str) -> list[str]:
    """The secrets a text refers to, each once, in order."""
    return list(dict.fromkeys(match[1] for match in _TOKEN.finditer(text)))


def looks_secret(name: str) -> bool:
    """Whether a variable's name says that its value is a secret."""
    return bool(_SECRET_NAME.search(name))


def describe(text: str) -> str:
    """A text for people: each token as `(secret NAME)`."""
    return _TOKEN.sub(r"(secret \1)", text)


@dataclass(frozen=True, repr=False)
class Vault:
    """The values, and the key of their digests. Its `repr` shows neither."""

    values: Mapping[str, str]
    key: str

    def __repr__(self) -> str:
        return f"Vault({len(self.values)} secrets)"

    def missing(self, names: Iterable[str]) -> list[str]:
        return sorted(name for name in set(names) if name not in self.values)

    def require(self, names: Iterable[str]) -> None:
        """Insist on some secrets having values.

        Raises:
            PaisctlError: one of them has none yet.
        """
        missing = self.missing(names)
        if missing:
            hint = "`paisctl secrets init` generates what it can, and names what others give"
            raise PaisctlError(f"these secrets have no value yet: {', '.join(missing)}", hint)

    def reveal(self, text: str) -> str:
        """Replace every token by its value, escaped as `quoted` asked for.

        Raises:
            PaisctlError: a secret has no value yet.
        """
        return _TOKEN.sub(lambda match: _ESCAPES[match[2]](self._value(match[1])), text)

    def _value(self, name: str) -> str:
        if name not in self.values:
            hint = "run `paisctl secrets init` to generate it"
            raise PaisctlError(f"the secret `{name}` has no value yet", hint)
        return self.values[name]

    def seal(self, text: str) -> str:
        """A keyed digest of a revealed text: equal texts, equal digests, nothing to guess from.

        Raises:
            PaisctlError: there is no key yet, so that anyone could try out guesses.
        """
        if not self.key:
            hint = (
                "copy the secrets file from where the fleet was applied from; "
                "only for a new fleet, run `paisctl secrets init`"
            )
            raise PaisctlError("the secrets file has no key for digests yet", hint)
        digest = hmac.new(
            self.key.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha256
        )
        return f"sealed:{digest.hexdigest()[:32]}"

    def redact(self, text: str) -> str:
        """Replace every secret value that occurs in a text by `(secret NAME)`.

        Also where JSON escapes it, and line by line: logs cut a text of several lines into pieces.
        """
        names = {
            shown: name
            for name, value in self.values.items()
            for shown in (value, _in_json(value), *_lines_of(value))
            if shown
        }
        if not names:
            return text
        longest_first = sorted(names, key=lambda value: (-len(value), value))
        values = re.compile("|".join(map(re.escape, longest_first)))
        return values.sub(lambda match: f"(secret {names[match[0]]})", text)


def _lines_of(value: str) -> list[str]:
    """The lines of a value of several; a very short one would hide half of every text."""
    lines = [line.strip() for line in value.splitlines()]
    return [line for line in lines if len(line) >= _TELLING] if len(lines) > 1 else []


def load_vault(path: Path) -> Vault:
    """Read the values; a file that does not exist yet is an empty vault.

    Raises:
        PaisctlError: the file can be read by others, or is not a mapping of names to texts.
    """
    if not path.exists():
        return Vault({}, "")
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise PaisctlError(f"{path} is not a regular file")
    if mode & 0o077:
        by_others = f"{path} can be read by others (mode {stat.S_IMODE(mode):04o})"
        raise PaisctlError(by_others, f"chmod 600 {path}")
    try:
        data = _read_mapping(path)
    except (yaml.YAMLError, ValueError):
        # The parser's own message quotes the line it stopped at, which holds a secret.
        raise PaisctlError(f"{path} is not valid YAML") from None
    if not (isinstance(data, dict) and all(map(_is_text, (*data, *data.values())))):
        raise PaisctlError(f"{path} is not a mapping of secret names to texts")
    return Vault({k: v for k, v in data.items() if k != _DIGEST_KEY}, data.get(_DIGEST_KEY, ""))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value  # which no process can be given


def _read_mapping(path: Path) -> Any:
    """The data of a secrets file; None when it nests, as no mapping of names to texts does."""
    with path.open("rb") as stream:
        text = stream.read(_MAX_BYTES + 1).decode("utf-8")
    if len(text) > _MAX_BYTES:
        raise PaisctlError(f"{path} has more than {_MAX_BYTES // 1024**2} MiB")
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        if depth > 1 or isinstance(event, yaml.AliasEvent):
            return None
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    lines: dict[object, int] = {}
    for name, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        line = name.start_mark.line + 1
        if lines.setdefault(name.value, line) != line:
            message = f"{path} gives one name two values, in lines {lines[name.value]} and {line}"
            raise PaisctlError(message, "remove one of them")
    return yaml.load(text, Loader=yaml.CSafeLoader)


def init_secrets(path: Path, lengths: Mapping[str, int]) -> list[str]:
    """Generate the values that are missing; one that exists is never replaced.

    Args:
        path: the file that keeps them.
        lengths: each secret's length in random bytes, by name.

    Returns:
        The names that were generated now.
    """
    vault = load_vault(path)
    new = [name for name in sorted(lengths) if name not in vault.values]
    if not new and vault.key:
        return []
    values = dict(vault.values) | {name: random_source.token_hex(lengths[name]) for name in new}
    values[_DIGEST_KEY] = vault.key or random_source.token_hex(32)
    heading = "# Secret values. Never commit this file; keep a copy in a password manager.\n"
    text = heading + yaml.safe_dump(values, sort_keys=True, allow_unicode=True)
    write_private(path, text.encode())
    return new
