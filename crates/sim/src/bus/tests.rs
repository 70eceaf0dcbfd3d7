//! The bus keeps the promises that corosync makes, and breaks those that it does not make.

use super::*;
use crate::schedule::Schedule;
use presence::Arrival;

const A: Member = Member { nodeid: 1, pid: 10 };
const B: Member = Member { nodeid: 2, pid: 10 };
const C: Member = Member { nodeid: 3, pid: 10 };

/// A bus with a process on each machine, run by hand.
struct Site {
    bus: Bus,
    schedule: Schedule<BusEvent>,
    now: Duration,
    heard: BTreeMap<Member, Vec<Incoming>>,
}

impl Site {
    fn new(seed: u64) -> Self {
        let millis = |from, to| Duration::from_millis(from)..Duration::from_millis(to);
        let pace = Pace {
            rotation: millis(0, 2),
            travel: millis(0, 3),
            token_loss: millis(1000, 1100),
            merge: millis(50, 100),
            block: millis(5, 20),
        };
        let bus = Bus::new(pace, Random::new(seed), 1..4);
        let mut site = Self { bus, schedule: Schedule::new(), now: Duration::ZERO, heard: BTreeMap::new() };
        for member in [A, B, C] {
            site.bus.start(member.nodeid);
        }
        site.bus.settle(Duration::ZERO);
        site.run(1000);
        for member in [A, B, C] {
            assert!(site.bus.join(site.now, member));
            site.run(100);
        }
        site.heard.clear();
        site
    }

    fn run(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        self.schedule.push(until, BusEvent::Form { island: u32::MAX, plan: 0 });
        loop {
            while let Some(effect) = self.bus.poll_effect() {
                match effect {
                    BusEffect::Later(at, event) => self.schedule.push(at, event),
                    BusEffect::Hand(member, incoming) => self.heard.entry(member).or_default().push(incoming),
                    BusEffect::Seen { .. } | BusEffect::Formed(_) => {}
                }
            }
            let (at, event) = self.schedule.pop().expect("the end is planned");
            self.now = at;
            match event {
                BusEvent::Form { island: u32::MAX, .. } => return,
                event => self.bus.handle(at, event),
            }
        }
    }

    fn say(&mut self, from: Member, text: &str) -> Taken {
        self.bus.multicast(self.now, from, text.as_bytes())
    }

    fn said(&self, member: Member) -> Vec<String> {
        let text = |incoming: &Incoming| match incoming {
            Incoming::Delivered { payload, .. } => Some(String::from_utf8_lossy(payload).into_owned()),
            Incoming::Configuration { .. } | Incoming::Closed => None,
        };
        self.heard.get(&member).into_iter().flatten().filter_map(text).collect()
    }

    /// Who came, with `+`, and who went, with `-`, as a member hears it.
    fn changes(&self, member: Member) -> Vec<String> {
        let mut changes = Vec::new();
        for incoming in self.heard.get(&member).into_iter().flatten() {
            if let Incoming::Configuration { joined, left, .. } = incoming {
                changes.extend(left.iter().map(|left| format!("-{left}")));
                changes.extend(joined.iter().map(|(joined, arrival)| match arrival {
                    Arrival::Process => format!("+{joined}"),
                    Arrival::Machine => format!("~{joined}"),
                }));
            }
        }
        changes
    }

    fn cut(&mut self, alone: u32) {
        let islands = (1..4).map(|nodeid| (nodeid, u32::from(nodeid == alone))).collect();
        self.bus.divide(self.now, &islands);
    }

    fn heal(&mut self) {
        self.bus.divide(self.now, &(1..4).map(|nodeid| (nodeid, 0)).collect());
    }
}

#[test]
fn everybody_hears_the_same_in_the_same_order() {
    for seed in 0..20 {
        let mut site = Site::new(seed);
        for number in 0..30 {
            let from = [A, B, C][number % 3];
            assert_eq!(site.say(from, &format!("{number} of {from}")), Taken::Yes);
        }
        site.run(500);
        assert_eq!(site.said(A).len(), 30);
        assert_eq!(site.said(A), site.said(B));
        assert_eq!(site.said(A), site.said(C));
        for from in [A, B, C] {
            let own: Vec<_> =
                site.said(A).into_iter().filter(|text| text.ends_with(&from.to_string())).collect();
            let number = |text: &String| text.split(' ').next().unwrap().parse::<u32>().unwrap();
            assert!(own.is_sorted_by_key(number), "{own:?}");
        }
    }
}

