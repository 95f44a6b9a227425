//! Which test notices which fault, and at which of its assertions.

use super::Case;
use crate::{
    adoption, credentials, guards, guests, hours, leases, leaving, listing, moments, privacy, recovery,
    rules, scope, series,
};
use calsync_core::planted::Fault;

/// One row: a fault, a test of this program, and words of the assertion that fails.
macro_rules! cases {
    ($($fault:ident: $part:ident::$test:ident at $assertion:literal,)+) => {
        vec![$(Case {
            fault: Fault::$fault,
            name: concat!(stringify!($part), "::", stringify!($test)),
            test: $part::$test,
            assertion: $assertion,
        },)+]
    };
}

#[rustfmt::skip]
pub(super) fn cases() -> Vec<Case> {
    cases! {
        WholeRecordWins: rules::g41_an_edit_between_reading_and_writing_is_merged_and_both_are_kept at r#"&event["location"]"#,
        LoserNotKept: rules::g41_the_same_field_edited_meanwhile_goes_to_the_policy_and_the_other_is_in_the_journal at "lost, [json!(loses)]",
        ChangeWithoutVersion: rules::g41_the_same_field_edited_meanwhile_goes_to_the_policy_and_the_other_is_in_the_journal at r#"desk.event(&id)["location"], wins"#,
        DeletionWithoutVersion: moments::c02_an_edit_in_the_moment_of_its_deletion_is_kept at "somebody's edit was deleted",
        DeletionWithoutVersion: leaving::c02_what_is_edited_in_the_calendar_is_in_the_crm_or_stays_and_is_named at "unbound.deleted",
        DoubtTakenForDone: moments::c02_a_change_whose_request_never_arrived_is_sent_again at r#"["location"], "Dock 4""#,
        OverwrittenUnseen: moments::c02_what_the_crm_writes_while_a_run_decides_is_not_lost at "what the CRM wrote is nowhere",
        NothingJoined: adoption::g27_g08_a_migrated_crm_meets_the_calendar_that_has_the_same_meetings_already at "Action::Join",
        FirstOnesJoined: adoption::g27_what_cannot_be_told_apart_waits_and_is_not_made_again_in_any_run at "Waiting::Ambiguous",
        CopiedStampBelieved: moments::c03_after_a_split_and_a_new_binding_each_series_has_its_own_record at "doubled",
        IncarnationForgotten: moments::c04_what_comes_back_is_made_anew_under_another_id at "the edit does not come back",
        AbsenceIsDeletion: listing::g09_a_record_stays_while_its_event_cannot_be_read at "fields().is_some()",
        StalePageBelieved: moments::c04_a_stale_page_does_not_bring_back_what_was_deleted at "it is back",
        LeavingForgotten: leaving::c06_c04_a_call_that_dies_anywhere_is_gone_on_with_and_the_crm_loses_nothing at "taken apart",
        SentUnmarked: moments::c06_what_is_deleted_while_its_creation_is_in_doubt_is_deleted_once_it_is_found at "it is back",
        ComparedAsWritten: moments::c05_what_google_rewrites_by_itself_is_no_edit at "report.wrote()",
        ComparedAsWritten: rules::c21_a_base_that_an_older_version_wrote_causes_no_write at "report.wrote()",
        MailWithoutLeave: guests::g05_once_mail_is_switched_off_neither_a_change_nor_a_deletion_mails_anybody at "desk.mails()",
        MailWithoutLeave: leaving::c07_what_calsync_made_is_deleted_the_rest_stays_and_bound_again_nothing_is_there_twice at "nobody is mailed",
        MailAboutJoining: adoption::g27_g08_a_migrated_crm_meets_the_calendar_that_has_the_same_meetings_already at "nobody hears of what is only put in step",
        MailAboutThePast: guests::g02_nobody_is_invited_to_a_meeting_that_is_over at "mailed.iter().all",
        CopyWithGuests: guests::g04_a_second_copy_of_somebody_else_s_meeting_has_no_guests_to_mail at "guests(&copies[0])",
        CursorBeforeItsPage: recovery::g07_c08_a_store_that_fails_for_a_moment_loses_nothing at "(10, 10)",
        CursorOfAFailedRun: recovery::g07_c08_a_store_that_fails_for_a_moment_loses_nothing at "(10, 10)",
        NothingCounted: listing::c09_more_deletions_than_allowed_wait_and_everything_else_goes_on at "report.count(Action::DeleteLocal)",
        NothingCounted: leaving::c09_more_than_was_agreed_to_is_not_deleted_and_nothing_else_is_either at "refused.is_err()",
        HourForgotten: guards::c09_writes_to_the_calendar_are_limited_per_hour_and_over_runs at "report.held.len(), 1",
        ConfirmationNotUsedUp: guards::c09_what_is_held_back_goes_once_when_it_is_confirmed_and_more_than_that_waits_again at "report.held.len()), (0, 1)",
        EmptyListingBelieved: guards::c09_a_listing_that_lacks_most_twice_counts_only_when_it_is_confirmed at "Over::Listing",
        FlagIgnored: rules::c10_what_is_flagged_is_neither_written_nor_read_over_and_is_taken_up_again at "desk.living().len(), 1",
        FlagIgnored: leaving::c10_what_is_marked_not_to_be_synchronised_stays_and_is_named at "titles(&desk)",
        FlagReadTooEarly: moments::c10_what_is_flagged_while_a_run_decides_is_not_written at "written although flagged",
        ReadOnlyWritten: rules::c10_a_calendar_that_may_only_be_read_is_only_read at "Waiting::Forbidden",
        OneWayIgnored: rules::c10_one_way_bindings_write_one_side_only at "desk.writes()",
        SettingsUnchecked: moments::c10_settings_that_change_while_a_run_decides_hold_at_once at "although that had been switched off",
        OccurrenceEditsSeries: moments::c11_an_occurrence_edited_in_the_crm_changes_no_other at "places",
        CutOffUnasked: moments::c11_a_series_split_in_google_leaves_no_orphan_in_the_crm at "an orphan",
        EditedOccurrenceGoesAlong: moments::c11_a_series_deleted_in_the_crm_stays_for_an_occurrence_that_was_edited_in_google at "somebody's edit was deleted",
        ZoneDropped: series::g21_thirteen_o_clock_stays_thirteen_o_clock_for_the_organiser at "desk.starts_there()",
        TenantLeftOut: rules::c13_tenants_see_nothing_of_each_other at "bindings(&nobody)",
        UnreadableSpoilsItsPage: rules::c13_one_event_that_cannot_be_read_is_parked_and_the_rest_goes_on_and_it_heals at "desk.titles().await",
        FenceUnchecked: leases::c14_a_worker_that_lost_its_lease_writes_nothing_more at "the run goes on",
        RefusedForEver: credentials::g32_what_only_the_organiser_may_change_is_parked_alone_and_said at "outbox.len(), 1",
        ErrorIsSuccess: rules::c16_the_status_says_what_happened_and_no_more at "health.last_success",
        WaitIgnored: moments::c17_a_wait_that_google_asks_for_is_waited at "it did not wait",
        DetailsLetIn: privacy::c18_details_of_private_events_reach_neither_the_store_nor_a_report_nor_the_log at "around",
        HoursNotOwed: hours::c20_what_a_run_changed_before_its_process_died_is_looked_at_by_the_next_one at "nobody is told",
        UnjudgedIsInside: hours::c20_a_series_that_cannot_be_followed_keeps_what_stands_and_everybody_is_told_why at "what stood is gone",
        LeavingScopeDeletes: scope::c22_a_scope_that_becomes_narrower_or_a_pause_deletes_nothing_and_what_is_linked_stays_in_step at "desk.starts().await.contains",
        DeselectedDone: moments::what_a_reviewer_deselected_is_done_by_no_run at "desk.living().len(), 0",
        MovedGroundApplied: moments::a_plan_whose_ground_moved_is_not_carried_out at "nobody has looked at this",
        HaltIgnored: guards::a_run_stops_at_the_next_write_when_somebody_halts_it_and_goes_on_when_they_take_it_back at "report.outcome), (3, Outcome::Stopped)",
    }
}
