"""The other side of benches/estimation.rs: makes the data, and is the Polars group-by that it is compared with.

estimation.py generate ROWS FILE    writes the file
estimation.py peer FILE             answers each scenario's letter on standard input with seconds, bytes and groups
"""

import sys
import time

import polars as pl


def generate(rows: int, file: str) -> None:
    """60 strata, 2,000 sampling units, weights, domains of 12, 22 and 200 levels, 30 five-point items."""
    row = pl.int_range(0, rows).alias("row")
    chance = lambda use: pl.col("row").hash(use)
    frame = pl.select(row)
    frame = frame.with_columns(psu=(chance(1) % 2000).cast(pl.Int32) + 1)
    frame = frame.with_columns(
        stratum=(pl.col("psu") % 60 + 1).cast(pl.Int32),
        weight=20 + (chance(2) % 100_000) / 1000,
        area=(chance(3) % 12 + 1).cast(pl.Int32),
        ethnic=(chance(4) % 22 + 1).cast(pl.String).str.zfill(2),
        commune=(chance(5) % 200 + 1).cast(pl.Int32),
    )
    for item in range(1, 31):
        # Answers lean to one side by unit, so that the errors are those of a clustered sample.
        lean = (pl.col("psu").hash(100 + item) % 3).cast(pl.Int32)
        answer = ((chance(200 + item) % 5).cast(pl.Int32) + lean) % 5 + 1
        frame = frame.with_columns(answer.alias(f"q{item}"))
    frame.drop("row").write_parquet(file, row_group_size=122_880)


WEIGHT = pl.col("weight")
UNIT = ["stratum", "psu"]


def means(file):
    sums = [(pl.col(f"q{item}") * WEIGHT).sum() for item in range(1, 31)]
    return [pl.scan_parquet(file).group_by(UNIT).agg(WEIGHT.sum(), *sums)]


def categories(file, by):
    """Two ways to write it; the faster one is the peer."""
    sums = [((pl.col("q1") == answer) * WEIGHT).sum().alias(f"s{answer}") for answer in range(1, 6)]
    return [
        pl.scan_parquet(file).group_by(UNIT + [by]).agg(WEIGHT.sum(), *sums),
        pl.scan_parquet(file).group_by(UNIT + [by, "q1"]).agg(WEIGHT.sum()),
    ]


def raked(file):
    sums = [WEIGHT.sum(), (pl.col("q1") * WEIGHT).sum()]
    return [pl.scan_parquet(file).group_by(UNIT + ["area", "ethnic", "commune"]).agg(*sums)]


PEERS = {
    "a": means,
    "b": lambda file: categories(file, "ethnic"),
    "c": raked,
    "d": lambda file: categories(file, "area"),
    "e": means,
}
UNIT_COLUMNS = ["stratum", "psu", "weight"]
ITEMS = [f"q{item}" for item in range(1, 31)]
READ = {
    "a": UNIT_COLUMNS + ITEMS,
    "b": UNIT_COLUMNS + ["ethnic", "q1"],
    "c": UNIT_COLUMNS + ["area", "ethnic", "commune", "q1"],
    "d": UNIT_COLUMNS + ["area", "q1"],
    "e": UNIT_COLUMNS + ITEMS,
}


def peer(file: str) -> None:
    for line in sys.stdin:
        word, letter = line.split()
        if word == "size":
            print(pl.read_parquet(file, columns=READ[letter]).estimated_size(), flush=True)
            continue
        best = None
        for query in PEERS[letter](file):
            start = time.perf_counter()
            groups = query.collect().height
            seconds = time.perf_counter() - start
            best = min(best or (seconds, groups), (seconds, groups))
        print(best[0], best[1], flush=True)


if sys.argv[1] == "generate":
    generate(int(sys.argv[2]), sys.argv[3])
else:
    peer(sys.argv[2])
