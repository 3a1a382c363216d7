"""SciPy's numbers for internal/significance: writes internal/significance/testdata/scipy.json.

Three sets of paired differences: like those of Recall@20 (nine in ten are 0), like those of a
metric without ties, and a small one with many ties. Needs numpy and scipy.
"""
import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(5)
sparse = np.where(rng.random(2000) < 0.9, 0.0, rng.choice([-1, -0.5, 0.5, 1], 2000, p=[0.2, 0.2, 0.3, 0.3]))
dense = rng.normal(0.02, 0.3, 400)
small = np.array([0.5, -0.5, 1, 1, 0, 0, -1, 0.5, 2, 0.5, 0.25, -0.25, 1, 0, 3])
cases = []
for name, d in (("sparse", sparse), ("dense", dense), ("small", small)):
    t = stats.ttest_1samp(d, 0)
    case = {"name": name, "d": d.tolist(), "mean": d.mean(), "sd": d.std(ddof=1), "t": t.statistic, "t_p": t.pvalue}
    for zeros in ("wilcox", "pratt"):
        r = stats.wilcoxon(d, zero_method=zeros, correction=False, method="approx")
        case[zeros] = {"w": r.statistic, "p": r.pvalue}
    boot = stats.bootstrap((d,), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(1))
    case["low"], case["high"] = boot.confidence_interval
    cases.append(case)
p = [0.01, 0.04, 0.03, 0.005, 0.6, 0.04]
from statistics import NormalDist

power = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
json.dump({"made_by": "scripts/make_significance_golden.py", "cases": cases, "power": power}, open("internal/significance/testdata/scipy.json", "w"), indent=1)
