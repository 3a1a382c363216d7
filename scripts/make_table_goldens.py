#!/usr/bin/env python3
"""Writes the golden Parquet files of dataset/tables/testdata with the tools that users have.

    python3 -m venv v && v/bin/pip install pyarrow duckdb polars fastparquet pandas
    v/bin/python scripts/make_table_goldens.py

The files of clicks hold the same 12 rows, users 1 to 3, items 10 to 40, in whatever types
their names say; TestForeignParquet of package tables knows what must come out.
"""
import base64, datetime, decimal, os
import duckdb, fastparquet, pandas as pd, polars as pl, pyarrow as pa, pyarrow.parquet as pq

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "dataset", "tables", "testdata"))
USERS, ITEMS, TIMES = [1] * 4 + [2] * 4 + [3] * 4, [10, 20, 30, 40] * 3, [1600000000 + k for k in range(12)]
text = pa.table({"user": [str(u) for u in USERS], "item": [str(i) for i in ITEMS], "time": TIMES})


def clicks(user=None, item=None, time=None):
    columns = [x if x is not None else text[n] for n, x in (("user", user), ("item", item), ("time", time))]
    return pa.table(dict(zip(["user", "item", "time"], columns)))


def write(name, table, **options):
    pq.write_table(table, name + ".parquet", **options)


# pyarrow: groups without rows, in the middle, first and alone
with pq.ParquetWriter("pyarrow-empty-groups.parquet", text.schema) as w:
    for part in (text.slice(0, 0), text.slice(0, 5), text.slice(0, 0), text.slice(5)):
        w.write_table(part)
write("pyarrow-no-rows", text.slice(0, 0))
pq.ParquetWriter("pyarrow-no-groups.parquet", text.schema).close()
# pyarrow: codecs, page versions, encodings
write("pyarrow-brotli-v2", text, compression="brotli", data_page_version="2.0", write_page_checksum=True, write_page_index=True)
write("pyarrow-lz4", text, compression="lz4")
write("pyarrow-delta", text, use_dictionary=False, compression="none",
      column_encoding={"user": "DELTA_BYTE_ARRAY", "item": "DELTA_LENGTH_BYTE_ARRAY", "time": "DELTA_BINARY_PACKED"})
# ids that were numbers
dec = lambda values, p, s: pa.array([decimal.Decimal(v) for v in values], pa.decimal128(p, s))
write("pyarrow-decimal-38-0", clicks(dec(USERS, 38, 0), dec(ITEMS, 9, 0)))
write("pyarrow-decimal-10-2", clicks(dec(USERS, 10, 2), dec(ITEMS, 18, 2)), store_decimal_as_integer=True)
write("pyarrow-float", clicks(pa.array(map(float, USERS)), pa.array(map(float, ITEMS), pa.float32())))
write("pyarrow-float-inexact", clicks(pa.array([2.0**60 + 512 * u for u in USERS])))
write("pyarrow-unsigned", clicks(pa.array(USERS, pa.uint64()), pa.array(ITEMS, pa.uint8())))
# times
stamps = pa.array(TIMES, pa.int64()).cast(pa.timestamp("s"))
write("pyarrow-nanoseconds", clicks(time=stamps.cast(pa.timestamp("ns", "Europe/Berlin"))))
write("pyarrow-int96", clicks(time=stamps.cast(pa.timestamp("ns"))), use_deprecated_int96_timestamps=True)  # as Spark and Hive
# columns of kinds that are not read, beside those that are
odd = text.append_column("nothing", pa.nulls(12)).append_column("map", pa.array([[("a", 1)]] * 12, pa.map_(pa.string(), pa.int32())))
for name, values in {"halves": pa.array([1.5] * 12, pa.float16()), "noon": pa.array([1] * 12, pa.time64("ns")), "grid": pa.array([[[1]]] * 12), "lz": pa.array([b"1234"] * 12, pa.binary(4))}.items():
    odd = odd.append_column(name, values)
write("pyarrow-odd", odd)
# pandas, with an index; fastparquet, also as older Spark writers; polars; DuckDB
df = text.to_pandas()
df.set_index("user").to_parquet("pandas-index.parquet")
df.astype({"user": "category"}).to_parquet("pandas-category.parquet")
fastparquet.write("fastparquet-gzip.parquet", pd.DataFrame({"user": USERS, "item": ITEMS, "time": TIMES}), compression="GZIP", row_group_offsets=[0, 7])
polars = pl.from_arrow(text)
polars.write_parquet("polars-zstd.parquet", row_group_size=5)
polars.with_columns(pl.from_epoch("time", time_unit="s"), pl.col("user").cast(pl.Categorical)).lazy().sink_parquet("polars-sink.parquet")
duckdb.sql("copy text to 'duckdb-v2.parquet' (format parquet, parquet_version 'V2')")
duckdb.sql("copy (select user::hugeint::decimal(18,0) as user, item::bigint as item, make_timestamp(time * 1000000)::timestamptz as time, {'a': 1} s, '{}'::json j, interval 1 day v from text) to 'duckdb-types.parquet' (format parquet)")

# the catalogue: pictures and categories as groups
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
IDS = ["10", "20", "30", "40"]
write("items-picture-groups", pa.table({
    "item": IDS, "title": ["Mug", "Pot", None, "Pan"],
    "image": [{"bytes": PNG, "path": "a.png"}, {"bytes": None, "path": "b.png"}, {"bytes": None, "path": None}, None],
    "categories": [[{"id": 1, "name": "Home"}, {"id": 2, "name": "Mugs"}], [{"id": 1, "name": "Home"}], [], None]}))
write("items-pictures", pa.table({"item": IDS, "title": ["Mug", "Pot", "Cup", "Pan"], "image": [PNG, PNG, None, PNG]}))
write("items-lists-of-addresses", pa.table({
    "item": IDS, "images": [{"hi_res": [None, "h"], "large": ["l", "m"], "variant": ["MAIN", "PT01"]}] * 4, "title": ["x"] * 4}))
write("items-unnamed-group", pa.table({"item": IDS, "categories": [{"level": 1, "root": "Home"}] * 4}))
