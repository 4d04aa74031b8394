# Waiting for services, for apply.sh: are they well, do they pass a gate?

# shellcheck disable=SC2086 # `containers` is a list of words
# shellcheck disable=SC2154 # STEP, STACK and containers are apply.sh's
# shellcheck disable=SC2034 # problem is read there

STEADY=2       # seconds that a service without a health check must run on
BRIEF=1        # and one that passes its health check: some do, and die the next moment
LONG_STEADY=10 # and any service while one has restarted meanwhile
RESTARTS=5     # after so many in a row, a service is not going to recover

# wait_healthy TIMEOUT SERVICE...: TIMEOUT is in seconds.
wait_healthy() {
  timeout=$1
  shift
  find_containers "$@" || return 1
  deadline=$(($(date +%s) + timeout))
  steady=-1 before='' sick='' shown='' first_restarts='' last_exit=''
  while :; do
    look || return 1
    judge
    [ "$verdict" != well ] || return 0
    if [ "$verdict" = pending ] && [ "$(date +%s)" -ge "$deadline" ]; then
      verdict=failed problem="$problem after $timeout s"
    fi
    if [ "$verdict" = failed ]; then
      last_words "${problem%%:*}" "$culprit"
      return 1
    fi
    if [ "$problem" != "$shown" ]; then
      shown=$problem
      emit step "$STEP" "$problem"
    fi
    sleep 1
  done
}

# last_words SERVICE CONTAINER
last_words() {
  said=$(docker logs --tail 19 "$2" 2>&1 | masked "$2")
  if [ "$said" ]; then
    printf '%s last said:\n%s\n' "$1" "$said"
  else
    printf '%s has said nothing\n' "$1"
  fi
}

# stdin without the values of a container's secret variables. The controller knows those of today; a
# container that is to come back may have older ones.
masked() {
  has=$(docker inspect --type container --format '{{range .Config.Env}}{{println .}}{{end}}' "$1")
  secret=$(while read -r name; do
    printf '%s\n' "$has" | sed -n "s/^$name=//p"
  done 2>/dev/null <"$STAGING/new/$STACK.secrets")
  SECRET=$secret awk '
    BEGIN { n = split(ENVIRON["SECRET"], values, "\n") }
    {
      for (i = 1; i <= n; i++) {
        rest = $0
        done = ""
        while (values[i] != "" && (at = index(rest, values[i]))) {
          done = done substr(rest, 1, at - 1) "(secret)"
          rest = substr(rest, at + length(values[i]))
        }
        $0 = done rest
      }
      print
    }'
}

# The states of all containers in one call, a line each.
look() {
  states=$(docker inspect --type container --format \
    '{{.ID}} {{.State.Status}}/{{if .State.Health}}{{.State.Health.Status}}{{end}} {{.State.ExitCode}} {{with .HostConfig.RestartPolicy.Name}}{{.}}{{else}}no{{end}} {{.RestartCount}} {{.State.StartedAt}} {{index .Config.Labels "com.docker.compose.service"}}' \
    $containers) || return 1
  now=$(printf '%s\n' "$states" | cut -d ' ' -f 1,6)
  if [ "$now" = "$before" ]; then
    steady=$((steady + 1))
  else
    steady=0 before=$now
  fi
  total_restarts=$(printf '%s\n' "$states" | awk '{ sum += $5 } END { print sum + 0 }')
  [ "$first_restarts" ] || first_restarts=$total_restarts
  flaps=$((total_restarts - first_restarts))
}

