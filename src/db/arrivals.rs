//! What the field vault knows about a batch of arrivals, asked at once: over a network every question costs its way.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::prelude::*;

use super::error::Error;
use super::forms::FormState;
use super::schema::field::{cases, forms, submissions, withdrawals};
use super::vault::FieldDb;

/// One arrival, by what it is looked up by.
pub(in crate::db) struct Arrival<'a> {
    pub project: i64,
    pub form_id: &'a str,
    pub form_version: &'a str,
    pub instance: &'a [u8],
    pub case: Option<String>,
}

/// What was there when the batch began; what a batch itself adds is not in it.
#[derive(Debug, Default)]
pub(in crate::db) struct Known {
    /// Instances with a row or a tombstone, of any form.
    taken: HashSet<Vec<u8>>,
    /// Project, form and version that take submissions.
    published: HashSet<(i64, String, String)>,
    /// The project of each case.
    cases: HashMap<String, i64>,
}

impl Known {
    /// Nothing was stored or withdrawn under this name.
    pub fn is_free(&self, instance: &[u8]) -> bool {
        !self.taken.contains(instance)
    }

    pub fn is_published(&self, project: i64, form_id: &str, version: &str) -> bool {
        self.published.contains(&(project, form_id.to_owned(), version.to_owned()))
    }

    pub fn is_case_of(&self, project: i64, case: &str) -> bool {
        self.cases.get(case) == Some(&project)
    }
}

impl FieldDb<'_> {
    /// At most some hundreds of arrivals: both databases bound how many values one query may name.
    pub(in crate::db) fn look_up(&mut self, arrivals: &[Arrival<'_>]) -> Result<Known, Error> {
        let mut known = Known::default();
        let mut by_form: BTreeMap<(i64, &str), Vec<&Arrival<'_>>> = BTreeMap::new();
        for arrival in arrivals {
            by_form.entry((arrival.project, arrival.form_id)).or_default().push(arrival);
        }
        for ((project, form_id), arrivals) in by_form {
            let instances: Vec<&[u8]> = arrivals.iter().map(|arrival| arrival.instance).collect();
            let stored = submissions::project.eq(project).and(submissions::form_id.eq(form_id));
            let stored = submissions::table.filter(stored.and(submissions::instance.eq_any(&instances)));
            known.taken.extend(stored.select(submissions::instance).load::<Vec<u8>>(self.0)?);
            let withdrawn = withdrawals::project.eq(project).and(withdrawals::form_id.eq(form_id));
            let withdrawn =
                withdrawals::table.filter(withdrawn.and(withdrawals::instance.eq_any(&instances)));
            known.taken.extend(withdrawn.select(withdrawals::instance).load::<Vec<u8>>(self.0)?);
            let versions: HashSet<&str> = arrivals.iter().map(|arrival| arrival.form_version).collect();
            let published: Vec<String> = forms::table
                .filter(forms::project.eq(project).and(forms::form_id.eq(form_id)))
                .filter(forms::version.eq_any(versions))
                // Between the reading of a submission and its reservation the wave may have ended.
                .filter(forms::state.ne(FormState::Closed.name()))
                .select(forms::version)
                .load(self.0)?;
            let published = published.into_iter().map(|version| (project, form_id.to_owned(), version));
            known.published.extend(published);
        }
        let visited: HashSet<&String> = arrivals.iter().filter_map(|arrival| arrival.case.as_ref()).collect();
        if !visited.is_empty() {
            let found = cases::table.filter(cases::id.eq_any(visited)).select((cases::id, cases::project));
            known.cases.extend(found.load::<(String, i64)>(self.0)?);
        }
        Ok(known)
    }
}
