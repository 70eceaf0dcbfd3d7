//! Sites agree, and what that costs grows no faster than what has to be copied.

use sim::{Graph, Scale, Size};

#[test]
fn sites_in_every_graph_come_to_know_the_same() {
    for graph in Graph::ALL {
        let mut scale = Scale::new(Size { graph, sites: 3, servers: 2, devices: 50 });
        assert!(scale.disagreement().is_some(), "there are no links yet");
        let copied = scale.link();
        assert_eq!(scale.disagreement(), None, "{graph:?}");
        assert!(copied.state_bytes > 0 && copied.bytes > copied.state_bytes);
        let changed = scale.change(30);
        assert_eq!(scale.disagreement(), None, "{graph:?}");
        assert!(changed.bytes > 0 && changed.bytes < copied.bytes);
        scale.blink();
        assert_eq!(scale.disagreement(), None, "{graph:?}");
    }
}
