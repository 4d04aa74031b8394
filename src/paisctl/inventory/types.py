"""The small values an inventory is made of, each with a parser that says what is wrong."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|ns|h|m|s))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")
_NANOSECONDS = {"h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
# What would not be sent, or not as it is written: query, fragment, blanks, and what urllib drops.
_NOT_IN_URL = re.compile(r"[?#\\\s\x00-\x1f\x7f]")
_INT64 = 2**63  # Docker counts bytes and nanoseconds in 64 bits
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(value: Any) -> int:
    """Bytes from `36g`, `512m`, `64GiB` or a plain number; units are powers of 1024.

    `g`, `gb` and `GiB` mean the same, as they do to Docker (docker/go-units RAMInBytes).

    Raises:
        ValueError: it is not a size, is zero, or more than Docker can count.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _INT64:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = float(match[1]) * 1024 ** _POWERS[match[2].lower()] if match else 0.0
    if not 1 <= size < _INT64:
        raise ValueError(f"`{value}` is not a size; write for example 512m, 4g or 64GiB")
    return int(size)


def format_size(size: int) -> str:
    """A size for people, in the largest binary unit that keeps it short: `22 GiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} TiB"


def parse_duration(value: Any) -> float:
    """Seconds from `30s`, `1m30s`, `500ms` (Go's duration syntax, as Compose uses it).

    Raises:
        ValueError: it is not a duration.
    """
    if not (isinstance(value, str) and _DURATION.fullmatch(value)):
        raise ValueError(f"`{value}` is not a duration; write for example 30s, 5m or 1m30s")
    # In whole nanoseconds, as Docker counts, so that equal durations are equal numbers.
    parts = _DURATION_PART.findall(value)
    nanoseconds = [float(number) * _NANOSECONDS[unit] for number, unit in parts]
    if sum(nanoseconds) >= _INT64:
        raise ValueError(f"`{value}` is longer than Docker can count")
    return sum(map(round, nanoseconds)) / 1e9


def _duration_text(value: Any) -> str:
    parse_duration(value)
    return str(value)


def parse_port(value: Any) -> int:
    """A TCP or UDP port number.

    Raises:
        ValueError: it is not a whole number from 1 to 65535.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ValueError(f"`{value}` is not a port; ports are whole numbers from 1 to 65535")
    return value


def parse_address(value: Any) -> str:
    """An IPv4 or IPv6 address, normalised.

    Raises:
        ValueError: it is not an address.
    """
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        hint = "write an IP address such as 100.64.0.11; names do not resolve in containers"
        raise ValueError(f"`{value}` is not an address; {hint}") from None


def parse_api_url(value: str) -> str:
    """The address of an API that credentials are sent to: TLS, but for one on this machine.

    Raises:
        ValueError: it is no such address, has more to it than host, port and path, or would send
            credentials in the clear; a password in it is not repeated.
    """
    text = value.strip()
    unfit = ValueError(f"`{text}` is no address of an API; write `https://HOST`")
    try:
        parts = urllib.parse.urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise unfit from None
    if "@" in parts.netloc:
        hint = "credentials belong in the environment, or are a secret of the inventory"
        raise ValueError(f"the address of the API holds a password; {hint}")
    if parts.scheme not in ("http", "https") or not host or _NOT_IN_URL.search(text):
        raise unfit
    if parts.scheme == "http" and not is_loopback(host):
        hint = "write `https://`; `http://` is for this machine alone"
        raise ValueError(f"`{text}` would send credentials unencrypted: {hint}")
    return text


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, without asking DNS."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that nobody sees")
    return text


SIZE_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[kmgtKMGT]?([iI]?[bB])?$"},
    ]
}
DURATION_SCHEMA = {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|us|ns|h|m|s))+$"}

Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(SIZE_SCHEMA)]
Duration = Annotated[str, BeforeValidator(_duration_text), WithJsonSchema(DURATION_SCHEMA)]
Port = Annotated[int, BeforeValidator(parse_port), Field(ge=1, le=65535)]
Address = Annotated[str, BeforeValidator(parse_address)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]

# As Tailscale shows them (`name@example.com`, `name@github`), and Headscale (`name@`). They become
# parts of rules, where blanks, colons and stars mean something.
Login = Annotated[
    str,
    StringConstraints(pattern=r"^[^\s@:,*\"\\]+@[^\s@:,*\"\\]*$", max_length=254),
    AfterValidator(_printable),
]
