//! An answer's body, taken in piece by piece and decompressed on the way.
//!
//! A few bytes of a hostile or broken answer can stand for gigabytes: what comes out is measured after every small slice
//! that goes in, and refused when it is too large, or grows out of all proportion to what was received.

use bytes::Bytes;
use flate2::write::GzDecoder;
use std::io::Write;

/// How much larger than what was received a body may become.
const RATIO_MAX: usize = 200;
/// Bodies up to this size, in bytes, are not held against [`RATIO_MAX`]: a short text of blanks does no harm.
const RATIO_FROM: usize = 1024 * 1024;
/// So many compressed bytes are taken in between two looks at what came out of them.
const SLICE: usize = 4096;

/// Why a body is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer grows to more than {RATIO_MAX} times its size")]
    OutOfProportion,
    #[error("the answer broke off: {0}")]
    Broken(std::io::Error),
    #[error("the answer is encoded as \"{0}\", which was not asked for")]
    Encoding(String),
}

pub(super) struct Body {
    plain: Plain,
    received: usize,
    bytes_max: usize,
}

enum Plain {
    Identity(Vec<u8>),
    Gzip(Box<GzDecoder<Vec<u8>>>),
}

impl Body {
    /// For an answer with this `Content-Encoding`.
    pub(super) fn new(encoding: Option<&str>, bytes_max: usize) -> Result<Self, Refused> {
        let plain = match encoding.map(str::trim) {
            None | Some("" | "identity") => Plain::Identity(Vec::new()),
            Some("gzip" | "x-gzip") => Plain::Gzip(Box::new(GzDecoder::new(Vec::new()))),
            Some(other) => return Err(Refused::Encoding(other.chars().take(20).collect())),
        };
        Ok(Self { plain, received: 0, bytes_max })
    }

    /// Takes in the next part.
    pub(super) fn take(&mut self, part: &[u8]) -> Result<(), Refused> {
        for slice in part.chunks(SLICE) {
            self.received += slice.len();
            let length = match &mut self.plain {
                Plain::Identity(bytes) => {
                    bytes.extend_from_slice(slice);
                    bytes.len()
                }
                Plain::Gzip(decoder) => {
                    decoder.write_all(slice).map_err(Refused::Broken)?;
                    // What is still inside the decoder is at most its window.
                    decoder.get_ref().len()
                }
            };
            self.measure(length)?;
        }
        Ok(())
    }

    /// The whole body.
    pub(super) fn finish(self) -> Result<Bytes, Refused> {
        let (received, bytes_max) = (self.received, self.bytes_max);
        let bytes = match self.plain {
            Plain::Identity(bytes) => bytes,
            // An answer without content is not compressed, whatever its head says.
            Plain::Gzip(_) if received == 0 => Vec::new(),
            Plain::Gzip(decoder) => decoder.finish().map_err(Refused::Broken)?,
        };
        Self { plain: Plain::Identity(Vec::new()), received, bytes_max }.measure(bytes.len())?;
        Ok(bytes.into())
    }

    fn measure(&self, length: usize) -> Result<(), Refused> {
        if length > self.bytes_max {
            return Err(Refused::TooLarge(self.bytes_max));
        }
        if length > RATIO_FROM && length / RATIO_MAX > self.received {
            return Err(Refused::OutOfProportion);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn read(encoding: &str, bytes: &[u8], bytes_max: usize) -> Result<Bytes, Refused> {
        let mut body = Body::new(Some(encoding), bytes_max)?;
        body.take(bytes)?;
        body.finish()
    }

    #[test]
    fn what_was_compressed_comes_out_as_it_was() {
        let text: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(read("gzip", &gzip(&text), usize::MAX).expect("readable"), text);
        assert_eq!(read("identity", &text, usize::MAX).expect("readable"), text);
        assert_eq!(read("gzip", b"", 10).expect("empty").len(), 0);
    }

    #[test]
    fn s13_a_bomb_is_refused_long_before_it_has_gone_off() {
        let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
        let mut body = Body::new(Some("gzip"), 32 * 1024 * 1024).expect("gzip");
        assert!(matches!(body.take(&bomb), Err(Refused::OutOfProportion)));
        let Plain::Gzip(decoder) = &body.plain else { panic!("gzip") };
        assert!(decoder.get_ref().len() < 8 * 1024 * 1024, "{}", decoder.get_ref().len());
        // A small one is no harm, and a large text that compresses well is none either.
        assert_eq!(read("gzip", &gzip(&vec![0; RATIO_FROM]), RATIO_FROM).expect("small").len(), RATIO_FROM);
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|n| format!("{{\"id\":\"{n}\"}}\n").into_bytes()).collect();
        assert_eq!(read("gzip", &gzip(&text), usize::MAX).expect("a text"), text);
    }

    #[test]
    fn s13_too_large_is_refused_in_either_form() {
        for encoding in ["identity", "gzip"] {
            let bytes = vec![b'x'; 1001];
            let sent = if encoding == "gzip" { gzip(&bytes) } else { bytes };
            assert!(matches!(read(encoding, &sent, 1000), Err(Refused::TooLarge(1000))), "{encoding}");
            assert_eq!(read(encoding, &sent, 1001).expect("fits").len(), 1001);
        }
    }

    #[test]
    fn what_breaks_off_or_is_no_gzip_or_is_something_else_is_said_so() {
        let whole = gzip(b"{\"kind\":\"calendar#events\"}");
        for length in 1..whole.len() {
            assert!(matches!(read("gzip", &whole[..length], 1000), Err(Refused::Broken(_))), "{length}");
        }
        assert!(matches!(read("gzip", b"{\"kind\":1}", 1000), Err(Refused::Broken(_))));
        let error = read("br", b"", 1000).expect_err("not asked for");
        assert_eq!(error.to_string(), "the answer is encoded as \"br\", which was not asked for");
    }
}
