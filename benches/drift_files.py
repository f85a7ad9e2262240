"""Writes the two Parquet files of the drift benchmark: 20 float64 and 5 string columns, the second slightly shifted.

usage: drift_files.py ROWS FOLDER

The files are those pyarrow writes by default (snappy, row groups of 1,048,576 rows), the same for the same ROWS.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def numeric(rng, index, rows, shift):
    """One of five shapes; every fourth column has 2 % missing values."""
    kind = index % 5
    if kind == 0:
        values = rng.normal(shift, 1.0, rows)
    elif kind == 1:
        values = rng.lognormal(shift / 4, 0.8, rows)
    elif kind == 2:
        values = rng.uniform(shift / 2, 10.0, rows)
    elif kind == 3:
        values = rng.exponential(2.0 + shift, rows)
    else:
        # Ties: a count with few distinct values.
        values = rng.poisson(6.0 + shift, rows).astype(np.float64)
    mask = rng.random(rows) < 0.02 if index % 4 == 3 else None
    return pa.array(values, mask=mask)


def categorical(rng, index, rows, shift):
    """10 to 50 categories with falling shares; names short enough and too long for inline views."""
    count = 10 * (index + 1)
    names = [("c%d" if index % 2 == 0 else "category with a long name %d") % number for number in range(count)]
    weights = 1.0 / (np.arange(count) + 1.5 + shift)
    codes = rng.choice(count, rows, p=weights / weights.sum())
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names)).cast(pa.string())


def table(rows, seed, shift):
    columns = {}
    for index in range(20):
        # A stream of its own for every column: the same whatever else is written.
        rng = np.random.default_rng([seed, index])
        columns["n%02d" % index] = numeric(rng, index, rows, shift * index / 20)
    for index in range(5):
        rng = np.random.default_rng([seed, 100 + index])
        columns["s%d" % index] = categorical(rng, index, rows, shift * index)
    return pa.table(columns)


def main():
    rows, folder = int(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed, shift in (("reference", 1, 0.0), ("current", 2, 0.5)):
        pq.write_table(table(rows, seed, shift), folder / f"{name}-{rows}.parquet")


if __name__ == "__main__":
    main()
