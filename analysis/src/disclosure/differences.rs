//! What can be computed from figures that are out: counts by subtraction, along groups, answers and releases.
//!
//! Every figure counts a set of respondents ([`super::sets`]). Sets that part others give sums; a set within another
//! that is a little larger gives a difference. Whether a hidden count can be bounded is asked of a linear program: two
//! ways to fill in what is not known that differ there by the threshold. What is shown takes part at a price, so that
//! the same program names what else has to be held back.

use super::sets::{Domain, Respondents};
use indexmap::IndexSet;
use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOptions, Variable};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// Sets of one program, the target's nearest; those beyond are taken for known.
const NEAR: usize = 240;
/// Sets of the first, smaller one, all of them hidden.
const FEW: usize = 40;
/// Differences up to this many respondents are looked at.
const WINDOW: usize = 60;
/// Changes smaller than this are none.
const TOLERANCE: f64 = 1e-6;

/// Respondents whose number may be known.
pub(super) struct Set {
    pub members: Respondents,
    pub n: usize,
    /// Counted up to the rule's number.
    pub clusters: usize,
    /// Known from an earlier release: nothing hides it any more.
    pub released: bool,
    /// Figures of today that tell its number.
    pub telling: usize,
    /// Whom it counts, in the ways it was asked.
    domains: IndexSet<Domain>,
    /// Questions whose mean it is the base of.
    means_of: BTreeSet<usize>,
    /// By condition, group and answer: which questions had to be answered.
    frames: BTreeMap<usize, BTreeSet<usize>>,
    /// What a sum left over, or two bases of one domain.
    unanswered: bool,
    /// Can be counted in a file of microdata, whose keys are left out in some rows.
    of_file: bool,
}

impl Set {
    pub fn is_known(&self) -> bool {
        self.released || self.telling > 0
    }
}

/// A part of a domain that other domains share.
#[derive(PartialEq, Eq, Hash)]
enum Part {
    /// What had to be answered.
    Questions(BTreeSet<String>),
    /// All the rest.
    Frame(Box<Domain>),
}

pub(super) struct Limits {
    pub count: usize,
    pub clusters: usize,
    pub base: usize,
}

pub(super) struct Differences<'a> {
    pub sets: Vec<Set>,
    place: HashMap<Respondents, usize>,
    /// Parts of domains, by number.
    parts: IndexSet<Part>,
    /// A whole (−1) and its parts (+1).
    sums: Vec<Vec<(usize, f64)>>,
    sums_of: Vec<Vec<usize>>,
    seen: BTreeSet<Vec<(usize, bool)>>,
    /// Sums, each with the part of it that did not answer.
    leaves_unanswered: HashSet<(usize, usize)>,
    cluster_of: &'a [usize],
    pub limits: Limits,
}

impl<'a> Differences<'a> {
    pub fn new(cluster_of: &'a [usize], limits: Limits) -> Self {
        Self {
            sets: Vec::new(),
            place: HashMap::new(),
            parts: IndexSet::new(),
            sums: Vec::new(),
            sums_of: Vec::new(),
            seen: BTreeSet::new(),
            leaves_unanswered: HashSet::new(),
            cluster_of,
            limits,
        }
    }

    /// The set's number; `None` for nobody, which everybody may know.
    pub fn insert(&mut self, members: Respondents, domain: Option<&Domain>) -> Option<usize> {
        let n = members.count();
        if n == 0 {
            return None;
        }
        let at = match self.place.get(&members) {
            Some(at) => *at,
            None => {
                let clusters = members.clusters(self.cluster_of, self.limits.clusters);
                self.place.insert(members.clone(), self.sets.len());
                self.sums_of.push(Vec::new());
                self.sets.push(Set {
                    members,
                    n,
                    clusters,
                    released: false,
                    telling: 0,
                    domains: IndexSet::new(),
                    means_of: BTreeSet::new(),
                    frames: BTreeMap::new(),
                    unanswered: false,
                    of_file: false,
                });
                self.sets.len() - 1
            }
        };
        if let Some(domain) = domain
            && !self.sets[at].domains.contains(domain)
        {
            let questions = self.number_of(Part::Questions(domain.answered.clone()));
            let frame = Domain { answered: BTreeSet::new(), ..domain.clone() };
            let frame = self.number_of(Part::Frame(Box::new(frame)));
            let set = &mut self.sets[at];
            set.domains.insert(domain.clone());
            set.frames.entry(frame).or_default().insert(questions);
            if domain.answer.is_none() {
                set.means_of.insert(questions);
            }
        }
        Some(at)
    }

