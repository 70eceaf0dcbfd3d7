#!/bin/bash
# Moves the mounted configuration to the lab's real network (LAB_NET), then becomes the node.
set -euo pipefail
sed "s/198\.18\.0\./${LAB_NET:?}./g" /usr/local/share/node.toml >/etc/asterism/node.toml
exec asterism-node --config /etc/asterism/node.toml
