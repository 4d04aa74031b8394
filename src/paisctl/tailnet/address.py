"""Where a control plane's API may be: TLS everywhere, but for one on this machine."""

from __future__ import annotations

import ipaddress

import httpx

from paisctl.errors import UsageError


def api_address(url: str, path: str) -> httpx.URL:
    """The address that all paths of an API begin with.

    Args:
        url: the control plane's, as the inventory has it.
        path: what is added to it: `/api/v2`.

    Raises:
        UsageError: it is no `https://` address, holds a password, or would send one in the clear.
    """
    try:
        address = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        raise UsageError(f"`{url}` is no address of a control plane") from None
    if address.userinfo:
        hint = "give the credential in the environment or as a secret of the inventory"
        raise UsageError("the address of the control plane holds a password", hint)
    if address.scheme not in ("http", "https") or not address.host or address.query:
        raise UsageError(f"`{url}` is no address of a control plane", "write `https://NAME`")
    if address.scheme == "http" and not is_loopback(address):
        hint = "write `https://`; `http://` is for this machine alone"
        raise UsageError(f"`{url}` would send the credential unencrypted", hint)
    return address.copy_with(path=address.path.rstrip("/") + path)


def is_loopback(address: httpx.URL) -> bool:
    """Whether an address is on this machine, without asking DNS."""
    if address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return False
