//! Families with something pending, page by page, and how a page is read before the one in front of it is stored.
//!
//! While one page is decided about, the store writes the plans of the page before it and reads the page after it. That is
//! sound because no two families share a row: a family is everything that can be reached from its root. Where a plan reaches
//! beyond its own family, or a decision stores what it had to look at, whatever was read too early is read again
//! ([`Strays`]).

use super::run::Pass;
use crate::error::Result;
use crate::id::{BindingId, Tenant};
use crate::plan::FamilyPlan;
use crate::store::{Family, Group, Store, Which};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

/// Pages of families on one side, in order. Borrows nothing, so that it can be read while a run goes on.
pub(super) struct Pages {
    store: Arc<dyn Store>,
    tenant: Tenant,
    binding: BindingId,
    which: Which,
    count_max: usize,
    /// Where the current page starts, and where it ends.
    before: Option<String>,
    after: Option<String>,
}

impl Pass<'_> {
    /// The families that have something pending on this side.
    pub(super) fn pages(&self, which: Which) -> Pages {
        Pages {
            store: Arc::clone(&self.engine.shared.store),
            tenant: self.binding.tenant.clone(),
            binding: self.binding.id.clone(),
            which,
            count_max: self.engine.shared.settings.page_records_max,
            before: None,
            after: None,
        }
    }
}

impl Pages {
    /// The next page; an empty one after the last.
    pub(super) async fn next(&mut self) -> Result<Vec<Family>> {
        self.before.clone_from(&self.after);
        self.again().await
    }

    /// The same page, as it is by now.
    pub(super) async fn again(&mut self) -> Result<Vec<Family>> {
        let Self { store, tenant, binding, which, count_max, before, .. } = &*self;
        let page = store.families(tenant, binding, *which, before.as_deref(), *count_max).await?;
        if let Some(last) = page.last() {
            self.after = last.root(self.which).map(str::to_owned);
        }
        Ok(page)
    }
}

/// What one page's decisions wrote outside of the families that they were about.
#[derive(Debug, Default)]
pub(super) struct Strays {
    ids: BTreeSet<u64>,
    /// Something was read and stored in between; it may be about anything.
    pub all: bool,
}

impl Strays {
    /// Adds what a plan writes besides the rows of its family, which [`marks_of`] gave.
    pub(super) fn add(&mut self, family: &[u64], plan: &FamilyPlan) {
        self.ids.extend(ids_of_group(&plan.group).map(mark).filter(|id| !family.contains(id)));
    }

    /// Whether a page that was read before this was stored may lack some of it.
    pub(super) fn touch(&self, page: &[Family]) -> bool {
        let touches = |family| ids_of_family(family).map(mark).any(|id| self.ids.contains(&id));
        self.all || !self.ids.is_empty() && page.iter().any(touches)
    }
}

/// What a family's rows are kept under, each as a number.
pub(super) fn marks_of(family: &Family) -> Vec<u64> {
    ids_of_family(family).map(mark).collect()
}

/// A number for an id. Where two ids have the same one, a page is read once more than it need be.
fn mark(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

fn ids_of_family(family: &Family) -> impl Iterator<Item = &str> {
    let links = family.links.iter().flat_map(|link| {
        [link.record.as_str(), link.record_root.as_str(), link.key.as_str(), link.remote_root.as_str()]
    });
    let remote = family.remote.iter().flat_map(|item| [item.key.as_str(), item.root.as_str()]);
    let local = family.local.iter().flat_map(|mark| [mark.id.as_str(), mark.root.as_str()]);
    let outbox = family.outbox.iter().flat_map(|entry| [entry.record.as_str(), entry.root.as_str()]);
    links.chain(remote).chain(local).chain(outbox)
}

fn ids_of_group(group: &Group) -> impl Iterator<Item = &str> {
    let links = group.links.iter().map(|put| &put.link).flat_map(|link| {
        [link.record.as_str(), link.record_root.as_str(), link.key.as_str(), link.remote_root.as_str()]
    });
    let unlinked = group.unlink.iter().map(|record| record.as_str());
    let records = group.records.iter().map(|write| write.id.as_str());
    let remote = group.remote.iter().flat_map(|item| [item.key.as_str(), item.root.as_str()]);
    let forgotten = group.forget.iter().map(|key| key.as_str());
    let marks = group.marks.iter().flat_map(|mark| [mark.id.as_str(), mark.root.as_str()]);
    let unmarked = group.unmark.iter().map(|(record, _)| record).chain(&group.unmark_any);
    let outbox = group.outbox.iter().flat_map(|entry| [entry.record.as_str(), entry.root.as_str()]);
    (links.chain(unlinked).chain(records).chain(remote).chain(forgotten).chain(marks))
        .chain(unmarked.map(|record| record.as_str()))
        .chain(outbox)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LocalMark;

    fn family(id: &str, root: &str) -> Family {
        let mark = LocalMark { id: id.into(), root: root.into(), version: "1".into(), record: None };
        Family { local: vec![mark], ..Family::default() }
    }

    fn plan(unmarks: &[&str]) -> FamilyPlan {
        let unmark_any = unmarks.iter().map(|id| (*id).into()).collect();
        FamilyPlan { group: Group { unmark_any, ..Group::default() }, ..FamilyPlan::default() }
    }

    #[test]
    fn a_page_is_read_again_when_something_of_it_was_written_for_another_family() {
        let mut strays = Strays::default();
        let own = family("visit", "visit");
        strays.add(&marks_of(&own), &plan(&["visit"]));
        assert!(!strays.touch(&[family("visit", "visit")]), "a family's own rows are no stray");
        strays.add(&marks_of(&own), &plan(&["visit", "moved"]));
        assert!(strays.touch(&[family("other", "other"), family("moved", "series")]), "by record");
        assert!(strays.touch(&[family("slot", "moved")]), "by root");
        assert!(!strays.touch(&[family("other", "other")]));
    }

    #[test]
    fn after_something_was_looked_at_every_page_is_read_again() {
        let strays = Strays { all: true, ..Strays::default() };
        assert!(strays.touch(&[family("other", "other")]));
    }
}