    /// Takes who can be counted in a file for known.
    pub fn release_file(&mut self, members: Respondents) {
        if let Some(set) = self.insert(members, None) {
            self.sets[set].of_file |= self.sets[set].domains.is_empty();
            self.sets[set].released = true;
        }
    }

    fn number_of(&mut self, part: Part) -> usize {
        self.parts.insert_full(part).0
    }

    /// Ties a whole to its parts; what the parts leave over is a part of its own, of those who did not answer.
    pub fn part(&mut self, whole: usize, parts: &[usize]) {
        let mut rest = self.sets[whole].members.clone();
        let mut terms = vec![(whole, false)];
        for part in parts {
            rest = rest.without(&self.sets[*part].members);
            terms.push((*part, true));
        }
        let rest = self.insert(rest, None);
        if let Some(rest) = rest {
            self.sets[rest].unanswered = true;
            terms.push((rest, true));
        }
        // A whole that is its only part.
        if terms.len() == 2 && terms[0].0 == terms[1].0 {
            return;
        }
        terms.sort_unstable();
        terms.dedup();
        if self.seen.insert(terms.clone()) {
            let sum = self.sums.len();
            self.leaves_unanswered.extend(rest.map(|rest| (sum, rest)));
            terms.iter().for_each(|(set, _)| self.sums_of[*set].push(sum));
            self.sums.push(
                terms.into_iter().map(|(set, is_part)| (set, if is_part { 1.0 } else { -1.0 })).collect(),
            );
        }
    }

    /// Whether these are who did not answer: their number is held back with the bases of figures, not with the figures.
    pub fn is_unanswered(&self, at: usize) -> bool {
        let set = &self.sets[at];
        // Among many who gave other answers, an answer that they gave all the same tells nothing more.
        let only_there = || {
            self.sums_of[at].iter().all(|sum| {
                self.leaves_unanswered.contains(&(*sum, at)) || self.in_leaves(*sum, at) >= self.limits.count
            })
        };
        set.unanswered && (set.domains.is_empty() || only_there())
    }

    /// Whether the number may be known, by rule 17.
    pub fn is_unsafe(&self, at: usize) -> bool {
        self.sets[at].n < self.limits.count || self.sets[at].clusters < self.limits.clusters
    }

    /// The sets whose numbers are told, and those that are the last unknown part of a sum.
    fn computable(&self) -> Vec<usize> {
        let mut known: Vec<bool> = self.sets.iter().map(Set::is_known).collect();
        let mut waiting: Vec<usize> = (0..self.sums.len()).collect();
        while let Some(sum) = waiting.pop() {
            let mut unknown = self.sums[sum].iter().map(|(set, _)| *set).filter(|set| !known[*set]);
            if let (Some(last), None) = (unknown.next(), unknown.next()) {
                known[last] = true;
                waiting.extend(&self.sums_of[last]);
            }
        }
        (0..self.sets.len()).filter(|set| known[*set]).collect()
    }

    /// Differences of two sets of known numbers that no rule allows, as sets of their own.
    pub fn subtract_known(&mut self) -> Vec<usize> {
        let mut known = self.computable();
        known.sort_by_key(|i| (self.sets[*i].n, *i));
        let mut found = Vec::new();
        for (at, small) in known.iter().enumerate() {
            for large in &known[at + 1..] {
                let more = self.sets[*large].n - self.sets[*small].n;
                if more > WINDOW {
                    break;
                }
                if more == 0 || !self.sets[*small].members.is_within(&self.sets[*large].members) {
                    continue;
                }
                found.extend(self.difference(*small, *large));
            }
        }
        found
    }

