//! How rings come apart and form again.

use super::machine::Incoming;
use super::{Bus, BusEffect, BusEvent, Plan};
use presence::{Arrival, Member};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What can be done to machines.
impl Bus {
    /// corosync starts, in a ring of its own; others come into reach when [`Self::settle`] says so.
    pub(crate) fn start(&mut self, nodeid: u32) {
        let ring = self.counted();
        self.rings.insert(ring, BTreeSet::from([nodeid]));
        let machine = self.machine(nodeid);
        assert!(!machine.running, "a machine has one corosync");
        machine.running = true;
        machine.ring = ring;
    }

    /// corosync is killed.
    pub(crate) fn kill(&mut self, now: Duration, nodeid: u32) {
        let pids = self.machine(nodeid).stop();
        for pid in pids {
            self.effects.push_back(BusEffect::Hand(Member { nodeid, pid }, Incoming::Closed));
        }
        self.effects.push_back(BusEffect::Seen { nodeid, left: vec![] });
        self.hold();
        self.settle(now);
    }

    /// corosync is stopped by a signal, or goes on.
    pub(crate) fn freeze(&mut self, now: Duration, nodeid: u32, frozen: bool) {
        self.machine(nodeid).frozen = frozen;
        self.settle(now);
        if !frozen {
            self.arrive(now, nodeid);
            self.effects.push_back(BusEffect::Later(now, BusEvent::Arrive(nodeid)));
            self.ask_for_turn(now, nodeid);
        }
    }

    /// Machines of the same island can reach each other, all others cannot.
    pub(crate) fn divide(&mut self, now: Duration, islands: &BTreeMap<u32, u32>) {
        for (nodeid, island) in islands {
            self.machine(*nodeid).island = *island;
        }
        self.hold();
        self.settle(now);
    }

    /// How often a machine's processes are refused, and their messages swallowed.
    pub(crate) fn disturb(&mut self, nodeid: u32, refusal: f64, swallowing: f64) {
        let machine = self.machine(nodeid);
        machine.refusal = refusal;
        machine.swallowing = swallowing;
    }

    /// Looks which rings have come apart or have to grow, and plans for it.
    pub(crate) fn settle(&mut self, now: Duration) {
        let islands = self.islands();
        self.plans.retain(|island, _| islands.contains_key(island));
        for (island, machines) in islands {
            let rings: BTreeSet<u64> = machines.iter().map(|nodeid| self.machines[nodeid].ring).collect();
            let whole = |ring: &u64| self.rings[ring].is_subset(&machines);
            if rings.len() == 1 && rings.iter().all(|ring| self.rings[ring] == machines) {
                self.plans.remove(&island);
                self.resume(now, &machines);
            } else if self.plans.get(&island).is_none_or(|plan| plan.machines != machines) {
                let delay = if rings.iter().all(whole) { &self.pace.merge } else { &self.pace.token_loss };
                let at = now + self.random.time(delay.clone());
                self.plan(at, island, machines);
            }
        }
    }

    /// The machines that run, by island.
    fn islands(&self) -> BTreeMap<u32, BTreeSet<u32>> {
        let mut islands: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (nodeid, machine) in &self.machines {
            if machine.running && !machine.frozen {
                islands.entry(machine.island).or_default().insert(*nodeid);
            }
        }
        islands
    }

    fn plan(&mut self, at: Duration, island: u32, machines: BTreeSet<u32>) {
        for nodeid in &machines {
            let takes = self.random.chance(0.7);
            let machine = self.machine(*nodeid);
            machine.forming = true;
            machine.takes_while_forming = takes;
        }
        let number = self.counted();
        self.plans.insert(island, Plan { number, machines });
        self.effects.push_back(BusEffect::Later(at, BusEvent::Form { island, plan: number }));
    }

    /// The ring is whole after all.
    fn resume(&mut self, now: Duration, machines: &BTreeSet<u32>) {
        for nodeid in machines {
            let machine = self.machine(*nodeid);
            machine.forming = false;
            for transit in &mut machine.transit {
                transit.held = false;
            }
            self.effects.push_back(BusEffect::Later(now, BusEvent::Arrive(*nodeid)));
            self.ask_for_turn(now, *nodeid);
        }
    }

