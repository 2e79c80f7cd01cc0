"""Which faults of an enumeration run now: `./dev fault` puts in all of them, in parts for the processes that share the work;
`./dev test` a sample that is the same each time."""

import os
import random

FULL = os.environ.get("SLUICE_FAULTS") == "full"
PARTS = 8 if FULL else 1


def chosen(faults, sample, seed, part):
    faults = list(faults)
    if FULL:
        return faults[part::PARTS]
    return random.Random(seed).sample(faults, min(sample, len(faults)))
