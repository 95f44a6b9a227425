//! What to do with a record, from how each side differs from what both last agreed on.
//!
//! One table, without a catch-all arm, so that a new case cannot be forgotten. `docs/semantics.md` shows it to users.

/// How one side of a record stands to the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delta {
    /// Never seen on this side.
    Absent,
    /// As both last agreed, which may be: deleted.
    Same,
    /// There, with other values than agreed.
    Edited,
    /// There, where both agreed on nothing or on a deletion.
    New,
    /// Gone, where both agreed on values or on nothing yet.
    Deleted,
    /// Cannot be told: it could not be read.
    Unknown,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Nothing to do.
    Keep,
    /// Make it in the CRM, or bring it back there.
    CreateLocal,
    /// Make it in the calendar, or bring it back there.
    CreateRemote,
    /// Carry the calendar's changes into the CRM.
    UpdateLocal,
    /// Carry the CRM's changes into the calendar.
    UpdateRemote,
    /// Both changed: unit by unit.
    Merge,
    /// Take it away in the CRM.
    DeleteLocal,
    /// Take it away in the calendar.
    DeleteRemote,
    /// Both took it away: agree on that.
    AgreeGone,
    /// The CRM has values, the calendar deleted it.
    LocalEditMeetsDelete,
    /// The calendar has values, the CRM deleted it.
    RemoteEditMeetsDelete,
    /// The CRM cancelled an occurrence that the calendar has not changed yet.
    CancelRemote,
    /// The calendar cancelled an occurrence that the CRM has not changed yet.
    CancelLocal,
    /// Wait until the unreadable side can be read.
    Wait,
}

/// The table. Absence on one side is not deletion: it was never there.
pub fn decide(local: Delta, remote: Delta) -> Decision {
    use Decision as D;
    use Delta::{Absent, Deleted, Edited, New, Same, Unknown};
    match (local, remote) {
        (Unknown, _) | (_, Unknown) => D::Wait,

        (Absent, Absent) | (Same, Same) | (Absent, Same) | (Same, Absent) => D::Keep,

        (Absent | Same, New) => D::CreateLocal,
        (New, Absent | Same) => D::CreateRemote,
        (New | Edited, New | Edited) => D::Merge,

        (Edited, Same) => D::UpdateRemote,
        (Same, Edited) => D::UpdateLocal,
        // Edited against something that the other side never had: the base says otherwise, so it was lost there.
        (Edited, Absent) => D::CreateRemote,
        (Absent, Edited) => D::CreateLocal,

        (Deleted, Same) => D::DeleteRemote,
        (Same, Deleted) => D::DeleteLocal,
        (Deleted, Deleted) => D::AgreeGone,
        (Deleted, Absent) => D::CancelRemote,
        (Absent, Deleted) => D::CancelLocal,

        // Nobody's work disappears silently: the binding's rule decides and the report names the record.
        (Edited | New, Deleted) => D::LocalEditMeetsDelete,
        (Deleted, Edited | New) => D::RemoteEditMeetsDelete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(word: &str) -> Delta {
        match word {
            "absent" => Delta::Absent,
            "same" => Delta::Same,
            "edited" => Delta::Edited,
            "new" => Delta::New,
            "deleted" => Delta::Deleted,
            "unknown" => Delta::Unknown,
            other => panic!("no such delta: {other}"),
        }
    }

    #[track_caller]
    fn check(table: &str) {
        for line in table.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<_> = line.split_whitespace().collect();
            let got = decide(delta(words[0]), delta(words[1]));
            assert_eq!(format!("{got:?}"), words[2], "{} {}", words[0], words[1]);
        }
    }

    #[test]
    fn one_changed_side_is_carried_to_the_other() {
        check(
            "
            edited   same     UpdateRemote
            same     edited   UpdateLocal
            new      absent   CreateRemote
            absent   new      CreateLocal
            deleted  same     DeleteRemote
            same     deleted  DeleteLocal
        ",
        );
    }

    #[test]
    fn an_edit_meeting_a_deletion_is_a_conflict_whichever_side_it_came_from() {
        check(
            "
            edited   deleted  LocalEditMeetsDelete
            deleted  edited   RemoteEditMeetsDelete
            new      deleted  LocalEditMeetsDelete
            deleted  new      RemoteEditMeetsDelete
            deleted  deleted  AgreeGone
        ",
        );
    }

    #[test]
    fn what_cannot_be_read_is_never_acted_upon() {
        for other in ["absent", "same", "edited", "new", "deleted", "unknown"] {
            check(&format!("unknown {other} Wait\n{other} unknown Wait"));
        }
    }

    #[test]
    fn the_table_is_symmetric() {
        use Delta::{Absent, Deleted, Edited, New, Same};
        let mirror = |decision| match decision {
            Decision::CreateLocal => Decision::CreateRemote,
            Decision::CreateRemote => Decision::CreateLocal,
            Decision::UpdateLocal => Decision::UpdateRemote,
            Decision::UpdateRemote => Decision::UpdateLocal,
            Decision::DeleteLocal => Decision::DeleteRemote,
            Decision::DeleteRemote => Decision::DeleteLocal,
            Decision::CancelLocal => Decision::CancelRemote,
            Decision::CancelRemote => Decision::CancelLocal,
            Decision::LocalEditMeetsDelete => Decision::RemoteEditMeetsDelete,
            Decision::RemoteEditMeetsDelete => Decision::LocalEditMeetsDelete,
            same => same,
        };
        for a in [Absent, Same, Edited, New, Deleted] {
            for b in [Absent, Same, Edited, New, Deleted] {
                assert_eq!(decide(a, b), mirror(decide(b, a)), "{a:?} {b:?}");
            }
        }
    }
}
