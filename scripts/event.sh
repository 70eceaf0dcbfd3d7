#!/usr/bin/env bash
# event.sh KIND TEXT: writes down what the lab does to itself, e.g. `event.sh restart east-pbx1`, for the annotations of the dashboards.
# .tools/events.jsonl has all of it; .tools/events/events.prom has the last fifty, from where Prometheus reads them.
. "$(dirname "$0")/lib.sh"

LINES_MAX=50

main() {
    [ "$#" = 2 ] || die "event.sh KIND TEXT"
    [[ "$1" =~ ^[a-z][a-z_]{0,30}$ ]] || die "event.sh: a kind is a word like restart, not: $1"
    local folder="${EVENTS_FOLDER:-$TOOLS/events}" text
    # Neither JSON nor the metrics need escapes then.
    text="$(printf '%s' "$2" | tr -d '"\\' | tr -c '[:print:]' ' ' | cut -c 1-100)"
    mkdir -p "$folder"
    exec 9>"$folder/lock"
    flock 9
    printf '{"time":%s,"kind":"%s","text":"%s"}\n' "$(date +%s.%3N)" "$1" "$text" >>"$folder/../events.jsonl"
    metrics "$folder/../events.jsonl" >"$folder/events.prom.new"
    mv "$folder/events.prom.new" "$folder/events.prom"
}

# What has happened several times appears once, with its last time: a series has one value.
metrics() {
    echo "# HELP asterism_lab_event_timestamp_seconds When the lab last did this to itself"
    echo "# TYPE asterism_lab_event_timestamp_seconds gauge"
    tail -n "$LINES_MAX" "$1" | awk -F'"' '
        { gsub(/[:,]/, "", $3); last["kind=\"" $6 "\",text=\"" $10 "\""] = $3 }
        END { for (labels in last) print "asterism_lab_event_timestamp_seconds{" labels "} " last[labels] }'
}

main "$@"
