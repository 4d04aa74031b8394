#!/usr/bin/env bash
# Start a Qdrant node so that it joins the cluster and never founds a second one.
#
# A node whose consensus has no term yet is new: with QDRANT_BOOTSTRAP it joins that peer, without
# it founds a cluster of its own (qdrant src/consensus.rs, is_new_deployment). So a first node with
# an empty disk and a fixed configuration would found another cluster beside the living one. This
# looks who answers first. Later starts need neither value, and the environment never changes.
#
# Runs in Qdrant's working directory; `members` lies beside this script, the founder first.
set -u

storage=${QDRANT__STORAGE__STORAGE_PATH:-./storage}
members=${BASH_SOURCE%/*}/members

# raft_state.json is written before a join succeeds: only a term says that it did.
is_member() { grep -Eqs '"term": *[1-9]' "$storage/raft_state.json"; }

answers() {
    local authority=${1#*://}
    local host=${authority%:*} port=${authority##*:}
    host=${host#[} host=${host%]}
    timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null
}

answering_peer() {
    local uri
    while read -r uri; do
        if [ "$uri" != "$QDRANT_URI" ] && answers "$uri"; then
            echo "$uri"
            return
        fi
    done <"$members"
    return 1
}

if ! is_member; then
    if peer=$(answering_peer); then
        echo "start: joining the cluster through $peer" >&2
        export QDRANT_BOOTSTRAP=$peer
    elif read -r founder <"$members" && [ "$founder" = "$QDRANT_URI" ]; then
        echo 'start: no other node answers, founding the cluster' >&2
    else
        echo "start: no node answers, and only $founder may found the cluster; will try again" >&2
        exit 1
    fi
fi

# What is newer than this was written by this container: while nothing is, the image may still be changed
# back. A restarted container finds its own name.
mark=$storage/.started-by
[ "$(cat "$mark" 2>/dev/null)" = "$HOSTNAME" ] || echo "$HOSTNAME" >"$mark"

# Qdrant keeps many files open, and newer Docker engines start containers with a soft limit of 1024.
ulimit -Sn "$(ulimit -Hn)"
exec ./entrypoint.sh
