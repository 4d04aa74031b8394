"""A stand-in for Qdrant: its HTTP API, its cluster behaviour and its settings, without its search engine.

Written from Qdrant's OpenAPI document and the behaviour of its source. What it simplifies:

- Peers speak JSON over HTTP on the p2p port, not gRPC; the gRPC port accepts connections and says nothing.
- Consensus is Raft whose log entries are whole metadata documents, so that only the last one matters;
  `POST /cluster/recover` therefore has nothing to do.
- Messages say which peer they are for, and no other takes them; Qdrant's do not.
- A point carries the time of its write and the newest wins, by the hosts' clocks, where Qdrant's replicas
  keep logical clocks. Write ordering is not chosen.
- A write that leaves a replica behind is acknowledged only after that replica is agreed to be dead, also
  without `wait`; Qdrant then acknowledges some earlier. As there, a replica that is dead already does not
  count as a failure, whatever the write consistency factor says.
- The peer that receives a shard drives the transfer, and gets all writes meanwhile directly. All methods
  copy all points; which of them it is shows in `shard_transfers` only. A transfer without a method is
  `stream_records`, and automatic recovery is `wal_delta`, however much was missed.
- A snapshot is an archive of points and configuration that only a stand-in reads; it has sparse files. It is recovered from an
  upload or from a file of the node, not from a URL; there are none of single shards or of all collections.
- Points are stored, deleted and listed; there is no search, filter, payload index, sharding key or
  resharding, and a collection changes only its replication and write consistency factors.

Faults can be switched on in it: see `faults`.
"""
