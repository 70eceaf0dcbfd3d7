# shellcheck shell=bash
# Builds the images whose inputs changed. Sourced, after lib.sh.

# A digest of a folder's files (names, modes, bytes) and of the base images: equal digest, equal image.
inputs_of() {
    {
        docker image inspect --format '{{.Id}}' asterism/debian:forky ${2:+"asterism/debian:$2"}
        cd "$1"
        find . -type f -printf '%p %m ' -exec sha256sum {} \; | LC_ALL=C sort
    } | sha256sum | cut -c 1-32
}

# image NAME FOLDER [SUITE]: asterism/NAME from that folder, unless the one at hand has the same inputs.
image() {
    local tag="asterism/$1" folder="$2" suite="${3:-}" inputs
    inputs="$(inputs_of "$folder" "$suite")"
    [ "$(label_of "$tag")" != "$inputs" ] || return 0
    docker_build --label "asterism.inputs=$inputs" --tag "$tag" ${suite:+--build-arg "SUITE=$suite"} "$folder"
    # Without buildx docker says that all is well even if it lost the image before it had a name.
    [ "$(label_of "$tag")" = "$inputs" ] || { echo "$tag was built and is not there: removed by somebody else?"; return 1; }
    # Those that others replaced. A young one may be what is built beside this, and has no name yet.
    docker image prune --force --filter label=asterism.inputs --filter until=10m >/dev/null
}

# The inputs that the image at hand was built from; nothing if there is none.
label_of() { docker image inspect --format '{{index .Config.Labels "asterism.inputs"}}' "$1" 2>/dev/null || true; }

# program_image NAME: asterism/NAME, which takes the binary asterism-NAME from cargo's output.
program_image() {
    local folder="$TOOLS/$1-image"
    mkdir -p "$folder"
    cp -p "$ROOT/images/$1/"* "$folder/"
    cp "${CARGO_TARGET_DIR:-$ROOT/target}/release/asterism-$1" "$folder/"
    image "$1" "$folder"
}

# What breaks and measures the lab; the programs in it are examples of our crates.
faults_image() {
    local folder="$TOOLS/faults-image"
    mkdir -p "$folder"
    cp -p "$ROOT/images/faults/"* "$folder/"
    local program
    for program in say storm fill; do
        cp "${CARGO_TARGET_DIR:-$ROOT/target}/release/examples/$program" "$folder/"
    done
    image faults "$folder"
}

# What the tests hold dashboards against. Its package comes from the network; whom this machine trusts there, the build trusts too.
schema_image() {
    local folder="$TOOLS/schema-image"
    mkdir -p "$folder"
    cp -p "$ROOT/images/schema/"* "$folder/"
    cp /etc/ssl/certs/ca-certificates.crt "$folder/certificates.crt"
    image schema "$folder"
}

# For the tests: Asterisk 16, the other end of what is in use.
asterisk16_image() {
    base_image bullseye
    image asterisk16 "$ROOT/images/asterisk" bullseye
}

base_image() { docker image inspect "asterism/debian:$1" >/dev/null 2>&1 || "$ROOT/scripts/base-image.sh" "$1"; }

programs() {
    cargo build --release --manifest-path "$ROOT/Cargo.toml" --package node --package exporter --package lab --package wan \
        --package corosync-rs --package asterisk --bins --example say --example storm --example fill
}

# Everything that the lab and its tests run, what is independent of each other at the same time.
build_all() {
    local jobs=() failed=0 job
    start_job step "programs (cargo)" programs
    jobs+=("$!")
    if step "base image" base_image forky; then
        for job in corosync asterisk phones prometheus; do
            start_job step "image $job" image "$job" "$ROOT/images/$job"
            jobs+=("$!")
        done
    else
        failed=1
    fi
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    [ "$failed" = 0 ] || return 1
    step "image node" program_image node || return 1
    step "image exporter" program_image exporter || return 1
    step "image wan" program_image wan || return 1
    step "image faults" faults_image
}
