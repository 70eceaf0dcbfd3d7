//! Asterisk's manager interface (AMI): a lossless, bounded reader and a session, for watching and measuring.
//!
//! A [`Session`] is one TCP connection. It is given bytes and time, and gives bytes, [`Event`]s and its next
//! deadline; when it is over, the driver connects anew and makes a new one. AMI carries aggregates only, so
//! nothing that is read here may ever be published.

mod action;
mod decoder;
mod message;
mod report;
mod session;

pub use action::{Action, ActionId, Unsendable};
pub use decoder::{Decoder, LINE_BYTES_MAX, MESSAGE_BYTES_MAX, Piece, TooLong};
pub use message::Message;
pub use report::{HintStatus, Malformed, Report};
pub use session::{Event, Login, NotSent, Reason, Session, SessionConfig};
