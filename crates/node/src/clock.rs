//! This machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970; a clock before that is wrong anyway.
pub(crate) fn now_us() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX)
}
