"""The control plane of a fleet's tailnet, signed in to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from paisctl.errors import CredentialsRefused
from paisctl.inventory.load import Fleet
from paisctl.secrets import load_vault
from paisctl.tailnet.control import ControlPlane
from paisctl.tailnet.credentials import (
    Credentials,
    from_environment,
    oauth_client,
    token,
    variables,
)
from paisctl.tailnet.headscale import Headscale
from paisctl.tailnet.tailscale import URL, Tailscale


def find_credentials(fleet: Fleet) -> Credentials | None:
    """How to sign in: as the environment says, else as the inventory does; None if neither does.

    Raises:
        CredentialsRefused: what there is cannot be used.
        PaisctlError: the inventory names a secret that has no value.
    """
    settings = fleet.inventory.tailnet
    found = from_environment(settings.control, os.environ)
    if found:
        return found
    named = settings.api.token or settings.api.client_secret
    if named is None:
        return None
    vault = load_vault(fleet.secrets_file)
    vault.require([named.secret])
    origin, value = f"the secret `{named.secret}`", vault.values[named.secret]
    if settings.api.client_id is not None:
        return oauth_client(settings.api.client_id, value, origin)
    return token(value, origin)


@contextmanager
def connect(fleet: Fleet) -> Iterator[ControlPlane]:
    """Sign in to the control plane of a fleet's tailnet; close the connection at the end.

    Raises:
        CredentialsRefused: there are no credentials, or they cannot be used.
    """
    settings = fleet.inventory.tailnet
    credentials = find_credentials(fleet)
    if credentials is None:
        raise CredentialsRefused(
            "there are no credentials for the tailnet's control plane",
            f"set {variables(settings.control)}, or name a secret under `tailnet.api`",
        )
    with closing(_control(settings.control, settings.url, credentials)) as control:
        yield control


def _control(kind: str, url: str | None, credentials: Credentials) -> Tailscale | Headscale:
    if kind == "headscale":
        return Headscale(credentials, url or "")
    return Tailscale(credentials, url or URL)
