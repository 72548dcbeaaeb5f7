use super::*;

/// Texts, and their expected redaction.
#[track_caller]
fn redacted(redactor: &Redactor, table: &[(&str, &str)]) {
    for (text, clean) in table {
        assert_eq!(redactor.text(text), *clean, "{text}");
    }
}

#[test]
fn values_of_secret_keys_are_replaced() {
    redacted(
        &Redactor::new(false),
        &[
            ("login failed: password=hunter2, host=a", "login failed: password=***, host=a"),
            (r#"{"vcenter":{"password": "a\"b", "user":"x"}}"#, r#"{"vcenter":{"password": "***", "user":"x"}}"#),
            (r#"{\"password\":\"a b\",\"user\":\"x\"}"#, r#"{\"password\":\"***\",\"user\":\"x\"}"#),
            ("{'password': 'a b', 'user': 'x'}", "{'password': '***', 'user': 'x'}"),
            ("('password', 'hunter2')", "('password', '***')"),
            (r#"["token","abc"]"#, r#"["token","***"]"#),
            (r#"{"passwords": ["a]b","c"], "n": 1}"#, r#"{"passwords": [***], "n": 1}"#),
            (r#"{"credentials": {"user":"x","password":"y"}}"#, r#"{"credentials": {"user":"x","password":"***"}}"#),
            ("Authorization: Bearer abc.def next", "Authorization: *** next"),
            ("X-API-Key: k1", "X-API-Key: ***"),
            ("GET /x?api_key=abc&token=def&page=2", "GET /x?api_key=***&token=***&page=2"),
            ("next=%2Fx%3Ftoken%3Dabc&page=2", "next=%2Fx%3Ftoken%3D***&page=2"),
            ("aws_secret_access_key='q w'", "aws_secret_access_key='***'"),
            ("Set-Cookie: sid=1; Path=/", "Set-Cookie: ***; Path=/"),
            ("Cookie: a=1; session=2; c=3\nHost: x", "Cookie: ***\nHost: x"),
            ("GOVC_PASSWORD=p@ss", "GOVC_PASSWORD=***"),
            ("password:\ts3cret", "password:\t***"),
            ("password:\n  s3cret", "password:\n  ***"),
            ("password => s3cret", "password => ***"),
            ("password := \"s3cret\"", "password := \"***\""),
            ("<password>s3cret</password><user>u</user>", "<password>***</password><user>u</user>"),
            ("pass=x PWD=/data", "pass=*** PWD=/data"),
            ("passcode=1234 privateKey=abc", "passcode=*** privateKey=***"),
            (r#"{"clientSecret":"a","accessToken":"b"}"#, r#"{"clientSecret":"***","accessToken":"***"}"#),
            ("Authorization: Negotiate YIIabc next", "Authorization: *** next"),
            ("Authorization: Digest username=\"x\", response=\"a1\"\nHost: x", "Authorization: ***\nHost: x"),
            ("Proxy-Authorization: NTLM TlRM==\r\nHost: x", "Proxy-Authorization: ***\r\nHost: x"),
            ("Authorization: Token token=abc, nonce=\"d\"", "Authorization: ***"),
            (r#"{"Authorization":"ApiKey abc","x":1}"#, r#"{"Authorization":"***","x":1}"#),
            ("Authorization: SharedKey acct:c2ln", "Authorization: ***"),
            ("vmware-api-session-id: abc", "vmware-api-session-id: ***"),
            ("vmware_soap_session=\"abc\"; JSESSIONID=1", "vmware_soap_session=\"***\"; JSESSIONID=***"),
            ("{'password': b'a b'}", "{'password': b'***'}"),
            ("Login { password: Some(\"a b\"), n: 1 }", "Login { password: Some(\"***\"), n: 1 }"),
            ("msg=\"password=abc\" level=\"x\"", "msg=\"password=***\" level=\"x\""),
            (
                r#"[{"name":"DB_PASSWORD","value":"x y"},{"name":"A","value":"b"}]"#,
                r#"[{"name":"DB_PASSWORD","value":"***"},{"name":"A","value":"b"}]"#,
            ),
            (
                "<add key=\"apiToken\" value=\"x\"/><add key=\"n\" value=\"y\"/>",
                "<add key=\"apiToken\" value=\"***\"/><add key=\"n\" value=\"y\"/>",
            ),
            ("<name>password</name><value>x</value>", "<name>password</name><value>***</value>"),
            ("- name: PASSWORD\n  value: x", "- name: PASSWORD\n  value: ***"),
            ("AccountKey=abc==;EndpointSuffix=core", "AccountKey=***;EndpointSuffix=core"),
            ("https://a.blob.test/c?sv=2022&sig=a%2Fb%3D&se=2026", "https://a.blob.test/c?sv=2022&sig=***&se=2026"),
            (
                "https://b.s3.test/k?X-Amz-Credential=a/b&X-Amz-Signature=0a1b&X-Amz-Security-Token=t&X-Amz-Expires=60",
                "https://b.s3.test/k?X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Security-Token=***&X-Amz-Expires=60",
            ),
        ],
    );
}

#[test]
fn values_of_options_are_replaced() {
    redacted(
        &Redactor::new(false),
        &[
            ("export --password=x --vm web", "export --password=*** --vm web"),
            ("export --password x --vm web", "export --password *** --vm web"),
            ("export --password 'a b' --vm web", "export --password '***' --vm web"),
            ("mysql -u root -p x db", "mysql -u root -p *** db"),
            ("curl -u user:pw http://h/", "curl -u user:*** http://h/"),
            ("run --api-token abc", "run --api-token ***"),
            ("run --pass abc --pwd d", "run --pass *** --pwd ***"),
            ("docker run -p 8080:80 x; mkdir -p /a; mkdir -p b", "docker run -p 8080:80 x; mkdir -p /a; mkdir -p b"),
            ("login --password --vm web", "login --password --vm web"),
        ],
    );
}

#[test]
fn secrets_are_known_by_their_form() {
    redacted(
        &Redactor::new(false),
        &[
            ("dial https://root:p%40ss@vc.example.org/sdk: refused", "dial https://***@vc.example.org/sdk: refused"),
            ("dial https://root:a/b#c@vc.example.org/sdk", "dial https://***@vc.example.org/sdk"),
            ("http://host:80/a and ftp://u@h", "http://host:80/a and ftp://***@h"),
            ("https://host:8080/pkg/@scope/name", "https://host:8080/pkg/@scope/name"),
            ("copy root:pw@10.0.0.5:/vm", "copy ***@10.0.0.5:/vm"),
            ("svc:pw@vc.example.org", "***@vc.example.org"),
            ("user:pw@", "***@"),
            ("key AKIAIOSFODNN7EXAMPLE used", "key *** used"),
            ("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b", "a *** b"),
            ("-----BEGIN PRIVATE KEY-----\nMII", "***"),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK----- b", "*** b"),
            ("jwe eyJhbGciOiJkaXIifQ..aXZpdml2.Y2lwaGVy.dGFn!", "jwe ***!"),
            ("to https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXXXX: no", "to https://*** no"),
            ("https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz", "https://***"),
            (
                "https://api.telegram.org/bot123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/sendMessage",
                "https://api.telegram.org/***/sendMessage",
            ),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln!", "jwt ***!"),
        ],
    );
}

#[test]
fn any_white_space_ends_a_word() {
    for space in (0..=0x3000).filter_map(char::from_u32).filter(|character| character.is_whitespace()) {
        let text =
            |password: &str| format!("from{space}me:{password}@localhost{space}to https://host/path{space}me@there");
        assert_eq!(
            Redactor::default().text(&text("hunter22")),
            text(MASK).replacen("me:", "", 1).as_str(),
            "{space:?}"
        );
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    let redactor = Redactor::new(false);
    for text in [
        "monkey: 3",
        "export failed: disk full",
        "key: value",
        "tokens=5",
        "user=svc",
        "10:30:00",
        "password",
        "é=ü:",
        // Names of jobs, machines and places.
        "export password-manager-01",
        "nightly backup of key-vault",
        "secret-santa web01",
        "token service (prod)",
        "/DC1/vm/passwords/pw-reset",
        "local-lvm:vm-100-disk-0@snap1",
        "pool/vm-100@daily",
        "local-lvm:vm-100-disk-0@2026.11.29",
        "nginx:1.25@sha256:9f86d081884c7d659a2feaa0c55ad015",
        "Verify pass: 2 of 3",
        "web01@dc1.example.org",
        "[datastore1] vm/vm.vmdk",
        "ovf-export -p2",
        "retry 3 of 5, pass 2",
        "s3://bucket/path/to/key",
        "https://host:8443/ui?vm=web#summary",
        "eu-west-1",
        "session=3 of 5",
        r#"{"name":"web01","value":"b"}"#,
        "name=token-service value=3",
        "robot123456: ready",
        "AT&T; R&amp;D",
        "ami-0abcdef1234567890",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ] {
        assert!(matches!(redactor.text(text), Cow::Borrowed(_)), "{text} became {}", redactor.text(text));
    }
}

#[test]
fn known_secrets_are_replaced_wherever_they_occur() {
    let redactor = Redactor::new(true);
    redactor.learn("s3cr3t");
    redactor.learn("s3cr3t-longer");
    redactor.learn("abc");
    redactor.learn_user_name("svc-vmware");
    redacted(
        &redactor,
        &[("bad s3cr3t-longer, s3cr3t of svc-vmware abc", "bad ***, *** of *** abc"), ("username=bob", "username=***")],
    );
}

#[test]
fn known_secrets_are_found_in_every_encoding() {
    use base64::{
        Engine,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };

    let secret = "p ä\"s/s+wörd&<1>\u{1f511}";
    let redactor = Redactor::new(false);
    redactor.learn(secret);
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form = percent.replace("%20", "+").to_lowercase();
    let json = serde_json_like(secret);
    let ascii_json: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    for (name, encoded) in [
        ("percent", percent),
        ("form", form),
        ("JSON", json),
        ("ASCII JSON", ascii_json),
        ("base64", STANDARD.encode(secret)),
        ("base64 after one", STANDARD.encode(format!("u:{secret}"))),
        ("base64 after two", STANDARD.encode(format!("us:{secret}:x"))),
        ("XML", secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")),
        ("numbers", secret.chars().map(|letter| format!("&#x{:x};", u32::from(letter))).collect()),
        ("bytes", secret.bytes().map(|byte| format!("\\x{byte:02x}")).collect()),
        ("base64 for URLs", URL_SAFE_NO_PAD.encode(format!("root:{secret}"))),
    ] {
        let clean = redactor.text(&format!("before {encoded} after")).into_owned();
        assert!(clean.contains(MASK), "{name}: {encoded} became {clean}");
        let left = clean.replace(MASK, "").len();
        assert!(left <= "before  after".len() + 10, "{name}: {encoded} became {clean}");
    }
    let several = redactor.text("a%20 p ä\"s/s+wörd&<1>\u{1f511} b %70%20ä\"s/s+wörd&<1>\u{1f511} c").into_owned();
    assert_eq!(several, "a%20 *** b *** c");
}

#[test]
fn the_newest_secrets_are_known_and_those_of_the_configuration_for_good() {
    let redactor = Redactor::new(false);
    redactor.learn_configured("configured");
    for number in 0..600 {
        redactor.learn(&format!("secret-{number:03}"));
    }
    assert_eq!(redactor.text("configured secret-000 secret-599"), "*** secret-000 ***");
    let told = ["secret-350".to_owned(), "another-one".to_owned(), "x".repeat(600), "configured".to_owned()];
    redactor.learn_all(told.iter().map(String::as_str), std::iter::once("a-user-name"));
    let more: Vec<String> = (0..200).map(|number| format!("later-{number:03}")).collect();
    redactor.learn_all(more.iter().map(String::as_str), std::iter::empty());
    // A secret that is learned again counts as new.
    assert_eq!(redactor.text("configured secret-350 another-one secret-351 later-000"), "*** *** *** secret-351 ***");
    assert_eq!(redactor.text(&told[2]), told[2], "no password is as long");
    assert_eq!(redactor.text("a-user-name"), "a-user-name");
}

#[test]
fn of_headers_those_with_telling_names_are_secret() {
    let redactor = Redactor::new(false);
    redactor.learn_header("X-Team", "storage");
    redactor.learn_header("X-Scope-OrgID", "production");
    redactor.learn_header("Authorization", "Token token=abcdef123456");
    assert_eq!(redactor.text("storage of production for abcdef123456"), "storage of production for ***");
}

#[test]
fn a_secret_over_the_cut_leaves_no_part_of_it() {
    let redactor = Redactor::new(false);
    redactor.learn("p4ssw0rd-and-more");
    for before in (LONGEST_TEXT - 20..LONGEST_TEXT + 4).chain([LONGEST_TEXT + BEYOND_CUT - 5]) {
        let clean =
            redactor.text(&format!("{} p4ssw0rd-and-more {}", "x".repeat(before), "y ".repeat(9_000))).into_owned();
        assert!(!clean.contains("p4ss") && clean.len() <= LONGEST_TEXT, "{before}: {}", clean.len());
    }
    // Nor if many secrets were removed before it.
    let many = "password=".to_owned() + &"z".repeat(500) + " ";
    let clean = redactor.text(&many.repeat(60)).into_owned();
    assert!(!clean.contains('z'), "{clean}");
}

#[test]
fn hostile_texts_take_no_long_time() {
    let redactor = Redactor::new(true);
    redactor.learn("aaaaaaaa");
    for piece in [
        " ",
        "-u [",
        "password=[",
        "'",
        "YWFhYWFhYWE",
        "://a:b/",
        "%3D",
        "<token>",
        "-----BEGIN PRIVATE KEY-----",
        "name:",
        "key=",
        "<name>x",
    ] {
        let text = redactor.text(&piece.repeat((8 << 20) / piece.len())).into_owned();
        assert!(text.len() < 200 << 10, "{piece}: {}", text.len());
    }
}

fn serde_json_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/")
}

#[test]
fn the_credentials_of_an_address_are_known_from_then_on() {
    let redactor = Redactor::new(false);
    redactor.learn_url(&url::Url::parse("https://root:p%40ss@vc.test/sdk").unwrap());
    assert_eq!(redactor.text("tried p@ss and p%40ss"), "tried *** and ***");
}

#[test]
fn odd_text_does_not_make_it_panic() {
    let redactor = Redactor::new(true);
    redactor.learn("://%");
    redactor.learn("é\\n");
    let pieces = [
        "password", "=", ":", "\"", "'", "\\", "://", "@", "é", " ", "Bearer", "--token", "\n", "[", "%3D", "%e9",
        "\\u00e9",
    ];
    for first in pieces {
        for second in pieces {
            for third in pieces {
                for fourth in pieces {
                    let _ = redactor.text(&[first, second, third, fourth].concat());
                }
            }
        }
    }
}
