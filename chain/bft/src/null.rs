//! The network of a node that is alone: it says that it listens, so that the engine starts, and swallows the rest.

use arc_malachitebft_app_channel::NetworkMsg;
use arc_malachitebft_app_channel::app::engine::network::{Msg, NetworkEvent, NetworkRef};
use arc_malachitebft_app_channel::app::net::Multiaddr;
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::sync::mpsc;

use crate::types::Chain;

struct Nobody;

/// Spawns it. The channel takes what the application publishes.
pub(crate) async fn spawn() -> Result<(NetworkRef<Chain>, mpsc::Sender<NetworkMsg<Chain>>), SpawnErr> {
    let (network, _) = Actor::spawn(None, Nobody, ()).await?;
    let (sender, mut published) = mpsc::channel(1);
    tokio::spawn(async move { while published.recv().await.is_some() {} });
    Ok((network, sender))
}

#[async_trait]
impl Actor for Nobody {
    type Msg = Msg<Chain>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::Subscribe(subscriber) => subscriber.send(NetworkEvent::Listening(Multiaddr::empty())),
            Msg::DumpState(reply) => {
                // Who asked may be gone.
                let _ = reply.send(None);
            }
            _ => {}
        }
        Ok(())
    }
}
