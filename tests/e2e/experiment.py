"""How an experiment says what it found."""
import contextlib
import os
import random


def told(name, failures, trials, what):
    """Prints the result, and fails unless nothing failed. The bound is the rule of three: no failure in N trials
    leaves, with 95 % confidence, a rate of less than 3/N. After a failure it says nothing."""
    assert trials > 0, f"{name}: nothing was tried"
    bound = f", 95 % bound {min(100, 300 / trials):.3g} %" if failures == 0 else ""
    print(f"experiment {name}: {failures} of {trials} {what}{bound}", flush=True)
    assert failures == 0, f"{name}: {failures} of {trials} {what}"


def seed():
    """SEED=n says what was printed when something failed."""
    return int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))


@contextlib.contextmanager
def during(what, number):
    """Whatever fails in it says during what it was, and the seed."""
    try:
        yield
    except Exception as wrong:
        raise AssertionError(f"SEED={number}: {what}: {wrong}") from wrong
