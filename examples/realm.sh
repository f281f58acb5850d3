# Sourced by the examples' `run`: sets REALM_HOME to a realm that runs. That is the one that is
# meant where none is named, or else a temporary one. What stands in `ends` ends with the script.
export PATH="$PATH:$(cd ../.. && pwd)/target/debug"

ends=()
scratch=$(mktemp -d)
finish() {
  for process in "${ends[@]}"; do
    kill "$process" 2> /dev/null && wait "$process" || true
  done
  rm -rf "$scratch"
}
trap finish EXIT

if ! realmctl status > /dev/null 2>&1; then
  TMPDIR=$scratch realmd run --dev > "$scratch/log" 2>&1 &
  ends+=($!)
  until REALM_HOME=$(echo "$scratch"/realm-dev-*) && realmctl --home "$REALM_HOME" status \
    > /dev/null 2>&1; do
    kill -0 "${ends[0]}" 2> /dev/null || { cat "$scratch/log" >&2; exit 1; }
    sleep 0.1
  done
  export REALM_HOME
fi
