"""The process: settings from the environment, then all ports until SIGTERM."""

from __future__ import annotations

import logging
import os
import socketserver
import sys
import threading
from pathlib import Path

import prometheus_text
from standin_http import (
    Request,
    Response,
    Router,
    Server,
    log_as,
    product_name,
    reported_version,
    serve_forever,
    stop_on_signals,
)

from qdrant_standin.access import requiring_keys
from qdrant_standin.api import rest_router
from qdrant_standin.faults import Faults
from qdrant_standin.membership import CannotJoinError
from qdrant_standin.metrics import RequestMetrics, exposition
from qdrant_standin.node import Node
from qdrant_standin.peer_api import peer_router
from qdrant_standin.settings import InvalidSettingError, Settings
from qdrant_standin.shards import NewerStorageError

log = logging.getLogger("stand-in")

BAKED_VERSION = Path(__file__).resolve().parent.parent / "QDRANT_STANDIN_VERSION"
# Exit codes of the real program: clap's for bad usage, Rust's for a panic.
USAGE, PANIC = 2, 101


def main() -> None:
    """Run until stopped; exits non-zero, with a reason in the log, where Qdrant would."""
    log_as("qdrant")
    servers = stop_on_signals()
    version = reported_version(BAKED_VERSION.read_text().strip())
    try:
        settings = Settings.from_environment(os.environ)
        settings.init_file.unlink(missing_ok=True)
        faults = Faults(settings.storage_path)
        _die_if_told(faults, version, touched=False)
        node = Node.load(settings, version, faults)
        _die_if_told(faults, version, touched=True)
        servers += _listen(node)
    except InvalidSettingError as error:
        _fail(error, USAGE)
    except NewerStorageError as error:
        _fail(error, PANIC)
    except (CannotJoinError, OSError) as error:
        _fail(error, 1)
    node.start()
    try:
        settings.init_file.touch()
    except OSError as error:
        log.warning("Failed to create init file indicator: %s", error)
    log.info("version %s, peer %s, listening", version, node.metadata.peer_id)
    serve_forever()


def _die_if_told(faults: Faults, version: str, *, touched: bool) -> None:
    if faults.dies_at_start(version, touched=touched):
        log.error("ending at once, as a fault switch says")
        sys.exit(PANIC)


def _fail(error: Exception, code: int) -> None:
    log.error("%s", error)
    sys.exit(code)


def _listen(node: Node) -> list[Server]:
    settings, product = node.settings, product_name("qdrant", node.version)
    metrics = RequestMetrics()

    def show_metrics(_request: Request) -> Response:
        text = exposition(node, metrics)
        return Response(text.encode(), content_type=prometheus_text.CONTENT_TYPE)

    rest, only_metrics = rest_router(node), Router()
    rest.add("GET", "/metrics", show_metrics)
    only_metrics.add("GET", "/metrics", show_metrics)
    guarded = requiring_keys(metrics.observing(rest), settings.api_key, settings.read_only_api_key)
    servers = []
    if node.consensus:
        peers = peer_router(node.consensus, node.points.access)
        servers.append(Server(peers, settings.host, settings.p2p_port, product))
    if settings.metrics_port is not None:
        # Qdrant checks no key there, which is what the port is for.
        servers.append(Server(only_metrics, settings.host, settings.metrics_port, product))
    _listen_grpc(settings)
    return [Server(guarded, settings.host, settings.http_port, product), *servers]


def _listen_grpc(settings: Settings) -> None:
    """Accept connections on the gRPC port, and keep them until the client leaves."""

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                pass

    class Listener(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    listener = Listener((settings.host, settings.grpc_port), Silent)
    threading.Thread(target=listener.serve_forever, daemon=True).start()


if __name__ == "__main__":
    main()
