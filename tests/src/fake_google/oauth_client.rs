//! What Google's console knows of an OAuth client: its kind, where it may be sent back to, and who may use it.
//!
//! A client of a web application names its redirect URIs, and one that differs in a byte is another. A client of an
//! installed application is sent back to the machine it runs on, at any port. Nothing here looks at a request beyond its
//! redirect URI; the consent page asks this module, and the token endpoint asks it for the secret.

use std::collections::BTreeSet;

/// An OAuth client and the application that it belongs to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OAuthClient {
    /// What the consent page calls the application. Default: the client's id.
    pub name: String,
    /// Whether it is a web or an installed application. Default: [`ClientKind::Web`].
    pub kind: ClientKind,
    /// The registered redirect URIs of a web application. Default: none, so that nobody can be sent back.
    pub redirect_uris: Vec<String>,
    /// Whether the publishing status is *Testing*: only [`OAuthClient::test_users`] may consent, and refresh tokens end
    /// after seven days unless they open nothing but name and address. Default: false, which is *In production*.
    pub testing: bool,
    /// The addresses of the test users.
    pub test_users: BTreeSet<String>,
    /// Whether Google has verified the application. If not, a warning stands before the consent page. Default: true.
    pub verified: bool,
    /// The Workspace domain that the application is internal to: nobody else can consent, and there is no warning.
    /// Default: none, which is *External*.
    pub internal_to: Option<String>,
    /// Workspace domains whose administrator has blocked the application.
    pub blocked_in: BTreeSet<String>,
    /// Workspace domains whose administrator has marked the application as trusted: no warning, no single ticks.
    pub trusted_in: BTreeSet<String>,
    /// The Google Cloud project: what is granted to one of its clients counts for all of them. Default: the number that
    /// the client's id begins with, or the id.
    pub project: String,
    pub(crate) secret: String,
    pub(crate) disabled: Option<&'static str>,
}

/// The kind of an OAuth client, which is the top key of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// `web`: redirect URIs are registered, byte by byte.
    Web,
    /// `installed`: redirects go to the loopback interface, at any port.
    Installed,
}

impl OAuthClient {
    pub(crate) fn new(id: &str, secret: &str) -> Self {
        Self {
            name: id.to_owned(),
            kind: ClientKind::Web,
            redirect_uris: Vec::new(),
            testing: false,
            test_users: BTreeSet::new(),
            verified: true,
            internal_to: None,
            blocked_in: BTreeSet::new(),
            trusted_in: BTreeSet::new(),
            project: project_of(id),
            secret: secret.to_owned(),
            disabled: None,
        }
    }

    /// Whether Google would send a browser there.
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        match self.kind {
            ClientKind::Web => self.redirect_uris.iter().any(|known| known == uri),
            ClientKind::Installed => {
                let hosts = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
                hosts.iter().any(|host| {
                    uri.strip_prefix(host).is_some_and(|rest| {
                        let (port, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                        let numbered = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
                        (port.is_empty() || port.strip_prefix(':').is_some_and(numbered))
                            && !path.contains('#')
                    })
                })
            }
        }
    }
}

/// The project of a client or of a service account, as their names tell it.
pub(crate) fn project_of(name: &str) -> String {
    let number =
        name.split('-').next().filter(|part| part.len() > 3 && part.bytes().all(|b| b.is_ascii_digit()));
    let account = name
        .strip_suffix(".iam.gserviceaccount.com")
        .and_then(|rest| rest.split_once('@'))
        .map(|(_, project)| project);
    number.or(account).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_client_is_sent_back_only_to_what_it_registered_byte_by_byte() {
        let mut client = OAuthClient::new("c", "s");
        client.redirect_uris = vec!["https://crm.example/cb".to_owned()];
        assert!(client.may_redirect_to("https://crm.example/cb"));
        for other in [
            "https://crm.example/cb/",
            "https://CRM.example/cb",
            "https://crm.example/cb?x=1",
            "http://crm.example/cb",
            "http://127.0.0.1:1",
            "",
        ] {
            assert!(!client.may_redirect_to(other), "{other}");
        }
    }

    #[test]
    fn an_installed_client_is_sent_back_to_its_own_machine_at_any_port() {
        let mut client = OAuthClient::new("c", "s");
        client.kind = ClientKind::Installed;
        for own in
            ["http://127.0.0.1:49152", "http://127.0.0.1:1/cb", "http://[::1]:8080/", "http://localhost/x"]
        {
            assert!(client.may_redirect_to(own), "{own}");
        }
        for other in [
            "https://127.0.0.1:1",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1:80@evil.example/",
            "http://localhost:0",
            "http://localhost:99999/",
            "http://127.0.0.2:1",
            "http://127.0.0.1:1/#x",
            "urn:ietf:wg:oauth:2.0:oob",
            "",
        ] {
            assert!(!client.may_redirect_to(other), "{other}");
        }
    }

    #[test]
    fn a_project_is_named_by_its_clients_and_service_accounts() {
        for (name, project) in [
            ("1234567890-abc.apps.googleusercontent.com", "1234567890"),
            ("robot@crm-sync.iam.gserviceaccount.com", "crm-sync"),
            ("client", "client"),
        ] {
            assert_eq!(project_of(name), project);
        }
    }
}
