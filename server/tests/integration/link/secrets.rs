//! No secret of a daemon passes the connection.

use daemon_sim::{Dialect, SimOptions, VCENTER_PASSWORD};
use model::upstream::UpstreamState;

use crate::link::world::{World, admin, manual_job, quick, sim, url, with_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_leaves_holds_the_password_or_the_key() {
    const KEY: &str = "the-daemons-own-key";
    for dialect in [Dialect::Stock, Dialect::Custom, Dialect::Documented] {
        let simulator = sim(SimOptions {
            dialect,
            jobs_per_minute: 120.0,
            api_key: (dialect != Dialect::Stock).then(|| KEY.to_owned()),
            ..SimOptions::default()
        })
        .await;
        let mut world = World::start(vec![with_key("sim", &url(&simulator), KEY)], Vec::new(), quick());
        world.state(UpstreamState::Live).await;
        world.until("jobs", |world| (!world.upstreams.jobs().is_empty()).then_some(())).await;
        // A daemon that puts secrets into its error texts.
        let id = manual_job(&simulator).await;
        let error = format!("login%20failed:%20password={VCENTER_PASSWORD}%20key%20{KEY}%20token=abcdef%20(x)");
        admin(&simulator, &format!("/sim/jobs/{id}/fail?error={error}"), "").await;
        let failed = world.transition(&id, model::job::JobStatus::Failed).await;
        let text = failed.job.error.clone().unwrap();
        assert!(text.contains("login failed") && !text.contains("abcdef"), "{text}");
        world.sample("up", &[], |value| value == 1.0).await;
        let detail = world.upstreams.job_detail("sim", &id).await.unwrap();
        while let Ok(event) = world.events.try_recv() {
            world.seen.push(event);
        }
        let everything = format!(
            "{}{}{}{}{}{:?}",
            serde_json::to_string(&world.seen).unwrap(),
            serde_json::to_string(&world.upstreams.jobs()).unwrap(),
            serde_json::to_string(&world.upstreams.statuses()).unwrap(),
            serde_json::to_string(&world.upstreams.system()).unwrap(),
            serde_json::to_string(&detail).unwrap(),
            world.memory.points.lock().unwrap(),
        );
        for secret in [VCENTER_PASSWORD, KEY] {
            assert!(!everything.contains(secret), "{dialect:?}: {secret} got out");
        }
        world.end().await;
        simulator.shutdown().await;
    }
}
