"""What a node keeps in its storage volume: the consensus state, and what writes files whole."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from qdrant_standin.metadata import Entry, empty_document

STATE_FILE = "raft_state.json"
# Larger ids would not survive JSON readers that use floating point (Qdrant's persistent.rs).
PEER_IDS = 1 << 53


@dataclass
class RaftState:
    """What consensus must remember across restarts, kept in `raft_state.json`.

    `last` is the newest entry accepted, `committed` the newest known to be agreed on.
    """

    path: Path
    peer_id: int
    term: int
    vote: int | None
    last: Entry
    committed: Entry

    @classmethod
    def load_or_initialize(cls, storage: Path) -> RaftState:
        """The state kept in `storage`, or a new one with a new random peer id."""
        path = storage / STATE_FILE
        if not path.exists():
            nothing = Entry(0, 0, empty_document())
            state = cls(path, random.randrange(1, PEER_IDS), 0, None, nothing, nothing)  # noqa: S311
            state.save()
            return state
        kept = json.loads(path.read_text())
        return cls(
            path=path,
            peer_id=kept["this_peer_id"],
            term=kept["term"],
            vote=kept["vote"],
            last=Entry(**kept["last"]),
            committed=Entry(**kept["committed"]),
        )

    @property
    def is_new_deployment(self) -> bool:
        """Whether this node has never belonged to a cluster."""
        return not self.committed.document["peers"]

    def save(self) -> None:
        write_whole(
            self.path,
            json.dumps(
                {
                    "this_peer_id": self.peer_id,
                    "term": self.term,
                    "vote": self.vote,
                    "last": self.last.__dict__,
                    "committed": self.committed.__dict__,
                }
            ),
        )


def write_whole(path: Path, text: str) -> None:
    """Replace `path` so that a reader, or a crash of this process, never sees half of it."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
