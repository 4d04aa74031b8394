"""A small household, and its control planes."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import pytest

from tests.controlplane.headscale import HeadscaleServer
from tests.controlplane.server import TailscaleServer
from tests.unit.controlplane.household import DEVICES, POLICY, USERS


@pytest.fixture
def tailscale() -> Iterator[TailscaleServer]:
    with TailscaleServer(policy=POLICY, devices=DEVICES, users=USERS) as server:
        yield server


@pytest.fixture
def headscale() -> Iterator[HeadscaleServer]:
    with HeadscaleServer(policy=POLICY, devices=DEVICES, users=USERS) as server:
        yield server


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """One client for all: to read the certificates of the world anew takes longer than a test."""
    with httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False) as client:
        yield client