# Sets verdict: well, pending or failed; and problem and culprit unless it is well.
judge() {
  verdict=well problem='' culprit=''
  while read -r id status exit_code policy restarts _ service; do
    case $status:$exit_code:$policy in
      exited/*:0:no | exited/*:0:on-failure*) ;;
      running/healthy:*) judge_steady "$BRIEF" ;;
      running/:*) judge_steady "$STEADY" ;;
      running/unhealthy:*) judge_unhealthy ;;
      running/*) if passes_check "$id"; then judge_steady "$BRIEF"; else blame pending starting; fi ;;
      exited/*:0:*) blame pending stopped ;;
      exited/*:always | exited/*:unless-stopped) blame pending "exited with $exit_code" ;;
      exited/*) blame failed "exited with $exit_code" ;;
      restarting/*)
        last_exit=", with exit code $exit_code" # while it runs, Docker does not know
        if [ "$restarts" -lt "$RESTARTS" ]; then
          blame pending "restarting after exit code $exit_code"
        else
          blame failed "restarting again and again$last_exit"
        fi
        ;;
      created/* | paused/*) blame pending "${status%%/*}" ;;
      *) blame failed "${status%%/*}" ;;
    esac
  done <<END
$states
END
}

# judge_steady SECONDS: whether it has run on for so long; longer where something restarts.
judge_steady() {
  if [ "$flaps" -ge "$RESTARTS" ]; then
    blame failed "restarting again and again$last_exit"
  elif [ "$flaps" -gt 0 ]; then
    [ "$steady" -ge "$LONG_STEADY" ] || blame pending "running, restarts: $flaps"
  else
    [ "$steady" -ge "$1" ] || blame pending 'running, but only just'
  fi
}

# Whether a container passes its own health check now. Docker asks first after a whole interval; this
# asks sooner, as `start_interval` would, which engines before 25 do not have.
passes_check() {
  check=$(docker container inspect --format \
    '{{len .Config.Healthcheck.Test}}{{range .Config.Healthcheck.Test}}{{"\n"}}{{.}}{{end}}' \
    "$1" 2>/dev/null) || return 1
  set -- "$1"
  {
    read -r words
    read -r kind
    while IFS= read -r word; do
      set -- "$@" "$word"
    done
  } <<END
$check
END
  # A word of several lines cannot be told from several words: then Docker's answer is waited for.
  [ "$words" = $# ] || return 1
  case $kind in
    CMD) ;;
    CMD-SHELL) set -- "$1" /bin/sh -c "$2" ;;
    *) return 1 ;;
  esac
  # Without the streams of the run: one that hangs must not keep the connection open.
  # shellcheck disable=SC2086 # DOCKER_SUDO is two words or none
  $DOCKER_SUDO "$DOCKER" exec "$@" >/dev/null 2>&1 </dev/null 3>&- 4<&- &
  asked=$!
  sleep 1
  if kill "$asked" 2>/dev/null; then
    wait "$asked"
    return 1
  fi
  wait "$asked"
}

# Docker calls a container unhealthy only after its start period and all retries: that ends the wait.
# One that was unhealthy to begin with may be recovering from just what this run has mended.
judge_unhealthy() {
  if [ "$steady" -eq 0 ] && [ -z "$shown" ]; then
    sick="$sick $id"
  fi
  case $sick in
    *"$id"*) blame pending unhealthy ;;
    *) blame failed unhealthy ;;
  esac
}

# blame VERDICT TEXT: the worst one counts, and of these the first.
blame() {
  if [ "$verdict" = well ] || { [ "$verdict" = pending ] && [ "$1" = failed ]; }; then
    verdict=$1 problem="$service: $2" culprit=$id
  fi
}

# pass_gate TIMEOUT SERVICE PROGRAM ARGUMENT...: run it in the service until it ends with 0.
pass_gate() {
  timeout=$1
  find_containers "$2" || return 1
  shift 2
  containers=${containers# }
  set -- "${containers%% *}" "$@"
  deadline=$(($(date +%s) + timeout))
  until said=$(docker exec "$@" 2>&1); do
    if [ "$(date +%s)" -ge "$deadline" ]; then
      said=$(printf '%s\n' "$said" | masked "$1")
      problem="not passed after $timeout s: $(printf '%s\n' "$said" | tail -n 1)"
      printf '%s\n' "$said"
      return 1
    fi
    sleep 2
  done
}
