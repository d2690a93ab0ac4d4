#!/usr/bin/env python3
"""Sends mutated records of every format through `weir run` and accounts for each of them.

    hostile_test.py PROGRAM PLUGINS
"""

import base64
import json
import os
import pathlib
import struct
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402 (after the lines above, on purpose)

RECORDS = int(os.environ.get("WEIR_HOSTILE") or 1500)

YAML = """
app: hostile
log: {embedded: {}}
state: {map_size: 1GiB, commit: {bytes: 16MiB}}
plugins: [PLUGINS/ledger.so]
sources:
  json: {topic: json, format: json, null_value: dead_letter}
  wire: {topic: wire, format: protobuf, null_value: dead_letter}
  text: {topic: text, format: text, null_value: dead_letter}
resolvers:
  from_json: {use: ledger/post, from: json, to: {entries: entries}}
  from_wire: {use: ledger/post, from: wire, to: {entries: entries}}
  from_text: {use: ledger/note, from: text, to: entries}
sinks:
  entries: {topic: entries}
"""


# ------------------------------------------------------------------------------------------------
# Valid postings, as JSON and as Protobuf wire bytes

def random_text(rng):
    return "".join(rng.choice("ab \"\\/\n\t\0äß€😀,:{}[]") for _ in range(rng.randrange(8)))


def random_tree(rng, depth=0):
    tree = {"name": random_text(rng), "steps": [rng.randint(-9, 9) for _ in range(rng.randrange(4))],
            "weights": {random_text(rng): rng.choice([0.5, -1.25, 1e300]) for _ in
                        range(rng.randrange(3))},
            "blob": base64.b64encode(rng.randbytes(rng.randrange(5))).decode()}
    if rng.random() < 0.5:
        tree.update(rng.choice([{"yes": True}, {"number": 7}]))
    tree["children"] = [] if depth > 3 else [random_tree(rng, depth + 1) for _ in
                                             range(rng.choice([0, 0, 1, 2]))]
    return tree


def random_posting(rng):
    return {"id": f"r{rng.randrange(10**6)}", "account": f"a{rng.randrange(50)}",
            "amount": rng.randint(-99, 99), "tree": random_tree(rng)}


def varint(value):
    value %= 2**64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def sized(field, payload):
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def wire_tree(tree):
    out = sized(1, tree["name"].encode())
    out += b"".join(sized(2, wire_tree(child)) for child in tree["children"])
    for name, weight in tree["weights"].items():
        out += sized(3, sized(1, name.encode()) + b"\x11" + struct.pack("<d", weight))
    out += sized(4, base64.b64decode(tree["blob"]))
    out += sized(5, b"".join(varint(step << 1 ^ step >> 63) for step in tree["steps"]))
    if "yes" in tree:
        out += b"\x30\x01"
    if "number" in tree:
        out += b"\x3d" + struct.pack("<I", tree["number"])
    return out


def wire_posting(posting):
    return (sized(1, posting["id"].encode()) + sized(2, posting["account"].encode()) + b"\x18" +
            varint(posting["amount"]) + sized(6, wire_tree(posting["tree"])))


# ------------------------------------------------------------------------------------------------
# Mutations

JSON_PIECES = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"true", b"NaN", b"-", b"1e999",
               b"-0", b"0x1", b"18446744073709551616", b"-9223372036854775809", b"1.5", b"1e2",
               b'"\\ud800"', b'"\\u0000"', b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\0",
               b"/**/", b'"tree":', b'"id":', b'{"tree":' * 120, b"[" * 200, b"9" * 5000,
               b'"name":"' + b"x" * 100_000 + b'"']
WIRE_PIECES = [b"\xff" * 10, b"\xff\xff\xff\xff\x0f", b"\x00", b"\x07", b"\x0b", b"\x0c",
               b"\x32\xff\xff\xff\xff\x07", b"\x0a\x03\xff\xfe\xfd", b"\x1a\x00", b"\x32\x80\x80\x04",
               b"\x80" * 20 + b"\x01", b"\x32\x7e\x12\x7c" * 60]


def deep_wire(depth):
    tree = b""
    for _ in range(depth):
        tree = sized(2, tree)
    return sized(2, b"deep") + sized(6, tree)


