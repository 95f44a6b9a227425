//! The steps by name, in their order.

use calsync_core::check::CheckName;

/// The way is switched on in the CRM.
pub const ENABLED: CheckName = CheckName::new("enabled", "The integration is enabled");
/// The key file, or that of the OAuth client, is whole and of the right kind.
pub const FILE: CheckName = CheckName::new("file", "The file can be used");
/// The Calendar API's host answers.
pub const API_HOST: CheckName = CheckName::new("api_host", "The Calendar API can be reached");
/// The token endpoint's host answers.
pub const TOKEN_HOST: CheckName = CheckName::new("token_host", "The token endpoint can be reached");
/// The host on which people consent answers.
pub const CONSENT_HOST: CheckName = CheckName::new("consent_host", "The consent page can be reached");
/// This machine's clock is near enough to Google's.
pub const CLOCK: CheckName = CheckName::new("clock", "The clock is right");
/// Google accepts the key, or the grant.
pub const ACCOUNT: CheckName = CheckName::new("account", "Google accepts the credential");
/// There is a user of the agent's address to act for.
pub const USER: CheckName = CheckName::new("user", "The agent is a user that can be acted for");
/// The scopes that are needed are granted.
pub const SCOPES: CheckName = CheckName::new("scopes", "The scopes are granted");
/// The Calendar API is enabled in the Google Cloud project.
pub const API_ENABLED: CheckName = CheckName::new("api_enabled", "The Calendar API is enabled");
/// The calendar is there for the account.
pub const CALENDAR: CheckName = CheckName::new("calendar", "The calendar can be reached");
/// The account may do in the calendar what the direction needs.
pub const ROLE: CheckName = CheckName::new("role", "The access is enough for the direction");
/// The calendar is the agent's own.
pub const AGENT: CheckName = CheckName::new("agent", "The calendar belongs to the agent");
/// Google says when the agent works.
pub const HOURS: CheckName = CheckName::new("working_hours", "Working hours are known");
/// Google could tell calsync of changes.
pub const PUSH: CheckName = CheckName::new("push", "Notifications can arrive");
/// The rooms of the organisation can be listed.
pub const ROOMS: CheckName = CheckName::new("rooms", "Rooms can be listed");

/// All that ask Google after the hosts were found to answer.
pub(super) const AFTER_HOSTS: [&CheckName; 9] =
    [&CLOCK, &ACCOUNT, &USER, &SCOPES, &API_ENABLED, &CALENDAR, &ROLE, &AGENT, &HOURS];
