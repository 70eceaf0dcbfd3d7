#!/bin/bash
# Moves the mounted configuration to the lab's real networks (LAB_NET, WEST_NET), then becomes the exporter.
set -euo pipefail
sed "s/198\.18\.0\./${LAB_NET:?}./g; s/198\.18\.1\./${WEST_NET:-198.18.1}./g" /usr/local/share/exporter.toml >/etc/asterism/exporter.toml
exec asterism-exporter --config /etc/asterism/exporter.toml
