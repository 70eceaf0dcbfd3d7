#!/bin/bash
# Moves the mounted configuration to the lab's real networks (LAB_NET, WEST_NET), gives it the node's key and the fingerprints of the
# others (LINK_KEY, PRINT_…) where it has links, then becomes the node.
set -euo pipefail
umask 077
files=(/usr/local/share/node.toml)
if [ -e /usr/local/share/links.toml ]; then
    files+=(/usr/local/share/links.toml)
    printf -- '-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n' "${LINK_KEY:?}" >/etc/asterism/link.key
fi
cat "${files[@]}" | sed "s/198\.18\.0\./${LAB_NET:?}./g; s/198\.18\.1\./${WEST_NET:-198.18.1}./g
    s|@EAST_NODE1@|${PRINT_EAST_NODE1:-}|; s|@EAST_NODE2@|${PRINT_EAST_NODE2:-}|
    s|@WEST_NODE1@|${PRINT_WEST_NODE1:-}|; s|@WEST_NODE2@|${PRINT_WEST_NODE2:-}|" >/etc/asterism/node.toml
exec asterism-node --config /etc/asterism/node.toml
