#!/usr/bin/env bash
# Take one server out of use, or back, or see whether it has anything to do.
#
#   server.sh drain|ready SERVER   in both backends
#   server.sh idle SERVER          exits with 0 if it has nothing to do, with 3 if it has
#
# By the runtime API (HAProxy Management Guide, 9.3), which only this container reaches. A reload forgets
# what was set. The image has no HTTP client but bash.
set -u

ask() {
    exec 3<>/dev/tcp/127.0.0.1/9999 || exit 1
    echo "$1" >&3
    timeout 5 cat <&3
}

idle() {
    local known='' backend server queued sessions _
    # The first columns: backend, server, queued now, at most, sessions now (Management Guide, 9.1).
    while IFS=, read -r backend server queued _ sessions _; do
        [ "$server" = "$1" ] || continue
        known=yes
        [ "$queued" = 0 ] && [ "$sessions" = 0 ] || exit 3
    done < <(ask 'show stat')
    [ "$known" ] && exit
    echo "there is no server $1" >&2
    exit 1
}

case $1 in
    idle) idle "$2" ;;
    *)
        answer=$(ask "set server qdrant/$2 state $1; set server qdrant-grpc/$2 state $1") || exit 1
        [ -z "${answer//[[:space:]]/}" ] && exit
        echo "${answer//$'\n'/ }" >&2
        exit 1
        ;;
esac
