"""Secrets that were written out where a name should stand.

Formats of tokens are those their issuers publish, so that scanners can find them: GitHub
(https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/), Slack, AWS,
Google, Stripe, Anthropic, OpenAI, Tailscale, Telegram, and PEM private keys.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

_NAMED = re.compile(
    r"(?:^|[_\-. ])(?:password|passwd|passphrase|pwd|secret|token|credentials?|"
    r"(?:api|private|secret|access|auth|encryption|master)_?key)$",
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[\w-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}"
    r"|sk-(?:ant-|proj-)?[\w-]{20,}|[rs]k_live_[A-Za-z0-9]{16,}|tskey-[a-z]+-[\w-]{10,}"
    r"|hf_[A-Za-z0-9]{30,}|nvapi-[\w-]{20,}|npm_[A-Za-z0-9]{36}|[0-9]{8,10}:AA[\w-]{33}"
    r"|(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})"
)
_IN_URL = re.compile(r"://[^/\s:@]*:([^@/\s]+)@")
_WORD = re.compile(r"[A-Za-z0-9+/=_\-]{24,}")
_HEX = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
# Long and random, yet public: image digests, host keys.
_PUBLIC = re.compile(
    r"sha(?:256|512)[:-][A-Za-z0-9+/=]+|(?<!\S)(?:ssh-|ecdsa-)\S+\s+\S+|AAAA[A-Za-z0-9+/=]+"
)
# A path, a shell's or a template's variable: where the value is, not the value.
_REFERRING = ("/", "~/", "$", "{{", "vars.")
_MIN_RUN = 20
_MIN_ENTROPY = 4.0  # bits per character; English words have less, base64 of random bytes more


def is_secret_name(name: str) -> bool:
    """Whether a key says that its value is a secret: `api_key`, `QDRANT__SERVICE__API_KEY`."""
    return bool(_NAMED.search(name.removesuffix("_")))


def leak(name: str, value: Any) -> str | None:
    """What makes a literal look like a secret, in words that do not show it; else None.

    Args:
        name: the nearest key above the value.
        value: a scalar of the inventory.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    key, separator, assigned = text.partition("=")
    if separator and re.fullmatch(r"\w+", key) and is_secret_name(key) and assigned:
        return f"`{key}` has its value written out"
    if is_secret_name(name) and text and not text.startswith(_REFERRING):
        return f"`{name}` has its value written out"
    if _KNOWN.search(text):
        return f"`{name}` holds what looks like an access token"
    if _IN_URL.search(text):
        return f"`{name}` has a password in a URL"
    return None


def looks_random(text: str) -> bool:
    """Whether a text holds a long random-looking word, as keys and tokens are."""
    for word in _WORD.findall(_PUBLIC.sub("", text)):
        if _HEX.fullmatch(word) or (_is_mixed(word) and _entropy(word) >= _MIN_ENTROPY):
            return True
    return False


def mask(text: str) -> str:
    """A line for people with what looks like a secret replaced by as many asterisks."""
    for start, end in _named_values(text):
        text = text[:start] + _stars(text[start:end]) + text[end:]
    text = _KNOWN.sub(lambda match: _stars(match[0]), text)
    text = _IN_URL.sub(lambda match: match[0].replace(match[1], _stars(match[1])), text)
    return _PLAIN_WORD.sub(lambda m: _stars(m[0]) if looks_random(m[0]) else m[0], text)


# A key, and its value: all that follows on its line; amid others, up to a comma or bracket.
_KEY = r"""(["']?)(?<![\w.\-])([\w.\-]+)\1"""
_ALONE = re.compile(rf"\s*(?:-\s+)*{_KEY}\s*:\s+(?=[^\s{{\[|>&*])")
_REST = re.compile(r".+")
_INLINE = re.compile(rf"{_KEY}\s*[:=]\s*")
_ITEM = re.compile(r""""[^"]*"?|'[^']*'?|[^\s,{}\[\]"'][^,}\]]*""")
_PLAIN_WORD = re.compile(r"[^\s\"'{},]+")
_REFERENCE = re.compile(r"[a-z][a-z0-9_]*")


def _named_values(text: str) -> Iterator[tuple[int, int]]:
    """Where the values of secret names are, without their quotes."""
    key, value_of, at = _ALONE.match(text), _REST, 0
    while key or (key := _INLINE.search(text, at)):
        at = key.end()
        is_literal = is_secret_name(key[2]) and not text.startswith(_REFERRING, at)
        value = value_of.match(text, at) if is_literal else None
        if value and not (key[2] == "secret" and _REFERENCE.fullmatch(value[0])):
            quote = value[0][0]
            inner = value[0].strip(quote) if quote in "\"'" else value[0]
            start = value.start() + value[0].index(inner)
            at = value.end()
            yield start, start + len(inner)
        key, value_of = None, _ITEM


def _stars(text: str) -> str:
    return "*" * len(text)


def _is_mixed(word: str) -> bool:
    runs = re.findall(r"[A-Za-z0-9]+", word)
    kinds = (str.isdigit, str.isupper, str.islower)
    return max(map(len, runs), default=0) >= _MIN_RUN and all(any(map(k, word)) for k in kinds)


def _entropy(word: str) -> float:
    counts = Counter(word).values()
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts)
