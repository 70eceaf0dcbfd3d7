#!/usr/bin/env bash
# Compose for the lab, with the tools of .tools in reach.
. "$(dirname "$0")/lib.sh"
compose "$@"
