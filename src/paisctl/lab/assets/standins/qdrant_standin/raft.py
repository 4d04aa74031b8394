"""The rules of Raft, without threads or network: elections, terms and a log of whole documents.

After Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014), with one
simplification: an entry holds the complete document, so a follower that accepts a newer entry has
everything before it as well, and there is no log to match, compact or send as a snapshot. With the
pre-vote extension, a node that was paused or cut off does not raise the term when it returns.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from qdrant_standin.metadata import Document, Entry, Operation, RefusedError
from qdrant_standin.operations import changed
from qdrant_standin.storage import RaftState

log = logging.getLogger("stand-in.raft")

Role = Literal["Follower", "PreCandidate", "Candidate", "Leader"]
Message = dict[str, Any]

# In ticks, as raft-rs has them by default: an election starts after 20 to 40 silent ticks.
HEARTBEAT_TICKS = 2
ELECTION_TICKS = 20


class Raft:
    """One peer's view of the agreement; every method holds `changed`, a lock that tells of changes.

    `on_commit(before, after)` is told of each newly agreed document before it becomes visible.
    """

    def __init__(
        self, state: RaftState, tick: float, on_commit: Callable[[Document, Document], None]
    ) -> None:
        self.peer_id = state.peer_id
        self.role: Role = "Follower"
        self.leader: int | None = None
        self.changed = threading.Condition(threading.RLock())
        self._state = state
        self._on_commit = on_commit
        self._silence = ELECTION_TICKS * tick
        self._acknowledged: dict[int, tuple[int, int]] = {}
        self._heard_at = -self._silence
        self._election_at = 0.0
        if self.last.document["voters"] != [self.peer_id]:  # a lone voter has nobody to wait for
            self._postpone_election()

    @property
    def term(self) -> int:
        return self._state.term

    @property
    def last(self) -> Entry:
        """The newest entry, agreed on or not."""
        return self._state.last

    @property
    def committed(self) -> Entry:
        """The newest entry known to be agreed on."""
        return self._state.committed

    # Following

    def on_vote_request(self, message: Message) -> Message:
        """Answer a candidate: whether this peer votes (or, before a vote, would vote) for it."""
        with self.changed:
            candidate_is_current = tuple(message["last"]) >= self.last.position
            if message["pre_vote"]:
                silent = time.monotonic() - self._heard_at >= self._silence
                willing = silent and self.role != "Leader" and message["term"] > self.term
                return {"term": self.term, "granted": willing and candidate_is_current}
            self.learn_term(message["term"])
            is_free = self._state.vote in (None, message["candidate"])
            granted = message["term"] == self.term and candidate_is_current and is_free
            if granted:
                self._state.vote = message["candidate"]
                self._state.save()
                self._postpone_election()
            return {"term": self.term, "granted": granted}

    def on_append(self, message: Message) -> Message:
        """Take a leader's heartbeat and, if it brings one, its newest entry."""
        with self.changed:
            if message["term"] < self.term:
                return {"term": self.term, "last": self.last.position}
            self._follow(message["term"], message["leader"])
            self._heard_at = time.monotonic()
            self._postpone_election()
            entry = Entry(**message["entry"]) if message["entry"] else self.last
            if entry.position > self.last.position:
                self._state.last = entry
                self._state.save()
            is_from_this_leader = self.last.term == message["term"]
            if is_from_this_leader and self.committed.index < self.last.index <= message["commit"]:
                self._commit(self.last)
            return {"term": self.term, "last": self.last.position}

    def learn_term(self, term: int) -> None:
        """Follow nobody in particular in `term`, if it is later than the one this peer knows."""
        with self.changed:
            if term > self.term:
                self._follow(term, leader=None)

    def _follow(self, term: int, leader: int | None) -> None:
        if term > self.term:
            self._state.term, self._state.vote = term, None
            self._state.save()
        if leader is not None and leader != self.leader:
            log.info("peer %s leads term %s", leader, term)
        self.role, self.leader = "Follower", leader
        self.changed.notify_all()

    # Leading

    def propose(self, operation: Operation) -> Entry:
        """Append `operation` if this peer leads; the entry to wait for. Raises `RefusedError`."""
        with self.changed:
            if self.role != "Leader":
                raise RefusedError(500, "Service internal error: this peer is not the leader")
            document = changed(self.last.document, operation, self.last.index + 1)
            if document != self.last.document:
                self._append(document)
            return self.last

    def append_message(self, peer: int) -> Message:
        """What a leader tells `peer`: its newest entry, or a heartbeat if `peer` has that."""
        with self.changed:
            known = self._acknowledged.get(peer) == self.last.position
            return {
                "term": self.term,
                "leader": self.peer_id,
                "commit": self.committed.index,
                "entry": None if known else self.last.__dict__,
            }

    def on_append_reply(self, peer: int, term: int, reply: Message) -> None:
        """Take `peer`'s answer to a message that was sent in `term`."""
        with self.changed:
            self.learn_term(reply["term"])
            if self.role != "Leader" or term != self.term:
                return
            self._acknowledged[peer] = (reply["last"][0], reply["last"][1])
            self._commit_if_agreed()
            caught_up = self._acknowledged[peer] == self.last.position == self.committed.position
            if caught_up and peer not in self.last.document["voters"]:
                self.propose({"kind": "promote_peer", "peer": peer})

    def _append(self, document: Document) -> None:
        self._state.last = Entry(self.last.index + 1, self.term, document)
        self._state.save()
        self._commit_if_agreed()
        self.changed.notify_all()

    def _commit_if_agreed(self) -> None:
        voters = self.last.document["voters"]
        agreeing = [
            voter
            for voter in voters
            if voter == self.peer_id or self._acknowledged.get(voter) == self.last.position
        ]
        if self.last.position > self.committed.position and 2 * len(agreeing) > len(voters):
            self._commit(self.last)

    def _commit(self, entry: Entry) -> None:
        self._on_commit(self.committed.document, entry.document)
        self._state.committed = entry
        self._state.save()
        if self.role == "Leader" and self.peer_id not in entry.document["voters"]:
            self._follow(
                self.term, leader=None
            )  # it has been removed, and the others elect another
        self.changed.notify_all()

    # Elections

    def is_election_due(self) -> bool:
        """Whether this peer may vote and has heard from no leader for too long."""
        with self.changed:
            may_vote = self.peer_id in self.last.document["voters"]
            return may_vote and self.role != "Leader" and time.monotonic() >= self._election_at

    def stand(self, *, pre_vote: bool) -> Message | None:
        """Become a (pre-)candidate; what to ask the voters, or None if the moment has passed."""
        with self.changed:
            if pre_vote:
                self._postpone_election()
                self.role, self.leader = "PreCandidate", None
            elif self.role != "PreCandidate":
                return None  # a leader has spoken up meanwhile
            else:
                self.role = "Candidate"
                self._state.term, self._state.vote = self.term + 1, self.peer_id
                self._state.save()
            return {
                "term": self.term + pre_vote,
                "candidate": self.peer_id,
                "last": self.last.position,
                "pre_vote": pre_vote,
            }

    def lead(self, term: int) -> None:
        """Lead `term`, which a majority has voted for, unless a later one has begun."""
        with self.changed:
            if self.role != "Candidate" or self.term != term:
                return
            log.info("elected leader of term %s", term)
            self.role, self.leader = "Leader", self.peer_id
            self._acknowledged.clear()
            # Only an entry of its own term tells a new leader what is committed.
            self._append(self.last.document)

    def _postpone_election(self) -> None:
        self._election_at = time.monotonic() + self._silence * random.uniform(1, 2)  # noqa: S311
