"""Where a control plane's API is."""

from __future__ import annotations

import httpx

from paisctl.errors import UsageError
from paisctl.inventory.types import parse_api_url


def api_address(url: str, path: str) -> httpx.URL:
    """The address that all paths of an API begin with.

    Args:
        url: the control plane's, as the inventory has it.
        path: what is added to it: `/api/v2`.

    Raises:
        UsageError: credentials may not be sent there; `parse_api_url` says why not.
    """
    try:
        address = httpx.URL(parse_api_url(url))
    except (httpx.InvalidURL, ValueError) as error:
        raise UsageError(f"the control plane cannot be asked: {error}") from None
    return address.copy_with(path=address.path.rstrip("/") + path)
