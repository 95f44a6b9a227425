//! English.

use super::words::{Sight, Words};
use crate::scope::Feature;

pub(super) const WORDS: Words = Words {
    subject: "Connect your Google Calendar to {app}",
    hello_name: "Hello {name},",
    hello: "Hello,",
    intro: "{app} asks you to connect your Google Calendar, so that your appointments are the same in both. It takes about a minute.",
    open: "Open this link:",
    once: "The link works once, until {when}. It is meant for you alone: please do not pass it on.",
    heading: "What Google will ask you:",
    account: "Choose this account, and no other:",
    testing: "Google shows \"Google hasn't verified this app\". That is expected, as {app} is registered with Google as a test: choose \
              \"Continue\".",
    unverified: "Google shows \"Google hasn't verified this app\". That is expected, as Google's verification of {app} is not finished: \
                 choose \"Advanced\", then \"Go to {app}\".",
    perhaps: "If Google shows \"Google hasn't verified this app\", choose \"Continue\". If that is not offered, choose \"Advanced\", then \
              \"Go to {app}\".",
    boxes: "Tick all boxes (\"Select all\"), then choose \"Continue\". {app} asks for permission to:",
    after: "After that you are back in {app}, which tells you whether it worked.",
    password: "{app} never asks for your password. Only Google does, on a page whose address begins with https://accounts.google.com/",
    withdraw: "You can take your consent back at any time: https://myaccount.google.com/connections",
    ignore: "If you do not know what this is about, ignore this mail. Nothing is connected without you.",
    questions: "Questions: {support}",
    date: "{weekday} {day} {month} {year}",
    moment: "{date}, {time} ({zone})",
    feature,
    seen,
};

fn feature(feature: Feature) -> &'static str {
    match feature {
        Feature::WriteEvents => "see and change the events of your calendars",
        Feature::ReadEvents => "see the events of your calendars",
        Feature::ListCalendars => "see the list of your calendars",
        Feature::Subscribe => "add calendars that are shared with you to your list",
        Feature::WorkingHours => "see your working hours and your time zone",
        Feature::FreeBusy => "see when you are busy",
        Feature::Settings => "see the settings of your calendar",
        Feature::Sharing => "see whom your calendars are shared with",
        Feature::Rooms => "see the rooms of your organisation",
        Feature::Identity => "see the e-mail address of your account",
    }
}

fn seen(sight: Sight) -> (&'static str, &'static str) {
    match sight {
        Sight::Connected => (
            "Your calendar is connected",
            "{app} can now keep your appointments in step with Google Calendar. You can close this page.",
        ),
        Sight::Expired => (
            "This link is too old",
            "Links work for a limited time, and this one has passed it. Nothing was changed. Please ask whoever invited you for a new one.",
        ),
        Sight::Used => (
            "This link was used already",
            "Each link works once. If you have connected your calendar already, there is nothing left to do; otherwise please ask whoever \
             invited you for a new one.",
        ),
        Sight::WrongAccount => (
            "That was another account",
            "This invitation is for {expected}, and you chose a different Google account. Nothing was stored. Please try again and choose \
             that account; if it is not in the list, choose \"Use another account\".",
        ),
        Sight::NotTestUser => (
            "Google does not let this account in yet",
            "{app} is registered with Google as a test, and your account is not in its list of test users. Please ask whoever invited \
             you to add it, and then open the link in your mail again.",
        ),
        Sight::ScopeUnticked => (
            "Some boxes were left open",
            "{app} still needs your permission to: {features}. Please try again and tick all boxes (\"Select all\").",
        ),
        Sight::Refused => (
            "You did not agree",
            "Nothing was connected and nothing was stored. If that was by mistake, you can try again.",
        ),
        Sight::AdminBlocked => (
            "Your organisation does not allow this",
            "The administrator of your Google account has not allowed {app}. Please ask the administrator to do so, and then open the link \
             in your mail again.",
        ),
        Sight::OrgInternal => (
            "This account belongs to another organisation",
            "{app} is registered with Google for one organisation only. Please try again with your account of that organisation; if that was \
             the one, please tell whoever invited you.",
        ),
        Sight::Unverified => (
            "Google has not verified {app} yet",
            "Google stopped because it has not verified {app}. Please try again and choose \"Continue\", or \"Advanced\" and then \"Go to \
             {app}\". If neither is offered, please tell whoever invited you.",
        ),
        Sight::Unconfigured => (
            "This is not set up yet",
            "The connection of {app} to Google is not set up completely. You did nothing wrong. Please tell whoever invited you.",
        ),
        Sight::Altered => (
            "This link is not complete",
            "The address of this page is not the one that was sent. Nothing was changed. Please open the link in your mail again, and if that \
             does not help, copy all of it.",
        ),
        Sight::Unknown => (
            "That did not work",
            "Google or {app} had a problem, and nothing was connected. Please try again in a few minutes.",
        ),
    }
}
