"""The policy file that a control plane holds: its text as it was posted, and what it comes to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tests.controlplane import hujson, policy_tests, validation
from tests.controlplane.dialect import Dialect
from tests.controlplane.packet_filter import PacketFilter, compile_policy
from tests.controlplane.tailnet import Tailnet

Listener = Callable[[PacketFilter], None]


class PolicyFile:
    """The policy in force in a tailnet."""

    def __init__(self, text: str, tailnet: Tailnet, dialect: Dialect) -> None:
        self.text = text
        self.untouched = True
        self.tailnet = tailnet
        self.dialect = dialect
        self._listeners: list[Listener] = []

    @property
    def etag(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def checked(self, text: str) -> hujson.Document:
        """Read a policy and check all of it.

        Raises:
            SyntaxProblem: it is no HuJSON.
            Refused: the control plane does not take it.
        """
        document = hujson.parse(text)
        validation.check(document.value, self.dialect, self.tailnet.domains)
        policy_tests.run(document.value, self.tailnet, self.dialect)
        return document

    def set(self, text: str) -> None:
        """Check a policy and put it in force.

        Raises:
            SyntaxProblem, Refused: as `checked`.
        """
        self.checked(text)
        self.put(text)

    def put(self, text: str) -> None:
        """Put a policy in force, whatever it says, and tell who listens."""
        self.text = text
        self.untouched = False
        self.tell()

    def filter(self) -> PacketFilter:
        return compile_policy(hujson.parse(self.text).value, self.tailnet)

    def on_change(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def tell(self) -> None:
        compiled = self.filter()
        for listener in self._listeners:
            listener(compiled)
