#!/usr/bin/python3
"""Pops tasks, claims each, works on it, reports the outcome. Needs python3-redis.

    QUEUE=acme.calls AGENT=a42 OUTCOME=no_answer REDIS_URL=redis://127.0.0.1:6379/0 ONCE=1 consume.py

REDIS_URL may also be unix:///path. With ONCE it ends after one task. PREFIX, where hotlead's redis_prefix is not
"hl". SHAPE (zset or list), where the queue's shape is not to be found out by looking."""
import getpass
import json
import os
import time

import redis

QUEUE = os.environ.get("QUEUE", "demo.calls")
TASKS = f"{os.environ.get('PREFIX', 'hl')}:{{{QUEUE}}}:tasks"
AGENT = os.environ.get("AGENT") or getpass.getuser()
OUTCOME = os.environ.get("OUTCOME", "no_answer")


def pops(link):
    """Waits for tasks. An empty queue has no type and is taken for what it was; that is looked at each second."""
    fixed = os.environ.get("SHAPE")
    shape, timeout = fixed or "zset", 0 if fixed else 1
    while True:
        seen = fixed or link.type(TASKS).decode()
        shape = shape if seen == "none" else seen
        try:
            popped = link.blpop([TASKS], timeout) if shape == "list" else link.bzpopmin(TASKS, timeout)
        except redis.ResponseError:
            if seen != "none":
                raise
            continue  # it came since, and is another than it was
        if popped:
            yield json.loads(popped[1])


def report(link, task, **fields):
    """Every task says in "report" which stream its reports go to."""
    link.xadd(task["report"], {"task": task["id"], "delivery": task["delivery"], "agent": AGENT, **fields})


def work(task):  # dial here
    print(f"calling {task['phone']} for task {task['id']}, attempt {task['attempt']}", flush=True)


def main():
    link = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
    for task in pops(link):
        started_ms = int(time.time() * 1000)
        report(link, task, op="claim")
        work(task)
        report(link, task, op="outcome", outcome=OUTCOME, started_ms=started_ms)
        if os.environ.get("ONCE"):
            break


main()
