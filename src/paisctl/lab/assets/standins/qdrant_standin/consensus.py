"""Consensus at work: the threads and messages that carry out the rules of `raft`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from qdrant_standin.faults import Faults
from qdrant_standin.metadata import Document, Entry, Operation, RefusedError
from qdrant_standin.raft import HEARTBEAT_TICKS, Message, Raft
from qdrant_standin.storage import RaftState
from qdrant_standin.transport import UnreachableError, ask_all, send

log = logging.getLogger("stand-in.consensus")

# The position of the newest entry and the index up to which entries are agreed on.
News = tuple[tuple[int, int], int]

MESSAGE_SECONDS = 1.0
OPERATION_SECONDS = 10.0


@dataclass(frozen=True)
class SendFailures:
    """Failures in a row to reach one peer, and the latest of them."""

    count: int
    latest_error: str
    latest_error_timestamp: str


class Consensus:
    """A member of the cluster: keeps its document agreed with the other peers'."""

    def __init__(
        self,
        state: RaftState,
        tick: float,
        on_commit: Callable[[Document, Document], None],
        faults: Faults,
    ) -> None:
        self.raft = Raft(state, tick, on_commit)
        self._faults = faults
        self.peer_id = state.peer_id
        self.last_update = _now()
        self.failures: dict[str, SendFailures] = {}
        self._tick = tick
        self._followed: set[int] = set()
        self._told: dict[int, News] = {}

    def start(self) -> None:
        """Take part, in background threads."""
        threading.Thread(target=self._run, name="consensus", daemon=True).start()

    @property
    def failure(self) -> str | None:
        """What has ended the consensus thread, if a fault switch says that something has."""
        failure: str | None = self._faults.get("consensus_stopped")
        return failure

    @property
    def agreed(self) -> Entry:
        """The newest agreed document and its index; not to be changed by the reader."""
        return self.raft.committed

    @property
    def document(self) -> Document:
        """The newest agreed document; not to be changed by the reader."""
        return self.raft.committed.document

    @property
    def commit(self) -> int:
        """The index of the newest agreed document."""
        return self.raft.committed.index

    def propose(self, operation: Operation) -> None:
        """Have all peers agree on `operation`; returns when this one knows. Raises `RefusedError`."""
        raft = self.raft
        with raft.changed:
            if not raft.changed.wait_for(lambda: raft.leader is not None, OPERATION_SECONDS):
                raise _timed_out("leader is not established")
            leader = raft.leader
            uri = raft.last.document["peers"].get(str(leader), "")
        if leader == self.peer_id:
            self.propose_as_leader(operation)
            return
        try:
            request = {"to": leader, "operation": operation}
            reply = send(uri, "/consensus/propose", request, OPERATION_SECONDS)
        except UnreachableError as error:
            raise RefusedError(
                500, f"Service internal error: the leader is silent: {error}"
            ) from error
        self._await_commit((reply["term"], reply["index"]))

    def propose_as_leader(self, operation: Operation) -> Entry:
        """Have all peers agree on `operation` if this one leads; the entry it became."""
        entry = self.raft.propose(operation)
        self._await_commit(entry.position)
        return entry

    def await_index(self, index: int, seconds: float = OPERATION_SECONDS) -> None:
        """Wait until what was agreed on at `index` is known here; raises `RefusedError` if it never is."""
        with self.raft.changed:
            if not self.raft.changed.wait_for(lambda: self.commit >= index, seconds):
                raise _timed_out(f"commit {index} did not arrive", seconds)

    def await_everywhere(self) -> None:
        """Wait until all peers that answer know what this one knows."""

        def ask(uri: str) -> None:
            try:
                send(uri, "/consensus/await", {"index": self.commit}, OPERATION_SECONDS)
            except (UnreachableError, RefusedError) as error:
                log.warning("a peer may not be ready: %s", error)

        peers = self.document["peers"].items()
        for _ in ask_all([uri for peer, uri in peers if int(peer) != self.peer_id], ask):
            pass

    def _await_commit(self, position: tuple[int, int]) -> None:
        raft = self.raft
        with raft.changed:
            raft.changed.wait_for(lambda: raft.committed.position >= position, OPERATION_SECONDS)
            committed = raft.committed
        # Under another leader the entry may or may not have survived.
        if committed.position < position or committed.term != position[0]:
            raise _timed_out("consensus operation was not committed")

    def _run(self) -> None:
        while True:
            time.sleep(self._tick)
            if self.failure:
                continue
            self.last_update = _now()
            self._follow_new_peers()
            if self.raft.is_election_due():
                self._campaign()

    def _follow_new_peers(self) -> None:
        for peer in map(int, self.raft.last.document["peers"]):
            if peer not in self._followed and peer != self.peer_id:
                self._followed.add(peer)
                threading.Thread(target=self._keep_informed, args=(peer,), daemon=True).start()

    def _keep_informed(self, peer: int) -> None:
        """Send one peer heartbeats and new entries whenever this peer leads."""
        raft = self.raft
        while True:
            with raft.changed:
                raft.changed.wait_for(
                    lambda: self._has_news_for(peer), HEARTBEAT_TICKS * self._tick
                )
                if str(peer) not in raft.last.document["peers"]:
                    self._followed.discard(peer)
                    return
                if raft.role != "Leader" or self.failure:
                    continue
                news, message = self._news(), raft.append_message(peer)
            reply = self._send(peer, "/consensus/append", message)
            if reply:
                self._told[peer] = news
                raft.on_append_reply(peer, message["term"], reply)
            else:
                self._told.pop(peer, None)

    def _news(self) -> News:
        return self.raft.last.position, self.raft.committed.index

    def _has_news_for(self, peer: int) -> bool:
        """Whether a peer should hear from its leader before the next heartbeat.

        One that did not answer the last message waits for the heartbeat.
        """
        told = self._told.get(peer)
        return self.raft.role == "Leader" and told not in (None, self._news())

    def _campaign(self) -> None:
        canvass = self.raft.stand(pre_vote=True)
        if canvass and self._is_elected(canvass):
            election = self.raft.stand(pre_vote=False)
            if election and self._is_elected(election):
                self.raft.lead(election["term"])

    def _is_elected(self, message: Message) -> bool:
        """Ask all voters at once; whether a majority, this peer included, says yes."""
        others = [peer for peer in self.raft.last.document["voters"] if peer != self.peer_id]
        replies = ask_all(others, lambda peer: self._send(peer, "/consensus/vote", message))
        votes, needed = 1, (len(others) + 1) // 2 + 1
        while votes < needed:
            try:
                reply = next(replies)
            except StopIteration:
                return False
            if reply:
                self.raft.learn_term(reply["term"])
                votes += reply["granted"]
        return True

    def _send(self, peer: int, path: str, message: Message) -> Message | None:
        """The reply to a consensus message, or None; failures are kept for `/cluster`."""
        uri = self.raft.last.document["peers"].get(str(peer))
        if uri is None:
            return None
        try:
            reply: Message = send(uri, path, {**message, "to": peer}, MESSAGE_SECONDS)
        except (UnreachableError, RefusedError) as error:
            with self.raft.changed:
                before = self.failures.get(uri)
                count = before.count + 1 if before else 1
                self.failures[uri] = SendFailures(count, str(error), _now())
            return None
        with self.raft.changed:
            self.failures.pop(uri, None)
        return reply


def _now() -> str:
    """The present time as Qdrant writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _timed_out(what: str, seconds: float = OPERATION_SECONDS) -> RefusedError:
    return RefusedError(500, f"Service internal error: {what} within {seconds:g}s")
