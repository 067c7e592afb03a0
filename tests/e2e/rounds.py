"""Rounds of faults that come from a seed. SEED=... in the environment gives those of an earlier run again (what is
drawn is the same, not the machine's timing), ROUNDS=... another number of them."""
import collections
import os
import random

from experiment import seed, told
from harness import LONG


class Rounds:
    def __init__(self, short, long):
        self.seed = seed()
        self.count = int(os.environ.get("ROUNDS") or (long if LONG else short))
        self.ran = collections.Counter()
        self.felt = collections.Counter()  # of kinds that may come to nothing: rounds in which the fault was felt

    def dice(self, name):
        """A generator of its own for each round and each thread, so that none depends on how far others came."""
        return random.Random(f"{self.seed}/{name}")

    def run(self, one_round):
        """Calls one_round(number, dice), which returns the kind of the round that it was."""
        for number in range(self.count):
            try:
                kind = one_round(number, self.dice(number))
            except Exception as failure:
                raise AssertionError(f"round {number} of {self.count}, SEED={self.seed}: {failure}") from failure
            self.ran[kind] += 1

    def each(self, kinds):
        """For one_round: every kind as often as the others, in an order that the seed gives."""
        order = [kinds[number % len(kinds)] for number in range(self.count)]
        self.dice("order").shuffle(order)
        return order

    def note_felt(self, kind, was_felt):
        self.felt[kind] += bool(was_felt)

    def tell(self, prefix, what):
        """A line for each kind. A round that fails raises, so what is told has not failed. Rounds in which the fault
        was not felt prove nothing, and do not count."""
        for kind, count in sorted(self.ran.items()):
            if kind in self.felt:
                told(f"{prefix}_{kind}", 0, self.felt[kind], f"{what} (felt in {self.felt[kind]} of {count} rounds)")
            else:
                told(f"{prefix}_{kind}", 0, count, what)
