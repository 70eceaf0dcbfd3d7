//! Names of devices and mailboxes: what Asterisk can show, within bounds.

use alloc::sync::Arc;
use core::fmt;

/// The longest name that is taken, in bytes. Asterisk itself cuts device names at 80 bytes
/// (`AST_CHANNEL_NAME`) and mailboxes at 160; longer ones only cost memory.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a text is no name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidName {
    /// The text is empty.
    #[error("the name is empty")]
    Empty,
    /// The text is longer than [`NAME_BYTES_MAX`].
    #[error("the name is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// The text holds a control character, which no device or mailbox name has.
    #[error("the name holds a control character")]
    Control,
}

fn checked(text: &str) -> Result<Arc<str>, InvalidName> {
    if text.is_empty() {
        Err(InvalidName::Empty)
    } else if text.len() > NAME_BYTES_MAX {
        Err(InvalidName::TooLong)
    } else if text.chars().any(char::is_control) {
        Err(InvalidName::Control)
    } else {
        Ok(text.into())
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
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
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A device as Asterisk names it, case-sensitive: `PJSIP/1001`, `Custom:lamp`, `Queue:sales_avail`.
    Device
}

name! {
    /// A mailbox with its voicemail context, as Asterisk's unique identifier: `100@default`.
    Mailbox
}

impl Device {
    /// Takes a text as a name.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        checked(text).map(Self)
    }
}

impl Mailbox {
    /// Takes `mailbox@context` as a name; the context starts after the first `@`, as Asterisk splits it, and
    /// is `default` where there is none.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        match text.split_once('@') {
            Some((mailbox, context)) if !context.is_empty() => Self::from_parts(mailbox, context),
            Some((mailbox, _)) => Self::from_parts(mailbox, "default"),
            None => Self::from_parts(text, "default"),
        }
    }

    /// Joins a mailbox and its context.
    ///
    /// # Errors
    /// [`InvalidName`] when either part is empty or the result is no name.
    pub fn from_parts(mailbox: &str, context: &str) -> Result<Self, InvalidName> {
        if mailbox.is_empty() || context.is_empty() {
            return Err(InvalidName::Empty);
        }
        checked(&alloc::format!("{mailbox}@{context}")).map(Self)
    }

    /// Mailbox and context.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('@').expect("a mailbox is made of two parts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_printable_and_bounded() {
        assert_eq!(Device::new("PJSIP/1001").unwrap().as_str(), "PJSIP/1001");
        assert_eq!(Device::new(""), Err(InvalidName::Empty));
        assert_eq!(Device::new("a\r\nb"), Err(InvalidName::Control));
        assert_eq!(Device::new(&"x".repeat(256)), Err(InvalidName::TooLong));
    }

    #[test]
    fn a_mailbox_has_a_context() {
        assert_eq!(Mailbox::from_parts("100", "default").unwrap().parts(), ("100", "default"));
        assert_eq!(Mailbox::new("100").unwrap().as_str(), "100@default");
        assert_eq!(Mailbox::new("100@").unwrap().as_str(), "100@default");
        assert_eq!(Mailbox::new("@default"), Err(InvalidName::Empty));
        assert_eq!(Mailbox::from_parts("", "default"), Err(InvalidName::Empty));
    }
}
