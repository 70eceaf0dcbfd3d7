#!/bin/bash
# Writes corosync.conf from the environment, then becomes corosync.
#   RING      the members, "NODEID=ADDRESS NODEID=ADDRESS ..."
#   NODEID    which of them this one is
#   RING_KEY  the ring's secret, at least 128 characters
#   TOKEN_MS  how long a silent member is waited for
set -euo pipefail
: "${RING:?}" "${NODEID:?}" "${RING_KEY:?}" "${TOKEN_MS:=1000}"

mkdir -p /etc/corosync/uidgid.d
cp /usr/local/share/clients.conf /etc/corosync/uidgid.d/

# Only its owner reads the file: the key stands in it.
umask 077
{
    cat <<END
totem {
    version: 2
    cluster_name: asterism
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
    key: $RING_KEY
    token: $TOKEN_MS
    # Without it each member beyond the second would add 650 ms to the token.
    token_coefficient: 0
}
quorum {
    provider: corosync_votequorum
}
logging {
    to_stderr: yes
    to_syslog: no
    timestamp: on
}
system {
    sched_rr: no
    move_to_root_cgroup: no
}
nodelist {
END
    for member in $RING; do
        printf '    node {\n        nodeid: %s\n        name: n%s\n        ring0_addr: %s\n    }\n' "${member%%=*}" "${member%%=*}" "${member#*=}"
    done
    echo '}'
} >/etc/corosync/corosync.conf
# corosync finds itself in the list by its address; NODEID is there so that a wrong setting fails at once.
address="$(printf '%s\n' $RING | sed -n "s/^$NODEID=//p")"
hostname -I | tr ' ' '\n' | grep -qxF "${address:-none}" || {
    echo "error: member $NODEID of RING has the address '${address:-none}', this container has $(hostname -I)" >&2
    exit 1
}
date +%s >/run/corosync.start
exec corosync -f