    fn difference(&mut self, small: usize, large: usize) -> Option<usize> {
        let rest = self.sets[large].members.without(&self.sets[small].members);
        let clusters = rest.clusters(self.cluster_of, self.limits.clusters);
        let n = rest.count();
        let few = n < self.limits.count
            || clusters < self.limits.clusters
            // Who has two means of one question has the mean of the difference.
            || (n < self.limits.base && !self.sets[small].means_of.is_disjoint(&self.sets[large].means_of));
        if !few {
            return None;
        }
        // The same frame, but for another question.
        let unanswered = self.sets[small].frames.iter().any(|(frame, questions)| {
            let others = self.sets[large].frames.get(frame);
            others.is_some_and(|others| questions.len() > 1 || others.len() > 1 || questions != others)
        });
        // And of two sets who did not answer, those who answered one question more.
        // So is it with those whose key was left out in a file.
        let unanswered = unanswered
            || self.sets[small].of_file
            || [small, large].iter().all(|set| self.is_unanswered(*set));
        let rest = self.insert(rest, None)?;
        self.sets[rest].unanswered |= unanswered;
        self.part(large, &[small, rest]);
        if unanswered && let Some(sum) = self.sums_of[rest].last() {
            self.leaves_unanswered.insert((*sum, rest));
        }
        Some(rest)
    }

    /// Known sets that hold a hidden one within a few respondents, or lie so within it, bound it.
    pub fn enclose(&mut self, target: usize) {
        let n = self.sets[target].n;
        let near = |i: &usize| {
            let other = &self.sets[*i];
            *i != target && other.is_known() && other.n.abs_diff(n) < self.limits.count && other.n != n
        };
        let near: Vec<usize> = (0..self.sets.len()).filter(near).collect();
        for other in near {
            let (small, large) = if self.sets[other].n < n { (other, target) } else { (target, other) };
            if self.sets[small].members.is_within(&self.sets[large].members) {
                let rest = self.sets[large].members.without(&self.sets[small].members);
                if let Some(rest) = self.insert(rest, None) {
                    self.part(large, &[small, rest]);
                }
            }
        }
    }

    /// What must be held back so that the target's number cannot be bounded to less than the threshold: empty where
    /// nothing more is needed, `None` where the program finds no way.
    pub fn cover(&self, target: usize) -> Option<Vec<usize>> {
        if self.moves_among_leaves(target) {
            return Some(Vec::new());
        }
        // Most counts are safe among a few hidden ones near them.
        let among_hidden = self.fill(target, &self.near(target, FEW, false));
        among_hidden.or_else(|| self.fill(target, &self.near(target, NEAR, true)))
    }

    /// A hidden set that stands in one sum alone: whatever its number is, nothing else changes with it.
    fn is_leaf(&self, set: usize) -> bool {
        !self.sets[set].is_known() && self.sums_of[set].len() == 1
    }

    /// Respondents in the hidden parts of a sum that stand in no other, but for one of them.
    fn in_leaves(&self, sum: usize, but: usize) -> usize {
        let leaf = |(set, sign): &&(usize, f64)| *set != but && *sign > 0.0 && self.is_leaf(*set);
        self.sums[sum].iter().filter(leaf).map(|(set, _)| self.sets[*set].n).sum()
    }

    /// Whether the target's number is far from bounded already where nothing but leaves changes with it; no program is
    /// needed then. As a part it rises by what the leaves beside it fall, as a whole it falls with them.
    fn moves_among_leaves(&self, target: usize) -> bool {
        let (mut rise, mut fall) = (usize::MAX, self.sets[target].n);
        for sum in &self.sums_of[target] {
            let leaves = self.in_leaves(*sum, target);
            if leaves == 0 {
                return false;
            }
            let is_part = self.sums[*sum].iter().any(|(set, sign)| *set == target && *sign > 0.0);
            if is_part { rise = rise.min(leaves) } else { fall = fall.min(leaves) }
        }
        rise.saturating_add(fall) >= self.limits.count
    }

