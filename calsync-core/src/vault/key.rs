//! Master keys, and how one is read from what people write down.
//!
//! A master key is 32 random bytes that the host keeps and calsync never stores. It goes by an id, which is no secret: it stands in
//! every row that the key wrapped, so that an error can name the key that is missing. Unless the host gives it one, the id
//! is a hash of the key. The hash is kept beside a given id too, so that another key under the same name is told apart.
//!
//! What is not 32 random bytes is refused where that can be seen: a passphrase, hexadecimal digits of half a key, a file of
//! zeros. A key that is too weak looks like any other once it is in use.

use crate::clock::Entropy;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// How many bytes a key has.
pub(super) const KEY_BYTES: usize = 32;
/// How many bytes of the hash of a master key are kept, and shown as hexadecimal digits.
pub(super) const PRINT_BYTES: usize = 8;
/// The longest id of a master key that a host can give, in bytes.
pub const KEY_ID_BYTES_MAX: usize = 64;

/// Either alphabet of base64, with or without padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The name of a master key; no secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// A name of 1 to [`KEY_ID_BYTES_MAX`] printable ASCII characters without spaces.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for any other.
    pub fn new(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        if id.is_empty() || id.len() > KEY_ID_BYTES_MAX || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::new(ErrorKind::Config, "a master key cannot have this id")
                .with("length", id.len())
                .cure("Use 1 to 64 printable ASCII characters without spaces, such as \"2026-11\"."));
        }
        Ok(Self(id))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A master key. Its memory is wiped when it is dropped, and `Debug` shows its id.
pub struct MasterKey {
    id: KeyId,
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

impl MasterKey {
    /// A key whose id is a hash of it. The caller's own copy is the caller's to wipe.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let bytes = SecretBox::new(Box::new(bytes));
        Self { id: KeyId(hex(&print(bytes.expose_secret()))), bytes }
    }

    /// The same key under an id that the host gives it, such as the name of a version in a key service.
    pub fn named(self, id: KeyId) -> Self {
        Self { id, ..self }
    }

    /// Reads a key from the content of a file or variable: 32 raw bytes, 64 hexadecimal digits, or base64 of 32 bytes; white
    /// space around the latter two does not count.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], saying what was found instead; never the content.
    ///
    /// ```
    /// use calsync_core::vault::MasterKey;
    ///
    /// let key = MasterKey::parse(b"4H8MZjCyu+sRIKFXzRnOe6gASDjKtYZaixqB9VDBpDQ=\n")?;
    /// assert_eq!(format!("{key:?}"), r#"MasterKey("6f6925627ab405fe", [redacted])"#);
    /// assert!(MasterKey::parse(b"correct horse battery staple").is_err());
    /// # Ok::<(), calsync_core::Error>(())
    /// ```
    pub fn parse(content: &[u8]) -> Result<Self> {
        let bytes = read(content).map_err(|found| {
            Error::new(ErrorKind::Config, format!("a master key is 32 random bytes, but this is {found}"))
                .cure(HOW_TO_MAKE)
        })?;
        Ok(Self::new(*bytes))
    }

    /// Its name, which is no secret.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) fn reveal(&self) -> &[u8; KEY_BYTES] {
        self.bytes.expose_secret()
    }

    /// The beginning of a hash of the key.
    pub(super) fn print(&self) -> [u8; PRINT_BYTES] {
        print(self.reveal())
    }
}

impl Clone for MasterKey {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), bytes: SecretBox::new(Box::new(*self.reveal())) }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({:?}, [redacted])", self.id)
    }
}

/// How somebody without a key gets one.
pub(super) const HOW_TO_MAKE: &str = "Make one with `openssl rand -base64 32`, or with calsync_core::vault::generate; keep it where \
    only calsync and whoever restores a backup can read it, apart from the database, and hand it to the vault by KeyFile or KeyEnv.";

/// A key that was just made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key.
    pub key: MasterKey,
    /// The key in base64, to be written down where [`super::KeyFile`] or [`super::KeyEnv`] reads it.
    pub text: Secret,
}

impl NewKey {
    /// What to tell the person who keeps it.
    pub fn advice(&self) -> String {
        format!(
            "This is the master key {}. Whoever has it and a copy of the database can act as every connected account; without it \
             nobody can, and every account has to be connected again. Keep it where only calsync and whoever restores a \
             backup can read it (a file with mode 0400, or the secret store of the platform), never in the database, in its backups \
             or in a repository, and keep a second copy.",
            self.key.id
        )
    }
}

/// Makes a master key out of 256 random bits.
///
/// ```
/// use calsync_core::clock::SystemEntropy;
/// use calsync_core::vault::{MasterKey, generate};
///
/// let new = generate(&SystemEntropy);
/// eprintln!("{}", new.advice());
/// let read = MasterKey::parse(new.text.reveal().as_bytes())?;
/// assert_eq!(read.id(), new.key.id());
/// # Ok::<(), calsync_core::Error>(())
/// ```
pub fn generate(entropy: &dyn Entropy) -> NewKey {
    let bytes = random(entropy);
    NewKey { text: Secret::new(STANDARD.encode(*bytes)), key: MasterKey::new(*bytes) }
}

/// A key's worth of random bytes.
pub(super) fn random(entropy: &dyn Entropy) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    entropy.fill(&mut *bytes);
    bytes
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn print(key: &[u8; KEY_BYTES]) -> [u8; PRINT_BYTES] {
    let hash = Sha256::new().chain_update(b"calsync master key id\0").chain_update(key).finalize();
    let mut print = [0; PRINT_BYTES];
    print.copy_from_slice(&hash[..PRINT_BYTES]);
    print
}

/// The bytes of a key, or what there is instead, without quoting it.
fn read(content: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, String> {
    let text = content.trim_ascii();
    let count = text.len();
    // 32 random bytes are no text by chance: that is a passphrase, or hexadecimal digits of 16 bytes.
    let printable = count > 0 && text.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    let key = if content.len() == KEY_BYTES && !printable {
        Zeroizing::new(content.to_vec())
    } else if count == 2 * KEY_BYTES && text.iter().all(u8::is_ascii_hexdigit) {
        let digit = |digit: u8| char::from(digit).to_digit(16).map_or(0, |value| value as u8);
        Zeroizing::new(text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect())
    } else if printable {
        let url_safe = text.iter().any(|b| matches!(b, b'-' | b'_'));
        let alphabet = if url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
        match GeneralPurpose::new(alphabet, LENIENT).decode(text) {
            Ok(key) => {
                let key = Zeroizing::new(key);
                if key.len() != KEY_BYTES {
                    return Err(format!("{count} characters of text (base64 of {} bytes?)", key.len()));
                }
                key
            }
            Err(_) => return Err(format!("{count} characters of text")),
        }
    } else if content.is_empty() {
        return Err("empty".to_owned());
    } else {
        return Err(format!("{} bytes", content.len()));
    };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    bytes.copy_from_slice(&key);
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err(format!("the byte {} 32 times", bytes[0]));
    }
    Ok(bytes)
}
