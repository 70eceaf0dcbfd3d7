# shellcheck shell=bash
# Debian packages without touching the system: apt with private folders, verified with the host's archive keys. Sourced.

# The mirror that the host's own apt uses for Debian.
debian_mirror() {
    local uri
    uri="$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null | sed -n 's/^Debian \(http.*\)/\1/p' | grep -v security | head -n 1)" || true
    [ -n "$uri" ] || die "apt knows no Debian mirror; see /etc/apt/sources.list and run apt-get update"
    printf '%s\n' "${uri%/}"
}

# debian_apt SUITE COMMAND...: apt-get on that suite alone, in .tools/apt/SUITE. The package database is
# the host's, unless DEBIAN_EMPTY=1 (then nothing counts as installed).
debian_apt() {
    local suite="$1" dir="$TOOLS/apt/$1"
    shift
    local status=/var/lib/dpkg/status
    if [ "${DEBIAN_EMPTY:-0}" = 1 ]; then
        status="$dir/status"
        : >"$status"
    fi
    # LANG: some messages are matched below. Sandbox: apt's own user could not write into our folder.
    LC_ALL=C apt-get -y -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$dir/state" -o Dir::State::status="$status" -o Dir::Cache="$dir/cache" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= -o APT::Install-Recommends=0 -o APT::Update::Post-Invoke= \
        -o APT::Get::List-Cleanup=0 -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# Fetches the suite's package lists; a mirror that lags behind its own Valid-Until is used only after the normal way has failed.
debian_lists() {
    local suite="$1" dir="$TOOLS/apt/$1" log
    log="$dir/update.log"
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    # Lists of the last day do.
    [ -z "$(find "$dir/fresh" -mmin -1440 2>/dev/null)" ] || return 0
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$(debian_mirror)" "$suite" >"$dir/sources.list"
    if ! debian_apt "$suite" update >"$log" 2>&1; then
        cat "$log"
        grep -q 'expired\|not valid anymore\|no longer valid' "$log" || return 1
        echo "NOTE: the mirror's list of $suite is past its date: taken nevertheless (signature checked)"
        sed -i 's/\[/[check-valid-until=no /' "$dir/sources.list"
        debian_apt "$suite" update || return 1
    fi
    touch "$dir/fresh"
}

# debian_unpack SUITE FOLDER PACKAGE...: these packages alone, unpacked there.
debian_unpack() {
    local suite="$1" into="$2" debs
    shift 2
    debian_lists "$suite" || return 1
    debs="$(mktemp -d "$TOOLS/apt/debs.XXXXXX")"
    (cd "$debs" && debian_apt "$suite" download "$@") || return 1
    mkdir -p "$into"
    local deb
    for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$into" || return 1; done
    rm -r "$debs"
}
