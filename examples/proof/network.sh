# Sourced by `run`: four organisations, each on a network of its own where this machine lets us make them.
# Cables lead from the relay's network to each of the others, so that whatever the others say to each other
# goes through it.
organisations=(relay hospital north south)
prefix=proof$$

# Whether networks can be made here.
can_separate() {
  [[ $EUID == 0 ]] && command -v ip > /dev/null && ip netns add "$prefix-try" 2> /dev/null \
    && ip netns delete "$prefix-try"
}

separated=no
if can_separate; then
  separated=yes
fi

make_networks() {
  [[ $separated == yes ]] || return 0
  local name number=0
  for name in "${organisations[@]}"; do
    ip netns add "$prefix-$name"
    ip -n "$prefix-$name" link set lo up
  done
  for name in hospital north south; do
    number=$((number + 1))
    ip -n "$prefix-relay" link add "$name" type veth peer name relay netns "$prefix-$name"
    ip -n "$prefix-relay" address add "10.83.$number.1/30" dev "$name"
    ip -n "$prefix-$name" address add "10.83.$number.2/30" dev relay
    ip -n "$prefix-relay" link set "$name" up
    ip -n "$prefix-$name" link set relay up
  done
}

remove_networks() {
  [[ $separated == yes ]] || return 0
  local name
  for name in "${organisations[@]}"; do
    ip netns delete "$prefix-$name" 2> /dev/null || true
  done
}

# Runs the rest of the command on an organisation's network.
inside() {
  local organisation=$1
  shift
  if [[ $separated == yes ]]; then
    exec ip netns exec "$prefix-$organisation" "$@"
  fi
  exec "$@"
}
