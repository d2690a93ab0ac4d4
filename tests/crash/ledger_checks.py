"""What must hold of the ledger's State, topic, files and dead letters, given the input alone.

`ledger` is a harness.Ledger. `output` has
    states   account -> State
    entries  of the topic, in an order that keeps that of each account
    lines    of the files, likewise
    dead     [((partition, offset), (error, value))]
    checked, count   what check_at_any_time() has seen of `entries`; 0 and {} at first
"""

import copy
import itertools


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


def verdict(test):
    """Runs a test that is a program of its own; the exit code."""
    try:
        test.run()
    except (Failure, AssertionError) as failure:
        print(f"FAILED: {failure}")
        return 1
    finally:
        test.close()
    return 0


def by_account(entries):
    grouped = {}
    for entry in entries:
        grouped.setdefault(entry["account"], []).append(entry)
    return grouped


def check_prefixes(expected, found, where, count):
    """Per account: nothing but the expected entries, in order. `count`: those that came before."""
    for entry in found:
        account = entry["account"]
        at = count[account] = count.get(account, 0) + 1
        wanted = expected.get(account, [])
        expect(at <= len(wanted), f"{where}: {account} has entry {entry} too many")
        expect(entry == wanted[at - 1], f"{where}: {account}, entry {at}: expected "
                                        f"{wanted[at - 1]}, found {entry}")


def check_at_any_time(ledger, output):
    """Holds at every instant, also right after a kill."""
    for account, state in output.states.items():
        wanted = ledger.entries.get(account, [])
        expect(0 < state["count"] <= len(wanted), f"State of {account} counts too much: {state}")
        entry = wanted[state["count"] - 1]
        expect((state["sum"], state["chain"]) == (entry["sum"], entry["chain"]),
               f"State of {account}: expected {entry}, found {state}")
    check_prefixes(ledger.entries, output.entries[output.checked:], "topic", output.count)
    output.checked = len(output.entries)
    expect(len(output.entries) <= output.committed(), "the topic is ahead of State")


def check_all(ledger, output):
    """Holds when everything has been worked through: none lost, none twice."""
    output.checked, output.count = 0, {}
    check_at_any_time(ledger, output)
    check_prefixes(ledger.entries, output.lines, "files", {})
    for account, entries in ledger.entries.items():
        state = output.states.get(account, {"count": 0})
        expect(state["count"] == len(entries),
               f"State of {account} has {state['count']} of {len(entries)} records")
    for where, found in (("topic", output.entries), ("files", output.lines)):
        grouped = by_account(found)
        for account, entries in ledger.entries.items():
            count = len(grouped.get(account, []))
            expect(count == len(entries), f"{where}: {account} has {count} of {len(entries)} records")
    expect(len(dict(output.dead)) == len(output.dead), "a dead letter came twice")
    dead = dict(output.dead)
    for where, wanted in ledger.dead.items():
        expect(dead.get(where) == wanted,
               f"dead letter of {where}: expected {wanted}, found {dead.get(where)}")
    expect(len(dead) == len(ledger.dead), "there are dead letters of records that are fine")


def exchange(output):
    account = output.entries[0]["account"]
    first, second = itertools.islice(
        (at for at, entry in enumerate(output.entries) if entry["account"] == account), 2)
    entries = output.entries
    entries[first], entries[second] = entries[second], entries[first]


def check_the_checks(ledger, whole):
    """The checks see what they are there for: damages copies of what came out."""
    damages = {
        "drops an entry": lambda o: o.entries.pop(len(o.entries) // 2),
        "repeats an entry": lambda o: o.entries.insert(7, o.entries[7]),
        "drops the last entry": lambda o: o.entries.remove(
            by_account(o.entries)[o.entries[0]["account"]][-1]),
        "exchanges two of a key": exchange,
        "drops a line": lambda o: o.lines.pop(3),
        "repeats the last line": lambda o: o.lines.append(o.lines[-1]),
        "drops a dead letter": lambda o: o.dead.pop(),
        "repeats a dead letter": lambda o: o.dead.append(o.dead[0]),
        "cuts a dead letter": lambda o: o.dead.append((o.dead[0][0], ("rejected", b""))),
        "invents a dead letter": lambda o: o.dead.append(((0, 10**9), ("rejected", b""))),
        "drops a State": lambda o: o.states.popitem(),
        "adds to a State": lambda o: next(iter(o.states.values())).update(sum=-1),
        "applies a record twice": lambda o: next(iter(o.states.values())).update(
            count=next(iter(o.states.values()))["count"] + 1),
    }
    for name, damage in damages.items():
        output = copy.copy(whole)
        output.entries, output.lines, output.dead = (
            list(kept) for kept in (output.entries, output.lines, output.dead))
        output.states = {key: dict(state) for key, state in output.states.items()}
        check_all(ledger, output)
        damage(output)
        try:
            check_all(ledger, output)
        except Failure:
            continue
        raise Failure(f"the check does not see a program that {name}")
    print(f"{len(damages)} damages seen", flush=True)
