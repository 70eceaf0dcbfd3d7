//! What a pipe does under each condition, by a seed and without time.

use super::*;

const NOW: Duration = Duration::from_secs(100);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn straight() -> Conditions {
    Conditions::default()
}

/// Packets, one each millisecond, as they come out: when, and which.
fn through(conditions: Conditions, count: u64) -> (Vec<(Duration, u64)>, Vec<Drop>) {
    let (mut pipe, mut dropped) = (Pipe::new(Carries::Datagrams, 7), Vec::new());
    for number in 0..count {
        dropped.extend(pipe.push(NOW + ms(number), &conditions, number, 100).err());
    }
    (drain(&mut pipe), dropped)
}

fn drain(pipe: &mut Pipe<u64>) -> Vec<(Duration, u64)> {
    let mut out = Vec::new();
    while let Some(due) = pipe.poll_timeout() {
        assert_eq!(pipe.pop(due.saturating_sub(Duration::from_nanos(1))), None, "not before its time");
        out.push(pipe.pop(due).unwrap());
    }
    assert_eq!((pipe.bytes, pipe.clear()), (0, 0));
    out
}

#[test]
fn a_straight_way_takes_no_time() {
    let (out, _) = through(straight(), 3);
    assert_eq!(out, [(NOW, 0), (NOW + ms(1), 1), (NOW + ms(2), 2)]);
}

#[test]
fn delay_and_jitter_keep_the_order_and_their_bounds() {
    let conditions = Conditions { delay_ms: 40.0, jitter_ms: 5.0, ..straight() };
    let (out, dropped) = through(conditions, 10_000);
    assert_eq!((out.len(), dropped.len()), (10_000, 0));
    let mut sum = 0.0;
    for (number, (due, which)) in (0..).zip(&out) {
        assert_eq!(*which, number);
        let took = *due - (NOW + ms(number));
        assert!((ms(35)..=ms(45)).contains(&took), "{took:?}");
        sum += took.as_secs_f64();
    }
    // To keep the order a packet waits for those before it, which costs it less than a jitter.
    assert!((0.040..0.045).contains(&(sum / 10_000.0)), "{sum}");
    assert!(out.iter().any(|(due, which)| *due - (NOW + ms(*which)) < ms(40)));
}

#[test]
fn what_is_lost_is_as_much_as_was_wanted() {
    for percent in [0.5, 5.0, 50.0] {
        let (out, dropped) = through(Conditions { loss_percent: percent, ..straight() }, 100_000 / 2);
        let share = dropped.len() as f64 / 50_000.0 * 100.0;
        assert!((share / percent - 1.0).abs() < 0.15, "{share} of {percent}");
        assert!(dropped.iter().all(|reason| *reason == Drop::Loss) && out.len() + dropped.len() == 50_000);
    }
    assert!(through(Conditions { loss_percent: 100.0, ..straight() }, 100).0.is_empty());
}

#[test]
fn a_packet_that_is_held_back_is_overtaken_by_others_and_not_lost() {
    let conditions = Conditions { delay_ms: 40.0, reorder_percent: 10.0, ..straight() };
    let (out, _) = through(conditions, 1_000);
    let overtaken = out.windows(2).filter(|two| two[0].1 > two[1].1).count();
    assert!((40..120).contains(&overtaken), "{overtaken}");
    let mut which: Vec<_> = out.iter().map(|(_, which)| *which).collect();
    which.sort_unstable();
    assert_eq!(which, (0..1_000).collect::<Vec<_>>());
    assert!(out.iter().all(|(due, which)| *due - (NOW + ms(*which)) <= ms(80)));
}

#[test]
fn a_packet_may_arrive_twice() {
    let (out, _) = through(Conditions { duplicate_percent: 10.0, ..straight() }, 10_000);
    assert!((10_900..11_100).contains(&out.len()), "{}", out.len());
}

#[test]
fn the_same_seed_meets_the_same_chances() {
    let conditions = Conditions { delay_ms: 9.0, jitter_ms: 9.0, loss_percent: 9.0, ..straight() };
    assert_eq!(through(conditions, 1_000), through(conditions, 1_000));
}

