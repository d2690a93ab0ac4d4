"""As much of Kafka's protocol as it takes to leave behind what no client library would: records of a
transaction that the broker's coordinator knows nothing of, and that nobody will end.

The broker must have transaction.partition.verification.enable=false.
"""

import socket
import struct
import time

PRODUCE, INIT_PRODUCER_ID = 0, 22
CONCURRENT_TRANSACTIONS = 51
ANSWER_SECONDS_MAX = 30
TRANSACTIONAL = 0x10

CRC = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def batch(producer_id, epoch, key, value):
    """One record of a transaction."""
    record = (b"\0" + varint(0) + varint(0) + varint(len(key)) + key + varint(len(value)) + value
              + varint(0))
    now = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", TRANSACTIONAL, 0, now, now, producer_id, epoch, 0, 1)
    body += varint(len(record)) + record
    after_length = struct.pack(">ibI", -1, 2, crc32c(body)) + body
    return struct.pack(">qi", 0, len(after_length)) + after_length


class Connection:
    """To the only broker of a cluster."""

    def __init__(self, bootstrap):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), ANSWER_SECONDS_MAX)
        self.answers = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answers.close()
        self.socket.close()

    def ask(self, key, version, body):
        request = struct.pack(">hhi", key, version, 1) + text("wire") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", self.answers.read(4))[0]
        return self.answers.read(size)[4:]

    def become(self, transactional_id):
        """(id, epoch) of the producer; what earlier ones had open is ended."""
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            answer = self.ask(INIT_PRODUCER_ID, 1, text(transactional_id) + struct.pack(">i", 10_000))
            _, error, producer_id, epoch = struct.unpack(">ihqh", answer)
            if error == 0:
                return producer_id, epoch
            if error != CONCURRENT_TRANSACTIONS or time.monotonic() > until:
                raise RuntimeError(f"no producer id: error {error}")
            time.sleep(0.02)

    def leave(self, transactional_id, producer, topic, partition, key, value):
        """A record of a transaction that has not begun."""
        records = batch(*producer, key, value)
        answer = self.ask(PRODUCE, 3, text(transactional_id) + struct.pack(">hii", -1, 10_000, 1)
                          + text(topic) + struct.pack(">iii", 1, partition, len(records)) + records)
        at = 4 + 2 + len(topic) + 4 + 4
        error = struct.unpack_from(">h", answer, at)[0]
        if error != 0:
            raise RuntimeError(f"the record was not taken: error {error}")
