//! Closed process groups.
