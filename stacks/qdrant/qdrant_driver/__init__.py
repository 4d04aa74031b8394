"""What paisctl has to know about Qdrant to change a cluster of it without losing anything.

Written after Qdrant's OpenAPI document (docs/redoc/v1.19.x/openapi.json), its source and its
documentation (distributed deployment, snapshots, upgrades); modules name what they rely on.
"""

from collections.abc import Sequence

from paisctl.cluster.backup_driver import BackupDriver
from paisctl.cluster.driver import RolloutDriver
from paisctl.cluster.member import Member
from qdrant_driver.backups import Backups
from qdrant_driver.driver import QdrantRollout
from qdrant_driver.nodes import Nodes


def rollout(members: Sequence[Member]) -> RolloutDriver:
    """What knows how these nodes are changed one after the other."""
    return QdrantRollout(Nodes(members))


def backup(members: Sequence[Member]) -> BackupDriver:
    """What copies the data of these nodes away, and brings it back."""
    return Backups(members)
