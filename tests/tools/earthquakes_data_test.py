#!/usr/bin/env python3
"""The records of the earthquakes sample are what their README says.

    earthquakes_data_test.py REPOSITORY
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

DATA = pathlib.Path(sys.argv.pop(1)).resolve() / "plugins/earthquakes/data"


class Data(unittest.TestCase):
    def setUp(self):
        self.bytes = (DATA / "earthquakes.jsonl").read_bytes()
        self.records = [json.loads(line) for line in self.bytes.splitlines()]

    def test_the_readme_names_this_very_file(self):
        readme = (DATA / "README.md").read_text(encoding="utf-8")
        self.assertIn(f"| `{hashlib.sha256(self.bytes).hexdigest()}` |", readme)
        self.assertIn(f"{len(self.records):,} events", readme)

    def test_records_come_in_the_order_of_arrival_and_belong_to_their_network(self):
        arrivals = [(record["timestamp"], record["value"]["id"]) for record in self.records]
        self.assertEqual(arrivals, sorted(arrivals))
        self.assertEqual(len({id for _, id in arrivals}), len(arrivals))
        for record in self.records:
            self.assertEqual(record["key"], record["value"]["net"])
            self.assertEqual(record["timestamp"], record["value"]["updated"])
            self.assertGreater(record["timestamp"], record["value"]["time"])

    def test_the_script_keeps_values_nulls_and_letters_and_sorts_by_update_then_id(self):
        def feature(id, updated, place, felt):
            return {"id": id, "geometry": {"coordinates": [-1.5, 2, 3.25]},
                    "properties": {"net": "ak", "mag": -0.3, "magType": "ml", "place": place,
                                   "time": 5, "updated": updated, "status": "automatic",
                                   "type": "earthquake", "felt": felt, "tsunami": 0, "sig": 1,
                                   "title": "left out"}}
        with tempfile.TemporaryDirectory() as directory:
            feed = pathlib.Path(directory) / "feed.json"
            feed.write_text(json.dumps({"features": [feature("b", 20, "x", 3),
                                                     feature("a", 20, "Perú", None),
                                                     feature("c", 10, "y", None)]}))
            out = subprocess.run([sys.executable, DATA / "make_jsonl.py", feed], check=True,
                                 capture_output=True).stdout.decode()
        records = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([record["value"]["id"] for record in records], ["c", "a", "b"])
        self.assertEqual(records[1], {"key": "ak", "timestamp": 20, "value": {
            "id": "a", "net": "ak", "mag": -0.3, "magType": "ml", "place": "Perú", "time": 5,
            "updated": 20, "status": "automatic", "type": "earthquake", "felt": None, "tsunami": 0,
            "sig": 1, "longitude": -1.5, "latitude": 2, "depth": 3.25}})
        self.assertIn("Perú", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