#[test]
fn a_killed_corosync_is_noticed_when_the_token_is_lost() {
    let mut site = Site::new(1);
    site.bus.kill(site.now, 3);
    site.run(900);
    assert_eq!(site.changes(A), [] as [&str; 0]);
    site.run(300);
    assert_eq!(site.changes(A), ["-3/10"]);
    assert_eq!(site.heard[&C], [Incoming::Closed]);
    assert_eq!(site.say(C, "x"), Taken::Closed);
}

#[test]
fn a_corosync_that_restarts_before_it_is_missed_has_left_all_the_same() {
    let mut site = Site::new(1);
    site.bus.kill(site.now, 3);
    site.run(100);
    site.bus.start(3);
    site.bus.settle(site.now);
    site.bus.join(site.now, C);
    site.run(3000);
    assert_eq!(site.changes(A), ["-3/10", "+3/10"]);
    assert_eq!(site.changes(C), ["+3/10"]);
}

#[test]
fn a_stop_that_is_shorter_than_the_token_timeout_changes_nothing_and_loses_nothing() {
    let mut site = Site::new(1);
    site.bus.freeze(site.now, 3, true);
    site.say(A, "while stopped");
    site.run(500);
    assert_eq!(site.said(B), [] as [&str; 0], "nothing is ordered without the token");
    site.bus.freeze(site.now, 3, false);
    site.run(500);
    assert_eq!(site.changes(B), [] as [&str; 0]);
    for member in [A, B, C] {
        assert_eq!(site.said(member), ["while stopped"]);
    }
}

#[test]
fn a_machine_that_stood_still_loses_all_others_and_finds_them_again() {
    let mut site = Site::new(1);
    site.bus.freeze(site.now, 3, true);
    site.run(2000);
    assert_eq!(site.changes(A), ["-3/10"]);
    site.bus.freeze(site.now, 3, false);
    site.run(500);
    assert_eq!(site.changes(A), ["-3/10", "~3/10"]);
    assert_eq!(site.changes(C), ["-1/10", "-2/10", "~1/10", "~2/10"]);
}

#[test]
fn what_was_taken_while_the_ring_was_apart_travels_in_the_new_one() {
    for seed in 0..20 {
        let mut site = Site::new(seed);
        site.cut(3);
        site.run(100);
        let taken = site.say(A, "late");
        site.run(2000);
        site.heal();
        site.run(2000);
        assert_eq!(site.changes(A), ["-3/10", "~3/10"]);
        assert_eq!(site.said(B), site.said(A));
        assert_eq!(site.said(A).len(), usize::from(taken == Taken::Yes));
        assert_eq!(site.said(C), [] as [&str; 0], "it was ordered in a ring without the third");
    }
}

#[test]
fn nobody_may_send_directly_after_a_merge() {
    let mut site = Site::new(1);
    site.cut(3);
    site.run(2000);
    site.heal();
    loop {
        site.run(1);
        if !site.changes(A).is_empty() && site.changes(A).len() == 2 {
            break;
        }
    }
    assert_eq!(site.say(A, "too early"), Taken::TryAgain);
    site.run(50);
    assert_eq!(site.say(A, "now"), Taken::Yes);
}

#[test]
fn the_machines_of_one_side_agree_on_what_got_through_from_the_other() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let mut site = Site::new(seed);
        for number in 0..5 {
            site.say(C, &number.to_string());
        }
        site.run(seed % 6);
        site.cut(3);
        site.run(3000);
        assert_eq!(site.said(A), site.said(B));
        assert_eq!(site.said(C).len(), 5, "the sender's own side has all");
        assert!(
            ["0", "1", "2", "3", "4"]
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
                .starts_with(&site.said(A))
        );
        outcomes.insert(site.said(A).len());
    }
    assert!(outcomes.len() > 2, "it varies: {outcomes:?}");
}
