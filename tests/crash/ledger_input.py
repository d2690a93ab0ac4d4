"""Records for the ledger plugin: good ones and every kind of bad one."""

import base64
import json

from harness import Ledger, partition_of


class Input:
    """Makes records, good and bad, and knows where each one lands."""

    def __init__(self, rng, partitions, accounts=45, timers=False, later=0):
        """`timers`: some records set one; all have timestamps, for `arrival: record`. `later`: of a
        hundred records, so many are retried for a while."""
        self.rng = rng
        self.timers = timers
        self.later = later
        self.partitions = partitions
        self.ledger = Ledger()
        self.number = 0
        self.next_offset = [0] * partitions
        self.accounts = {p: [] for p in range(partitions)}
        for name in (f"account-{i}" for i in range(accounts)):
            self.accounts[partition_of(name.encode(), partitions)].append(name)

    def record(self, partition, kind=None):
        """One record as `weir produce` takes it; `kind` None: whatever comes."""
        rng = self.rng
        self.number += 1
        kind = kind or rng.choices(
            ["good", "later", "skip", "reject", "throw", "broken", "binary", "keyless", "misplaced",
             "null"],
            [88 - self.later, self.later, 2, 2, 2, 2, 1, 1, 1, 1])[0]
        account = rng.choice(self.accounts[partition])
        if kind == "misplaced":
            account = rng.choice(self.accounts[(partition + 1) % self.partitions])
        posting = {"id": f"r{self.number}", "account": account, "amount": rng.randint(-99, 999)}
        if kind in ("later", "skip", "reject", "throw"):
            posting["action"] = kind
        if kind == "keyless":
            del posting["account"]
        if self.timers and rng.random() < 0.2:
            posting["timer_ms"] = rng.randint(0, 400) - 50 or 1
        value = json.dumps(posting, separators=(",", ":")).encode()
        if kind == "broken":
            value = value[:rng.randrange(1, len(value))]
        if kind == "binary":
            value = bytes([0xFF, 0xFE]) + value
        record = {"partition": partition}
        if self.timers:
            record["timestamp"] = 1_700_000_000_000 + 5 * self.number + rng.randint(-20, 20)
            self.ledger.arrive(partition, record["timestamp"])
        if kind not in ("misplaced", "keyless") and rng.random() < 0.5:
            record["key"] = account
        if kind == "null":
            record["value"] = None
        elif kind == "binary":
            record["value_base64"] = base64.b64encode(value).decode()
        else:
            record["value"] = value.decode()
        if kind != "null":  # is dropped: the policy's default
            self.ledger.add(partition, self.next_offset[partition], value, self.partitions)
        self.next_offset[partition] += 1
        return record

    def slice(self, count):
        first = [self.record(p, "good") for p in range(self.partitions)]
        return first + [self.record(self.rng.randrange(self.partitions)) for _ in range(count)]
