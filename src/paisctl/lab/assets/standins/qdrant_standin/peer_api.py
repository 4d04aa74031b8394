"""What peers ask of each other on the p2p port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from standin_http import Handler, HttpError, Request, Response, Router, json_response

from qdrant_standin.consensus import Consensus
from qdrant_standin.metadata import RefusedError
from qdrant_standin.shard_access import ShardAccess


def peer_router(consensus: Consensus, access: ShardAccess) -> Router:
    """The routes of the p2p port; every message is a JSON object sent by POST."""

    def propose(message: Any) -> dict[str, int]:
        entry = consensus.propose_as_leader(message["operation"])
        return {"term": entry.term, "index": entry.index}

    def add_peer(message: Any) -> dict[str, object]:
        consensus.propose({"kind": "add_peer", "peer": message["peer"], "uri": message["uri"]})
        return consensus.raft.committed.__dict__

    def commit(_message: Any) -> dict[str, int]:
        return {"commit": consensus.commit}

    def await_index(message: Any) -> dict[str, int]:
        consensus.await_index(message["index"])
        return {"commit": consensus.commit}

    def while_working(answer: Callable[[Any], object]) -> Callable[[Any], object]:
        def guarded(message: Any) -> object:
            if consensus.failure:
                raise RefusedError(500, "Service internal error: consensus thread is stopped")
            return answer(message)

        return guarded

    router = Router()
    for path, answer in {
        "/consensus/vote": while_working(consensus.raft.on_vote_request),
        "/consensus/append": while_working(consensus.raft.on_append),
        "/consensus/propose": while_working(propose),
        "/consensus/add_peer": add_peer,
        "/consensus/commit": commit,
        "/consensus/await": await_index,
        "/shards": access.serve,
    }.items():
        router.add("POST", path, _handler(consensus.peer_id, answer))
    return router


def _handler(peer_id: int, answer: Callable[[Any], object]) -> Handler:
    def handle(request: Request) -> Response:
        message = request.json()
        # A node whose storage was emptied is another peer at an address that the others know.
        if message.get("to", peer_id) != peer_id:
            raise HttpError(421, {"error": f"peer {message['to']} is not here, {peer_id} is"})
        try:
            return json_response(answer(message))
        except RefusedError as refused:
            raise HttpError(refused.status, {"error": refused.description}) from refused

    return handle
