#!/bin/bash
# Writes Asterisk's configuration from the templates and the environment, then becomes Asterisk.
#   NAME, EID       the server's name and entity id        LAB_NET  the first three numbers of the lab's network
#   ROLE            cluster (stock res_corosync) or publish (no module at all, a presence node at NODE_ADDRESS)
#   PHONES          the phones that register here          AMI_SECRET, SIP_SECRET
#   MAILBOXES       real mailboxes of this server; may be none
#   NODE_AUTH       publish only: address or digest        PUBLISH_SECRET (digest only)
set -euo pipefail
: "${NAME:?}" "${EID:?}" "${LAB_NET:?}" "${ROLE:?}" "${PHONES:?}" "${AMI_SECRET:?}" "${SIP_SECRET:?}"
templates=/usr/local/share/asterisk-lab
umask 077

endpoint_auth=''
publish_auth=''
if [ "${NODE_AUTH:-address}" = digest ]; then
    endpoint_auth='auth = node'
    publish_auth='outbound_auth = node'
fi

render() {
    sed -e "s/@EID@/$EID/g; s/@NAME@/$NAME/g; s/@LAB_NET@/$LAB_NET/g" \
        -e "s/@AMI_SECRET@/$AMI_SECRET/g; s/@SIP_SECRET@/$SIP_SECRET/g; s/@PUBLISH_SECRET@/${PUBLISH_SECRET:-unused}/g" \
        -e "s/@NODE_ADDRESS@/${NODE_ADDRESS:-}/g; s/@NODE_ENDPOINT_AUTH@/$endpoint_auth/; s/@NODE_PUBLISH_AUTH@/$publish_auth/" \
        "$templates/$1" >"/etc/asterisk/${2:-$1}"
}

for file in "$templates"/*.conf; do render "${file##*/}"; done
render "modules_$ROLE.conf" modules_role.conf
[ "$ROLE" != publish ] || render pjsip_publish.conf pjsip_role.conf
for phone in $PHONES; do
    printf '[%s](phone)\nauth = %s\naors = %s\n[%s](phone-auth)\nusername = %s\n[%s](phone-aor)\n\n' \
        "$phone" "$phone" "$phone" "$phone" "$phone" "$phone"
done >/etc/asterisk/pjsip_phones.conf
# A server tells the others "no messages" for each of its mailboxes when it starts, so a mailbox stands only where it is real.
for box in ${MAILBOXES:-}; do echo "$box => 0000,Mailbox $box"; done >/etc/asterisk/voicemail_boxes.conf

exec asterisk -f -n