def mutated(rng, value, pieces):
    data = bytearray(value)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice([1, 2, 5, 20]))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = rng.choice(pieces)
        elif kind == 2:
            del data[at:to]
        elif kind == 3:
            data[at:at] = data[at:to]
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            data[at:to] = rng.randbytes(to - at)
        elif kind == 6:
            data[at:to] = rng.choice(pieces)
    return bytes(data)


def make(rng, topic):
    """(value, whether it is as it should be)"""
    posting = random_posting(rng)
    valid = {"json": json.dumps(posting, ensure_ascii=rng.random() < 0.5).encode(),
             "wire": wire_posting(posting),
             "text": random_text(rng).encode()}[topic]
    roll = rng.random()
    if roll < 0.2:
        return valid, True
    if roll < 0.22:
        deep = deep_wire(rng.choice([90, 105, 5000]))
        return rng.choice([b"", None, rng.randbytes(300), b" ", deep]), False
    return mutated(rng, valid, WIRE_PIECES if topic == "wire" else JSON_PIECES), False


def is_surely_bad(topic, value):
    """Python's own parsers refuse it, and they take more than Weir does."""
    if value is None:
        return topic != "text"  # a resolver that takes bytes gets them
    try:
        text = value.decode() if topic != "wire" else ""
        if topic == "json":
            json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


class Hostile(unittest.TestCase):
    def setUp(self):
        sys.set_int_max_str_digits(0)
        self.rng = harness.seeded()
        self.app = harness.App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
        self.addCleanup(self.app.close)

    def records(self, topic):
        """Records for `weir produce`, and (key, value, valid) by offset."""
        lines, sent = [], []
        for _ in range(RECORDS):
            value, valid = make(self.rng, topic)
            key = b"k%d" % self.rng.randrange(20)
            if not valid:
                key = self.rng.choice([key, key, key, b"", None, b"k" * 600, b"\xff\xfe\0"])
            line = {"partition": 0}
            for name, part in (("key", key), ("value", value)):
                if part is not None:
                    line[f"{name}_base64"] = base64.b64encode(part).decode()
            lines.append(line)
            sent.append((key, value, valid))
        return lines, sent

    def test_every_record_is_accounted_for(self):
        sent = {}
        for topic in ("json", "wire", "text"):
            lines, sent[topic] = self.records(topic)
            self.app.produce(topic, lines)

        done = self.app.run_until_end()

        said = [json.loads(line)["msg"] for line in done.stderr.splitlines()]
        summary = next(msg for msg in said if " records, " in msg)
        counts = {}
        for part in summary.split(", "):
            number, name = part.split(" ", 1)
            counts[name] = int(number)
        aside = sum(counts.get(name, 0) for name in
                    ("late", "undecodable", "null_value", "rejected", "key", "misplaced",
                     "crashed"))
        self.assertEqual(counts["records"], 3 * RECORDS)
        self.assertEqual(counts["records"], counts["resolved"] + counts["skipped"] + aside, summary)

        dead = self.app.dead_letters("hostile.deadletters")
        self.assertEqual(len(dead), aside)
        entries = sum(1 for _ in self.app.consume("entries"))
        fired = counts.get("timers fired", 0) + counts.get("timer fired", 0)
        self.assertEqual(entries, counts["resolved"] + fired,
                         "one entry for each record that is resolved, and for each timer")
        for (topic, _, offset), (error, reason, key, value) in dead.items():
            wanted_key, wanted_value, valid = sent[topic][offset]
            self.assertNotEqual(reason, "", f"{topic} {offset} is {error} without a reason")
            self.assertFalse(valid, f"{topic} {offset} is valid and {error}: {reason}")
            self.assertEqual((key, value), (wanted_key, wanted_value), f"{topic} {offset}")
        for topic, records in sent.items():
            for offset, (_, value, _) in enumerate(records):
                if is_surely_bad(topic, value):
                    self.assertTrue((topic, 0, offset) in dead, f"{topic}: {value!r:.200} was taken")
        for topic in sent:
            bad = sum(1 for where in dead if where[0] == topic)
            self.assertGreater(bad, RECORDS // 10, "the mutations are too tame")
            self.assertLess(bad, RECORDS * 95 // 100, "the mutations leave nothing to resolve")
        print(summary)


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main(verbosity=2)
