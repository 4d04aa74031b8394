"""What paisctl has to know about Qdrant to change a cluster of it without losing anything.

Written after Qdrant's OpenAPI document (docs/redoc/v1.19.x/openapi.json), its source and its
documentation (distributed deployment, snapshots, upgrades); modules name what they rely on.
"""
