#!/usr/bin/env bash
# The agent with three virtual cameras in real time: does it grow, start threads, or lose packets?
#
#   tests/soak.sh [MINUTES]        30 unless told; the first SETTLE minutes (5 unless told) are not judged
#
# Prints a table for the documents. Memory goes back to the system while nothing happens, so what counts is the most that
# was resident: fails when that is 5 MB or more higher in the second half of the judged minutes than in the first, when the number of threads changes meanwhile, or when anything was dropped.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-30}
settle=${SETTLE:-5}
lares=${LARES:-${CARGO_TARGET_DIR:-target}/release/lares}
video=${VIDEO:-samples/video/visits.mp4}
most_growth_kb=5000
every=30

fail() {
    echo "soak: $*" >&2
    exit 1
}

[[ $minutes =~ ^[0-9]+$ && $settle =~ ^[0-9]+$ && $minutes -gt $settle ]] ||
    fail "give more minutes than the first $settle, which are not judged"
[[ -x $lares ]] || fail "$lares is missing: run make build"
[[ -f $video ]] || fail "$video is missing: run make samples"

home=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$home"
}
trap finish EXIT

"$lares" camera --listen 127.0.0.1:0 "$video" "$video" "$video" >"$home/cameras" &
pids+=($!)
for _ in {1..300}; do
    grep -q '^ready$' "$home/cameras" && break
    sleep 0.1
done
mapfile -t urls < <(awk '$1 == "camera" { print $3 }' "$home/cameras")
[[ ${#urls[@]} -eq 3 ]] || fail "the virtual cameras do not start: see the message above"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$home/store"
{
    printf 'version = 2\nsite = "soak"\ndata_dir = "data"\n'
    for url in "${urls[@]}"; do printf '[[cameras]]\nurl = "%s"\n' "$url"; done
    printf '[upload]\nurl = "file://%s/store"\n' "$home"
    printf '[outbox]\nquota = "500 MB"\n[web]\nlisten = "127.0.0.1:%s"\n[log]\nlevel = "warn"\n' "$port"
} >"$home/lares.toml"
"$lares" run --config "$home/lares.toml" &
agent=$!
pids+=("$agent")

of_status() {
    awk -v key="$1:" '$1 == key { print $2 }' "/proc/$agent/status"
}
sum_of() {
    curl -sf "http://127.0.0.1:$port/metrics" | awk -v name="$1" 'index($1, name) == 1 { sum += $2 } END { print sum + 0 }'
}

echo "| minute | resident kB | threads | incidents | dropped |"
echo "|---:|---:|---:|---:|---:|"
start=$SECONDS
first_threads='' most=(0 0) failures=()
for ((at = settle * 60; at <= minutes * 60; at += every)); do
    left=$((start + at - SECONDS))
    if ((left > 0)); then sleep "$left"; fi
    kill -0 "$agent" 2>/dev/null || fail "the agent has ended: see the message above"
    rss=$(of_status VmRSS) threads=$(of_status Threads)
    incidents=$(sum_of lares_incidents_total) dropped=$(sum_of lares_dropped_total)
    printf '| %d.%d | %d | %d | %d | %d |\n' $((at / 60)) $((at % 60 / 6)) "$rss" "$threads" "$incidents" "$dropped"
    : "${first_threads:=$threads}"
    half=$((at * 2 > (settle + minutes) * 60))
    if ((rss > most[half])); then most[half]=$rss; fi
    [[ $threads -eq $first_threads ]] || failures+=("$threads threads at minute $((at / 60)), $first_threads before")
done

growth=$((most[1] - most[0]))
((growth < most_growth_kb)) || failures+=("resident memory grew by $growth kB")
[[ $dropped -eq 0 ]] || failures+=("$dropped packets or frames were dropped")
[[ $incidents -gt 0 ]] || failures+=("no incident was seen: this measured nothing")

kill "$agent"
wait "$agent" || failures+=("the agent ended with status $?")
echo
if ((${#failures[@]})); then
    printf 'soak: %s\n' "${failures[@]}" >&2
    exit 1
fi
echo "soak: $((minutes - settle)) minutes, three cameras, $incidents incidents: at most ${most[1]} kB, $growth kB more in the second half, $threads threads, nothing dropped"
