# shellcheck shell=bash
# The lab's secrets, made once per checkout: compose/.env, for its owner only. Sourced, after lib.sh.
random_hex() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

ensure_secrets() {
    local file="$ROOT/compose/.env"
    [ ! -s "$file" ] || return 0
    (
        umask 077
        cat >"$file.new" <<END
# Written by the first \`just up\`. Delete it (after \`just down\`) to get new secrets.
AMI_SECRET=$(random_hex 16)
SIP_SECRET=$(random_hex 16)
PUBLISH_SECRET=$(random_hex 16)
NODE_TOKEN=$(random_hex 16)
COROSYNC_KEY=$(random_hex 128)
# The lab's networks are EAST_NET.0/24 and WEST_NET.0/24.
EAST_NET=${EAST_NET:-198.18.0}
WEST_NET=${WEST_NET:-198.18.1}
END
        mv "$file.new" "$file"
    )
}

# The keys by which the lab's nodes know each other, made once per checkout by the node's own program, which must have been built.
ensure_keys() {
    local file="$ROOT/compose/.env" node name folder print
    ! grep -q '^KEY_WEST_NODE2=' "$file" || return 0
    folder="$(mktemp -d)"
    for node in east-node1 east-node2 west-node1 west-node2; do
        name="$(tr a-z- A-Z_ <<<"$node")"
        print="$("${CARGO_TARGET_DIR:-$ROOT/target}/release/asterism-node" key new "$folder/$node")"
        printf 'KEY_%s=%s\nPRINT_%s=%s\n' "$name" "$(sed -n 2p "$folder/$node")" "$name" "$print" >>"$file"
    done
    rm -r "$folder"
}

# setting NAME DEFAULT: the value in force: the environment's, else the file's, else the default.
setting() {
    local file="$ROOT/compose/.env" value="${!1:-}"
    [ -n "$value" ] || [ ! -r "$file" ] || value="$(sed -n "s/^$1=//p" "$file" | tail -n 1)"
    echo "${value:-$2}"
}
east_net() { setting EAST_NET 198.18.0; }
west_net() { setting WEST_NET 198.18.1; }
