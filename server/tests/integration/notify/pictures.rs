//! The image of a message, on real sockets.

use resvg::tiny_skia::Pixmap;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    common::{Server, client, eventually},
    notify::{
        file,
        mail_server::MailServer,
        quick,
        receiver::{Answer, Got, Receiver},
        serve,
    },
};

/// A rule that fires immediately and that no dashboard shows.
const RULES: &str = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {alert: Always, expr: 'vector(7) > 5', labels: {severity: critical}}\n";

/// A server with receivers, the firing rule, and further arguments.
async fn fire(receivers: &str, args: &[&str]) -> (Server, TempDir) {
    let (directory, config) = file(&quick(receivers));
    let rules = directory.path().join("rules.yml");
    std::fs::write(&rules, RULES).unwrap();
    let server = serve(&config, &[&["--rules", rules.to_str().unwrap()], args].concat()).await;
    (server, directory)
}

/// Whether a PNG is a chart of the rule: it has the right size and the line of its threshold.
fn is_chart(png: &[u8]) -> bool {
    let pixmap = Pixmap::decode_png(png).unwrap();
    // The area of the series covers the line.
    let red =
        pixmap.pixels().iter().filter(|pixel| pixel.red() > 150 && pixel.green() < 80 && pixel.blue() < 80).count();
    pixmap.width() == 1_440 && red > 200
}

/// The parts of a form, without their headers.
fn parts(got: &Got) -> Vec<Vec<u8>> {
    let boundary = got.headers["content-type"].split_once("boundary=").expect("a form").1;
    let mark = format!("--{boundary}");
    let mut starts: Vec<usize> = got
        .bytes
        .windows(mark.len())
        .enumerate()
        .filter(|(_, part)| *part == mark.as_bytes())
        .map(|(at, _)| at)
        .collect();
    let last = starts.pop().unwrap();
    let ends = starts.iter().skip(1).copied().chain([last]).collect::<Vec<_>>();
    let part = |(start, end): (&usize, usize)| {
        let part = &got.bytes[*start..end];
        let content = part.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        part[content..part.len() - 2].to_vec()
    };
    starts.iter().zip(ends).map(part).collect()
}

#[tokio::test]
async fn mail_and_discord_get_the_chart_and_slack_a_link_to_it() {
    let (slack, discord) = (Receiver::start().await, Receiver::start().await);
    let mail = MailServer::start(None).await;
    let receivers = format!(
        "  slack_configs: [{{api_url: '{}/slack', channel: '#ops'}}]
  discord_configs: [{{webhook_url: '{}/discord'}}]
  email_configs: [{{to: team@example.org, from: hs@example.org, smarthost: '{}', require_tls: false}}]",
        slack.url, discord.url, mail.address
    );
    let links = ["--public-url", "https://scope.example.org", "--notify-picture-links", "1h"];
    let (server, _directory) = fire(&receivers, &links).await;

    let form = discord.got_count(1).await.remove(0);
    let parts = parts(&form);
    let body: Value = serde_json::from_slice(&parts[0]).unwrap();
    assert_eq!(body["embeds"][0]["image"]["url"], "attachment://alert.png");
    assert!(body["embeds"][0]["title"].as_str().unwrap().contains("Always"), "{body}");
    assert!(is_chart(&parts[1]));

    let letter = eventually("a mail", async || mail.letters().first().cloned()).await.data;
    for part in
        ["multipart/alternative", "multipart/related", "text/plain", "src=\"cid:picture.", "Content-Type: image/png"]
    {
        let unfolded = letter.replace("=\r\n", "").replace("=3D", "=");
        assert!(unfolded.contains(part), "{part} in {letter}");
    }

    let body = slack.got_count(1).await[0].json();
    let link = body["attachments"][0]["image_url"].as_str().expect("a link").to_owned();
    let path = link.strip_prefix("https://scope.example.org").expect("under the public address");
    let ask = async |path: &str| client().get(server.url(path)).send().await.unwrap();
    let picture = ask(path).await;
    assert_eq!(picture.status(), 200, "needs no login");
    assert_eq!(picture.headers()["cache-control"], "private, max-age=600", "for no cache that others share");
    assert!(is_chart(&picture.bytes().await.unwrap()));
    let until: i64 = path.split("until=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
    for wrong in [
        path.replace(&until.to_string(), &(until + 1).to_string()),
        path.replace(".png", "x.png"),
        path.split("&signature").next().unwrap().to_owned(),
        "/render/alert/x.png".to_owned(),
    ] {
        assert_eq!(ask(&wrong).await.status(), 404, "{wrong}");
    }
    assert_eq!(ask("/render/d/hypersdk-overview.png").await.status(), 401, "and nothing else is open");

    let withdraw = || client().delete(server.url("/api/picture-links"));
    assert_eq!(withdraw().send().await.unwrap().status(), 401);
    assert_eq!(ask(path).await.status(), 200);
    assert_eq!(withdraw().bearer_auth(crate::common::TOKEN).send().await.unwrap().status(), 204);
    assert_eq!(ask(path).await.status(), 404, "withdrawn");
}

#[tokio::test]
async fn a_message_does_not_wait_for_a_picture_nor_is_lost_with_it() {
    let slow = Receiver::start().await;
    let receivers = format!("  discord_configs: [{{webhook_url: '{}/discord'}}]", slow.url);
    let (_server, _directory) = fire(&receivers, &["--notify-picture-time", "1ms"]).await;
    let got = slow.got_count(1).await.remove(0);
    assert!(got.json()["embeds"][0]["image"].is_null(), "{}", got.body);

    let off = Receiver::start().await;
    let slack = Receiver::start().await;
    let receivers = format!(
        "  discord_configs: [{{webhook_url: '{}/discord'}}]\n  slack_configs: [{{api_url: '{}/slack', channel: '#ops'}}]",
        off.url, slack.url
    );
    let (_server, _directory) = fire(&receivers, &["--notify-pictures=false"]).await;
    assert!(off.got_count(1).await[0].json()["embeds"][0]["image"].is_null());
    assert!(slack.got_count(1).await[0].json()["attachments"][0]["image_url"].is_null(), "no link unless asked for");

    // A receiver that accepts no files gets the message nevertheless.
    let picky = Receiver::scripted(&[Answer::Status(413)]).await;
    let receivers = format!("  discord_configs: [{{webhook_url: '{}/discord'}}]", picky.url);
    let (_server, _directory) = fire(&receivers, &[]).await;
    let got = picky.got_count(2).await;
    assert!(got[0].headers["content-type"].starts_with("multipart/form-data"));
    assert_eq!(got[1].headers["content-type"], "application/json");
    assert!(got[1].json()["embeds"][0]["title"].as_str().unwrap().contains("Always"));
}
