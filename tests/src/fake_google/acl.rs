//! Access lists: who may do what with a calendar, as the API tells it and changes it.
//!
//! Writers read the list, owners change it, and nobody takes away the own ownership or that of the data owner. A rule that
//! is taken back stays as one with the role `none`, for increments. Rules for groups are refused with 501: the fake knows
//! no groups, and a rule that opens nothing would be a lie. What a role opens is decided where calendars and events are.

use std::ops::Bound;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::auth::Principal;
use super::incoming::Params;
use super::journal::{Mail, MailKind};
use super::model::{Calendar, Role, same_address};
use super::refusal::Refusal;
use super::seal;

impl FakeGoogle {
    pub(crate) fn list_acl(
        &self,
        now: DateTime<Utc>,
        principal: &Principal,
        id: &str,
        params: &Params,
    ) -> Result<Value, Refusal> {
        let calendar = self.acl_of(principal, id, Role::Writer)?;
        let owner = format!(
            "{id} {} {}",
            principal.email,
            params.fingerprint(&["pageToken", "syncToken", "maxResults"])
        );
        let mut since = None;
        let mut upto = calendar.acl_changes;
        let mut after = String::new();
        if let Some(token) = params.text("syncToken") {
            if params.flag("showDeleted") == Some(false) {
                return Err(Refusal::sync_token_restrictions());
            }
            let parts = seal::open("acl", token).ok_or_else(Refusal::invalid_sync_token)?;
            let [whose, change, epoch, _] = parts.as_slice() else {
                return Err(Refusal::invalid_sync_token());
            };
            if whose != id {
                return Err(Refusal::invalid_sync_token());
            }
            if *epoch != self.epoch.to_string() {
                return Err(Refusal::full_sync_required());
            }
            since = change.parse::<u64>().ok();
        }
        if let Some(token) = params.text("pageToken") {
            let parts = seal::open("acl page", token).ok_or_else(Refusal::invalid_page_token)?;
            let [whose, to, last] = parts.as_slice() else { return Err(Refusal::invalid_page_token()) };
            if *whose != owner {
                return Err(Refusal::invalid_page_token());
            }
            upto = to.parse().map_err(|_| Refusal::invalid_page_token())?;
            after.clone_from(last);
        }
        let size = params.number("maxResults").unwrap_or(100).min(250);
        let from = if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(after) };
        let mut found: Vec<(&String, Value)> = calendar
            .acl_log
            .range::<String, _>((from, Bound::Unbounded))
            .filter(|(who, change)| match since {
                Some(since) => **change > since && **change <= upto,
                None => calendar.acl.contains_key(*who) || params.flag("showDeleted") == Some(true),
            })
            .map(|(who, _)| (who, rule(calendar, who)))
            .take(size + 1)
            .collect();
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().map(|(who, _)| (*who).clone()).unwrap_or_default();
        let mut body = json!({
            "kind": "calendar#acl",
            "etag": format!("\"p{}\"", calendar.acl_changes),
            "items": found.into_iter().map(|(_, rule)| rule).collect::<Vec<_>>(),
        });
        if more {
            body["nextPageToken"] = json!(seal::seal("acl page", &[owner, upto.to_string(), last]));
        } else {
            let parts =
                [id.to_owned(), upto.to_string(), self.epoch.to_string(), now.timestamp().to_string()];
            body["nextSyncToken"] = json!(seal::seal("acl", &parts));
        }
        Ok(body)
    }

    pub(crate) fn get_acl(&self, principal: &Principal, id: &str, rule_id: &str) -> Result<Value, Refusal> {
        let calendar = self.acl_of(principal, id, Role::Writer)?;
        let who =
            grantee(rule_id).filter(|who| calendar.acl.contains_key(who)).ok_or_else(Refusal::not_found)?;
        Ok(rule(calendar, &who))
    }

    pub(crate) fn insert_acl(
        &mut self,
        principal: &Principal,
        id: &str,
        params: &Params,
        body: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        self.acl_of(principal, id, Role::Owner)?;
        let scope =
            body.get("scope").and_then(Value::as_object).ok_or_else(|| Refusal::required("Required"))?;
        let text = |name: &str| scope.get(name).and_then(Value::as_str);
        let kind = text("type").unwrap_or("default");
        let who = match (kind, text("value")) {
            ("default", None) => "default".to_owned(),
            ("default", Some(_)) => return Err(Refusal::invalid("Invalid scope value.")),
            (_, None) => return Err(Refusal::required("Required")),
            (kind, Some(value)) => {
                let named = format!("{kind}:{value}");
                if kind == "group" {
                    return Err(Refusal::new(501, "fake", "fake", "The fake Google knows no groups."));
                }
                grantee(&named).ok_or_else(|| Refusal::invalid("Invalid scope value."))?
            }
        };
        let role = role(body)?.ok_or_else(|| Refusal::required("Required"))?;
        self.set_acl(principal, id, params, &who, role)
    }

    pub(crate) fn change_acl(
        &mut self,
        principal: &Principal,
        id: &str,
        rule_id: &str,
        params: &Params,
        body: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let calendar = self.acl_of(principal, id, Role::Owner)?;
        let who =
            grantee(rule_id).filter(|who| calendar.acl.contains_key(who)).ok_or_else(Refusal::not_found)?;
        let known = rule(calendar, &who);
        if body.get("scope").is_some_and(|scope| !scope.is_null() && *scope != known["scope"]) {
            return Err(Refusal::invalid("The scope of a rule cannot be changed."));
        }
        match role(body)? {
            None => Ok(known),
            Some(role) => self.set_acl(principal, id, params, &who, role),
        }
    }

    pub(crate) fn delete_acl(
        &mut self,
        principal: &Principal,
        id: &str,
        rule_id: &str,
    ) -> Result<(), Refusal> {
        let calendar = self.acl_of(principal, id, Role::Owner)?;
        let who =
            grantee(rule_id).filter(|who| calendar.acl.contains_key(who)).ok_or_else(Refusal::not_found)?;
        self.set_acl(principal, id, &Params::default(), &who, None).map(|_| ())
    }

    fn set_acl(
        &mut self,
        principal: &Principal,
        id: &str,
        params: &Params,
        who: &str,
        role: Option<Role>,
    ) -> Result<Value, Refusal> {
        let calendar = self.acl_of(principal, id, Role::Owner)?;
        let known = calendar.acl.get(who).copied();
        if same_address(who, &principal.email) && role != known {
            return Err(Refusal::new(
                403,
                "calendar",
                "cannotChangeOwnAcl",
                "Cannot change your own access level.",
            ));
        }
        if same_address(who, &calendar.owner) && role != known {
            return Err(Refusal::forbidden());
        }
        match role {
            Some(role) => self.share(id, who, role),
            None => self.unshare(id, who),
        }
        // A new right is told by mail unless the call says otherwise; a lost one is not.
        if role > known && who.contains('@') && params.flag("sendNotifications") != Some(false) {
            self.mails.push(Mail {
                recipient: who.to_owned(),
                calendar: id.to_owned(),
                event: String::new(),
                kind: MailKind::Sharing,
                request: self.requests,
                actor: principal.email.clone(),
                stamp: Map::new(),
            });
        }
        let calendar = self.calendars.get(id).ok_or_else(Refusal::not_found)?;
        Ok(rule(calendar, who))
    }

    fn acl_of(&self, principal: &Principal, id: &str, least: Role) -> Result<&Calendar, Refusal> {
        let (calendar, role) = self.access(principal, id)?;
        if role < least { Err(Refusal::forbidden()) } else { Ok(calendar) }
    }
}

