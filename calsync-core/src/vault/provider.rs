//! Where master keys come from.
//!
//! Keys belong to the host: a file, a variable of the environment, or a key service behind a callback. The first key of a
//! provider is the current one, which wraps; the others only unwrap, for as long as something is wrapped by them. That is how a key
//! is changed without stopping anything: the new one becomes the first, the old one stays behind it until
//! [`Vault::rotate_master`](super::Vault::rotate_master) says that nothing needs it.
//!
//! A provider is asked each time that something is sealed or opened, and calsync keeps no copy. Files are read anew each time too,
//! so that a key can be changed under a running process; a callback that asks a service had better remember the answer.

use super::key::{HOW_TO_MAKE, KeyId, MasterKey};
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use zeroize::Zeroizing;

/// A place where master keys are kept. Its `Debug` must not show them.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// The key that wraps from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when there is none, saying where it was looked for; any other when it cannot be reached.
    async fn current(&self) -> Result<MasterKey>;

    /// The key of this id, current or older; `None` if it is not kept here.
    ///
    /// # Errors
    /// As [`KeyProvider::current`].
    async fn key(&self, id: &KeyId) -> Result<Option<MasterKey>>;
}

/// Keys that the host has in memory.
///
/// ```
/// use calsync_core::clock::SystemEntropy;
/// use calsync_core::vault::{KeyBytes, generate};
///
/// let (new, old) = (generate(&SystemEntropy).key, generate(&SystemEntropy).key);
/// let keys = KeyBytes::new(new).older(old);
/// assert!(format!("{keys:?}").contains("[redacted]"));
/// ```
#[derive(Clone, Debug)]
pub struct KeyBytes {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl KeyBytes {
    /// A provider with this key.
    pub fn new(current: MasterKey) -> Self {
        Self { current, older: Vec::new() }
    }

    /// Another key, which only opens what it wrapped before.
    pub fn older(mut self, key: MasterKey) -> Self {
        self.older.push(key);
        self
    }
}

#[async_trait]
impl KeyProvider for KeyBytes {
    async fn current(&self) -> Result<MasterKey> {
        Ok(self.current.clone())
    }

    async fn key(&self, id: &KeyId) -> Result<Option<MasterKey>> {
        Ok(std::iter::once(&self.current).chain(&self.older).find(|key| key.id() == id).cloned())
    }
}

/// Keys in files, each 32 raw bytes, hexadecimal or base64 ([`MasterKey::parse`]). On Unix a file that others than its owner can
/// read is used, and warned of once.
#[derive(Debug)]
pub struct KeyFile {
    paths: Vec<PathBuf>,
    warned: Once,
}

impl KeyFile {
    /// A provider that reads this file, from when it is first asked.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { paths: vec![path.into()], warned: Once::new() }
    }

    /// Another file, with a key that only opens what it wrapped before.
    pub fn older(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.push(path.into());
        self
    }

    fn read(&self, path: &Path) -> Result<MasterKey> {
        let content = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
            Error::new(
                ErrorKind::Config,
                format!("the file of the master key cannot be read: {}", error.kind()),
            )
            .with("file", path.display())
            .cure(HOW_TO_MAKE)
        })?;
        if let Some(mode) = open_to_others(path) {
            self.warned.call_once(|| {
                tracing::warn!(file = %path.display(), mode, "others can read the file of the master key: chmod 0400");
            });
        }
        MasterKey::parse(&content).map_err(|error| error.with("file", path.display()))
    }
}

#[async_trait]
impl KeyProvider for KeyFile {
    async fn current(&self) -> Result<MasterKey> {
        match self.paths.first() {
            Some(path) => self.read(path),
            None => Err(none_given("by its files")),
        }
    }

    async fn key(&self, id: &KeyId) -> Result<Option<MasterKey>> {
        find(id, self.paths.iter().map(|path| self.read(path)))
    }
}

