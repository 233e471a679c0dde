"""The other engines of benches/engines.rs.

engines.py generate ROWS FOLDER                 writes files of five million rows with DuckDB
engines.py duckdb|spark FOLDER QUERY TOTALS     for each number of rows on standard input: groups, writes the
                                                totals as Parquet, answers with seconds
"""

import glob
import os
import shutil
import sys
import time

FILE = 5_000_000

# 60 strata, 2,000 sampling units, domains of 12 and 22 levels, 10 five-point items, drawn by hashing.
GENERATE = """
copy (
  select psu, psu % 60 + 1 as stratum, 20 + hash(row, 2) % 100000 / 1000 as weight,
    (hash(row, 3) % 12 + 1)::integer as area, lpad((hash(row, 4) % 22 + 1)::varchar, 2, '0') as ethnic,
    {items}
  from (select range as row, (hash(range, 1) % 2000 + 1)::integer as psu from range({first}, {last}))
) to '{file}' (format parquet)
"""


def files(folder, rows):
    return sorted(glob.glob(f"{folder}/part-*.parquet"))[: rows // FILE]


def generate(rows, folder):
    import duckdb

    items = ", ".join(f"(hash(row, {10 + i}) % 5 + 1)::integer as q{i}" for i in range(1, 11))
    for part in range(rows // FILE):
        file = f"{folder}/part-{part:02}.parquet"
        if not os.path.exists(file):
            sql = GENERATE.format(items=items, first=part * FILE, last=(part + 1) * FILE, file=file + ".new")
            duckdb.connect().execute(sql)
            os.replace(file + ".new", file)


def duck(folder, query, totals):
    import duckdb

    threads = os.environ["POLARS_MAX_THREADS"]
    connection = duckdb.connect(config={"threads": threads})

    def run(rows):
        connection.execute(f"create or replace view data as select * from read_parquet({files(folder, rows)})")
        connection.execute(f"copy ({query}) to '{totals}' (format parquet)")

    return run


def spark(folder, query, totals):
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local-cluster[2,1,1536]")
        .config("spark.executor.memory", "1536m")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")

    def run(rows):
        session.read.parquet(*files(folder, rows)).createOrReplaceTempView("data")
        parts = totals + ".parts"
        shutil.rmtree(parts, ignore_errors=True)
        session.sql(query).coalesce(1).write.parquet(parts)
        os.replace(glob.glob(parts + "/part-*")[0], totals)
        shutil.rmtree(parts)

    return run


if sys.argv[1] == "generate":
    generate(int(sys.argv[2]), sys.argv[3])
else:
    _, engine, folder, query, totals = sys.argv
    run = {"duckdb": duck, "spark": spark}[engine](folder, open(query, encoding="utf-8").read(), totals)
    for line in sys.stdin:
        start = time.perf_counter()
        run(int(line))
        print(time.perf_counter() - start, flush=True)
