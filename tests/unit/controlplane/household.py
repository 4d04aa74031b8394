"""The tailnet of these tests."""

from __future__ import annotations

from tests.controlplane.tailnet import Device, Tailnet, User

OWNER, ADMIN, CHILD = "owner@example.com", "admin@example.com", "child@example.com"
LAPTOP, PHONE, TABLET = "100.64.0.1", "100.64.0.2", "100.64.0.3"
NAS, BOX, ROUTER = "100.64.0.10", "100.64.0.11", "100.64.0.12"

USERS = (User(OWNER, "owner"), User(ADMIN, "admin"), User(CHILD))
DEVICES = (
    Device("laptop", (LAPTOP, "fd7a:115c:a1e0::1"), user=OWNER),
    Device("phone", (PHONE, "fd7a:115c:a1e0::2"), user=OWNER),
    Device("tablet", (TABLET, "fd7a:115c:a1e0::3"), user=CHILD),
    Device("nas", (NAS, "fd7a:115c:a1e0::10"), ("tag:nas",), OWNER),
    Device("box", (BOX, "fd7a:115c:a1e0::11"), ("tag:box", "tag:server"), OWNER),
    Device("router", (ROUTER, "fd7a:115c:a1e0::12"), ("tag:router",), routes=("192.168.7.0/24",)),
)
TAILNET = Tailnet(DEVICES, USERS)

POLICY = """// A household.
{
  "groups": {"group:admins": ["owner@example.com"], "group:family": ["child@example.com"]},
  "hosts": {"printer": "192.168.7.9", "lan": "192.168.7.0/24"},
  "tagOwners": {
    "tag:nas": ["autogroup:admin"], "tag:box": [], "tag:server": [], "tag:router": [],
  },
  "grants": [
    {"src": ["group:admins"], "dst": ["tag:nas", "tag:box"], "ip": ["tcp:22", "tcp:443"]},
    /* the family's */
    {"src": ["group:family"], "dst": ["tag:box"], "ip": ["tcp:3001"]},
  ],
  "tests": [
    {"src": "owner@example.com", "accept": ["tag:nas:22"], "deny": ["tag:nas:3001"]},
    {"src": "group:family", "accept": ["tag:box:3001"], "deny": ["tag:nas:22", "tag:box:22"]},
  ],
}
"""
