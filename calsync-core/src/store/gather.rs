//! How a family is put together from what a store can look up.
//!
//! A family is everything that has to be decided together: links hold the two sides together, so it is what can be reached
//! from one root over links, by root and by record. Usually that is one series on each side. It is more where a series was
//! split, or where a record moved into another series and its link still names the old one; leaving such a link out
//! would make the record look new, and it would be made twice. The walk stands here once, so that all stores agree.

use super::rows::{Entry, Family, Link, LocalMark, RemoteItem, Which};
use crate::error::Result;
use crate::id::{OperationId, RecordId, RemoteId, RemoteKey};
use std::collections::{BTreeMap, BTreeSet};

/// What a store can look up inside one binding, all at one moment.
pub trait Lookups {
    /// The link of a CRM record.
    fn link_of_record(&mut self, record: &RecordId) -> Result<Option<Link>>;
    /// The link of a remote key.
    fn link_of_key(&mut self, key: &RemoteKey) -> Result<Option<Link>>;
    /// All links of a remote root.
    fn links_of_remote_root(&mut self, root: &RemoteId) -> Result<Vec<Link>>;
    /// All links of a local root.
    fn links_of_record_root(&mut self, root: &RecordId) -> Result<Vec<Link>>;
    /// The observation of a key.
    fn item(&mut self, key: &RemoteKey) -> Result<Option<RemoteItem>>;
    /// All observations of a remote root.
    fn items_of_root(&mut self, root: &RemoteId) -> Result<Vec<RemoteItem>>;
    /// The mark of a record, with the record filled in.
    fn mark(&mut self, record: &RecordId) -> Result<Option<LocalMark>>;
    /// All marks of a local root, with the records filled in.
    fn marks_of_root(&mut self, root: &RecordId) -> Result<Vec<LocalMark>>;
    /// The outbox entries of a record.
    fn entries_of_record(&mut self, record: &RecordId) -> Result<Vec<Entry>>;
    /// All outbox entries of a local root.
    fn entries_of_root(&mut self, root: &RecordId) -> Result<Vec<Entry>>;
    /// Roots that have something pending on the side that `which` names, in order, after `after`, each once.
    fn pending_roots(&mut self, which: Which, after: Option<&str>, count_max: usize) -> Result<Vec<String>>;
}

/// The family of one root.
///
/// # Errors
/// Whatever the lookups answer.
pub fn family(lookups: &mut impl Lookups, which: Which, root: &str) -> Result<Family> {
    let mut walk = Walk::default();
    match which {
        Which::Remote => walk.remote(&RemoteId::from(root)),
        Which::Local => walk.local(&RecordId::from(root)),
    }
    walk.finish(lookups)?;
    Ok(Family {
        links: walk.links.into_values().collect(),
        remote: walk.items.into_values().collect(),
        local: walk.marks.into_values().collect(),
        outbox: {
            let mut entries: Vec<Entry> = walk.entries.into_values().collect();
            entries.sort_by_key(|entry| entry.sequence);
            entries
        },
    })
}

/// About how much memory the values of a page of families may take, in bytes. A page ends with the family that goes beyond it:
/// usual events come in pages as long as they are asked for, the largest that a calendar holds a handful at a time.
const PAGE_BYTES: usize = 1 << 20;

