"""A stand-in for Qdrant: its HTTP API, its cluster behaviour and its settings, without its search engine.

Written from Qdrant's OpenAPI document and the behaviour of its source. What it simplifies:

- Peers speak JSON over HTTP on the p2p port, not gRPC; the gRPC port accepts connections and says nothing.
- Consensus is Raft whose log entries are whole metadata documents, so that only the last one matters.
- Messages say which peer they are for, and no other takes them; Qdrant's do not.
- A write needs every replica of its shard, whatever the write consistency factor says.
- Points are stored and listed; there is no search, filter, index, alias, snapshot or shard transfer.
"""
