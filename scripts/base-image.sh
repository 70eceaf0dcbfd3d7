#!/usr/bin/env bash
# Makes asterism/debian:SUITE, which images start from: from a registry where one is in reach, else from Debian's packages alone.
#   base-image.sh SUITE
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/debian.sh"

SUITE="$1"
# Two suites may be made at the same time.
WORK="$TOOLS/base-$SUITE"
UNPACKED="asterism/debian:$SUITE-unpacked"
CONFIGURED="asterism/debian:$SUITE-configured"

main() {
    if timeout 40 docker pull -q "debian:$SUITE-slim"; then
        docker tag "debian:$SUITE-slim" "$UNPACKED"
        mkdir -p "$WORK/debs"
    else
        echo "NOTE: no image registry in reach: bootstrapping Debian $SUITE from its packages"
        unpack_packages
    fi
    configure_packages
}

# Essential packages, apt and certificates, unpacked over each other and imported as an image. Owners and modes need not be
# right yet (no root here): the packages' own installation sets them.
unpack_packages() {
    debian_lists "$SUITE"
    rm -rf "$WORK" "$TOOLS/apt/$SUITE/cache/archives"
    mkdir -p "$WORK/debs" "$WORK/root" "$TOOLS/apt/$SUITE/cache/archives/partial"
    DEBIAN_EMPTY=1 debian_apt "$SUITE" install --download-only '?essential' apt ca-certificates
    mv "$TOOLS/apt/$SUITE/cache/archives"/*.deb "$WORK/debs/"
    local deb
    # base-files first: it brings /bin -> usr/bin and the like.
    for deb in "$WORK/debs"/base-files_*.deb "$WORK/debs"/*.deb; do
        dpkg-deb -x "$deb" "$WORK/root"
    done
    tar --create --owner=0 --group=0 --numeric-owner --directory="$WORK/root" . | docker import - "$UNPACKED"
    chmod -R u+w "$WORK/root"
    rm -rf "$WORK/root"
}

# Runs the packages' own installation inside, then flattens the result.
configure_packages() {
    cp "$ROOT/images/debian/configure.sh" "$WORK/"
    cat >"$WORK/Dockerfile" <<END
FROM $UNPACKED
COPY configure.sh /configure.sh
COPY debs /debs
RUN ["/bin/sh", "/configure.sh", "$(debian_mirror)", "$SUITE"]
END
    docker_build -t "$CONFIGURED" "$WORK"
    local container
    container="$(docker create "$CONFIGURED" true)"
    docker export "$container" | docker import --change 'CMD ["bash"]' - "asterism/debian:$SUITE"
    docker rm "$container" >/dev/null
    docker rmi "$CONFIGURED" "$UNPACKED" >/dev/null || true
    rm -rf "$WORK"
}

main
