//! The pages of a listing in a line: one is asked for, the one before it is held against what is known, and the one before that
//! is stored, all at once.
//!
//! Pages are stored one after the other, each with the place where the next one starts, and a run's progress moves only with the
//! page that is being stored. Whatever is further back in the line when a run ends is listed again by the next one.
//!
//! A page is held against what is known before the page in front of it is stored. That is sound where the two have no record in
//! common; where they have one, because it moved between pages while they were listed, the later page is held against the store
//! once more.

use super::act::Parcel;
use super::run::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PageToken, RecordId, RemoteKey};
use crate::plan::{FamilyPlan, sighting};
use crate::planted::{self, Fault};
use crate::provider::{Item, Next, Page};
use crate::store::{Batch, Group};
use futures_util::future::{OptionFuture, join3};
use std::collections::{BTreeMap, BTreeSet};

/// Pages on their way.
#[derive(Default)]
pub(super) struct Line {
    /// To be asked for: the page after this token, or the first.
    ask: Option<Option<PageToken>>,
    /// Came, or failed to.
    listed: Option<Result<Page>>,
    /// Held against what is known.
    sighted: Option<Sighted>,
}

/// A page with what it says that was not known.
struct Sighted {
    items: BTreeMap<RemoteKey, Item>,
    group: Group,
    /// What is done about it at once.
    plans: Vec<FamilyPlan>,
    next: Next,
}

impl Sighted {
    /// The records that it links.
    fn linked(&self) -> impl Iterator<Item = &RecordId> {
        let groups = std::iter::once(&self.group).chain(self.plans.iter().map(|plan| &plan.group));
        groups.flat_map(|group| &group.links).map(|put| &put.link.record)
    }
}

impl Line {
    /// A listing that goes on at this page.
    pub(super) fn from(page: Option<PageToken>) -> Self {
        Self { ask: Some(page), ..Self::default() }
    }

    /// Moves every page one step on; `true` when the last one is stored. A page that could not be listed is an error once all
    /// pages before it are stored.
    pub(super) async fn advance(&mut self, run: &mut Pass<'_>) -> Result<bool> {
        let page = match (self.listed.take(), &self.sighted) {
            (Some(Err(error)), None) => return Err(run.about_calendar(error)),
            (Some(Err(error)), Some(_)) => {
                self.listed = Some(Err(error));
                None
            }
            (listed, _) => listed.transpose()?,
        };
        let (mut parcel, mut before, mut done) = (None, Before::default(), false);
        if let Some(page) = self.sighted.take() {
            done = matches!(page.next, Next::Done(_));
            before = Before::of(&page);
            parcel = run.parcel_of_page(page).await?;
        }
        let now = &*run;
        let stored = OptionFuture::from(parcel.map(|parcel| parcel.send(&*now.engine.shared.store)));
        let sighted = OptionFuture::from(page.map(|page| now.sight_page(page)));
        let listed = OptionFuture::from(self.ask.take().map(|page| now.list(page)));
        // In this order, so that with a store that answers at once it is as with one that works beside.
        let (sighted, stored, listed) = join3(sighted, stored, listed).await;
        if let Some(stored) = stored.transpose()? {
            run.unpack(stored).await?;
        }
        self.sighted = match sighted.transpose()? {
            Some(page) if before.touches(&page) => Some(run.sight_again(page).await?),
            page => page,
        };
        if let Some(listed) = listed {
            if let Ok(Page { next: Next::More(token), .. }) = &listed {
                self.ask = Some(Some(token.clone()));
            }
            self.listed = Some(listed);
        }
        Ok(done)
    }
}

impl Pass<'_> {
    /// Holds a page against what is known.
    async fn sight_page(&self, page: Page) -> Result<Sighted> {
        // The same record twice on a page: the later one counts.
        let items: BTreeMap<RemoteKey, Item> =
            page.items.into_iter().map(|item| (sighting::key(&item), item)).collect();
        let (group, plans) = (Group::default(), Vec::new());
        self.sight_again(Sighted { items, group, plans, next: page.next }).await
    }

    async fn sight_again(&self, page: Sighted) -> Result<Sighted> {
        let sights = self.sight_all(&page.items, self.state.listing.generation, false).await?;
        let (group, plans) = self.decide_newcomers(sights).await?;
        Ok(Sighted { group, plans, ..page })
    }

    /// The transaction of one page, with the place where the next one starts; `None` where there is nothing to store.
    async fn parcel_of_page(&mut self, page: Sighted) -> Result<Option<Parcel>> {
        let Sighted { group, plans, next, .. } = page;
        let before = self.state.listing.clone();
        match next {
            Next::More(token) => {
                if self.state.listing.page.as_ref() == Some(&token) {
                    return Err(Error::new(ErrorKind::Protocol, "a page of the listing leads to itself")
                        .with("calendar", &self.binding.target.calendar)
                        .later());
                }
                self.state.listing.page = Some(token);
            }
            Next::Done(cursor) => {
                self.state.listing.page = None;
                self.state.listing.cursor = Some(cursor);
            }
        }
        let nothing = group.remote.is_empty() && group.links.is_empty() && group.forget.is_empty();
        if nothing && plans.is_empty() && before == self.state.listing {
            return Ok(None);
        }
        if planted::on(Fault::CursorBeforeItsPage) {
            self.commit(Batch { state: Some(self.state.clone()), ..self.batch() }).await?;
        }
        // The plans come first: what moved of them is told by its place.
        let mut parcel = self.pack(self.batch(), plans).await?;
        parcel.batch.groups.push(group);
        parcel.batch.state = Some(self.state.clone());
        Ok(Some(parcel))
    }
}

/// What a page was about, while it is stored.
#[derive(Default)]
struct Before {
    keys: BTreeSet<RemoteKey>,
    linked: BTreeSet<RecordId>,
}

impl Before {
    fn of(page: &Sighted) -> Self {
        Self { keys: page.items.keys().cloned().collect(), linked: page.linked().cloned().collect() }
    }

    /// Whether what is known of the next page's records can have changed since it was looked up.
    fn touches(&self, page: &Sighted) -> bool {
        page.items.keys().any(|key| self.keys.contains(key))
            || page.linked().any(|record| self.linked.contains(record))
    }
}
