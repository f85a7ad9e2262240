"""The peer of the drift benchmark: pyarrow + scipy on the same files, as people write it.

usage: drift_peer.py REFERENCE CURRENT

Prints one JSON object: for every column the method, its statistic and its p-value.
"""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.stats import chi2_contingency, ks_2samp


def counts(column):
    return {str(item["values"]): item["counts"] for item in pc.value_counts(column.drop_null()).to_pylist()}


def main():
    reference, current = pq.read_table(sys.argv[1]), pq.read_table(sys.argv[2])
    columns = {}
    for name in reference.column_names:
        one, two = reference[name], current[name]
        if pa.types.is_floating(one.type) or pa.types.is_integer(one.type):
            result = ks_2samp(one.drop_null().to_numpy(), two.drop_null().to_numpy())
            columns[name] = {"method": "ks_test", "statistic": float(result.statistic), "p_value": float(result.pvalue)}
        else:
            one, two = counts(one), counts(two)
            union = sorted(set(one) | set(two))
            observed = np.array([[side.get(key, 0) for key in union] for side in (one, two)])
            result = chi2_contingency(observed, correction=False)
            columns[name] = {
                "method": "chi_square",
                "statistic": float(result.statistic),
                "p_value": float(result.pvalue),
            }
    json.dump({"columns": columns}, sys.stdout)


if __name__ == "__main__":
    main()
