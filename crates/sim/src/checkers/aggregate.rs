//! Right aggregate: what the core makes of the states in its table is what an Asterisk makes of them.

use crate::asterisk::join;
use crate::report::Checker;
use crate::world::World;

pub(super) fn judge(world: &mut World<'_>) {
    let mut wrong = None;
    for shell in &world.nodes {
        let Some(core) = &shell.core else { continue };
        for device in core.states().devices() {
            let ours = core.states().aggregate_of(device);
            let theirs = join(core.states().of_device(device).map(|(_, state)| state));
            if ours != Some(theirs) {
                wrong = Some(format!("{} makes {ours:?} of {device}, and an Asterisk {theirs}", shell.name));
            }
        }
    }
    if let Some(text) = wrong {
        world.fail(Checker::Aggregate, text);
    }
}
