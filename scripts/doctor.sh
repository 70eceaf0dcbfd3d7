#!/usr/bin/env bash
# Says whether this machine can run the lab: one line for each need, with the fix. Changes nothing.
# Exit 0: fine, 1: cannot run, 2: runs with limits. `--brief` shows only what is not fine.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/secrets.sh"

brief="${1:-}"
verdict=0

line() { printf '  %-5s %-10s %s\n' "$@"; }
fine() { [ "$brief" = --brief ] || line ok "$@"; }
limit() {
    line LIMIT "$@"
    [ "$verdict" != 0 ] || verdict=2
}
missing() {
    line FAIL "$@"
    verdict=1
}

main() {
    [ "$brief" = --brief ] || say "What the lab needs:"
    if check_engine; then
        check_compose
        check_features
        check_disk
        check_network
        check_ports
    fi
    check_memory
    check_rust
    check_linker
    case "$verdict" in
    0) say "Doctor: everything is there." ;;
    1) say "Doctor: the lab cannot run here until what says FAIL is mended." ;;
    2) say "Doctor: the lab runs here, with the limits above." ;;
    esac
    exit "$verdict"
}

check_engine() {
    local version
    if ! command -v docker >/dev/null; then
        missing engine "no docker command: install Docker Engine (on Debian: apt install docker.io)"
    elif version="$(docker version --format '{{.Server.Version}}' 2>&1)"; then
        if [ "$(docker info --format '{{.OSType}}')" != linux ] || [[ "$(docker info --format '{{.OperatingSystem}}')" == *Desktop* ]]; then
            missing engine "$version runs in a machine of its own: the host must reach containers; use Docker Engine on Linux"
        elif [ "${version%%.*}" -lt 20 ]; then
            missing engine "$version is too old: 20.10 or later"
        else
            fine engine "Docker Engine $version"
            return 0
        fi
    elif [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
        missing engine "no right to talk to it: sudo usermod -aG docker $(id -un), then log in anew"
    else
        missing engine "it does not answer: sudo systemctl start docker (${version##*$'\n'})"
    fi
    return 1
}

check_compose() {
    local version
    if version="$(docker compose version --short 2>/dev/null)"; then
        case "$version" in
        v1* | 1*) missing compose "$version: version 2 is needed (on Debian: remove docker-compose 1, then ./just up brings 2)" ;;
        *) fine compose "Compose $version" ;;
        esac
    elif command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        fine compose "Compose v2 is missing: ./just up brings it into .tools (the system stays as it is)"
    else
        missing compose "no Compose v2, and no apt to bring it: install the Docker Compose plugin"
    fi
}

check_features() {
    [[ " $(docker info --format '{{range .Plugins.Network}}{{.}} {{end}}')" == *" bridge "* ]] ||
        missing kernel "the engine has no bridge networks"
    if [ ! -d /dev/shm ]; then
        missing kernel "no /dev/shm (corosync's buffers): mount -t tmpfs tmpfs /dev/shm"
    elif [ "$(docker info --format '{{.MemoryLimit}}')" != true ]; then
        limit kernel "no memory limits for containers (boot with cgroup_enable=memory): the lab runs without its limits"
    else
        fine kernel "bridges, shared memory, memory limits"
    fi
}

check_disk() {
    local root need free
    root="$(docker info --format '{{.DockerRootDir}}')"
    need=4
    ! docker image inspect asterism/asterisk >/dev/null 2>&1 || need=1
    # Not every user may look into the engine's folder; its parent is on the same disk more often than not.
    while ! free="$(df --output=avail -BG "$root" 2>/dev/null | tail -n 1 | tr -dc 0-9)" || [ -z "$free" ]; do root="$(dirname "$root")"; done
    if [ "$free" -ge "$need" ]; then
        fine disk "$free GiB free at $root"
    else
        missing disk "$free GiB free at $root, $need are needed: docker system prune, or more disk"
    fi
}

check_network() {
    check_one_network EAST_NET "$(east_net)"
    [ "${SITES:-2}" = 1 ] || check_one_network WEST_NET "$(west_net)"
}

check_one_network() {
    local name="$1" net="$2" clash
    clash="$(routes_into "$net")"
    if ! [[ "$net" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
        missing network "$name=$net: three numbers are meant, as in 198.18.0"
    elif [ -n "$clash" ]; then
        missing network "$net.0/24 is taken (route by $clash): choose another, e.g. $name=198.19.7 ./just up (or in compose/.env)"
    else
        fine network "$net.0/24 is free for the lab"
    fi
}

# What the lab shows on 127.0.0.1. Its own ports count as free.
check_ports() {
    local setting port taken=0
    for setting in EXPORTER_PORT=9711 PROMETHEUS_PORT=9090 GRAFANA_PORT=3000; do
        port="$(setting "${setting%=*}" "${setting#*=}")"
        [ -z "$(docker ps -q --filter "label=com.docker.compose.project=$PROJECT" --filter "publish=$port")" ] || continue
        ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            missing ports "127.0.0.1:$port is taken: choose another, e.g. ${setting%=*}=$((port + 1000)) ./just up (or in compose/.env)"
            taken=1
        }
    done
    [ "$taken" = 1 ] || fine ports "the lab's ports on 127.0.0.1 are free"
}

# The interfaces through which this host routes part of NET.0/24 (or all of it, but not as part of everything), save the lab's own bridges.
routes_into() {
    local wanted own site interface destination mask rest
    wanted=$((16#$(printf '%02X%02X%02X00' ${1//./ })))
    own="$(for site in east west; do docker network inspect --format 'br-{{slice .Id 0 12}}' "${PROJECT}_$site" 2>/dev/null || true; done)"
    while read -r interface destination _ _ _ _ _ mask rest; do
        [ "$interface" != Iface ] && [[ "$own" != *"$interface"* ]] && [ "$mask" != 00000000 ] || continue
        destination=$((16#$(swap "$destination")))
        mask=$((16#$(swap "$mask") & 0xFFFFFF00))
        [ $((wanted & mask)) -ne $((destination & mask)) ] || printf '%s ' "$interface"
    done </proc/net/route
}

# /proc/net/route writes addresses in the machine's (little-endian) order.
swap() { printf '%s%s%s%s' "${1:6:2}" "${1:4:2}" "${1:2:2}" "${1:0:2}"; }

check_memory() {
    local free
    free="$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)"
    if [ "$free" -ge 1536 ]; then
        fine memory "$free MiB available"
    elif [ "$free" -ge 900 ]; then
        limit memory "$free MiB available: 1536 are better; close something if containers get killed"
    else
        missing memory "$free MiB available, 1536 are needed"
    fi
}

check_rust() {
    local version
    if ! command -v cargo >/dev/null; then
        missing rust "no cargo: install rustup (on Debian 13: apt install rustup; else see rustup.rs)"
    elif version="$(cd "$ROOT" && cargo --version 2>&1)"; then
        fine rust "${version##*$'\n'}"
    else
        missing rust "cargo does not run here: rustup toolchain install (${version##*$'\n'})"
    fi
}

check_linker() {
    if command -v cc >/dev/null; then
        fine linker "$(command -v cc)"
    elif command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        fine linker "no cc: ./just up brings gcc into .tools (the system stays as it is)"
    else
        missing linker "no cc, and no apt to bring one: install gcc or clang"
    fi
}

main
