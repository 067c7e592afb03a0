#!/usr/bin/env bash
# Pops tasks, claims each, works on it, reports the outcome. Needs redis-cli.
#
#   QUEUE=acme.calls AGENT=a42 OUTCOME=no_answer REDIS_URL=redis://127.0.0.1:6379/0 ONCE=1 consume.sh
#
# REDIS_URL may also be unix:///path. With ONCE it ends after one task. PREFIX, where hotlead's redis_prefix
# is not "hl". SHAPE (zset or list), where the queue's shape is not to be found out by looking.
set -euo pipefail

queue=${QUEUE:-demo.calls} agent=${AGENT:-$(id -un)} outcome=${OUTCOME:-no_answer}
url=${REDIS_URL:-redis://127.0.0.1:6379/0} tasks="${PREFIX:-hl}:{$queue}:tasks" shape=zset
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

# Waits for a task. An empty queue has no type and is taken for what it was; that is looked at each second.
pop() {
    local seen wait=${SHAPE:+0} answer
    while true; do
        seen=${SHAPE:-$("${redis[@]}" TYPE "$tasks")}
        [[ $seen == none ]] || shape=$seen
        case $shape in
        list) answer=$("${redis[@]}" BLPOP "$tasks" "${wait:-1}") ;;
        zset) answer=$("${redis[@]}" BZPOPMIN "$tasks" "${wait:-1}") ;;
        *) answer="its key is of type $shape" ;;
        esac
        [[ $seen == none && $answer == WRONGTYPE* ]] && continue # it came since, and is another than it was
        [[ -z $answer ]] || break
    done
    task=$(sed -n 2p <<<"$answer") # the key, the task, and of a sorted set the score
    [[ $task == \{* ]] || { echo "no task came: $answer" >&2; exit 1; }
}

work() { # dial here
    echo "calling $(field phone) for task $(field id), attempt $(field attempt)"
}

while true; do
    pop
    started_ms=$(date +%s%3N)
    report op claim
    work
    report op outcome outcome "$outcome" started_ms "$started_ms"
    [ -z "${ONCE:-}" ] || break
done
