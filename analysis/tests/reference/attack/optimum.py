"""The fewest hidden cells that keep every hidden count of a small table set open, by one mixed-integer program.

Reads one JSON object a line: {"seed", "n": [count by cell], "unsafe": [cells], "sums": [[total, [parts]]],
"threshold", "hidden": number that was hidden}. For every cell that is hidden two fillings must exist which differ by
the threshold there and move hidden cells only; shown zeros never move. Prints seed, unsafe, hidden, optimum and
whether it was proven.

    python3 optimum.py < small.jsonl
"""
import json
import sys

import highspy

FAR = 40.0


def optimum(case):
    n, sums, threshold = case["n"], case["sums"], case["threshold"]
    unsafe = set(case["unsafe"])
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("threads", 1)
    h.setOptionValue("time_limit", 20.0)
    can = [i for i in range(len(n)) if n[i] > 0 or i in unsafe]
    hide = {i: h.addBinary(obj=1.0) for i in can}
    for i in unsafe:
        h.addConstr(hide[i] >= 1)
    for target in can:
        sides = []
        for _ in range(2):
            move = {i: h.addVariable(lb=-min(n[i], FAR), ub=FAR) for i in can}
            for i in can:
                h.addConstr(move[i] <= FAR * hide[i])
                h.addConstr(move[i] >= -min(n[i], FAR) * hide[i])
            for total, parts in sums:
                terms = [move[p] for p in parts if p in move] + ([-move[total]] if total in move else [])
                if terms:
                    h.addConstr(h.qsum(terms) == 0)
            sides.append(move[target])
        h.addConstr(sides[0] - sides[1] >= threshold * hide[target])
    h.minimize()
    proven = h.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return {"seed": case["seed"], "unsafe": len(unsafe), "hidden": case["hidden"],
            "optimum": round(h.getInfo().objective_function_value), "proven": proven}


for line in sys.stdin:
    print(json.dumps(optimum(json.loads(line))), flush=True)
