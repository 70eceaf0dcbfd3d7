//! Bounded queues: no path has more waiting than there are subjects to speak of.

use crate::report::Checker;
use crate::world::World;
use presence::ServerId;

/// What waits besides states: introductions, digests, requests.
const BESIDES: usize = 16;
/// What may be on its way to the group, the same subject perhaps several times.
const WINDOW: usize = 128;

pub(super) fn judge(world: &mut World<'_>) {
    let subjects: usize = world.servers.iter().map(|server| server.topics.len()).sum();
    let most = subjects + BESIDES;
    let mut wrong = None;
    for shell in &world.nodes {
        let Some(core) = &shell.core else { continue };
        let servers = (0..shell.links.len()).map(|slot| (core.server_queue(ServerId(slot)), 1));
        for (queue, window) in servers.chain([(core.group_queue(), WINDOW)]) {
            if queue > most + window {
                wrong = Some(format!("{} has {queue} words waiting, of {subjects} subjects", shell.name));
            }
        }
    }
    if let Some(text) = wrong {
        world.fail(Checker::Bounds, text);
    }
}
