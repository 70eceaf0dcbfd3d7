//! SIP PUBLISH with Asterisk.
