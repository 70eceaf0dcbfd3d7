# shellcheck shell=bash
# Brings what a fresh Debian 12 lacks into .tools: Compose v2, a linker, just, cargo's tools. Sourced, after lib.sh.
. "$ROOT/scripts/debian.sh"

# The first Debian release with Compose v2; its programs still run on Debian 12.
TOOLS_SUITE=trixie
JUST_VERSION=1.46.0

ensure_compose() {
    ! docker compose version >/dev/null 2>&1 || return 0
    debian_unpack "$TOOLS_SUITE" "$TOOLS/unpacked-compose" docker-compose
    mkdir -p "$TOOLS/docker/cli-plugins"
    find "$TOOLS/unpacked-compose/usr" -type f -perm -100 -name docker-compose -exec mv {} "$TOOLS/docker/cli-plugins/" \;
    rm -r "$TOOLS/unpacked-compose"
    # The user's own settings (a registry's login, say) stay in reach.
    ln -sf "${DOCKER_CONFIG:-$HOME/.docker}/config.json" "$TOOLS/docker/config.json"
    DOCKER_CONFIG="$TOOLS/docker" docker compose version
}

# Rust links by calling `cc`. Where there is none: Debian's gcc, unpacked, behind a wrapper that tells it where it lives.
ensure_linker() {
    ! command -v cc >/dev/null || return 0
    local suite root="$TOOLS/cc/root" cache
    suite="$(. /etc/os-release && echo "${VERSION_CODENAME:?}")"
    debian_lists "$suite"
    cache="$TOOLS/apt/$suite/cache/archives"
    # Everything down to libc, as if nothing were installed: the linker looks for all of it under one root.
    DEBIAN_EMPTY=1 debian_apt "$suite" install --download-only gcc libc6-dev
    local deb
    mkdir -p "$root"
    for deb in "$cache"/*.deb; do dpkg-deb -x "$deb" "$root"; done
    rm "$cache"/*.deb
    # gcc's own libraries, without the C library: that stays the system's.
    mkdir -p "$TOOLS/cc/lib" "$TOOLS/cc/bin"
    find "$root/usr/lib" -maxdepth 2 \( -name 'libisl*' -o -name 'libmp*' -o -name 'libgmp*' -o -name 'libbfd*' -o -name 'libopcodes*' \
        -o -name 'libctf*' -o -name 'libsframe*' -o -name 'libgprofng*' -o -name 'libz*' -o -name 'libjansson*' \) \
        -exec ln -sf {} "$TOOLS/cc/lib/" \;
    cat >"$TOOLS/cc/bin/cc" <<END
#!/bin/sh
export LD_LIBRARY_PATH="$TOOLS/cc/lib" PATH="$root/usr/bin:\$PATH"
exec "$root/usr/bin/gcc" --sysroot="$root" "\$@"
END
    # What is compiled from C is put into archives.
    cat >"$TOOLS/cc/bin/ar" <<END
#!/bin/sh
export LD_LIBRARY_PATH="$TOOLS/cc/lib"
exec "$root/usr/bin/ar" "\$@"
END
    chmod +x "$TOOLS/cc/bin/cc" "$TOOLS/cc/bin/ar"
    echo 'int main(void) { return 0; }' >"$TOOLS/cc/try.c"
    "$TOOLS/cc/bin/cc" "$TOOLS/cc/try.c" -o "$TOOLS/cc/try"
    "$TOOLS/cc/try"
}

# Debian's just, with the C library that it was built for (Debian 12 has an older one); where there is no apt, built by cargo.
ensure_just() {
    ! command -v just >/dev/null || return 0
    local root="$TOOLS/just"
    if command -v apt-get >/dev/null && debian_unpack "$TOOLS_SUITE" "$root" just libc6 libgcc-s1; then
        local loader libraries
        loader="$(find "$root/usr/lib" -name 'ld-linux*.so.*' | head -n 1)"
        libraries="$(dirname "$(find "$root/usr/lib" -name libc.so.6)")"
        printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$loader" "$libraries" "$root/usr/bin/just" >"$TOOLS/bin/just"
        chmod +x "$TOOLS/bin/just"
        ! "$TOOLS/bin/just" --version || return 0
        rm "$TOOLS/bin/just"
    fi
    ensure_linker
    PATH="$TOOLS/cc/bin:$PATH" cargo install just --version "$JUST_VERSION" --locked --root "$TOOLS"
}

# ensure_tool NAME VERSION: built by cargo into .tools, unless that version is there.
ensure_tool() { "$TOOLS/bin/$1" --version 2>/dev/null | grep -q -w -F "$2" || cargo install "$1" --version "$2" --locked --root "$TOOLS"; }