/// A page of families with something pending, as [`crate::store::Store::families`] promises it. A family is listed once, under
/// [`Family::root`]: of several pending roots the smallest.
///
/// # Errors
/// Whatever the lookups answer.
pub fn families(
    lookups: &mut impl Lookups,
    which: Which,
    after: Option<&str>,
    count_max: usize,
) -> Result<Vec<Family>> {
    let mut found = Vec::new();
    let mut after = after.map(str::to_owned);
    let mut bytes = 0;
    while found.len() < count_max && bytes < PAGE_BYTES {
        let asked = count_max - found.len();
        let roots = lookups.pending_roots(which, after.as_deref(), asked)?;
        for root in &roots {
            let family = family(lookups, which, root)?;
            let left_out = which == Which::Local && family.root(Which::Remote).is_some();
            if !left_out && family.root(which) == Some(root) {
                bytes += family.size();
                found.push(family);
            }
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        match roots.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(found)
}

/// What was reached so far, and the roots from which the walk has yet to go on.
#[derive(Default)]
struct Walk {
    remote_roots: BTreeSet<RemoteId>,
    local_roots: BTreeSet<RecordId>,
    remote_next: Vec<RemoteId>,
    local_next: Vec<RecordId>,
    links: BTreeMap<RecordId, Link>,
    linked_keys: BTreeSet<RemoteKey>,
    items: BTreeMap<RemoteKey, RemoteItem>,
    marks: BTreeMap<RecordId, LocalMark>,
    entries: BTreeMap<OperationId, Entry>,
}

impl Walk {
    fn remote(&mut self, root: &RemoteId) {
        if self.remote_roots.insert(root.clone()) {
            self.remote_next.push(root.clone());
        }
    }

    fn local(&mut self, root: &RecordId) {
        if self.local_roots.insert(root.clone()) {
            self.local_next.push(root.clone());
        }
    }

    fn finish(&mut self, lookups: &mut impl Lookups) -> Result<()> {
        loop {
            if let Some(root) = self.remote_next.pop() {
                for link in lookups.links_of_remote_root(&root)? {
                    self.link(lookups, link)?;
                }
                for item in lookups.items_of_root(&root)? {
                    self.item(lookups, item)?;
                }
            } else if let Some(root) = self.local_next.pop() {
                for link in lookups.links_of_record_root(&root)? {
                    self.link(lookups, link)?;
                }
                for mark in lookups.marks_of_root(&root)? {
                    self.mark(lookups, mark)?;
                }
                for entry in lookups.entries_of_root(&root)? {
                    self.entry(lookups, entry)?;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// A link leads to both of its roots, and to what is kept under its record or key with another root.
    fn link(&mut self, lookups: &mut impl Lookups, link: Link) -> Result<()> {
        if self.links.contains_key(&link.record) {
            return Ok(());
        }
        self.remote(&link.remote_root);
        self.local(&link.record_root);
        let (record, key) = (link.record.clone(), link.key.clone());
        self.linked_keys.insert(key.clone());
        self.links.insert(record.clone(), link);
        if !self.items.contains_key(&key)
            && let Some(item) = lookups.item(&key)?
        {
            self.item(lookups, item)?;
        }
        if !self.marks.contains_key(&record)
            && let Some(mark) = lookups.mark(&record)?
        {
            self.mark(lookups, mark)?;
        }
        for entry in lookups.entries_of_record(&record)? {
            self.entry(lookups, entry)?;
        }
        Ok(())
    }

    fn item(&mut self, lookups: &mut impl Lookups, item: RemoteItem) -> Result<()> {
        self.remote(&item.root);
        let key = item.key.clone();
        if self.items.insert(key.clone(), item).is_none()
            && !self.linked_keys.contains(&key)
            && let Some(link) = lookups.link_of_key(&key)?
        {
            self.link(lookups, link)?;
        }
        Ok(())
    }

    fn mark(&mut self, lookups: &mut impl Lookups, mark: LocalMark) -> Result<()> {
        self.local(&mark.root);
        let record = mark.id.clone();
        if self.marks.insert(record.clone(), mark).is_none() {
            self.record(lookups, &record)?;
        }
        Ok(())
    }

    fn entry(&mut self, lookups: &mut impl Lookups, entry: Entry) -> Result<()> {
        self.local(&entry.root);
        let record = entry.record.clone();
        if self.entries.insert(entry.operation.clone(), entry).is_none() {
            self.record(lookups, &record)?;
        }
        Ok(())
    }

    fn record(&mut self, lookups: &mut impl Lookups, record: &RecordId) -> Result<()> {
        if !self.links.contains_key(record)
            && let Some(link) = lookups.link_of_record(record)?
        {
            self.link(lookups, link)?;
        }
        Ok(())
    }
}