    /// The cheapest two ways to fill in the sets, all others as they are; the shown ones that change.
    fn fill(&self, target: usize, near: &[usize]) -> Option<Vec<usize>> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let mut changes = Vec::with_capacity(near.len());
        for set in near {
            let known = self.sets[*set].telling > 0;
            let n = self.sets[*set].n as f64;
            let price = if known { 1.0 + n.ln_1p() } else { 0.0 };
            let free = !known || *set == target;
            let [up, down] = [0, 1].map(|_| Change {
                rise: problem.add_var(price, (if free { -n } else { 0.0 }, f64::INFINITY)),
                fall: (!free).then(|| problem.add_var(price, (0.0, n))),
            });
            changes.push([up, down]);
        }
        let place: BTreeMap<usize, usize> = near.iter().enumerate().map(|(at, set)| (*set, at)).collect();
        let sums: BTreeSet<usize> = near.iter().flat_map(|set| &self.sums_of[*set]).copied().collect();
        let ways: [fn(&[Change; 2]) -> &Change; 2] = [|two| &two[0], |two| &two[1]];
        for sum in sums {
            let inside = self.sums[sum].iter().filter_map(|(set, sign)| Some((*place.get(set)?, *sign)));
            let inside: Vec<(usize, f64)> = inside.collect();
            // Leaves change for each other, so one variable stands for all of them.
            let leaves = self.in_leaves(sum, target) as f64;
            let whole = self.sums[sum].iter().find(|(set, sign)| {
                *sign < 0.0 && *set != target && !place.contains_key(set) && self.is_leaf(*set)
            });
            for way in ways {
                let mut terms: Vec<(Variable, f64)> =
                    inside.iter().flat_map(|(at, sign)| way(&changes[*at]).terms(*sign)).collect();
                if leaves > 0.0 {
                    terms.push((problem.add_var(0.0, (-leaves, f64::INFINITY)), 1.0));
                }
                if let Some((whole, _)) = whole {
                    let n = self.sets[*whole].n as f64;
                    terms.push((problem.add_var(0.0, (-n, f64::INFINITY)), -1.0));
                }
                problem.add_constraint(terms, ComparisonOp::Eq, 0.0);
            }
        }
        let [up, down] = &changes[place[&target]];
        let apart: Vec<(Variable, f64)> = up.terms(1.0).into_iter().chain(down.terms(-1.0)).collect();
        problem.add_constraint(apart, ComparisonOp::Eq, self.limits.count as f64);
        let mut options = SolveOptions::default();
        options.presolve = false;
        let solution = problem.solve_with(options).ok()?.into_solution().ok()?;
        let moved = |change: &Change| {
            let fall = change.fall.map_or(0.0, |f| solution.var_value(f));
            (solution.var_value(change.rise) - fall).abs() > TOLERANCE
        };
        let more = near
            .iter()
            .zip(&changes)
            .filter(|(set, ways)| self.sets[**set].telling > 0 && **set != target && ways.iter().any(moved));
        Some(more.map(|(set, _)| *set).collect())
    }

    /// The sets told today that stand in a sum with the target.
    pub fn beside(&self, target: usize) -> Vec<usize> {
        let sets = self.sums_of[target].iter().flat_map(|sum| &self.sums[*sum]).map(|(set, _)| *set);
        let beside: BTreeSet<usize> = sets
            .filter(|set| *set != target && self.sets[*set].telling > 0 && !self.sets[*set].released)
            .collect();
        beside.into_iter().collect()
    }

    /// The sets that can change with the target, nearest first: those not known before those that are. Leaves are not
    /// among them.
    fn near(&self, target: usize, most: usize, with_shown: bool) -> Vec<usize> {
        let mut near = vec![target];
        let mut taken = BTreeSet::from([target]);
        let (mut hidden, mut shown) = (VecDeque::from([target]), VecDeque::new());
        while near.len() < most {
            let Some(from) = hidden.pop_front().or_else(|| shown.pop_front()) else { break };
            for (set, _) in self.sums_of[from].iter().flat_map(|sum| &self.sums[*sum]) {
                let is_shown = self.sets[*set].telling > 0;
                let stays = self.sets[*set].released || (is_shown && !with_shown);
                if stays || self.is_leaf(*set) || near.len() >= most || !taken.insert(*set) {
                    continue;
                }
                near.push(*set);
                if is_shown { shown.push_back(*set) } else { hidden.push_back(*set) }
            }
        }
        near
    }
}

/// The change of a set's number: one variable where it is free, its rise and its fall where both cost.
struct Change {
    rise: Variable,
    fall: Option<Variable>,
}

impl Change {
    fn terms(&self, sign: f64) -> Vec<(Variable, f64)> {
        std::iter::once((self.rise, sign)).chain(self.fall.map(|f| (f, -sign))).collect()
    }
}
