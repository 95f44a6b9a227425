//! The switches of the fake: everything that nobody outside Google can be sure of.
//!
//! What Google documents, and what maintained clients have seen again and again, is simply built in. A point that is
//! only remembered, disputed, or allowed but not promised is a field here, and its default is the more likely case. A
//! test that must hold either way runs twice, once with each value.

use serde::{Deserialize, Serialize};

/// How the fake behaves where Google's behaviour is undocumented, disputed or optional.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Behaviour {
    /// Query parameters that the method does not have are refused with 400. Default: true, since a misspelt parameter
    /// that is silently ignored is the worse teacher.
    pub refuse_unknown_parameters: bool,
    /// The order of a full listing, which Google leaves open. Default: [`ListOrder::Scrambled`].
    pub list_order: ListOrder,
    /// What is left of a deleted event in a listing. Default: [`TombstoneForm::Bare`].
    pub tombstone_form: TombstoneForm,
    /// Full listings with `showDeleted=true` forget tombstones older than this many seconds. Default: never.
    pub tombstone_lifetime_seconds: Option<i64>,
    /// Since May 2025 Google may return cancelled series, with all fields and whatever the window, although
    /// `showDeleted` is false. Default: false.
    pub cancelled_masters_listed: bool,
    /// A series that was trimmed stays in listings although it ended before `timeMin`. Default: true.
    pub trimmed_series_stay: bool,
    /// Sync tokens older than this many seconds are answered with 410. Default: never.
    pub sync_token_lifetime_seconds: Option<i64>,
    /// A change of a calendar's access list ends its sync tokens. Default: true, as the guide says.
    pub acl_change_expires_sync_tokens: bool,
    /// Increments are still filtered by the `timeMin` and `timeMax` of the listing that began the chain.
    /// Default: false.
    pub increments_keep_window: bool,
    /// `updatedMin` further back than this many seconds is answered with 410 `updatedMinTooLongAgo`. Default: never.
    pub updated_min_reach_seconds: Option<i64>,
    /// Listings show a change only after this many milliseconds; the answer to the write shows it at once. Default: 0.
    pub listing_lag_milliseconds: i64,
    /// How far `singleEvents=true` and `instances` expand an endless series, in days from now. Default: 730.
    pub expansion_days: i64,
    /// How long `singleEvents=true` reports the instances of a deleted series, in days from now. Default: 183.
    pub deleted_instances_days: i64,
    /// Repeated `privateExtendedProperty` constraints must all match (reference) or any of them (guide).
    /// Default: true.
    pub all_properties_must_match: bool,
    /// Deleting a series leaves a tombstone for each of its exceptions, too. Default: false: they vanish with it.
    pub list_exceptions_of_deleted_series: bool,
    /// A write to a series gives its exceptions new etags. Default: true.
    pub master_write_touches_exceptions: bool,
    /// What becomes of exceptions when a series' rule or time changes. Default: [`ExceptionPolicy::Keep`].
    pub exceptions_on_master_change: ExceptionPolicy,
    /// A second deletion is answered with 410 before `If-Match` is looked at. Default: true.
    pub deleted_before_precondition: bool,
    /// A change of reminders alone changes the etag. It never changes `updated`. Default: true.
    pub reminder_change_alters_etag: bool,
    /// A write that changes nothing still gives a new etag and a new `updated`. Default: true.
    pub unchanged_write_alters_etag: bool,
    /// Recurrence rules come back without redundant parts (`INTERVAL=1`). Default: true.
    pub normalise_rules: bool,
    /// Start and end of a series must name the same zone. Default: true.
    pub series_zones_must_match: bool,
    /// A timed event written without a zone comes back with the calendar's zone. Default: true.
    pub fill_time_zone: bool,
    /// IANA names that this Google has not learnt yet, as `Europe/Kyiv` was until 2023. Default: none.
    pub unknown_zones: Vec<String>,
    /// Guests who have an account in the fake get a copy, and their answers flow back. Default: true.
    pub propagate_copies: bool,
    /// The organizer is added to the guest list when guests are invited through the API. Default: true.
    pub organizer_joins_guests: bool,
    /// What a guest's change of shared fields does when guests may not modify. Default: [`GuestWrite::Refuse`].
    pub guest_shared_write: GuestWrite,
    /// Shared calendars appear in a person's calendar list at once. Default: true.
    pub shared_calendars_join_list: bool,
    /// Shared calendars appear in a service account's calendar list at once. Default: false.
    pub shared_calendars_join_service_list: bool,
    /// Lifetime of access tokens in seconds. Default: 3599.
    pub access_token_seconds: i64,
    /// `expires_in` comes as a string, as some token services send it. Default: false.
    pub expires_in_as_text: bool,
    /// A refresh answers with a new refresh token; the old one is refused once the new one was used. Default: false.
    pub rotate_refresh_tokens: bool,
    /// With rotation: the old refresh token is refused at once, whether or not its answer arrived. Default: false.
    pub rotation_ends_at_once: bool,
    /// With rotation: how many seconds longer the old refresh token is good. Default: 0.
    pub rotation_grace_seconds: i64,
    /// How many seconds an authorization code is good. Default: 600.
    pub code_seconds: i64,
    /// An exchange gives an installed application a refresh token whether or not it asked for `access_type=offline`, as
    /// the guide for desktop applications has it. Default: false.
    pub installed_clients_always_offline: bool,
    /// The consent page offers access for so many seconds only, which the token reply tells as
    /// `refresh_token_expires_in`. Default: no such offer.
    pub time_limited_access_seconds: Option<i64>,
    /// An exchange answers with an `id_token` if `openid` was asked. Its signature is not one. Default: true.
    pub id_tokens: bool,
    /// Who may not consent (no test user, another organization, blocked by an administrator) is sent back to the
    /// application with the error, and not left on a page of Google's. Default: false.
    pub consent_refusals_redirect: bool,
    /// A refresh for an application that the administrator has blocked is refused as `admin_policy_enforced`, and not as
    /// `invalid_grant`. Default: true.
    pub admin_block_named_at_refresh: bool,
    /// Revoking one token, be it an access token, ends everything that the client has of the account. Default: true;
    /// otherwise the token and what was made from it.
    pub revocation_ends_whole_grant: bool,
    /// How many seconds a signed assertion may be issued in the future. Default: 0.
    pub assertion_skew_seconds: i64,
    /// `userinfo` without a scope for it is refused with 401 and not with 403. Default: false.
    pub userinfo_scope_refusal_is_401: bool,
    /// The fields of `/tokeninfo`. Default: [`TokenInfoForm::V2`], those of the discovery document.
    pub tokeninfo_form: TokenInfoForm,
    /// Requests per minute per user, in a sliding window. Default: no limit.
    pub user_quota_per_minute: Option<u32>,
    /// Requests per minute for the whole project, in a sliding window. Default: no limit.
    pub project_quota_per_minute: Option<u32>,
    /// The form in which an exceeded quota is answered. Default: [`QuotaForm::Forbidden`].
    pub quota_form: QuotaForm,
    /// Characters of a description that are kept. Default: 8192.
    pub description_chars_max: usize,
    /// Bytes of all recurrence lines of an event together. Default: 20 000.
    pub recurrence_bytes_max: usize,
    /// Properties per kind (private, shared) of an event. Default: 300.
    pub properties_max: usize,
    /// Bytes of all properties of one kind. Default: 32 768.
    pub properties_bytes_max: usize,
    /// Journal entries and mails that are kept; the older half is dropped beyond. Default: 200 000.
    pub journal_entries_max: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            refuse_unknown_parameters: true,
            list_order: ListOrder::Scrambled,
            tombstone_form: TombstoneForm::Bare,
            tombstone_lifetime_seconds: None,
            cancelled_masters_listed: false,
            trimmed_series_stay: true,
            sync_token_lifetime_seconds: None,
            acl_change_expires_sync_tokens: true,
            increments_keep_window: false,
            updated_min_reach_seconds: None,
            listing_lag_milliseconds: 0,
            expansion_days: 730,
            deleted_instances_days: 183,
            all_properties_must_match: true,
            list_exceptions_of_deleted_series: false,
            master_write_touches_exceptions: true,
            exceptions_on_master_change: ExceptionPolicy::Keep,
            deleted_before_precondition: true,
            reminder_change_alters_etag: true,
            unchanged_write_alters_etag: true,
            normalise_rules: true,
            series_zones_must_match: true,
            fill_time_zone: true,
            unknown_zones: Vec::new(),
            propagate_copies: true,
            organizer_joins_guests: true,
            guest_shared_write: GuestWrite::Refuse,
            shared_calendars_join_list: true,
            shared_calendars_join_service_list: false,
            access_token_seconds: 3599,
            expires_in_as_text: false,
            rotate_refresh_tokens: false,
            rotation_ends_at_once: false,
            rotation_grace_seconds: 0,
            code_seconds: 600,
            installed_clients_always_offline: false,
            time_limited_access_seconds: None,
            id_tokens: true,
            consent_refusals_redirect: false,
            admin_block_named_at_refresh: true,
            revocation_ends_whole_grant: true,
            assertion_skew_seconds: 0,
            userinfo_scope_refusal_is_401: false,
            tokeninfo_form: TokenInfoForm::V2,
            user_quota_per_minute: None,
            project_quota_per_minute: None,
            quota_form: QuotaForm::Forbidden,
            description_chars_max: 8192,
            recurrence_bytes_max: 20_000,
            properties_max: 300,
            properties_bytes_max: 32_768,
            journal_entries_max: 200_000,
        }
    }
}

