# Sourced by `up` and `down`, and by whoever wants to ask the realms: what the network consists of.
realms=(mercy cardiology imaging billing lab genomics pathology)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if docker compose version > /dev/null 2>&1; then
  compose_command=(docker compose)
else
  compose_command=(docker-compose)
fi

export COMPOSE_PROJECT_NAME=${REALM_PROJECT:-realm}

compose() {
  "${compose_command[@]}" --file "$here/compose.yaml" "$@"
}

# The container of a realm.
container() {
  printf '%s_%s' "$COMPOSE_PROJECT_NAME" "$1"
}

# Runs a command in a realm's container; stdin goes there too.
at() {
  local realm=$1
  shift
  docker exec --interactive "$(container "$realm")" "$@"
}

# Tries a command until it works, for at most so many seconds; then shows why it does not.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1 < /dev/null; do
    if ((SECONDS >= end)); then
      "$@" < /dev/null
      return
    fi
    sleep 0.1
  done
}
