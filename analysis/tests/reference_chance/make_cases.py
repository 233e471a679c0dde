"""Draws of seeded chance, computed without the program: standard library only.

    python3 make_cases.py > cases.json

The algorithm in full, as docs/contracts.md ("Seeded chance") describes it. A tablet that gives these answers
draws what the server draws.
"""

import hashlib
import json
import struct
import sys

MASK = 0xFFFFFFFF
GRID = [  # letter, twelfths, whom to ask with 1 … 6 adults
    ("A", 2, [1, 1, 1, 1, 1, 1]), ("B1", 1, [1, 1, 1, 1, 2, 2]), ("B2", 1, [1, 1, 1, 2, 2, 2]),
    ("C", 2, [1, 1, 2, 2, 3, 3]), ("D", 2, [1, 2, 2, 3, 4, 4]), ("E1", 1, [1, 2, 3, 3, 3, 5]),
    ("E2", 1, [1, 2, 3, 4, 5, 5]), ("F", 2, [1, 2, 3, 4, 5, 6]),
]


def rotate(x, n):
    return ((x << n) | (x >> (32 - n))) & MASK


def quarter(s, a, b, c, d):
    for first, second, third, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[first] = (s[first] + s[second]) & MASK
        s[third] = rotate(s[third] ^ s[first], turn)


def block(key, counter):
    """ChaCha with 8 rounds: 64-bit block counter, 64-bit nonce of zeros."""
    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    start += [counter & MASK, counter >> 32, 0, 0]
    s = start[:]
    for _ in range(4):
        quarter(s, 0, 4, 8, 12), quarter(s, 1, 5, 9, 13), quarter(s, 2, 6, 10, 14), quarter(s, 3, 7, 11, 15)
        quarter(s, 0, 5, 10, 15), quarter(s, 1, 6, 11, 12), quarter(s, 2, 7, 8, 13), quarter(s, 3, 4, 9, 14)
    return struct.pack("<16I", *((x + y) & MASK for x, y in zip(s, start)))


class Chance:
    def __init__(self, seed, label):
        self.key = hashlib.sha256(struct.pack("<Q", seed) + label.encode("utf-8")).digest()
        self.bytes, self.counter = b"", 0

    def bits(self):
        if not self.bytes:
            self.bytes = block(self.key, self.counter)
            self.counter += 1
        value, self.bytes = self.bytes[:8], self.bytes[8:]
        return struct.unpack("<Q", value)[0]

    def unit(self):
        return (self.bits() >> 11) / 2**53

    def below(self, n):
        most = 2**64 - 1
        limit = most - most % n
        while True:
            bits = self.bits()
            if bits < limit:
                return bits % n

    def weighted(self, weights):
        total = 0.0
        for weight in weights:
            total += weight
        point, last = self.unit() * total, None
        for i, weight in enumerate(weights):
            if weight > 0:
                if point < weight:
                    return i
                point -= weight
                last = i
        return last

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items


def dwellings(seed, village, listed, take, reserve, released):
    """Serial numbers from 1: main ones, then reserves, in the order of the draw."""
    order = Chance(seed, f"stage 2/{village}").shuffle(list(range(listed)))
    main = min(take + released, listed)
    left = max(reserve - released, 0)
    return [i + 1 for i in order[:main]], [i + 1 for i in order[main:main + left]]


def letters(forms, seed):
    chance, drawn = Chance(seed, "kish grid"), []
    while len(drawn) < forms:
        drawn += chance.shuffle([letter for letter, twelfths, _ in GRID for _ in range(twelfths)])
    return drawn[:forms]


def main():
    cases = {}
    streams = []
    for seed, label in [(2026, "villages"), (2026, "stage 2/SYN-00017"), (0, ""), (2**64 - 1, "thôn Nậm Đăm")]:
        chance = Chance(seed, label)
        bits = [str(chance.bits()) for _ in range(40)]  # Five blocks.
        again = Chance(seed, label)
        streams.append({"seed": str(seed), "label": label, "key": chance.key.hex(),
                        "bytes": (block(chance.key, 0) + block(chance.key, 1)).hex(), "bits": bits,
                        "unit": [again.unit() for _ in range(5)]})
    cases["streams"] = streams
    below = []
    for seed, label, n, count in [(1, "a", 1, 3), (1, "a", 2, 20), (7, "b", 6, 30), (7, "b", 1000, 20),
                                  (9, "again and again", 2**63 + 1, 12)]:
        chance = Chance(seed, label)
        below.append({"seed": str(seed), "label": label, "n": str(n),
                      "draws": [str(chance.below(n)) for _ in range(count)]})
    cases["below"] = below
    weighted = []
    for seed, label, weights in [(2026, "segment/SYN-00017", [60, 45, 0, 80]), (2026, "segment/SYN-00018", [1, 1]),
                                 (3, "segment/bản Lùng Phìn", [0.25, 0.5, 0.125, 0.125])]:
        chance = Chance(seed, label)
        weighted.append({"seed": str(seed), "label": label, "weights": weights,
                         "draws": [chance.weighted(weights) for _ in range(15)]})
    cases["weighted"] = weighted
    cases["shuffles"] = [
        {"seed": str(seed), "label": label, "n": n, "order": Chance(seed, label).shuffle(list(range(n)))}
        for seed, label, n in [(3, "x", 1), (3, "x", 2), (3, "x", 12), (2026, "thứ tự", 52)]
    ]
    found = []
    for seed, village, listed, take, reserve, released in [
        (2026, "SYN-00017", 96, 16, 8, 0), (2026, "SYN-00017", 96, 16, 8, 3), (2026, "SYN-00018", 96, 16, 8, 0),
        (2026, "SYN-00019", 14, 16, 8, 0), (2026, "SYN-00020", 20, 16, 8, 8), (41, "bản Lùng Phìn", 317, 16, 8, 1),
    ]:
        main_units, spare = dwellings(seed, village, listed, take, reserve, released)
        found.append({"seed": str(seed), "village": village, "listed": listed, "take": take, "reserve": reserve,
                      "released": released, "main": main_units, "spare": spare,
                      "p": min(take + released, listed) / listed})
    cases["dwellings"] = found
    people = []
    for seed, case, adults in [(2026, f"SYN-00017-{i:03}", 1 + i % 7) for i in range(21)] + [(5, "thôn 3 – hộ 12", 4)]:
        person = Chance(seed, f"respondent/{case}").below(adults) + 1
        people.append({"seed": str(seed), "case": case, "adults": adults, "person": person, "weight": adults})
    cases["respondents"] = people
    cases["grid_letters"] = [{"seed": str(seed), "forms": forms, "letters": letters(forms, seed)}
                             for seed, forms in [(2026, 30), (1, 12), (9, 5)]]
    grid = []
    for adults in range(1, 9):
        column = min(adults, 6) - 1
        for letter, _, ask in GRID:
            person = ask[column]
            twelfths = sum(t for _, t, other in GRID if other[column] == person)
            grid.append({"letter": letter, "adults": adults, "person": person, "twelfths": twelfths})
    cases["grid"] = grid
    json.dump(cases, sys.stdout, ensure_ascii=False, indent=None, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
