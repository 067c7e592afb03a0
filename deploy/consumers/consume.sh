#!/usr/bin/env bash
# Pops tasks, claims each, works on it, reports the outcome. Needs redis-cli.
#
#   QUEUE=acme.calls AGENT=a42 OUTCOME=no_answer REDIS_URL=redis://127.0.0.1:6379/0 ONCE=1 consume.sh
#
# REDIS_URL may also be unix:///path. With ONCE it ends after one task.
set -euo pipefail

queue=${QUEUE:-demo.calls} agent=${AGENT:-$(id -un)} outcome=${OUTCOME:-no_answer}
url=${REDIS_URL:-redis://127.0.0.1:6379/0}
case $url in
unix://*) redis=(redis-cli --raw -s "${url#unix://}") ;;
*) redis=(redis-cli --raw -u "$url") ;;
esac

# A field of the task that needs no unescaping; the first of that name, which no visitor's field can precede.
field() { [[ $task =~ \"$1\":\"?([^\",}]*) ]] && echo "${BASH_REMATCH[1]}"; }

# Every task says in "report", behind all that visitors write, which stream its reports go to.
report() {
    local stream=${task##*\"report\":\"}
    "${redis[@]}" XADD "${stream%%\"*}" '*' task "$(field id)" delivery "$(field delivery)" \
        agent "$agent" "$@" >/dev/null
}

work() { # dial here
    echo "calling $(field phone) for task $(field id), attempt $(field attempt)"
}

while true; do
    # Prints the key, the task, the score. No time limit: 0.
    task=$("${redis[@]}" BZPOPMIN "hl:{$queue}:tasks" 0 | sed -n 2p)
    [[ $task == \{* ]] || { echo "no task came: is Redis there, and $queue a sorted set?" >&2; exit 1; }
    started_ms=$(date +%s%3N)
    report op claim
    work
    report op outcome outcome "$outcome" started_ms "$started_ms"
    [ -z "${ONCE:-}" ] || break
done
