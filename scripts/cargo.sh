#!/usr/bin/env bash
# cargo with the tools of .tools in reach.
. "$(dirname "$0")/lib.sh"
exec cargo "$@"
