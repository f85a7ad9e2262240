"""Makes streams.json: streams of errors, and where the detectors of river find changes in them.

Run with river 0.26.1 and numpy installed: python make_streams.py > streams.json
Streams of zeros and ones are strings; real values are rounded to four decimals before river sees them.
"""

import json
import sys

import numpy as np
import river
from river import drift

rng = np.random.default_rng(20240613)


def bernoulli(p):
    return (rng.random(len(p)) < p).astype(int).tolist()


def real(mean):
    return [round(float(x), 4) for x in rng.gamma(2.0, np.asarray(mean) / 2.0)]


def steps(*parts):
    return np.concatenate([np.full(n, level) for n, level in parts])


def ramp(n, low, high, start, end):
    return np.interp(np.arange(n), [start, end], [low, high])


STREAMS = {
    "bernoulli_none": bernoulli(steps((4000, 0.2))),
    "bernoulli_abrupt": bernoulli(steps((2000, 0.18), (2000, 0.3))),
    "bernoulli_steep": bernoulli(steps((1000, 0.05), (600, 0.6), (1400, 0.1))),
    "bernoulli_gradual": bernoulli(ramp(4000, 0.15, 0.45, 1000, 3000)),
    "bernoulli_short": bernoulli(steps((40, 0.1), (40, 0.9))),
    "bernoulli_always_right": [0] * 200 + bernoulli(steps((200, 0.3))),
    "real_none": real(steps((3000, 1.0))),
    "real_abrupt": real(steps((1500, 1.0), (1500, 1.6))),
    "real_gradual": real(ramp(3000, 1.0, 2.5, 500, 2500)),
    "real_falls": real(steps((1200, 2.0), (1200, 0.5))),
    "real_twice": real(steps((800, 1.0), (800, 3.0), (800, 0.7))),
    "real_offset": [round(1e6 + x, 4) for x in real(steps((600, 1.0), (600, 4.0)))],
}

DETECTORS = [
    ("adwin", {"delta": 0.002, "clock": 32, "max_buckets": 5, "min_window_length": 5, "grace_period": 10}),
    ("adwin", {"delta": 0.05, "clock": 1, "max_buckets": 3, "min_window_length": 10, "grace_period": 30}),
    ("adwin", {"delta": 0.3, "clock": 7, "max_buckets": 8, "min_window_length": 2, "grace_period": 5}),
    ("ddm", {"warm_start": 30, "warning_threshold": 2.0, "drift_threshold": 3.0}),
    ("ddm", {"warm_start": 100, "warning_threshold": 1.5, "drift_threshold": 2.5}),
    ("page_hinkley", {"min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 0.9999, "mode": "both"}),
    ("page_hinkley", {"min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 0.9999, "mode": "up"}),
    ("page_hinkley", {"min_instances": 10, "delta": 0.05, "threshold": 8.0, "alpha": 1.0, "mode": "down"}),
    ("page_hinkley", {"min_instances": 50, "delta": 0.02, "threshold": 15.0, "alpha": 0.999, "mode": "both"}),
    ("kswin", {"alpha": 0.005, "window_size": 100, "stat_size": 30, "seed": 42}),
    ("kswin", {"alpha": 0.0001, "window_size": 200, "stat_size": 50, "seed": 7}),
    ("kswin", {"alpha": 0.05, "window_size": 60, "stat_size": 20, "seed": 1}),
]

CLASSES = {
    "adwin": drift.ADWIN,
    "ddm": drift.binary.DDM,
    "page_hinkley": drift.PageHinkley,
    "kswin": drift.KSWIN,
}


def run(name, parameters, values):
    detector = CLASSES[name](**parameters)
    detections, warnings, widths = [], [], []
    for index, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            detections.append(index)
        if getattr(detector, "warning_detected", False):
            warnings.append(index)
        if name == "adwin" and detector.drift_detected:
            widths.append(int(detector.width))
    answer = {"detector": name, "parameters": parameters, "detections": detections}
    if name == "ddm":
        answer["warnings"] = warnings
    if name == "adwin":
        answer["widths"] = widths
    return answer


streams = []
for stream, values in STREAMS.items():
    binary = stream.startswith("bernoulli")
    answers = [
        run(name, parameters, values)
        for name, parameters in DETECTORS
        if binary or name != "ddm"
    ]
    text = "".join(map(str, values)) if binary else values
    streams.append({"name": stream, "values": text, "answers": answers})

meta = {"made_by": "make_streams.py", "river": river.__version__, "numpy": np.__version__}
json.dump({"meta": meta, "streams": streams}, sys.stdout, separators=(",", ":"))
print()
