# Sourced by the examples that start and end daemons of their own. Each realm has a home in a temporary
# folder, which goes with the script. No realm of this machine is touched.
export PATH="$PATH:$(cd ../.. && pwd)/target/debug"

scratch=$(mktemp -d)
declare -A daemons=()
finish() {
  for name in "${!daemons[@]}"; do
    crash "$name"
  done
  rm -rf "$scratch"
}
trap finish EXIT

# Asks realm $1 for what the other arguments say.
at() {
  realmctl --home "$scratch/$1" "${@:2}"
}

# Makes realm $1.
found() {
  realmd --home "$scratch/$1" init "$1" --recovery "$scratch/$1.recovery" > /dev/null 2>&1
}

# Runs realm $1 until it answers.
start() {
  realmd --home "$scratch/$1" run > "$scratch/$1.log" 2>&1 &
  daemons[$1]=$!
  until at "$1" status > /dev/null 2>&1; do
    kill -0 "${daemons[$1]}" 2> /dev/null || { cat "$scratch/$1.log" >&2; exit 1; }
    sleep 0.05
  done
}

# Kills the daemon of realm $1 without a chance to tidy up.
crash() {
  kill -9 "${daemons[$1]}" 2> /dev/null && wait "${daemons[$1]}" 2> /dev/null || true
}
