"""Metadata of a node that runs alone, with the cluster mode off."""

from __future__ import annotations

import threading
from collections.abc import Callable

from qdrant_standin.metadata import Document, Entry, Operation
from qdrant_standin.operations import changed
from qdrant_standin.storage import RaftState


class Standalone:
    """Agrees with nobody: an operation is carried out as soon as it is asked for."""

    def __init__(self, state: RaftState, on_commit: Callable[[Document, Document], None]) -> None:
        self.peer_id = state.peer_id
        self._state = state
        self._on_commit = on_commit
        self._lock = threading.Lock()

    @property
    def agreed(self) -> Entry:
        return self._state.committed

    @property
    def document(self) -> Document:
        return self._state.committed.document

    @property
    def commit(self) -> int:
        return self._state.committed.index

    def await_index(self, index: int, seconds: float = 0) -> None:
        """Return at once: there is nobody to hear of changes from."""

    def await_everywhere(self) -> None:
        """Return at once, for the same reason."""

    def propose(self, operation: Operation) -> None:
        with self._lock:
            before = self._state.committed
            document = changed(before.document, operation, before.index + 1)
            self._on_commit(before.document, document)
            self._state.last = self._state.committed = Entry(before.index + 1, 0, document)
            self._state.save()
