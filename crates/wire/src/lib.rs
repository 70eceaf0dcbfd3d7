//! Bytes of Asterisk cluster events.
#![no_std]
