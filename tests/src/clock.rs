//! Times as docker and the programs' logs write them.

use std::time::Duration;

/// The time since 1970 of a UTC time such as `2026-12-01T08:30:00.5Z`.
pub(crate) fn unix_time(text: &str) -> Option<Duration> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, separator| -> Option<Vec<u64>> {
        text.split(separator).map(|part| part.parse().ok()).collect()
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), time.as_slice()) else {
        return None;
    };
    // Years begin in March here, so that the leap day is the last one.
    let (year, month) = if *month > 2 { (*year, *month - 3) } else { (year.checked_sub(1)?, *month + 9) };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day.checked_sub(1)?;
    let days = days.checked_sub(719_468)?;
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(Duration::new(((days * 24 + hour) * 60 + minute) * 60 + second, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_and_without_a_fraction() {
        assert_eq!(unix_time("1970-01-01T00:00:00Z"), Some(Duration::ZERO));
        assert_eq!(
            unix_time("2024-02-29T23:59:59.123456789Z"),
            Some(Duration::new(1_709_251_199, 123_456_789))
        );
        assert_eq!(unix_time("1970-01-01T00:00:01.5Z"), Some(Duration::from_millis(1500)));
        assert_eq!(unix_time("0001-01-01T00:00:00Z"), None);
        assert_eq!(unix_time("yesterday"), None);
    }
}