    /// Some machines have just got out of each other's reach: of what they had put in order last, a part may not have got
    /// through. What one machine of an island has, the others get from it.
    fn hold(&mut self) {
        for machines in self.islands().into_values() {
            let rings: BTreeSet<u64> = machines.iter().map(|nodeid| self.machines[nodeid].ring).collect();
            for ring in rings {
                let mates: Vec<u32> =
                    machines.iter().copied().filter(|nodeid| self.machines[nodeid].ring == ring).collect();
                self.hold_in(&machines, &mates);
            }
        }
    }

    fn hold_in(&mut self, island: &BTreeSet<u32>, mates: &[u32]) {
        let reached = mates.iter().map(|nodeid| self.machines[nodeid].reached).max().unwrap_or(0);
        let mut at_risk = BTreeSet::new();
        let mut safe = BTreeSet::new();
        for transit in mates.iter().flat_map(|nodeid| &self.machines[nodeid].transit) {
            if island.contains(&transit.sender) || transit.place <= reached {
                safe.insert(transit.place);
            } else if !transit.held {
                at_risk.insert(transit.place);
            }
        }
        let at_risk: Vec<u64> = at_risk.into_iter().collect();
        let through = self.random.number(0..at_risk.len() + 1);
        safe.extend(&at_risk[..through]);
        for nodeid in mates {
            for transit in &mut self.machine(*nodeid).transit {
                transit.held = !safe.contains(&transit.place);
            }
        }
    }

    /// The machines of an island form a ring. What had got through of their old rings is heard first, then who is gone, then
    /// who came.
    pub(super) fn form(&mut self, now: Duration, island: u32, number: u64) {
        if self.plans.get(&island).is_none_or(|plan| plan.number != number) {
            return;
        }
        let Some(Plan { machines, .. }) = self.plans.remove(&island) else { return };
        for nodeid in &machines {
            for packet in self.machine(*nodeid).flush() {
                self.take_effect(*nodeid, packet);
            }
        }
        let before: BTreeMap<u32, u64> =
            machines.iter().map(|nodeid| (*nodeid, self.machines[nodeid].ring)).collect();
        let present: Vec<Member> = machines.iter().flat_map(|nodeid| self.residents(*nodeid)).collect();
        let ring = self.counted();
        self.rings.insert(ring, machines.clone());
        // All get through with synchronizing together: what is delivered in the new ring comes after.
        let block = self.random.time(self.pace.block.clone());
        for nodeid in &machines {
            let stayed = |other: &u32| before.get(other) == before.get(nodeid);
            self.announce(*nodeid, &present, stayed);
            let machine = self.machine(*nodeid);
            machine.ring = ring;
            machine.forming = false;
            machine.blocked_until = now + block;
            self.ask_for_turn(now, *nodeid);
        }
        let used: BTreeSet<u64> = self.machines.values().map(|machine| machine.ring).collect();
        self.rings.retain(|ring, _| used.contains(ring));
        self.effects.push_back(BusEffect::Formed(machines.into_iter().collect()));
    }

    /// The members on a machine, as that machine itself sees them.
    fn residents(&self, nodeid: u32) -> Vec<Member> {
        self.machines[&nodeid].group.iter().copied().filter(|member| member.nodeid == nodeid).collect()
    }

    /// Tells the processes of a machine which members a new ring has lost and gained, as corosync does: all that is lost at once, what
    /// is gained one by one.
    fn announce(&mut self, nodeid: u32, present: &[Member], stayed: impl Fn(&u32) -> bool) {
        let machine = self.machine(nodeid);
        let left: Vec<Member> =
            machine.group.iter().copied().filter(|member| !stayed(&member.nodeid)).collect();
        machine.group.retain(|member| stayed(&member.nodeid));
        if !left.is_empty() {
            let heard = machine.configuration(vec![], left.clone());
            self.hand_to_all(nodeid, &heard);
        }
        for member in present.iter().filter(|member| !stayed(&member.nodeid)) {
            let machine = self.machine(nodeid);
            machine.group.insert(*member);
            let heard = machine.configuration(vec![(*member, Arrival::Machine)], vec![]);
            self.hand_to_all(nodeid, &heard);
        }
        self.effects.push_back(BusEffect::Seen { nodeid, left });
    }
}
