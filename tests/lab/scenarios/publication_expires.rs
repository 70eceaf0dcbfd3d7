//! A server answers, but does not renew what it published: it stands for it no more.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::stage::{REPAIRED, SOON, Stage};

const SERVER: &str = "east-pbx3";
/// The shortest life of a publication that a node grants, the time that it adds because Asterisk renews too late, and some more.
const EXPIRED: Duration = Duration::from_secs(60 + 64 + 20);

pub(super) async fn run(mut stage: Stage) -> Result<()> {
    let own = stage.new_lamp().await?;
    let docker = stage.lab.docker();
    docker
        .exec(SERVER, &["sed", "-i", "s/^expiration = .*/expiration = 60/", "/etc/asterisk/pjsip_role.conf"])
        .await?;
    docker.exec(SERVER, &["asterisk", "-rx", "module reload res_pjsip_outbound_publish.so"]).await?;
    stage.pbx("pbx3")?.set(&own.device, "INUSE").await?;
    own.lit(&stage.all(), SOON).await?;

    let told =
        docker.exec(SERVER, &["asterisk", "-rx", "module unload res_pjsip_publish_asterisk.so"]).await?;
    ensure!(told.starts_with("Unloaded"), "{told}");
    own.out(&stage.others("pbx3"), EXPIRED).await?;

    // Loaded again, the module would not find the publications of the configuration.
    docker.stop(&[SERVER]).await?;
    stage.start_server("pbx3").await?;
    stage.add_hints("pbx3", &[&own]).await?;
    own.lit(&stage.all(), REPAIRED).await
}
