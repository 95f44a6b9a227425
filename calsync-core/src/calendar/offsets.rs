//! A zone as a flat table: what its clocks are ahead of UTC, by wall clock and by instant.
//!
//! Pure: the table is made from the zone data elsewhere ([`crate::zone`]). A wall time that a clock change skips is read with the
//! offset before it, so that it moves forward by the gap; one that happens twice means the first (RFC 5545, section 3.3.5). Both
//! are properties of the rows and cost nothing when a time is looked up.

/// From when on clocks are so far ahead of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// The first wall time that is read so.
    wall: i64,
    /// The first instant.
    instant: i64,
    /// Seconds that clocks are ahead of UTC.
    offset: i32,
    /// How many seconds of the wall clock before `wall` do not exist.
    gap: i32,
}

/// The offsets of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offsets {
    rows: Vec<Row>,
}

/// A moment on the wall clock and in UTC, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    /// In UTC; the same as `wall` where there is no zone.
    pub(crate) instant: i64,
    /// On the wall clock.
    pub(crate) wall: i64,
}

/// A wall time, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// It exists; where twice, the first.
    There(At),
    /// A clock change skips it: so it is when moved forward by the gap.
    Skipped(At),
}

impl Offsets {
    /// Clocks that show UTC, or are in no zone at all.
    pub(crate) fn none() -> Self {
        Self::new(0, std::iter::empty())
    }

    /// The offset before the first change, and each change in order: the instant, and the offset from then on. Seconds.
    pub(crate) fn new(first: i32, changes: impl Iterator<Item = (i64, i32)>) -> Self {
        let mut rows = vec![Row { wall: i64::MIN, instant: i64::MIN, offset: first, gap: 0 }];
        let mut before = first;
        for (instant, offset) in changes {
            let wall = instant + i64::from(before.max(offset));
            rows.push(Row { wall, instant, offset, gap: (offset - before).max(0) });
            before = offset;
        }
        Self { rows }
    }

    /// The row of a wall time; `hint` is where the last one was found.
    fn row_of_wall(&self, wall: i64, hint: &mut usize) -> usize {
        let fits = |at: usize| {
            self.rows[at].wall <= wall && self.rows.get(at + 1).is_none_or(|next| wall < next.wall)
        };
        if !fits(*hint) {
            *hint = match self.rows.get(*hint + 1) {
                Some(_) if fits(*hint + 1) => *hint + 1,
                _ => self.rows.partition_point(|row| row.wall <= wall).saturating_sub(1),
            };
        }
        *hint
    }

    pub(super) fn resolve(&self, wall: i64, hint: &mut usize) -> Resolved {
        let at = self.row_of_wall(wall, hint);
        let instant = wall - i64::from(self.rows[at].offset);
        match self.rows.get(at + 1) {
            Some(next) if wall >= next.wall - i64::from(next.gap) => {
                Resolved::Skipped(At { instant, wall: wall + i64::from(next.gap) })
            }
            _ => Resolved::There(At { instant, wall }),
        }
    }

    /// The offset at a wall time, and the wall time before which it holds and none is skipped.
    pub(super) fn span(&self, wall: i64, hint: &mut usize) -> (i32, i64) {
        let at = self.row_of_wall(wall, hint);
        let end = self.rows.get(at + 1).map_or(i64::MAX, |next| next.wall - i64::from(next.gap));
        (self.rows[at].offset, end)
    }

    /// What a wall time means: the first of two, and moved forward where it is skipped.
    pub(crate) fn at_wall(&self, wall: i64) -> At {
        match self.resolve(wall, &mut 0) {
            Resolved::There(at) | Resolved::Skipped(at) => at,
        }
    }

    /// The instants of a wall time as the bound of a span of time: as its start and as its end. One that is skipped is the end of the
    /// gap; of one that happens twice, a start is the first and an end the second, so that nothing of the span is lost.
    pub(crate) fn bound(&self, wall: i64, hint: &mut usize) -> (i64, i64) {
        let at = self.row_of_wall(wall, hint);
        let row = self.rows[at];
        let instant = wall - i64::from(row.offset);
        match self.rows.get(at + 1) {
            Some(next) if wall >= next.wall - i64::from(next.gap) => (next.instant, next.instant),
            Some(next) if wall - i64::from(next.offset) >= next.instant => {
                (instant, wall - i64::from(next.offset))
            }
            _ => (instant, instant),
        }
    }

    /// The wall time that a clock change skips and that moves forward to this moment, if there is one.
    pub(super) fn skipped_to(&self, at: At) -> Option<i64> {
        let row = &self.rows[self.rows.partition_point(|row| row.instant <= at.instant).saturating_sub(1)];
        let gap = i64::from(row.gap);
        (gap > 0 && at.wall < row.wall + gap).then(|| at.wall - gap)
    }

    /// What the clocks show at an instant.
    pub(crate) fn at(&self, instant: i64) -> At {
        self.at_near(instant, &mut 0)
    }

    /// The same; `hint` is where the last one was found.
    #[inline]
    pub(super) fn at_near(&self, instant: i64, hint: &mut usize) -> At {
        let fits = |row: &Row, next: Option<&Row>| {
            row.instant <= instant && next.is_none_or(|next| instant < next.instant)
        };
        if !self.rows.get(*hint).is_some_and(|row| fits(row, self.rows.get(*hint + 1))) {
            *hint = self.rows.partition_point(|row| row.instant <= instant).saturating_sub(1);
        }
        At { instant, wall: instant + i64::from(self.rows[*hint].offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_in_a_gap_is_its_end_and_in_an_overlap_nothing_of_the_span_is_lost() {
        let zone = Offsets::new(-3600, [(7200, 0), (14_400, -3600)].into_iter());
        let bound = |wall| zone.bound(wall, &mut 0);
        assert_eq!(bound(3599), (7199, 7199));
        assert_eq!(bound(3600), (7200, 7200));
        assert_eq!(bound(7199), (7200, 7200));
        assert_eq!(bound(7200), (7200, 7200));
        assert_eq!(bound(10_799), (10_799, 10_799));
        assert_eq!(bound(10_800), (10_800, 14_400));
        assert_eq!(bound(14_399), (14_399, 17_999));
        assert_eq!(bound(14_400), (18_000, 18_000));
    }

    #[test]
    fn skipped_times_move_forward_and_of_two_equal_ones_the_first_is_meant() {
        // One hour behind, then level with UTC from instant 7200 on, then behind again from 14400 on.
        let zone = Offsets::new(-3600, [(7200, 0), (14_400, -3600)].into_iter());
        let resolve = |wall| zone.resolve(wall, &mut 0);
        assert_eq!(resolve(3599), Resolved::There(At { instant: 7199, wall: 3599 }));
        assert_eq!(resolve(3600), Resolved::Skipped(At { instant: 7200, wall: 7200 }));
        assert_eq!(resolve(7199), Resolved::Skipped(At { instant: 10_799, wall: 10_799 }));
        assert_eq!(resolve(7200), Resolved::There(At { instant: 7200, wall: 7200 }));
        assert_eq!(resolve(14_399), Resolved::There(At { instant: 14_399, wall: 14_399 }));
        assert_eq!(resolve(14_400), Resolved::There(At { instant: 18_000, wall: 14_400 }));
        assert_eq!(zone.at(14_400), At { instant: 14_400, wall: 10_800 });
        let mut hint = 0;
        for wall in -10..20_000 {
            assert_eq!(zone.resolve(wall, &mut hint), resolve(wall));
        }
    }
}