#[test]
fn a_slow_line_carries_its_bandwidth_and_drops_the_rest() {
    // 100 bytes each millisecond are 800 kbit/s.
    let (out, dropped) = through(Conditions { bandwidth_kbit: 400.0, ..straight() }, 20_000);
    let first_drop = LINE_BYTES_MAX / 50;
    assert!(dropped.iter().all(|reason| *reason == Drop::Bandwidth));
    assert!(
        (0..200).contains(&(20_000 - dropped.len()).abs_diff(10_000 + first_drop / 2)),
        "{}",
        dropped.len()
    );
    let seconds = (out.last().unwrap().0 - NOW).as_secs_f64();
    let kbit = out.len() as f64 * 0.8 / seconds;
    assert!((395.0..410.0).contains(&kbit), "{kbit}");
    assert!(through(Conditions { bandwidth_kbit: 801.0, ..straight() }, 20_000).1.is_empty());
}

#[test]
fn a_line_that_became_faster_does_not_wait_for_what_it_was() {
    let mut pipe = Pipe::new(Carries::Datagrams, 7);
    let slow = Conditions { bandwidth_kbit: 8.0, ..straight() };
    (0..100).for_each(|number| pipe.push(NOW, &slow, number, 1_000).unwrap());
    assert!(pipe.push(NOW, &Conditions { bandwidth_kbit: 8_000.0, ..straight() }, 100, 1_000).is_ok());
    let out = drain(&mut pipe);
    let (due, _) = out.iter().find(|(_, which)| *which == 100).unwrap();
    assert!((ms(90)..ms(110)).contains(&(*due - NOW)), "{:?}", *due - NOW);
}

#[test]
fn what_goes_in_after_the_delay_was_lowered_overtakes() {
    let mut pipe = Pipe::new(Carries::Datagrams, 7);
    pipe.push(NOW, &Conditions { delay_ms: 10_000.0, ..straight() }, 0, 100).unwrap();
    pipe.push(NOW + ms(1), &Conditions { delay_ms: 1.0, ..straight() }, 1, 100).unwrap();
    assert_eq!(drain(&mut pipe), [(NOW + ms(2), 1), (NOW + ms(10_000), 0)]);
}

#[test]
fn a_cut_way_takes_nothing_and_loses_what_is_under_way() {
    let mut pipe = Pipe::new(Carries::Datagrams, 7);
    pipe.push(NOW, &Conditions { delay_ms: 40.0, ..straight() }, 0, 100).unwrap();
    assert_eq!(pipe.push(NOW, &Conditions { cut: true, ..straight() }, 1, 100), Err(Drop::Cut));
    assert_eq!((pipe.clear(), pipe.poll_timeout()), (1, None));
}

#[test]
fn there_is_no_more_under_way_than_there_is_room_for() {
    let far = Conditions { delay_ms: 10_000.0, ..straight() };
    let (out, dropped) = {
        let (mut pipe, mut dropped) = (Pipe::new(Carries::Datagrams, 7), Vec::new());
        for number in 0..PACKETS_MAX as u64 + 10 {
            dropped.extend(pipe.push(NOW, &far, number, 10).err());
        }
        (pipe.clear(), dropped)
    };
    assert_eq!((out, dropped), (PACKETS_MAX, vec![Drop::Full; 10]));
    let mut pipe = Pipe::new(Carries::Datagrams, 7);
    let taken = (0..10_000).filter(|number| pipe.push(NOW, &far, *number, 10_000).is_ok()).count();
    assert_eq!(taken, DATAGRAM_BYTES_MAX / 10_000);
}

#[test]
fn of_a_stream_nothing_is_missing_doubled_or_out_of_order_and_loss_costs_time() {
    let bad = Conditions {
        delay_ms: 40.0,
        jitter_ms: 30.0,
        loss_percent: 5.0,
        reorder_percent: 50.0,
        duplicate_percent: 50.0,
        ..straight()
    };
    let mut pipe = Pipe::new(Carries::Stream, 7);
    (0..1_000).for_each(|number| pipe.push(NOW + ms(number), &bad, number, 100).unwrap());
    let out = drain(&mut pipe);
    assert_eq!(out.iter().map(|(_, which)| *which).collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    let took = |(due, which): &(Duration, u64)| *due - (NOW + ms(*which));
    assert!(out.iter().any(|it| took(it) > ms(200)) && out.iter().any(|it| took(it) < ms(70)));
    assert!(out.iter().all(|it| took(it) <= ms(270)));
    let slow = Conditions { bandwidth_kbit: 8.0, ..straight() };
    (0..5).for_each(|number| pipe.push(NOW + ms(5_000), &slow, number, LINE_BYTES_MAX).unwrap());
    assert!(!pipe.has_room(), "who reads stops");
}
