//! The pages of a listing in a line: one is asked for, the one before it is held against what is known, and the one before that
//! is stored, all at once. What was stored is reported with the next step.
//!
//! Pages are stored one after the other, each with the place where the next one starts, and a run's progress moves only with the
//! page that is being stored. Whatever is further back in the line when a run ends is listed again by the next one.
//!
//! A page is held against what is known before the page in front of it is stored. That is sound where the two have no record in
//! common; where they have one, because it moved between pages while they were listed, the later page is held against the store
//! once more.

use super::act::{Parcel, Stored};
use super::run::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PageToken, RecordId, RemoteKey};
use crate::plan::{FamilyPlan, sighting};
use crate::planted::{self, Fault};
use crate::provider::{Item, Next, Page};
use crate::store::{Batch, Group};
use futures_util::future::{OptionFuture, join3};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pages on their way.
#[derive(Default)]
pub(super) struct Line {
    /// To be asked for: the page after this token, or the first.
    ask: Option<Option<PageToken>>,
    /// Came, or failed to.
    listed: Option<Result<Page>>,
    /// Held against what is known.
    sighted: Option<Sighted>,
    /// Stored, and not yet reported.
    stored: Option<Stored>,
}

/// A page with what it says that was not known.
struct Sighted {
    items: BTreeMap<RemoteKey, Item>,
    about: About,
    group: Group,
    /// What is done about it at once.
    plans: Vec<FamilyPlan>,
    next: Next,
}

impl Line {
    /// A listing that goes on at this page.
    pub(super) fn from(page: Option<PageToken>) -> Self {
        Self { ask: Some(page), ..Self::default() }
    }

    /// Moves every page one step on; `true` when the last one is stored. A page that could not be listed is an error once all
    /// pages before it are stored.
    pub(super) async fn advance(&mut self, run: &mut Pass<'_>) -> Result<bool> {
        let done = self.step(run).await;
        if matches!(done, Ok(false)) {
            return done;
        }
        // What was stored is reported, whatever comes after.
        let reported = report(self.stored.take(), run).await;
        done.and_then(|done| reported.map(|()| done))
    }

    async fn step(&mut self, run: &mut Pass<'_>) -> Result<bool> {
        let page = match (self.listed.take(), &self.sighted) {
            (Some(Err(error)), None) => return Err(run.about_calendar(error)),
            (Some(Err(error)), Some(_)) => {
                self.listed = Some(Err(error));
                None
            }
            (listed, _) => listed.transpose()?,
        };
        let (mut parcel, mut before, mut done) = (None, About::default(), false);
        if let Some(Sighted { about, group, plans, next, .. }) = self.sighted.take() {
            done = matches!(next, Next::Done(_));
            before = about;
            parcel = run.parcel_of_page(group, plans, next).await?;
        }
        let store = Arc::clone(&run.engine.shared.store);
        let stored = OptionFuture::from(parcel.map(|parcel| parcel.send(&*store)));
        let listed = OptionFuture::from(self.ask.take().map(|page| run.list(page)));
        let earlier = self.stored.take();
        let sighted = async {
            report(earlier, run).await?;
            OptionFuture::from(page.map(|page| run.sight_page(page))).await.transpose()
        };
        // In this order, so that with a store that answers at once it is as with one that works beside.
        let (sighted, stored, listed) = join3(sighted, stored, listed).await;
        self.stored = stored.transpose()?;
        self.sighted = match sighted? {
            Some(page) if before.touches(&page.about) => Some(run.sight_again(page.items, page.next).await?),
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
        self.sight_again(items, page.next).await
    }

    async fn sight_again(&self, items: BTreeMap<RemoteKey, Item>, next: Next) -> Result<Sighted> {
        let sights = self.sight_all(&items, self.state.listing.generation, false).await?;
        let (group, plans) = self.decide_newcomers(sights).await?;
        Ok(Sighted { about: About::of(&items, &group, &plans), items, group, plans, next })
    }

    /// The transaction of one page, with the place where the next one starts; `None` where there is nothing to store.
    async fn parcel_of_page(
        &mut self,
        group: Group,
        plans: Vec<FamilyPlan>,
        next: Next,
    ) -> Result<Option<Parcel>> {
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
        self.touch(&mut parcel.batch);
        Ok(Some(parcel))
    }
}

/// Reports what was stored of a page.
async fn report(stored: Option<Stored>, run: &mut Pass<'_>) -> Result<()> {
    match stored {
        Some(stored) => run.unpack(stored).await.map(drop),
        None => Ok(()),
    }
}

/// What a page is about.
#[derive(Default)]
struct About {
    keys: BTreeSet<RemoteKey>,
    linked: BTreeSet<RecordId>,
}

impl About {
    fn of(items: &BTreeMap<RemoteKey, Item>, group: &Group, plans: &[FamilyPlan]) -> Self {
        let groups = std::iter::once(group).chain(plans.iter().map(|plan| &plan.group));
        let linked = groups.flat_map(|group| &group.links).map(|put| put.link.record.clone()).collect();
        Self { keys: items.keys().cloned().collect(), linked }
    }

    /// Whether what is known of the next page's records can have changed while this one was stored.
    fn touches(&self, next: &Self) -> bool {
        !(self.keys.is_disjoint(&next.keys) && self.linked.is_disjoint(&next.linked))
    }
}
