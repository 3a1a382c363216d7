# Writes the golden files of this folder with pyarrow and DuckDB.
import pyarrow as pa, pyarrow.parquet as pq, duckdb

t = pa.table({
    "id": ["a", "ü", "a"], "label": ["train", "test", "train"], "tags": [["x", "y"], [], ["z"]],
    "n": pa.array([1, -2, 3], pa.int32()), "f": pa.array([0.5, 1.5, -2.5], pa.float32()), "t": pa.array([1, 2**40, -3], pa.int64()),
})
pq.write_table(t, "pyarrow.parquet", compression="snappy")
duckdb.sql("copy (from t) to 'duckdb.parquet' (compression zstd)")
