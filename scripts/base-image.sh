#!/usr/bin/env bash
# Makes asterism/debian:forky, the base of every image: from a registry where one is in reach, else from Debian's packages alone.
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/debian.sh"

BASE=asterism/debian:forky
SUITE=forky

main() {
    if timeout 40 docker pull -q "debian:$SUITE-slim"; then
        docker tag "debian:$SUITE-slim" asterism/debian:unpacked
        mkdir -p "$TOOLS/base/debs"
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
    rm -rf "$TOOLS/base" "$TOOLS/apt/$SUITE/cache/archives"
    mkdir -p "$TOOLS/base/debs" "$TOOLS/base/root" "$TOOLS/apt/$SUITE/cache/archives/partial"
    DEBIAN_EMPTY=1 debian_apt "$SUITE" install --download-only '?essential' apt ca-certificates
    mv "$TOOLS/apt/$SUITE/cache/archives"/*.deb "$TOOLS/base/debs/"
    local deb
    # base-files first: it brings /bin -> usr/bin and the like.
    for deb in "$TOOLS/base/debs"/base-files_*.deb "$TOOLS/base/debs"/*.deb; do
        dpkg-deb -x "$deb" "$TOOLS/base/root"
    done
    tar --create --owner=0 --group=0 --numeric-owner --directory="$TOOLS/base/root" . | docker import - asterism/debian:unpacked
    chmod -R u+w "$TOOLS/base/root"
    rm -rf "$TOOLS/base/root"
}

# Runs the packages' own installation inside, then flattens the result.
configure_packages() {
    cp "$ROOT/images/debian/configure.sh" "$TOOLS/base/"
    cat >"$TOOLS/base/Dockerfile" <<END
FROM asterism/debian:unpacked
COPY configure.sh /configure.sh
COPY debs /debs
RUN ["/bin/sh", "/configure.sh", "$(debian_mirror)", "$SUITE"]
END
    docker_build -t asterism/debian:configured "$TOOLS/base"
    local container
    container="$(docker create asterism/debian:configured true)"
    docker export "$container" | docker import --change 'CMD ["bash"]' - "$BASE"
    docker rm "$container" >/dev/null
    docker rmi asterism/debian:configured asterism/debian:unpacked >/dev/null || true
    rm -rf "$TOOLS/base"
}

main
