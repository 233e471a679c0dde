"""Random allocation problems and the least cost of each, found by a convex solver.

    python3 -m venv venv && venv/bin/pip install cvxpy==1.9.3 clarabel==0.11.1
    venv/bin/python solve.py SEED COUNT > problems.json

Minimise sum c n subject to sum_h (W S)^2 (1/n - 1/N) <= (cv mean)^2 for each target in each of its domains, and
to the bounds of each stratum, which is convex. The plans are those of
`langnghe sample allocate`. Every answer carries the dual bound of the solver's multipliers, computed here by
hand: no feasible allocation is cheaper, so cost and bound together prove the optimum whatever the solver did.
"""

import json
import random
import sys

import cvxpy
import numpy


def problem(chance):
    """A plan: 3 to 60 strata, 1 to 5 variables, targets over everything and over up to two domain types."""
    size = chance.choice([3, 6, 10, 20, 35, 60])
    names = [f"y{k + 1}" for k in range(chance.randint(1, 5))]
    areas, groups = chance.randint(1, 5), chance.randint(1, 4)
    has_cost = chance.random() < 0.7
    strata = []
    for h in range(size):
        stratum = {
            "stratum": f"h{h + 1}",
            "population": int(10 ** chance.uniform(1.3, 4.3)),
            "variables": {},
            # The first strata fill every domain.
            "domains": {
                "area": f"A{(h if h < areas else chance.randrange(areas)) + 1}",
                "group": f"G{(h if h < groups else chance.randrange(groups)) + 1}",
            },
        }
        if has_cost:
            stratum["cost"] = round(chance.uniform(0.5, 8.0), 2)
        for k, name in enumerate(names):
            if k % 2 == 0:  # A share.
                p = round(chance.uniform(0.05, 0.95), 4)
                stratum["variables"][name] = {"mean": p, "sd": round((p * (1 - p)) ** 0.5, 6)}
            else:  # A quantity with a long tail.
                mean = round(10 ** chance.uniform(0.5, 2.5), 3)
                stratum["variables"][name] = {"mean": mean, "sd": round(mean * chance.uniform(0.2, 2.0), 4)}
        strata.append(stratum)
    targets = []
    for name in names:
        for by, least in ((None, 0.01), ("area", 0.03), ("group", 0.03)):
            if by is None or chance.random() < 0.6:
                targets.append({"variable": name, "cv": round(chance.uniform(least, 0.12), 4), "by": by})
    plan = {"strata": strata, "method": "bethel", "targets": targets, "min": chance.choice([1, 2, 5, 10])}
    return plan


def cells(plan):
    """Name, strata, (W S)^2 and the limit of each target in each domain."""
    found = []
    strata = plan["strata"]
    for target in plan["targets"]:
        by = target["by"]
        domains = [None] if by is None else sorted({s["domains"][by] for s in strata})
        for domain in domains:
            own = [h for h, s in enumerate(strata) if by is None or s["domains"][by] == domain]
            population = numpy.array([strata[h]["population"] for h in own], float)
            moments = [strata[h]["variables"][target["variable"]] for h in own]
            share = population / population.sum()
            mean = float(share @ [m["mean"] for m in moments])
            spread = (share * [m["sd"] for m in moments]) ** 2
            limit = (target["cv"] * mean) ** 2 + float((spread / population).sum())
            found.append(({"variable": target["variable"], "by": by, "domain": domain}, own, spread, limit))
    return found


def solve(plan):
    strata = plan["strata"]
    cost = numpy.array([s.get("cost", 1.0) for s in strata])
    high = numpy.array([s["population"] for s in strata], float)
    low = numpy.minimum(plan["min"], high)
    parts = cells(plan)
    # Neyman's allocation for the hardest target of each stratum: the answer is of that order.
    near = low.copy()
    for _, own, a, limit in parts:
        alone = numpy.sqrt(a / cost[own]) * numpy.sqrt(a * cost[own]).sum() / limit
        near[own] = numpy.clip(numpy.maximum(near[own], alone), low[own], high[own])
    # In v = near / n the limits are linear.
    v = cvxpy.Variable(len(strata))
    limits = [cvxpy.multiply(a / limit / near[own], v[own]).sum() <= 1 for _, own, a, limit in parts]
    value = cost * near / float(cost @ near)
    bounds = [v >= near / high, v <= near / low]
    task = cvxpy.Problem(cvxpy.Minimize(value @ cvxpy.inv_pos(v)), limits + bounds)
    task.solve(solver=cvxpy.CLARABEL, max_iter=500, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    if task.status not in ("optimal", "optimal_inaccurate"):
        raise SystemExit(f"the solver ended with {task.status}")
    n = near / v.value
    over = max(float((a / n[own]).sum() / limit) for _, own, a, limit in parts)
    n = numpy.clip(n * max(over, 1.0), low, high)
    price = numpy.array([max(float(c.dual_value), 0.0) for c in limits]) * float(cost @ near)
    load = numpy.zeros(len(strata))
    for weight, (_, own, a, limit) in zip(price, parts):
        load[own] += weight * a / limit
    best = numpy.clip(numpy.sqrt(load / cost), low, high)
    bound = float(cost @ best + (load / best).sum() - price.sum())
    total = float(cost @ n)
    if abs(total - bound) > 1e-4 * total:
        raise SystemExit(f"the solver is not exact enough: {total} against the bound {bound}")
    # What one per cent more room in a target saves, as a share of the cost: what it means to bind.
    binding = [dict(name, price=round(float(weight / total), 6)) for weight, (name, *_) in zip(price, parts)]
    return total, bound, binding


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        plan = problem(chance)
        cost, bound, targets = solve(plan)
        found.append({"plan": plan, "cost": cost, "bound": bound, "targets": targets})
    json.dump(found, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
