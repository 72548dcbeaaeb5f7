//! How sockets end: with their session, and with the server.

use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::{
    common::{Live, TOKEN, eventually, token},
    live::Rig,
};

#[tokio::test]
async fn a_revoked_token_closes_its_sockets_and_no_others() {
    let rig = Rig::start().await;
    let data_dir = rig.server.data_dir.path();
    let secret = token(data_dir, &["create", "--name", "wall", "--role", "viewer"]).await;
    let live = eventually("the server knows the token", async || {
        Live::try_open(&rig.server, "/ws?topics=jobs", None, &secret).await.ok()
    })
    .await;
    assert_eq!(live.hello["role"], "viewer");
    let mut other = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    let list = token_lines(data_dir).await;
    let id = list.lines().find(|line| line.contains(" wall ")).unwrap().split(' ').next().unwrap().to_owned();
    token(data_dir, &["revoke", &id]).await;
    let frame = live.closed().await;
    assert_eq!(frame.code, CloseCode::from(4401));
    assert!(!frame.reason.contains(&secret));
    let refused = Live::try_open(&rig.server, "/ws", None, &secret).await;
    assert_eq!(refused.err().map(|status| status.as_u16()), Some(401));

    other.expect(1, "snapshot").await;
    let job = rig.simulator.submit("still watched").await;
    other.job_event("job.status", &job).await;
}

async fn token_lines(data_dir: &std::path::Path) -> String {
    let args = ["token", "list", "--data-dir", data_dir.to_str().unwrap()];
    let mut program = crate::common::Program::start(crate::common::HYPERSCOPE, &args, &[]);
    assert!(program.ended().await.success());
    program.stdout()
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    live.expect(1, "snapshot").await;
    let (closed, (status, program)) = tokio::join!(live.closed(), rig.server.stop());
    assert_eq!(closed.code, CloseCode::Away);
    assert!(status.success(), "{status}");
    assert!(!program.stderr().contains(TOKEN));
}
