#!/bin/sh
# Runs inside the image to be: installs the unpacked packages properly (when there are any) and settles apt. Arguments: mirror, suite.
set -eu
export DEBIAN_FRONTEND=noninteractive

# As in every slim image: no documentation, no translations, no service ever started by a package.
cat >/etc/dpkg/dpkg.cfg.d/slim <<END
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
force-unsafe-io
END
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d

if ls /debs/*.deb >/dev/null 2>&1; then
    [ -s /etc/passwd ] || cp /usr/share/base-passwd/passwd.master /etc/passwd
    [ -s /etc/group ] || cp /usr/share/base-passwd/group.master /etc/group
    touch /var/lib/dpkg/status
    dpkg --force-depends --install /debs/*.deb
    rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale/*
    rm -f /etc/apt/sources.list.d/*
    cat >/etc/apt/sources.list.d/debian.sources <<END
Types: deb
URIs: $1
Suites: $2
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
fi
rm -rf /debs /configure.sh

printf 'Acquire::Languages "none";\nAPT::Install-Recommends "false";\n' >/etc/apt/apt.conf.d/50asterism
# A mirror that lags is used past its date only where the normal way fails; its signature is always checked.
if ! apt-get update; then
    echo 'NOTE: the mirror is past its date: the images take its packages nevertheless (signatures checked)'
    echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/51late-mirror
    apt-get update
fi
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
