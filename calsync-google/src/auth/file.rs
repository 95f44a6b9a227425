//! Files that people get from the Google Cloud console.
//!
//! People paste them, save them from a browser, or copy them out of a form, and what arrives is often not what it should be. So
//! harmless damage is mended (a byte order mark, Windows line ends, blanks around it, real line breaks inside the JSON text), and
//! every usual mix-up has its own answer. What is in them is never shown.

use calsync_core::{Error, ErrorKind, Result};
use secrecy::zeroize::Zeroizing;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::path::Path;

/// Largest file that is read, in bytes; a key file has about 2,400.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The only token endpoint that a file may name.
pub(super) const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// What kind of file is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    /// With its article.
    pub(super) name: &'static str,
    /// What takes its path.
    pub(super) from_file: &'static str,
    /// Where to get one.
    pub(super) cure: &'static str,
}

impl Wanted {
    pub(super) fn refuse(&self, what: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Config, what).cure(self.cure)
    }

    /// Reads a file and what is in it; the path is in every error.
    pub(super) fn file<T>(&self, path: &Path, take: impl Fn(&[u8]) -> Result<T>) -> Result<T> {
        self.bytes(path).and_then(|bytes| take(&bytes)).map_err(|error| error.with("file", path.display()))
    }

    fn bytes(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
        let unreadable =
            |e: std::io::Error| Error::new(ErrorKind::Config, "the file cannot be read").caused_by(e);
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(self.refuse(format!("the file is far too large for {}", self.name)));
        }
        std::fs::read(path).map(Zeroizing::new).map_err(unreadable)
    }

    /// The object in a file.
    pub(super) fn object(&self, bytes: &[u8]) -> Result<Map<String, Value>> {
        let text = Zeroizing::new(self.decode(bytes)?);
        let text = text.trim();
        self.not_json(text)?;
        let mended = Zeroizing::new(mend(text));
        match serde_json::from_str::<Value>(&mended) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(Value::String(_)) => {
                Err(self.refuse("this is JSON inside a JSON string: paste the file itself"))
            }
            Ok(Value::Array(_)) => Err(self.refuse(format!("this is a list, not {}", self.name))),
            Ok(_) => Err(self.refuse(format!("this is not {}", self.name))),
            Err(e) if e.is_eof() => Err(self.refuse("the text is cut off: its end is missing")),
            Err(e) => {
                Err(self.refuse("this is not valid JSON").with("line", e.line()).with("column", e.column()))
            }
        }
    }

    /// The text, whatever encoding Windows saved it in.
    fn decode(&self, bytes: &[u8]) -> Result<String> {
        let wide = |decode: fn([u8; 2]) -> u16| {
            let units = bytes[2..].as_chunks::<2>().0.iter().map(|pair| decode(*pair));
            char::decode_utf16(units)
                .collect::<Result<String, _>>()
                .map_err(|_| self.refuse("the text's encoding is damaged"))
        };
        match bytes {
            [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
            [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
            // DER starts so, and a .p12 file is DER.
            [0x30, 0x80..=0x84, ..] => {
                Err(self.refuse("this is a P12 (or another binary) key file, not the JSON file"))
            }
            [b'P', b'K', 3, 4, ..] => Err(self.refuse("this is a ZIP archive: unpack the JSON file first")),
            _ => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.trim_start_matches('\u{feff}').to_owned()),
                Err(_) => Err(self.refuse("this is a binary file, not the JSON file")),
            },
        }
    }

    /// What is plainly not JSON.
    fn not_json(&self, text: &str) -> Result<()> {
        let said = |what: &'static str| Cow::Borrowed(what);
        let instead = |what: &str| Cow::Owned(format!("this is {what}, not {}", self.name));
        let what = match text {
            "" => said("it is empty"),
            _ if text.starts_with('{') && text.contains(['“', '”']) => {
                said("the quotation marks were replaced by typographic ones, as word processors do")
            }
            _ if text.starts_with(['{', '[', '"']) => return Ok(()),
            _ if text.starts_with('<') => instead("a web page"),
            _ if text.starts_with("-----BEGIN PRIVATE KEY") => {
                said("this is only the private key; the whole JSON file around it is wanted")
            }
            _ if text.starts_with("-----BEGIN") => instead("a certificate or a bare key"),
            _ if text.starts_with("AIza") => instead("an API key"),
            _ if text.starts_with("GOCSPX-") => instead("an OAuth client secret"),
            _ if text.starts_with("ya29.") => instead("an access token"),
            _ if text.ends_with(".json") && !text.contains('\n') => Cow::Owned(format!(
                "this is the name of a file; its content is wanted (or {})",
                self.from_file
            )),
            _ if text.ends_with(".iam.gserviceaccount.com") => instead("the address of a service account"),
            _ if text.ends_with(".apps.googleusercontent.com") => instead("the id of an OAuth client"),
            _ if text.starts_with("eyJ") || text.starts_with("ewo") || text.starts_with("ew0K") => {
                said("this is encoded in base64; paste the JSON text itself")
            }
            _ => said("this is not JSON"),
        };
        Err(self.refuse(what))
    }
}

/// Line breaks and tabs inside JSON strings, as pasting from a viewer leaves them, are written out.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len() + 64);
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            '\n' if quoted => mended.push_str("\\n"),
            '\r' if quoted => {}
            '\t' if quoted => mended.push_str("\\t"),
            c => mended.push(c),
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
    }
    mended
}
