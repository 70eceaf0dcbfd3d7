# Asterism's recipes. `./just up` is the place to begin.

set positional-arguments
set no-exit-message

# This list.
[private]
@default:
    just --justfile {{quote(justfile())}} --list --unsorted

# Checks what this machine has to have. Exit 0: fine, 1: cannot run, 2: runs with limits.
@doctor:
    scripts/doctor.sh

# Builds what is missing, starts the lab, waits for health and shows a lamp cross. Twice is harmless.
@up:
    scripts/up.sh

# Servers, nodes and group members as they are now. `--json` for programs.
@status *args:
    scripts/lab.sh status "$@"

# Follows the logs of all containers, or of one service.
@logs *service:
    scripts/compose.sh logs --follow --tail 200 "$@"

# An Asterisk console, e.g. `just cli east-pbx1`.
@cli service:
    scripts/compose.sh exec "$1" asterisk -r

# Two phones call each other; prints the lamps at all servers as their watchers see them.
@call *args:
    scripts/lab.sh call "$@"

# After a change in crates/ or compose/*.toml: new nodes and a new exporter into the running lab.
@reload:
    scripts/reload.sh

# Benchmarks, e.g. `just bench lamp`; without a name, the list of them.
@bench *args:
    scripts/lab.sh bench "$@"

# An office's worth of calls, e.g. `just load rate=100 devices=1000 minutes=1`.
@load *args:
    scripts/lab.sh load "$@"

# Breaks something: `just break kill pbx1`, `freeze node1-corosync`, `partition pbx1 node1 pbx3`, `intrude pbx2`.
@break *args:
    scripts/lab.sh break "$@"

# Undoes all that was broken, and waits until every container is healthy.
@heal:
    scripts/lab.sh heal

# What is between the sites: `just wan` shows it; `just wan delay=150 loss=5`, `just wan cut`, `just wan heal`, `just wan rebind`.
@wan *args:
    scripts/lab.sh wan "$@"

# Where to look: the addresses of Prometheus, the exporter's page and Grafana.
@open:
    scripts/open.sh

# Removes every container, network and volume of the lab.
@down:
    scripts/down.sh

# Like down; also the images, the tools and the secrets.
@clean:
    scripts/down.sh --clean

# All tests; the lab suite starts a lab of its own beside yours.
@test *args:
    scripts/test.sh "$@"

# The tests that need neither Docker nor corosync.
@test-unit *args:
    scripts/cargo.sh test "$@"

# The simulator: a seed to replay, or `--seconds 60` to look for seeds that break a promise; `--sites` for several sites, `--scale` for what they cost.
@sim *args:
    scripts/cargo.sh run --quiet --release --package sim -- "$@"

# Looks for inputs that break a decoder: all targets or one, 60 seconds each or as many as are said.
@fuzz *args:
    scripts/fuzz.sh "$@"

# Format, lints, documentation, dependencies, scripts.
@check:
    scripts/check.sh
