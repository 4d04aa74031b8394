# Docker and Compose, for apply.sh: images, services, single containers.

# shellcheck disable=SC2034,SC2154 # variables of apply.sh
# shellcheck disable=SC2086 # DOCKER_SUDO is two words or none

ENGINE_PATIENCE=60 # seconds that a restart of the engine may take

docker() {
  $DOCKER_SUDO "$DOCKER" "$@"
}

# Whether the engine is away; if so, wait until it is back. 1: it is there, or never came back.
engine_was_away() {
  ! docker version >/dev/null 2>&1 </dev/null || return 1
  emit step "$STEP" 'waiting for the Docker engine'
  engine_deadline=$(($(date +%s) + ENGINE_PATIENCE))
  until docker version >/dev/null 2>&1 </dev/null; do
    [ "$(date +%s)" -lt "$engine_deadline" ] || return 1
    sleep 1
  done
}

pull() {
  docker pull "$1"
}

# Never with --yes, which would let Compose recreate a volume; nor with --volumes.
compose() {
  if [ -f "$DIRECTORY/compose.override.yaml" ]; then
    set -- --file "$DIRECTORY/compose.override.yaml" "$@"
  fi
  docker compose --ansi never --project-name "$STACK" --project-directory "$DIRECTORY" \
    --file "$DIRECTORY/compose.yaml" "$@"
}

# compose_up [--force-recreate] SERVICE...
compose_up() {
  compose up --detach --no-deps --no-build --pull never "$@"
}

compose_down() {
  # By the labels of what runs: a file may be gone, or know less than was once started.
  (cd / && docker compose --ansi never --project-name "$1" down)
}

# revive COMMAND SERVICE...: start, unpause or restart the containers of services.
revive() {
  command=$1
  shift
  find_containers "$@" && docker "$command" $containers
}

# stop_services SERVICE...: one that has no container is stopped already.
stop_services() {
  running=''
  for resting in "$@"; do
    ! find_containers "$resting" || running="$running $containers"
  done
  problem=''
  [ -z "$running" ] || docker stop $running
}

# signal_service SIGNAL SERVICE
signal_service() {
  find_containers "$2" && docker kill --signal "$1" $containers
}

# A killed program would leave the data in its volumes, which stay, as if the power had failed.
remove_container() {
  docker stop "$1"
  docker rm --force "$1"
}

remove_service() {
  ! find_containers "$1" || docker rm --force $containers
  problem=''
}

disconnect_network() {
  docker network disconnect --force "$1" "$2"
}

# The containers of services of this stack, in `containers`; each service must have one. (Not by way
# of a file: on a full disk it would be empty, and docker would not mind.)
find_containers() {
  listing=$(list_containers '{{.ID}} {{.Label "com.docker.compose.service"}}') || return 1
  containers=''
  for service in "$@"; do
    ids=$(printf '%s\n' "$listing" | awk -v service="$service" '$2 == service { print $1 }')
    if [ -z "$ids" ]; then
      problem="service $service has no container"
      return 1
    fi
    containers="$containers $ids"
  done
}

list_containers() {
  docker ps --all --no-trunc --filter "label=com.docker.compose.project=$STACK" \
    --filter label=com.docker.compose.oneoff=False --format "$1"
}
