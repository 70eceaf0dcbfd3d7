//! What the node does for stock servers in the group, which forget, lose and never repeat.

use super::Node;
use crate::outbox::Word;
use crate::output::{Note, Output};
use crate::{Arrival, Eid, Member};
use core::time::Duration;

impl Node {
    /// Does what is due, if it falls to this node.
    pub(super) fn heal(&mut self, now: Duration) {
        if self.group.membership.others().is_empty() {
            return;
        }
        let rank = self.group.membership.rank();
        let due = self.healing.take_due(now, rank);
        if !due.is_empty() {
            self.note(Note::TakenBack { states: due.len() });
        }
        for (eid, change) in due {
            self.say_withdrawal(now, eid, change);
        }
        let stock = self.group.membership.stock().next().is_some();
        if stock && self.healing.take_touch(now, rank) {
            self.note(Note::Touched);
            self.outputs.push_back(Output::Touch);
        }
    }

    /// A member that speaks for these servers may be back: nothing is taken back that it may still stand for.
    pub(super) fn spare(&mut self, now: Duration, eid: Eid) {
        for change in self.group.outbox.take_withdrawals(eid) {
            self.healing.owe(now, eid, change, true);
        }
        self.healing.wait_for(now, eid);
    }

    /// Members have come: stock ones may have lost words of each other, or may say all again now.
    pub(super) fn judge_arrivals(&mut self, now: Duration, joined: &[(Member, Arrival)]) {
        if joined.iter().any(|(_, arrival)| *arrival == Arrival::Machine) {
            self.group.find(now);
            self.healing.want_touch(now);
            self.healing.owe_found(now);
        }
        if joined.iter().any(|(_, arrival)| *arrival == Arrival::Process) {
            self.healing.touched(now);
        }
    }

    /// A member has gone. Stock servers know members by their machine alone: they have dropped the states of a server that is
    /// still there if something else on its machine has gone.
    pub(super) fn judge_departure(&mut self, now: Duration, member: Member) {
        if self.group.membership.me().is_some_and(|me| me.nodeid == member.nodeid) {
            // They have dropped nothing, but know us no longer.
            self.push_to_group(Word::Discovery);
        } else if self.group.membership.stock().any(|other| other.nodeid == member.nodeid) {
            self.healing.want_touch(now);
        }
    }
}
