#!/bin/bash
# Looks at a page for a while and keeps what is there then, in the working directory: page.png, page.html (the document as scripts
# made it), console.log, requests.json (Chromium's NetLog).
#   look.sh URL WIDTHxHEIGHT light|dark MILLISECONDS
set -euo pipefail
[ "$#" = 4 ] || { printf 'usage: look.sh URL WIDTHxHEIGHT light|dark MILLISECONDS\n' >&2; exit 2; }
case "$3" in dark) scheme=0 ;; light) scheme=1 ;; *) exit 2 ;; esac
# The container is the sandbox: Chromium's own wants user namespaces, which containers do not have.
exec chromium-headless-shell --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=/tmp/profile \
    --window-size="${2/x/,}" --blink-settings="preferredColorScheme=$scheme" --hide-scrollbars \
    --virtual-time-budget="$4" --dump-dom --screenshot=page.png --log-net-log=requests.json --enable-logging=stderr \
    "$1" >page.html 2>console.log