/// The role of a body: none if it has none, none within if it takes access away.
fn role(body: &Map<String, Value>) -> Result<Option<Option<Role>>, Refusal> {
    match body.get("role").and_then(Value::as_str) {
        None => Ok(None),
        Some("none") => Ok(Some(None)),
        Some(name) => match Role::named(name) {
            Some(role) => Ok(Some(Some(role))),
            None => Err(Refusal::invalid("Invalid value for role.")),
        },
    }
}

/// How the calendar names whom a rule is for: an address, `default`, or `domain:example.com`.
fn grantee(rule_id: &str) -> Option<String> {
    match rule_id.split_once(':') {
        None => (rule_id == "default").then(|| rule_id.to_owned()),
        Some(("user", address)) if address.contains('@') => Some(address.to_ascii_lowercase()),
        Some(("domain", name)) if !name.is_empty() && !name.contains('@') => {
            Some(rule_id.to_ascii_lowercase())
        }
        Some(_) => None,
    }
}

fn rule(calendar: &Calendar, who: &str) -> Value {
    let (id, scope) = match who.strip_prefix("domain:") {
        Some(name) => (who.to_owned(), json!({ "type": "domain", "value": name })),
        None if who == "default" => (who.to_owned(), json!({ "type": "default" })),
        None => (format!("user:{who}"), json!({ "type": "user", "value": who })),
    };
    let change = calendar.acl_log.get(who).copied().unwrap_or_default();
    json!({
        "kind": "calendar#aclRule",
        "etag": format!("\"{change:020}\""),
        "id": id,
        "scope": scope,
        "role": calendar.acl.get(who).map_or("none", |role| role.name()),
    })
}