/// The permissions of a file that others than its owner can read.
fn open_to_others(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then(|| format!("{mode:03o}"))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Keys in variables of the environment, hexadecimal or base64 ([`MasterKey::parse`]).
#[derive(Clone, Debug)]
pub struct KeyEnv {
    names: Vec<String>,
}

impl KeyEnv {
    /// A provider that reads this variable, each time it is asked.
    pub fn new(name: impl Into<String>) -> Self {
        Self { names: vec![name.into()] }
    }

    /// Another variable, with a key that only opens what it wrapped before.
    pub fn older(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    fn read(name: &str) -> Result<MasterKey> {
        let Some(content) = std::env::var_os(name) else {
            return Err(Error::new(ErrorKind::Config, "the variable of the master key is not set")
                .with("variable", name)
                .cure(HOW_TO_MAKE));
        };
        let content = Zeroizing::new(content.into_encoded_bytes());
        MasterKey::parse(&content).map_err(|error| error.with("variable", name))
    }
}

#[async_trait]
impl KeyProvider for KeyEnv {
    async fn current(&self) -> Result<MasterKey> {
        match self.names.first() {
            Some(name) => Self::read(name),
            None => Err(none_given("by its variables")),
        }
    }

    async fn key(&self, id: &KeyId) -> Result<Option<MasterKey>> {
        find(id, self.names.iter().map(|name| Self::read(name)))
    }
}

/// The key of this id. One that cannot be read is an error only if none of the others is it.
fn find(id: &KeyId, keys: impl Iterator<Item = Result<MasterKey>>) -> Result<Option<MasterKey>> {
    let mut unread = None;
    for key in keys {
        match key {
            Ok(key) if key.id() == id => return Ok(Some(key)),
            Ok(_) => {}
            Err(error) => unread = Some(error),
        }
    }
    unread.map_or(Ok(None), |error| Err(error.with("needed key", id)))
}

fn none_given(how: &'static str) -> Error {
    Error::new(ErrorKind::Config, "no master key was given").with("provider", how).cure(HOW_TO_MAKE)
}

type Answer = BoxFuture<'static, Result<Option<MasterKey>>>;

/// Keys that the host's own code fetches, for example from a key service.
///
/// The closure is asked for the key of an id, or with `None` for the current one.
///
/// ```
/// use calsync_core::clock::SystemEntropy;
/// use calsync_core::vault::{KeyCallback, KeyId, KeyProvider, generate};
///
/// # async fn example() -> calsync_core::Result<()> {
/// let key = generate(&SystemEntropy).key.named(KeyId::new("crm/2026-11")?);
/// let keys = KeyCallback::new(move |wanted: Option<KeyId>| {
///     let key = key.clone();
///     async move { Ok(wanted.is_none_or(|id| id == *key.id()).then_some(key)) }
/// });
/// assert_eq!(keys.current().await?.id().as_str(), "crm/2026-11");
/// assert!(keys.key(&KeyId::new("crm/2025-11")?).await?.is_none());
/// # Ok(()) }
/// ```
pub struct KeyCallback(Box<dyn Fn(Option<KeyId>) -> Answer + Send + Sync>);

impl KeyCallback {
    /// A provider that asks `fetch`.
    pub fn new<F, A>(fetch: F) -> Self
    where
        F: Fn(Option<KeyId>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Option<MasterKey>>> + Send + 'static,
    {
        Self(Box::new(move |wanted| Box::pin(fetch(wanted))))
    }
}

#[async_trait]
impl KeyProvider for KeyCallback {
    async fn current(&self) -> Result<MasterKey> {
        (self.0)(None).await?.ok_or_else(|| none_given("by its callback"))
    }

    async fn key(&self, id: &KeyId) -> Result<Option<MasterKey>> {
        Ok((self.0)(Some(id.clone())).await?.filter(|key| key.id() == id))
    }
}

impl fmt::Debug for KeyCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCallback(..)")
    }
}
