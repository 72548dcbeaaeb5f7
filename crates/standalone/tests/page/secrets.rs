//! Passwords of vCenters, which daemons send in clear, reach nothing that the page gets.

use hypervisord::detect::Dialect;
use model::live::Topic;
use standalone::{Answered, PageRequest};

use crate::rig::{Rig, metrics, now, query};

const PASSWORD: &str = "VMware1!-of-a-vcenter";

#[test]
fn a_password_is_in_no_message_and_no_answer() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    rig.subscribe(1, Topic::Jobs, 1.0);
    rig.subscribe(2, query("hypersdk_jobs_active"), 1.0);
    let job = format!(
        r#"{{"definition":{{"id":"a","name":"job a","vm_path":"/dc/vm/a","vcenter":{{"server":"vc","username":"u","password":"{PASSWORD}"}}}},
        "status":"failed","error":"export failed: login with {PASSWORD} was refused"}}"#
    );
    rig.say(2.0, &format!(r#"{{"type":"jobs","data":{{"jobs":[{job}]}}}}"#));
    let failed = format!(
        r#"{{"id":"a","name":"job a","status":"failed","created_at":"2026-11-20T08:59:00Z","end_time":"2026-11-20T08:59:30Z",
        "error_msg":"export failed: login with {PASSWORD} was refused"}}"#
    );
    rig.say(2.5, &metrics(&[failed], 7));
    rig.say(2.6, &format!(r#"{{"type":"metrics","data":{{"raw":{{"recent_jobs":"{PASSWORD}"}}}}}}"#));
    rig.pass(3, 20);
    rig.subscribe(3, Topic::Jobs, 20.0);
    let sent = serde_json::to_string(&rig.messages()).unwrap();
    assert!(sent.contains("job a") && sent.contains("export failed"), "{sent}");
    assert!(!sent.contains(PASSWORD), "{sent}");
    assert!(!rig.page.notices().concat().contains(PASSWORD));
    let request = PageRequest { is_post: false, path: "/api/jobs/hypervisord/a".to_owned() };
    let Answered::Log { job, .. } = rig.page.answer(&request, now(21.0)) else { panic!("there is a log of it") };
    let detail = rig.page.job_reply(*job, None).body;
    assert!(detail.contains("export failed") && !detail.contains(PASSWORD), "{detail}");
}
