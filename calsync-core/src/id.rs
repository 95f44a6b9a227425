//! Names of things, as types that cannot be mixed up.
//!
//! Every id is an opaque string to calsync: case matters, nothing is cut, and no meaning is read out of it. Server ids can
//! be longer than a thousand characters (Google documents 1,024 for event ids), so no store may narrow them.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the id as it is; nothing is trimmed or folded.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }
    };
}

id! {
    /// The customer whose data this is. Every stored key starts with it, and no handle sees two of them.
    Tenant
}
id! {
    /// A person of the CRM whose appointments are kept in step, usually named by an e-mail address.
    AgentId
}
id! {
    /// One agent ↔ calendar pair.
    BindingId
}
id! {
    /// A record of the CRM: an appointment, a series, or one changed or cancelled occurrence of a series.
    RecordId
}
id! {
    /// The version of a CRM record. Two versions are equal or not; there is no order between them.
    Version
}
id! {
    /// A provider under the name it was added to the engine with, for example `google`.
    ProviderName
}
id! {
    /// A calendar as the provider addresses it. For Google: the calendar's id, usually an e-mail address.
    CalendarId
}
id! {
    /// A record as the provider addresses it. For Google: the event id.
    RemoteId
}
id! {
    /// The identity of a remote record inside a binding: its id, or for an occurrence its series and slot, because
    /// Google changes the ids of occurrences when a series is split.
    RemoteKey
}
id! {
    /// The provider's version of a remote record. For Google: the etag.
    Revision
}
id! {
    /// Where an interrupted listing goes on.
    PageToken
}
id! {
    /// Where the next incremental listing starts. It exists only after the last page of a listing, so it cannot be stored early.
    Cursor
}
id! {
    /// Up to where the CRM's changes are known.
    Position
}
id! {
    /// One intended write. It travels inside the write, so that a lost answer can be settled by reading back.
    OperationId
}
id! {
    /// One run of one binding.
    RunId
}
id! {
    /// A stored plan.
    PlanId
}
id! {
    /// The store that this installation writes to, drawn once when the store was made.
    InstallationId
}
