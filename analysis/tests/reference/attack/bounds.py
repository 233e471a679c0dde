"""An attacker with a solver: bounds of every hidden count of linked tables, by linear programs (HiGHS).

Reads table sets, one JSON object a line: {"seed", "answers": [answer of `langnghe protect`, ...], "parents":
{column: {code: code above}}, "threshold"}. Knows nothing but what was published: shown counts, that sums add up,
that no count is negative. For each hidden cell it looks for the least and the most it can be; a solution found for
one cell also tells what is possible for all others. Rounded answers ("rounded": {"base"}) hide nothing: there a count
v stands for the whole interval of the rule, and the set names the cells it wants bounded ("wanted"). Prints one JSON object a line: seed, cells, hidden, bounded
(cells with high - low < threshold), programs, narrowest.

    python3 bounds.py < sets.jsonl
"""
import json
import sys

import highspy
import numpy as np


def model(published):
    """Cells, their shown counts, and the sums (total, parts) of each table along each column."""
    parents = published["parents"]
    cells, shown, sums = {}, {}, set()
    for answer in published["answers"]:
        for table in answer["tables"]:
            keys = {}
            for cell in table["cells"]:
                fixed = frozenset((c, v) for c, v in cell["key"].items() if v is not None)
                at = cells.setdefault(fixed, len(cells))
                keys[fixed] = at
                if cell["n"] is not None:
                    assert shown.setdefault(at, cell["n"]) == cell["n"], "two shown counts of one cell differ"
            for column in table["cells"][0]["key"]:
                above = parents.get(column, {})
                parts = {}
                for key, at in keys.items():
                    code = dict(key).get(column)
                    if code is not None:
                        total = key - {(column, code)}
                        if code in above:
                            total |= {(column, above[code])}
                        parts.setdefault(keys[total], []).append(at)
                sums.update((total, tuple(sorted(p))) for total, p in parts.items())
    sums |= people(published, cells)
    return cells, shown, sorted(sums)


def people(published, cells):
    """Tables in a circle: nobody is a negative number of people, so every combination of all columns is a cell."""
    tables = [list(t["cells"][0]["key"]) for a in published["answers"] for t in a["tables"]]
    if not any(t == ["sex", "area"] for t in tables):
        return set()
    columns = ["sex", "area", "opinion"]
    codes = {c: sorted({v for key in cells for k, v in key if k == c}) for c in columns}
    for column in columns:
        sums_up = set(published["parents"].get(column, {}).values())
        codes[column] = [c for c in codes[column] if c not in sums_up]
    found = {}
    for s in codes["sex"]:
        for a in codes["area"]:
            for o in codes["opinion"]:
                key = frozenset({("sex", s), ("area", a), ("opinion", o)})
                at = cells.setdefault(key, len(cells))
                for pair in [key - {("sex", s)}, key - {("area", a)}, key - {("opinion", o)}]:
                    found.setdefault(cells[pair], []).append(at)
    return {(total, tuple(sorted(parts))) for total, parts in found.items()}


def attack(published):
    cells, shown, sums = model(published)
    base = next((a["rounded"]["base"] for a in published["answers"] if "rounded" in a), None)
    rounded, asked = {}, None
    if base is not None:
        rounded, shown = shown, {}
        asked = {cells[frozenset(key.items())] for key in published["wanted"]}
    imagined = {at for key, at in cells.items() if len(key) == 3 and any(c == "sex" for c, _ in key)}
    hidden = [at for at in range(len(cells)) if at not in shown]
    place = {cell: i for i, cell in enumerate(hidden)}
    wanted = [i for i, cell in enumerate(hidden) if (cell not in imagined if asked is None else cell in asked)]
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("threads", 1)
    h.setOptionValue("presolve", "off")
    lp = highspy.HighsLp()
    rows, starts, index, value, right = 0, [0], [], [], []
    for total, parts in sums:
        terms = [(place[p], 1.0) for p in parts if p in place]
        known = shown.get(total, 0) - sum(shown[p] for p in parts if p in shown)
        if total in place:
            terms.append((place[total], -1.0))
        if not terms:
            assert known == 0, "shown counts do not add up"
            continue
        for at, a in terms:
            index.append(at)
            value.append(a)
        starts.append(len(index))
        right.append(known)
        rows += 1
    lp.num_col_, lp.num_row_ = len(hidden), rows
    lp.col_cost_ = np.zeros(len(hidden))
    lp.col_lower_, lp.col_upper_ = np.zeros(len(hidden)), np.full(len(hidden), 1e6)
    for i, cell in enumerate(hidden):
        if cell in rounded:
            v = rounded[cell]
            lp.col_lower_[i], lp.col_upper_[i] = (max(v - base, 1), v + base) if v else (0, base)
    lp.row_lower_ = lp.row_upper_ = np.array(right, dtype=float)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = starts, index, value
    h.passModel(lp)
    low, high = np.full(len(hidden), np.inf), np.full(len(hidden), -np.inf)
    programs = 0

    def solve(cost):
        nonlocal programs
        programs += 1
        h.run()
        assert h.getModelStatus() == highspy.HighsModelStatus.kOptimal, h.getModelStatus()
        x = np.array(h.getSolution().col_value)
        np.minimum(low, x, out=low)
        np.maximum(high, x, out=high)

    bounded, narrowest = 0, float("inf")
    threshold = published["threshold"]
    if hidden:
        h.changeObjectiveSense(highspy.ObjSense.kMaximize)
        solve(None)
    for i in wanted:
        for sign in (1.0, -1.0):
            if high[i] - low[i] >= threshold - 1e-6:
                break
            h.changeColCost(i, sign)
            solve(sign)
            h.changeColCost(i, 0.0)
        bounded += high[i] - low[i] < threshold - 1e-6
        narrowest = min(narrowest, high[i] - low[i])
    return {
        "seed": published["seed"], "cells": len(cells), "hidden": len(wanted), "bounded": int(bounded),
        "programs": programs, "narrowest": None if not wanted else round(float(narrowest), 3),
    }


for line in sys.stdin:
    print(json.dumps(attack(json.loads(line))), flush=True)
