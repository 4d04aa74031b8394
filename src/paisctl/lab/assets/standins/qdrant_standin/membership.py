"""How a node comes to belong to a cluster (Qdrant's src/consensus.rs)."""

from __future__ import annotations

import logging
import time

from qdrant_standin.metadata import Document, Entry, RefusedError
from qdrant_standin.settings import Settings
from qdrant_standin.storage import RaftState
from qdrant_standin.transport import UnreachableError, send

log = logging.getLogger("stand-in.membership")

RECOVERY_TRIES = 3


class CannotJoinError(Exception):
    """The node can neither start, join nor return to a cluster."""


def join(state: RaftState, settings: Settings) -> None:
    """Make `state` that of a member; raises `CannotJoinError`.

    A node that has been a member stays one, whatever it is told now; only a changed URI is announced.
    One that has not joins through its bootstrap peer, or else begins a cluster of its own, even where
    it was meant to rejoin one: that is Qdrant's behaviour, and the danger of an emptied volume.
    """
    if not state.is_new_deployment:
        _announce_changed_uri(state, settings)
    elif settings.bootstrap:
        _bootstrap(state, settings.bootstrap, settings)
    elif settings.uri is None:
        raise CannotJoinError("First peer should specify its uri.")
    else:
        log.info("beginning a new cluster as peer %s", state.peer_id)
        document: Document = {
            "peers": {str(state.peer_id): settings.uri},
            "voters": [state.peer_id],
            # What a node stored while it ran alone stays its own.
            "collections": state.committed.document["collections"],
            "aliases": state.committed.document["aliases"],
        }
        _adopt(state, Entry(state.committed.index, 0, document))


def _bootstrap(state: RaftState, bootstrap: str, settings: Settings) -> None:
    log.info("joining as peer %s through %s", state.peer_id, bootstrap)
    if settings.uri is None:
        raise CannotJoinError("the stand-in needs QDRANT_URI also for a peer that bootstraps")
    try:
        _adopt(state, _add_peer(bootstrap, state, settings))
    except (UnreachableError, RefusedError) as error:
        raise CannotJoinError(f"Failed to add peer to known: {error}") from error


def _announce_changed_uri(state: RaftState, settings: Settings) -> None:
    peers = dict(state.committed.document["peers"])
    known = peers.pop(str(state.peer_id), None)
    if settings.uri is None or known is None or known == settings.uri:
        return
    for attempt in range(RECOVERY_TRIES):
        time.sleep(attempt)
        for uri in peers.values():
            try:
                _add_peer(uri, state, settings)
            except (UnreachableError, RefusedError) as error:
                log.warning("cannot announce the new URI %s: %s", settings.uri, error)
            else:
                return
    raise CannotJoinError("Failed to recover from any known peers")


def _add_peer(uri: str, state: RaftState, settings: Settings) -> Entry:
    message = {"peer": state.peer_id, "uri": settings.uri}
    return Entry(**send(uri, "/consensus/add_peer", message, settings.bootstrap_timeout))


def _adopt(state: RaftState, entry: Entry) -> None:
    state.term = max(state.term, entry.term)
    state.last = state.committed = entry
    state.save()
