//! What the text of a field may be. An error is the rest of a sentence that begins with the field and its text.

use crate::logging::Format;
use std::net::SocketAddr;
use tracing::Level;

const NAME_BYTES_MAX: usize = 63;

/// The name of a thing in metrics, logs and JSON.
///
/// # Errors
/// It is too long or has other characters.
pub fn name(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !is_plain {
        return Err(format!("is no name; write 1 to {NAME_BYTES_MAX} of the characters A-Z a-z 0-9 . _ -"));
    }
    Ok(text.to_owned())
}

/// Where to listen, on all addresses or one.
///
/// # Errors
/// It is not that, but would be as in the example.
pub fn listen(text: &str, example: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("is no IP:port; write for example {example:?}"))
}

/// A secret that can stand in a header; its text is not shown.
pub(super) fn secret(text: &str) -> Result<(), String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "is empty or has characters that a header cannot carry; write ASCII without blanks".to_owned()
        );
    }
    Ok(())
}

pub(crate) fn level(text: &str) -> Result<Level, String> {
    match text {
        "error" => Ok(Level::ERROR),
        "warn" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        _ => Err("is no level; write error, warn, info, debug or trace".to_owned()),
    }
}

pub(crate) fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("is no format; write text or json".to_owned()),
    }
}
