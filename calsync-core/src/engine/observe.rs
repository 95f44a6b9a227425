//! Observes both sides, page by page. What is new in the calendar and has no counterpart is decided as it is seen
//! (`newcomers.rs`); everything else is only stored here.
//!
//! Each page and the place where the next one starts are committed together. A cursor is stored only with the last page of
//! the listing that it closes, so a run that dies in the middle repeats a page, and skips none (`line.rs`). After a full listing
//! whatever it lacked is read once more by id: a listing is no proof that something is gone.

use super::doubt::Doubt;
use super::line::Line;
use super::run::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PageToken, RecordId, RemoteKey};
use crate::plan::settle::{missing, observed};
use crate::plan::sighting::{Sighting, made_by_us, made_from_it, sight};
use crate::planted::{self, Fault};
use crate::provider::{Item, Page, Start};
use crate::report::Listed;
use crate::store::{Group, Link, LinkPut, LocalMark, RemoteItem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most pages of one listing: an endless chain of page tokens is an error, not a hang.
const PAGES_MAX: u32 = 10_000;

/// What is new about what a calendar showed.
#[derive(Default)]
pub(super) struct Sights {
    pub group: Group,
    /// Observations of what was never seen, and belongs to nothing that is known on either side.
    pub newcomers: Vec<RemoteItem>,
}

impl Sights {
    /// All of it, to be decided about later.
    pub(super) fn undecided(mut self) -> Group {
        self.group.remote.append(&mut self.newcomers);
        self.group
    }
}

impl Pass<'_> {
    /// Marks what changed in the CRM since the last look.
    pub(super) async fn observe_local(&mut self) -> Result<()> {
        let store = &self.engine.shared.store;
        let count = self.engine.shared.settings.page_records_max;
        loop {
            self.hold().await?;
            let changes = match self.host() {
                Some(host) => host.changes(&self.binding.tenant, self.state.position.as_ref(), count).await?,
                None => {
                    let (tenant, position) = (&self.binding.tenant, self.state.position.as_ref());
                    store.record_changes(tenant, Some(&self.binding), position, count).await?
                }
            };
            let ids: Vec<_> = changes.records.iter().map(|record| record.id.clone()).collect();
            let links = store.links(&self.binding.tenant, &self.binding.id, &ids).await?;
            let links: BTreeMap<_, _> = links.iter().map(|link| (&link.record, link)).collect();
            let mut group = Group::default();
            for record in &changes.records {
                let link = links.get(&record.id);
                let ours = link.is_some() || record.agent == self.binding.agent;
                // Our own write, seen again.
                let known = link.is_some_and(|link| link.version.as_ref() == Some(&record.version));
                if ours && !known {
                    let mut mark = LocalMark::of(record, self.engine.shared.host.is_some());
                    if let Some(link) = link {
                        mark.root = link.record_root.clone();
                    }
                    group.marks.push(mark);
                } else if !ours && self.engine.shared.host.is_some() {
                    // Given to somebody else before it was ever dealt with: what was marked then is not true any more.
                    group.unmark_any.push(record.id.clone());
                }
            }
            let moved = changes.position != self.state.position;
            self.state.position = changes.position;
            if moved {
                let mut batch = self.batch();
                batch.groups.push(group);
                batch.state = Some(self.state.clone());
                self.commit(batch).await?;
            }
            if !changes.more || !moved {
                return Ok(());
            }
        }
    }

    /// Lists the calendar to the end of the last page; `false` when time ran out before.
    pub(super) async fn observe_remote(&mut self) -> Result<bool> {
        let fingerprint = self.provider.fingerprint();
        if self.state.listing.fingerprint != fingerprint {
            if self.state.listing.cursor.is_some() {
                self.report
                    .warnings
                    .push("the listing's parameters changed: everything is listed again".to_owned());
            }
            self.list_everything(fingerprint);
        } else if self.state.listing.cursor.is_none() && !self.state.listing.full {
            self.list_everything(fingerprint);
        }
        self.report.listed = match (&self.state.listing.cursor, self.state.listing.generation) {
            _ if !self.state.listing.full => Listed::Changes,
            (_, 1) => Listed::First,
            _ => Listed::Again,
        };
        // Seen to its end by a run that did not get further: what changed since then is listed next.
        if self.state.listing.full && self.state.listing.cursor.is_some() {
            match self.doubt().await? {
                Doubt::Believed if !self.sweep().await? => return Ok(false),
                Doubt::Held => return Ok(true),
                Doubt::Believed | Doubt::Again => {}
            }
        }
        let mut expired = false;
        let mut line = Line::from(self.state.listing.page.clone());
        for _ in 0..PAGES_MAX {
            if self.out_of_time() {
                return Ok(false);
            }
            self.hold().await?;
            match line.advance(self).await {
                Ok(false) => {}
                Ok(true) => match self.doubt().await? {
                    Doubt::Believed => return self.sweep().await,
                    Doubt::Held => return Ok(true),
                    Doubt::Again => line = Line::from(self.state.listing.page.clone()),
                },
                // The page token of a full listing can expire as well; once per run is a fresh start, twice is a fault.
                Err(error) if error.kind() == ErrorKind::CursorExpired && !expired => {
                    expired = true;
                    tracing::warn!(binding = %self.binding.id, reason = error.reason_code(), "cursor expired");
                    self.report.warnings.push(
                        "the calendar no longer accepts where the last run stopped: everything is listed again, and \
                         what was deleted meanwhile is found and confirmed"
                            .to_owned(),
                    );
                    let fingerprint = self.state.listing.fingerprint.clone();
                    self.list_everything(fingerprint);
                    self.report.listed = Listed::Again;
                    let mut batch = self.batch();
                    batch.state = Some(self.state.clone());
                    self.commit(batch).await?;
                    line = Line::from(None);
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Protocol, "the calendar's listing does not end")
            .with("calendar", &self.binding.target.calendar)
            .with("pages", PAGES_MAX)
            .later())
    }

    /// Asks for one page of the listing. Borrows nothing, so that a page can be on its way while another one is stored.
    pub(super) fn list(&self, page: Option<PageToken>) -> impl Future<Output = Result<Page>> + use<> {
        let start = match (&self.state.listing.cursor, self.state.listing.full) {
            (Some(cursor), false) => Start::Since(cursor.clone(), page),
            _ => Start::Full(page),
        };
        let (provider, target) = (Arc::clone(&self.provider), self.binding.target.clone());
        let effort = Arc::clone(&self.effort);
        async move { provider.list(&target, &start, &effort).await }
    }

    pub(super) fn list_everything(&mut self, fingerprint: String) {
        let listing = &mut self.state.listing;
        listing.full = true;
        listing.page = None;
        listing.cursor = None;
        listing.swept = false;
        listing.generation += 1;
        listing.fingerprint = fingerprint;
    }

    /// Holds items against what is known; reads again what must be confirmed.
    pub(super) async fn sight_all(
        &self,
        items: &BTreeMap<RemoteKey, Item>,
        generation: u64,
        confirmed: bool,
    ) -> Result<Sights> {
        if planted::on(Fault::UnreadableSpoilsItsPage)
            && items.values().any(|item| !matches!(item, Item::Record(_)))
        {
            return Ok(Sights::default());
        }
        let keys: Vec<_> = items.keys().cloned().collect();
        let store = &self.engine.shared.store;
        let (links, known) = store.known(&self.binding.tenant, &self.binding.id, &keys).await?;
        let links: BTreeMap<&RemoteKey, &Link> = links.iter().map(|link| (&link.key, link)).collect();
        let known: BTreeMap<&RemoteKey, &RemoteItem> = known.iter().map(|item| (&item.key, item)).collect();
        let (mut group, mut unknown) = (Group::default(), Vec::new());
        let provider = &*self.provider;
        let mut found: BTreeMap<RecordId, Link> = BTreeMap::new();
        let mut perhaps: BTreeMap<RecordId, Link> = BTreeMap::new();
        for (key, item) in items {
            if let (Item::Record(record), None) = (item, links.get(key)) {
                let ours = made_by_us(record, &self.installation, &self.binding, provider);
                let theirs = || made_from_it(record, &self.installation, &self.binding);
                match ours {
                    Some(link) => _ = found.insert(link.record.clone(), link),
                    None if known.contains_key(key) => {}
                    None => perhaps.extend(theirs().map(|link| (link.record.clone(), link))),
                }
            }
            let (link, known) = (links.get(key).copied(), known.get(key).copied());
            let mut sighting = sight(item, link, known, generation, confirmed, self.lens());
            if sighting == Sighting::Confirm {
                let Item::Record(record) = item else { continue };
                let now = self.provider.get(&self.binding.target, &record.id, &self.effort).await?;
                sighting = match now {
                    Some(now) => sight(&now, link, known, generation, true, self.lens()),
                    None => Sighting::Nothing,
                };
            }
            match sighting {
                Sighting::Nothing | Sighting::Confirm => {}
                Sighting::Observe(item) if link.is_none() && known.is_none() => unknown.push(item),
                Sighting::Observe(item) => group.remote.push(item),
                Sighting::SameContent(same) => {
                    let (item, link) = *same;
                    group.remote.push(item);
                    group.links.push(link.into());
                }
                Sighting::Forget(key) => group.forget.push(key),
            }
        }
        if self.engine.shared.host.is_none() && !perhaps.is_empty() {
            let ids: Vec<_> = perhaps.keys().cloned().collect();
            for record in store.records(&self.binding.tenant, &ids).await? {
                let link = perhaps.remove(&record.id).filter(|_| record.agent == self.binding.agent);
                found.extend(link.map(|link| (record.id, link)));
            }
        }
        let met: BTreeSet<&RemoteKey> = found.values().map(|link| &link.key).collect();
        let (mut met, newcomers) = unknown.into_iter().partition::<Vec<_>, _>(|item| met.contains(&item.key));
        group.remote.append(&mut met);
        if !found.is_empty() {
            let records: Vec<_> = found.keys().cloned().collect();
            for linked in store.links(&self.binding.tenant, &self.binding.id, &records).await? {
                // Made anew later than the link knows: the store went back to a time before that, and what it links was deleted.
                match found.get(&linked.record) {
                    Some(newer) if newer.incarnation > linked.incarnation => group.forget.push(linked.key),
                    _ => _ = found.remove(&linked.record),
                }
            }
            group.links.extend(found.into_values().map(LinkPut::from));
        }
        Ok(Sights { group, newcomers })
    }

    /// After a full listing: reads by id whatever is linked and was not shown.
    async fn sweep(&mut self) -> Result<bool> {
        if self.state.listing.swept && !self.state.listing.full {
            return Ok(true);
        }
        let generation = self.state.listing.generation;
        let count = self.engine.shared.settings.page_records_max;
        let mut reachable = false;
        let mut after = None;
        loop {
            let store = &self.engine.shared.store;
            let (tenant, id) = (&self.binding.tenant, &self.binding.id);
            let unseen = store.unseen(tenant, id, generation, after.as_ref(), count).await?;
            let Some(last) = unseen.last() else { break };
            after = Some(last.key.clone());
            let full_page = unseen.len() == count;
            for link in &unseen {
                if self.out_of_time() {
                    return Ok(false);
                }
                self.hold().await?;
                let found = self.provider.get(&self.binding.target, &link.remote, &self.effort).await;
                let found = found.map_err(|error| self.about_calendar(error))?;
                let found = found.filter(|_| !planted::on(Fault::AbsenceIsDeletion));
                if found.is_none() && !reachable {
                    // "Not found" is also what a calendar says that is no longer shared: that is no evidence.
                    let calendar = self.provider.calendar(&self.binding.target, &self.effort).await;
                    calendar.map_err(|error| self.about_calendar(error))?;
                    reachable = true;
                }
                let item = match &found {
                    Some(item) => observed(item, generation),
                    None => missing(link, generation),
                };
                let item = RemoteItem { key: link.key.clone(), ..item };
                let group = match found {
                    Some(found @ Item::Record(_)) => {
                        let found = BTreeMap::from([(link.key.clone(), found)]);
                        self.sight_all(&found, generation, true).await?.undecided()
                    }
                    _ => Group { remote: vec![item], ..Group::default() },
                };
                let mut batch = self.batch();
                batch.groups.push(group);
                self.commit(batch).await?;
            }
            if !full_page {
                break;
            }
        }
        self.state.listing.swept = true;
        self.state.listing.full = false;
        self.state.guard.listing_done();
        let mut batch = self.batch();
        batch.state = Some(self.state.clone());
        // What was seen once, never linked, and not shown again does not exist any more.
        batch.forget_before = Some(generation);
        self.commit(batch).await?;
        Ok(true)
    }

    pub(super) fn about_calendar(&self, error: Error) -> Error {
        error.with("calendar", &self.binding.target.calendar).with("binding", &self.binding.id)
    }
}
