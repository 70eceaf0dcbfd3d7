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
# The lab's network is EAST_NET.0/24.
EAST_NET=${EAST_NET:-198.18.0}
END
        mv "$file.new" "$file"
    )
}

# setting NAME DEFAULT: the value in force: the environment's, else the file's, else the default.
setting() {
    local file="$ROOT/compose/.env" value="${!1:-}"
    [ -n "$value" ] || [ ! -r "$file" ] || value="$(sed -n "s/^$1=//p" "$file" | tail -n 1)"
    echo "${value:-$2}"
}
east_net() { setting EAST_NET 198.18.0; }
