#!/usr/bin/env bash
# Succeed when this node is a voter in a cluster of at least $1 nodes that has a leader.
#
# The image has no HTTP client but bash (qdrant Dockerfile).
set -u

exec 3<>/dev/tcp/127.0.0.1/6333 || exit 1
printf 'GET /cluster HTTP/1.0\r\napi-key: %s\r\n\r\n' "$QDRANT__SERVICE__API_KEY" >&3
answer=$(timeout 10 cat <&3)

peers=$(grep -o '"uri"' <<<"$answer" | wc -l)
[ "$peers" -ge "$1" ] &&
    [[ $answer =~ \"leader\":\ *[0-9] && $answer =~ \"is_voter\":\ *true ]] && exit

echo "sees $peers of $1 nodes: ${answer##*$'\n'}" >&2
exit 1