/// The order of the events in a full listing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ListOrder {
    /// By a hash of the id: stable, and as good as random.
    Scrambled,
    /// By id: a series comes before its exceptions.
    ById,
    /// By id, backwards: exceptions come before their series. Increments run backwards as well.
    Reversed,
}

/// What a listing tells of a deleted event.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum TombstoneForm {
    /// `id` and `status` (for an exception also its slot), and nothing else: all that the reference guarantees.
    IdOnly,
    /// The same with `kind` and `etag`.
    Bare,
    /// All fields of the event as it was.
    Full,
    /// [`TombstoneForm::Bare`] with a start and an end long past, as seen for removed guests.
    WrongTimes,
}

/// What becomes of the exceptions of a series whose rule or time changes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ExceptionPolicy {
    /// They stay, save those behind the new end of the series, which are cancelled.
    Keep,
    /// All of them are dropped, each leaving a tombstone.
    Reset,
}

/// What happens when a guest changes what only the organizer may change.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum GuestWrite {
    /// 403 `forbiddenForNonOrganizer`.
    Refuse,
    /// The answer is 200 and the shared fields stay as they were.
    Ignore,
    /// The guest's copy differs until the organizer's next change overwrites it.
    Diverge,
}

/// The names that `/tokeninfo` gives to its fields.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum TokenInfoForm {
    /// `audience`, `user_id`, `verified_email`, and numbers as numbers.
    V2,
    /// `aud`, `sub`, `email_verified`, and everything as text.
    V3,
}

/// How an exceeded quota is answered; clients have to treat all forms alike.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum QuotaForm {
    /// 403 with `userRateLimitExceeded` or `rateLimitExceeded`.
    Forbidden,
    /// 429 with `rateLimitExceeded`.
    TooMany,
}
