//! Scopes: which exist, and which of them a method accepts (discovery document 20261030).

use super::incoming::Route;

pub(crate) const PREFIX: &str = "https://www.googleapis.com/auth/";

/// The scopes of which a token needs one to call the method, without their prefix.
pub(crate) fn accepted(route: Route) -> &'static [&'static str] {
    match route {
        Route::InsertEvent | Route::UpdateEvent | Route::PatchEvent | Route::DeleteEvent => {
            &["calendar", "calendar.events", "calendar.events.owned", "calendar.app.created"]
        }
        Route::ListEvents | Route::GetEvent | Route::Instances => &[
            "calendar",
            "calendar.app.created",
            "calendar.events",
            "calendar.events.freebusy",
            "calendar.events.owned",
            "calendar.events.owned.readonly",
            "calendar.events.public.readonly",
            "calendar.events.readonly",
            "calendar.readonly",
        ],
        Route::ListCalendars => {
            &["calendar", "calendar.calendarlist", "calendar.calendarlist.readonly", "calendar.readonly"]
        }
        Route::GetCalendarEntry => &[
            "calendar",
            "calendar.app.created",
            "calendar.calendarlist",
            "calendar.calendarlist.readonly",
            "calendar.readonly",
        ],
        Route::InsertCalendarEntry => &["calendar", "calendar.calendarlist"],
        Route::GetCalendar => &[
            "calendar",
            "calendar.app.created",
            "calendar.calendars",
            "calendar.calendars.readonly",
            "calendar.readonly",
        ],
        _ => &[],
    }
}

/// `calendar.events` as well as its long form.
pub(crate) fn full_scope(scope: &str) -> String {
    if scope.starts_with("https://") || ["openid", "email", "profile"].contains(&scope) {
        scope.to_owned()
    } else {
        format!("{PREFIX}{scope}")
    }
}

/// Whether Google knows the scope: a comma between two makes one that it does not.
pub(crate) fn is_scope(scope: &str) -> bool {
    const CALENDAR: &[&str] = &[
        "",
        ".acls",
        ".acls.readonly",
        ".app.created",
        ".calendarlist",
        ".calendarlist.readonly",
        ".calendars",
        ".calendars.readonly",
        ".events",
        ".events.freebusy",
        ".events.owned",
        ".events.owned.readonly",
        ".events.public.readonly",
        ".events.readonly",
        ".freebusy",
        ".readonly",
        ".settings",
        ".settings.readonly",
    ];
    if ["openid", "email", "profile"].contains(&scope) {
        return true;
    }
    let Some(name) = scope.strip_prefix(PREFIX) else { return false };
    match name.strip_prefix("calendar") {
        Some(rest) => CALENDAR.contains(&rest),
        None => [
            "admin.directory.resource.calendar",
            "admin.directory.resource.calendar.readonly",
            "userinfo.email",
            "userinfo.profile",
        ]
        .contains(&name),
    }
}
