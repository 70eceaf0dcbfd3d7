//! The lab, seen from outside.
