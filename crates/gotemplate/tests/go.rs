//! Templates and Go's results, which were produced by `promtool test rules`.

#![allow(clippy::indexing_slicing)] // the functions here are called by the tests alone

use gotemplate::{Error, Functions, Options, Record, Templates, Value, time::Time};

fn functions() -> Functions<'static> {
    Functions::new()
        .with("toUpper", 1..=1, |arguments| Ok(arguments[0].as_str()?.to_uppercase().into()))
        .with("fail", 0..=usize::MAX, |_| Err("no luck".into()))
        .with("numbers", 0..=0, |_| Ok(Value::list([1_i64.into(), 2_i64.into(), 3_i64.into()])))
}

fn data() -> Value {
    Record::value(
        "data",
        [
            ("Labels", Value::strings([("a", "1"), ("z", "q")])),
            ("Value", Value::Float(42.5)),
            ("At", Time::value(1_700_000_000_123)),
            ("Any", Value::map([("list", Value::list([Value::str("x"), Value::Nil]))])),
        ],
    )
}

fn render(text: &str) -> Result<String, Error> {
    let functions = functions();
    let mut templates = Templates::new();
    templates.parse("t", text, &functions)?;
    templates.render("t", &data(), &functions, &Options::default())
}

#[test]
fn templates_give_what_go_gives() {
    for (text, result) in [
        (r#"{{ 1 }} {{ 1.5 }} {{ "a" }} {{ true }} {{ 'a' }} {{ 0x10 }} {{ 1e3 }}"#, "1 1.5 a true 97 16 1000"),
        (r#"a  {{- " b " -}}  c"#, "a b c"),
        ("x {{/* note */}}y {{- /* trim */ -}} z", "x yz"),
        ("{{ if gt 2 1 }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if eq 1 2 }}a{{ else if eq 1 1 }}b{{ else }}c{{ end }}", "b"),
        (r#"{{ with "" }}a{{ else }}empty{{ end }}{{ with "x" }}{{ . }}{{ end }}"#, "emptyx"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $x }}{{ $y }}{{ end }}{{ $x }}", "232"),
        (r#"{{ define "t2" }}[{{ . }}]{{ end }}{{ template "t2" 5 }}{{ template "t2" "a" }}"#, "[5][a]"),
        (r#"{{ block "b" 3 }}<{{ . }}>{{ end }}"#, "<3>"),
        (
            r#"{{ printf "%d|%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c" 1 2 3 4 5 255 255 8 5 65 }}"#,
            "1|    2|3    |00004|+5|ff|FF|10|101|A",
        ),
        (
            r#"{{ printf "%s|%q|%10s|%-10s|%.2s|%x|%v" "abc" "a\"b" "r" "l" "truncate" "hi" "v" }}"#,
            r#"abc|"a\"b"|         r|l         |tr|6869|v"#,
        ),
        (
            r#"{{ printf "%f|%.2f|%8.3f|%e|%.2e|%g|%.3g|%G|%+.1f" 1.5 2.345 3.14159 12345.678 12345.678 0.00001 1234.5 1e-10 2.0 }}"#,
            "1.500000|2.35|   3.142|1.234568e+04|1.23e+04|1e-05|1.23e+03|1E-10|+2.0",
        ),
        (r#"{{ printf "%t|%v|%T|%T|%T" true false 1 1.5 "s" }}"#, "true|false|int|float64|string"),
        (
            r#"{{ printf "%d" 1.5 }} {{ printf "%s" 3 }} {{ printf "%d" "x" }} {{ printf "%s %s" "a" }} {{ printf "%s" "a" "b" }} {{ printf "100%%" }}"#,
            "%!d(float64=1.5) %!s(int=3) %!d(string=x) a %!s(MISSING) a%!(EXTRA string=b) 100%",
        ),
        (
            r#"{{ printf "%5.1f%%|%08.3f|% d|%6v|%-6v|%*d" 12.34 3.14159 5 1 2 4 7 }}"#,
            " 12.3%|0003.142| 5|     1|2     |   7",
        ),
        (r#"{{ print 1 2 "a" "b" 3 4 }}|{{ println "a" 1 }}|"#, "1 2ab3 4|a 1\n|"),
        (r#"{{ len "abc" }} {{ index "abc" 1 }} {{ slice "abcdef" 1 3 }}"#, "3 98 bc"),
        (r#"{{ and 1 0 }} {{ and 1 2 }} {{ or 0 "" "z" }} {{ not true }} {{ or 1 fail }}"#, "0 2 z false 1"),
        (
            r#"{{ eq "a" "b" "a" }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "b" "a" }} {{ ge 1.5 2.5 }}"#,
            "true true true true true false",
        ),
        (
            r#"{{ html "<a href='x'>&\"" }} {{ urlquery "a b&c=d/é" }} {{ js "it's <b>" }}"#,
            r"&lt;a href=&#39;x&#39;&gt;&amp;&#34; a+b%26c%3Dd%2F%C3%A9 it\'s \u003Cb\u003E",
        ),
        (r#"{{ (printf "%d" 5) | printf "%s-%s" "x" }}"#, "x-5"),
        (r#"{{ $a := printf "%s" "q" }}{{ $a | len | printf "%03d" }}"#, "001"),
        (
            "{{ 1000000.0 }} {{ 123456.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1e100 }} {{ -0.5 }} {{ 123456789.0 }}",
            "1e+06 123456 0.0001 1e-05 1e+100 -0.5 1.23456789e+08",
        ),
        ("{{ range $i, $e := .Labels }}{{ $i }}={{ $e }};{{ end }}", "a=1;z=q;"),
        ("{{ range .Any.none }}a{{ else }}none{{ end }}{{ range $e := numbers }}{{ $e }}{{ end }}", "none123"),
        (
            "{{ .Labels.a }}|{{ .Labels.missing }}|{{ len .Labels }}|{{ index .Labels \"a\" }}|{{ .Labels }}",
            "1||2|1|map[a:1 z:q]",
        ),
        ("{{ .Any.none }} {{ .Any }}", "<no value> map[list:[x <nil>]]"),
        ("{{ with .Labels }}{{ .a }}{{ $.Value }}{{ end }} {{ (index .Any.list 0) }}", "142.5 x"),
        ("{{ range numbers }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "1"),
        ("{{ range numbers }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "13"),
        (r#"{{ `raw\n` }} {{ "esc\t\u00e9\x41" }}"#, "raw\\n esc\té\u{41}"),
        ("{{ -1 }} {{ +2 }} {{ 0b11 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }} {{ '\\n' }}", "-1 2 3 15 15 1000 10"),
        (r#"{{ "x" | print "a" 1 }} {{ html "a" 1 }} {{ "a" | toUpper | len }}"#, "a1x a1 1"),
        (
            r#"{{ .At.Format "Mon, 02 Jan 2006 15:04:05.000 MST" }} {{ .At.Unix }} {{ .At }}"#,
            "Tue, 14 Nov 2023 22:13:20.123 UTC 1700000000 2023-11-14 22:13:20.123 +0000 UTC",
        ),
        (r#"{{ .At.Format "2006-01-02T15:04:05Z07:00 3:4PM _2 2/1/06" }}"#, "2023-11-14T22:13:20Z 10:13PM 14 14/11/23"),
    ] {
        assert_eq!(render(text).as_deref(), Ok(result), "{text}");
    }
}

#[test]
fn what_fails_says_where_as_go_does() {
    for (text, message) in [
        (
            "{{ gt .Value 1 }}",
            r#"template: t:1:3: executing "t" at <gt .Value 1>: error calling gt: incompatible types for comparison"#,
        ),
        (
            "\n {{ .Labels.a.b }}",
            r#"template: t:2:11: executing "t" at <.Labels.a.b>: can't evaluate field b in type string"#,
        ),
        ("{{ .Foo }}", r#"template: t:1:3: executing "t" at <.Foo>: can't evaluate field Foo in type data"#),
        ("{{ range 3.5 }}x{{ end }}", r#"template: t:1:9: executing "t" at <3.5>: range can't iterate over 3.5"#),
        (
            r#"{{ template "none" }}"#,
            r#"template: t:1:12: executing "t" at <{{template "none"}}>: template "none" not defined"#,
        ),
        ("{{ len 3 }}", r#"template: t:1:3: executing "t" at <len 3>: error calling len: len of type int"#),
        (
            "{{ index .Labels 3 }}",
            r#"template: t:1:3: executing "t" at <index .Labels 3>: error calling index: value has type int; should be string"#,
        ),
        (
            "{{ printf }}",
            r#"template: t:1:3: executing "t" at <printf>: wrong number of args for printf: want at least 1 got 0"#,
        ),
        ("{{ $x = 1 }}", r#"template: t:1:3: executing "t" at <$x = 1>: undefined variable: $x"#),
        ("{{ nil }}", r#"template: t:1:3: executing "t" at <nil>: nil is not a command"#),
        ("{{ fail 1 }}", r#"template: t:1:3: executing "t" at <fail 1>: error calling fail: no luck"#),
        (
            r#"{{ slice "abc" 5 }}"#,
            r#"template: t:1:3: executing "t" at <slice "abc" 5>: error calling slice: index out of range: 5"#,
        ),
    ] {
        assert_eq!(render(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn what_is_no_template_is_refused() {
    for text in [
        "{{",
        "{{ }}",
        "{{ if }}x{{ end }}",
        "{{ if true }}",
        "{{ end }}",
        "{{ else }}",
        "{{ $x }}",
        "{{ nofunc 1 }}",
        "{{ \"a }}",
        "{{ 1x }}",
        "{{ .a | 3 }}",
        "{{ (1 }}",
        "{{ 1) }}",
        "{{ .a$ }}",
        "{{ /* a }}",
        "{{ break }}",
        "{{ template x }}",
        "{{ 1 | }}",
        "{{ if true }}{{ define \"x\" }}{{ end }}{{ end }}",
        "{{ 3.a }}",
        "{{ range $a, $b, $c := 1 }}{{ end }}",
    ] {
        assert!(matches!(render(text), Err(Error::Parse { .. })), "{text}");
    }
    assert!(render(&format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000))).is_err());
}

#[test]
fn a_template_ends() {
    let endless = r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#;
    assert!(render(endless).unwrap_err().to_string().contains("maximum template depth"));
    assert!(render("{{ range 1000000000 }}{{ end }}").unwrap_err().to_string().contains("steps"));
    assert!(render(r#"{{ range 100000 }}{{ printf "%9999d" 1 }}{{ end }}"#).unwrap_err().to_string().contains("bytes"));
}

#[test]
fn html_is_escaped_unless_it_is_html() {
    let functions = Functions::new().with("safe", 1..=1, |arguments| Ok(Value::Html(arguments[0].as_str()?.into())));
    let mut templates = Templates::new();
    templates.parse("t", r#"<b>{{ "<i>" }}{{ safe "<u>" }}</b>"#, &functions).unwrap();
    let options = Options { html: true, ..Options::default() };
    assert_eq!(templates.render("t", &Value::Nil, &functions, &options).unwrap(), "<b>&lt;i&gt;<u></b>");
}
