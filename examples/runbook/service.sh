#!/bin/sh
# A service that stands for yours: the release that it runs, whether it gets traffic, and what was done to it.
set -eu
case $1 in
triage) cat release && grep -c ' 500 ' access.log ;;
isolate) echo no > traffic && echo "isolate" >> done.log ;;
rollback) echo "rollback $2" >> done.log && echo "$2" > release ;;
verify) [ "$(cat release)" = "$2" ] && echo yes > traffic && echo "verify" >> done.log && cat release ;;
esac
