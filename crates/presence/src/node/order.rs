//! Whose word about a mailbox is the latest, where servers of several sites speak of it: the one with the highest version, at every node alike.
//!
//! In its own site a word counts by its delivery in the group, and each node gives it a version then, in the same order. Which of these versions is
//! compared with those of other sites must not depend on the node: so the nodes of a site tell each other theirs, and the highest counts.

use super::Node;
use crate::outbox::Word;
use crate::output::Holder;
use crate::{Change, Eid, Mailbox, MessageCounts, Subject};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// A node of the group has links, as we hear just now: what servers of this site say of mailboxes needs versions, too.
    pub(super) fn order_mailboxes(&mut self, now: Duration) {
        let mailboxes: Vec<Mailbox> = self.states.mailboxes().into_iter().cloned().collect();
        for mailbox in mailboxes {
            for (eid, counts) in self.states.of_mailbox(&mailbox).collect::<Vec<_>>() {
                self.tell_links(now, eid, &Change::Mwi { mailbox: mailbox.clone(), counts });
            }
        }
    }

    /// Tells the other nodes of this site the versions of all mailboxes of which several servers speak.
    pub(super) fn share_orders(&mut self) {
        if !self.links.has_links() {
            return;
        }
        let mailboxes: Vec<Mailbox> = self.states.mailboxes().into_iter().cloned().collect();
        mailboxes.iter().for_each(|mailbox| self.share_order(mailbox));
    }

    /// The same of one, if several servers speak of it.
    pub(super) fn share_order(&mut self, mailbox: &Mailbox) {
        if self.states.of_mailbox(mailbox).nth(1).is_some() {
            let subject = Subject::Mailbox(mailbox.clone());
            self.states.of_mailbox(mailbox).for_each(|(eid, _)| self.links.share(eid, &subject));
        }
    }

    /// Words about a mailbox have other versions than before.
    pub(super) fn order_again(&mut self, now: Duration, mailbox: &Mailbox) {
        let before = self.states.shown(&Subject::Mailbox(mailbox.clone()));
        self.order(mailbox, before.clone());
        if let Some((_, Change::Mwi { counts, .. })) = before {
            self.correct_mailbox(now, mailbox, counts);
        }
    }

    /// Puts the words about a mailbox in the order of their versions, and tells our servers what it shows then, if that is something else.
    pub(super) fn order(&mut self, mailbox: &Mailbox, before: Option<(Eid, Change)>) {
        let subject = Subject::Mailbox(mailbox.clone());
        let links = &self.links;
        self.states.order(mailbox, |eid| links.version(eid, &subject));
        let now = self.states.shown(&subject);
        if now != before
            && let Some((latest, shown)) = now
        {
            self.tell_servers(latest, &shown);
        }
    }

    /// The latest word about a mailbox, by version, is to be the last that stock servers hear.
    pub(super) fn correct_mailbox(&mut self, now: Duration, mailbox: &Mailbox, heard: MessageCounts) {
        let Some((latest, counts)) = self.states.latest_of(mailbox).filter(|(_, counts)| *counts != heard)
        else {
            return;
        };
        let change = Change::Mwi { mailbox: mailbox.clone(), counts };
        if matches!(self.holder_here(latest), Some(Holder::Server(_))) {
            let time = self.time(now);
            self.push_to_group(Word::Change { eid: latest, change, time });
        } else if self.links.is_gate(latest) {
            self.say(latest, &change.subject());
        }
    }
}
