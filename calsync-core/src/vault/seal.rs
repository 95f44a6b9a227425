//! How bytes are sealed: XChaCha20-Poly1305 with a random nonce, bound to the place where they are kept.
//!
//! A seal is `format (1) ‖ name of the key ‖ nonce (24) ‖ ciphertext and tag`. With 192 random bits of nonce, keys need no
//! counter that a crash or a second worker could repeat. What it is bound to (the associated data) is the format, the purpose, the
//! tenant, the kind, name and version of the row, and the key; each part with its length before it, so that no two places
//! read the same. A seal that was altered, or copied to another tenant, row or version, does not open.
//!
//! Not bound are the facts and the expiry of a row: they can be read and changed by whoever can write the database. Nor can a seal
//! tell that a whole row was replaced by what it was before: its version was replaced with it.

use super::key::{KEY_BYTES, KeyId, MasterKey, PRINT_BYTES};
use crate::clock::Entropy;
use crate::id::Tenant;
use crate::planted::{self, Fault};
use crate::store::SealedKind;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// A row sealed by a data key. A seal of another make begins with another byte.
const ROW: u8 = 1;
/// A data key wrapped by a master key.
const WRAP: u8 = 2;
/// The bytes of a nonce, and of the tag behind a ciphertext.
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// The bytes of the id of a data key, which are random.
pub(super) const DATA_KEY_ID_BYTES: usize = 16;

/// The id of a data key.
pub(super) type DataKeyId = [u8; DATA_KEY_ID_BYTES];

/// The row that a seal belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) kind: SealedKind,
    pub(super) name: &'a str,
    pub(super) version: u64,
}

impl Place<'_> {
    fn bound(&self, header: &[u8], purpose: &str, id: &DataKeyId) -> Vec<u8> {
        let version = if planted::on(Fault::FitsAnyVersion) { 0 } else { self.version }.to_be_bytes();
        let parts: [&[u8]; 8] = [
            b"calsync vault",
            header,
            purpose.as_bytes(),
            unless(Fault::FitsAnyTenant, self.tenant.as_str().as_bytes()),
            unless(Fault::FitsAnyKind, self.kind.as_str().as_bytes()),
            unless(Fault::FitsAnyName, self.name.as_bytes()),
            &version,
            id,
        ];
        let mut bound = Vec::new();
        for part in parts {
            bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bound.extend_from_slice(part);
        }
        bound
    }
}

/// The part, unless the fault that leaves it out is planted.
fn unless(fault: Fault, part: &[u8]) -> &[u8] {
    if planted::on(fault) { &[] } else { part }
}

/// Seals the content of a row. `None` if it is larger than the cipher allows, which is 256 GiB.
pub(super) fn seal(
    key: &[u8; KEY_BYTES],
    id: &DataKeyId,
    place: Place<'_>,
    content: &[u8],
    entropy: &dyn Entropy,
) -> Option<Vec<u8>> {
    let mut header = vec![ROW];
    header.extend_from_slice(id);
    let bound = place.bound(&header, "row", id);
    encrypt(key, header, &bound, content, entropy)
}

/// Which data key sealed this, if it looks like the seal of a row.
pub(super) fn sealed_by(sealed: &[u8]) -> Option<DataKeyId> {
    sealed.strip_prefix(&[ROW])?.first_chunk().copied()
}

/// Opens the content of a row; `None` if the seal is broken.
pub(super) fn open(key: &[u8; KEY_BYTES], place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let id = sealed_by(sealed)?;
    let (header, rest) = sealed.split_at_checked(1 + DATA_KEY_ID_BYTES)?;
    decrypt(key, &place.bound(header, "row", &id), rest)
}

/// Wraps a data key.
pub(super) fn wrap(
    master: &MasterKey,
    id: &DataKeyId,
    place: Place<'_>,
    key: &[u8; KEY_BYTES],
    entropy: &dyn Entropy,
) -> Option<Vec<u8>> {
    let name = master.id().as_str().as_bytes();
    let mut header = vec![WRAP, u8::try_from(name.len()).ok()?];
    header.extend_from_slice(name);
    header.extend_from_slice(&master.print());
    let bound = place.bound(&header, "data key", id);
    encrypt(master.reveal(), header, &bound, key, entropy)
}

/// Which master key wrapped a data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrapper {
    pub(super) id: KeyId,
    pub(super) print: [u8; PRINT_BYTES],
}

impl Wrapper {
    /// Whether it is this very key, whatever its id says.
    pub(super) fn is(&self, key: &MasterKey) -> bool {
        self.print == key.print() && self.id == *key.id()
    }
}

/// Which master key wrapped this, if it looks like a wrapped key.
pub(super) fn wrapped_by(sealed: &[u8]) -> Option<Wrapper> {
    split_wrap(sealed).map(|(_, wrapper, _)| wrapper)
}

fn split_wrap(sealed: &[u8]) -> Option<(&[u8], Wrapper, &[u8])> {
    let length = usize::from(*sealed.strip_prefix(&[WRAP])?.first()?);
    let (header, rest) = sealed.split_at_checked(2 + length + PRINT_BYTES)?;
    let (name, print) = header.get(2..)?.split_at_checked(length)?;
    let id = KeyId::new(std::str::from_utf8(name).ok()?).ok()?;
    Some((header, Wrapper { id, print: print.first_chunk().copied()? }, rest))
}

/// Unwraps a data key; `None` if the seal is broken or of another key.
pub(super) fn unwrap(
    master: &MasterKey,
    id: &DataKeyId,
    place: Place<'_>,
    sealed: &[u8],
) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let (header, _, rest) = split_wrap(sealed)?;
    let content = decrypt(master.reveal(), &place.bound(header, "data key", id), rest)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    (content.len() == KEY_BYTES).then(|| key.copy_from_slice(&content))?;
    Some(key)
}

fn encrypt(
    key: &[u8; KEY_BYTES],
    header: Vec<u8>,
    bound: &[u8],
    content: &[u8],
    entropy: &dyn Entropy,
) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    if !planted::on(Fault::NonceRepeated) {
        entropy.fill(&mut nonce);
    }
    // Room for the tag from the start: growing would leave a copy of the content behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(content.len() + TAG_BYTES));
    buffer.extend_from_slice(content);
    if !planted::on(Fault::NotEncrypted) {
        cipher(key).encrypt_in_place(&XNonce::from(nonce), bound, &mut *buffer).ok()?;
    }
    let mut sealed = header;
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&buffer);
    Some(sealed)
}

fn decrypt(key: &[u8; KEY_BYTES], bound: &[u8], rest: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    cipher(key).decrypt_in_place(&XNonce::from(*nonce), bound, &mut *buffer).ok()?;
    Some(buffer)
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key))
}
