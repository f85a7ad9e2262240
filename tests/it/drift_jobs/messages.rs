//! What people are told about quality and segments.

use super::{DAILY, Watch};

/// The mails that a replay of 2 January to midnight of `last` January 2013 wrote, in order, as they read.
fn mails(watch: &Watch, last: u32) -> Vec<String> {
    let to = format!("2013-01-{last:02}");
    watch.site.ok(&["jobs", "replay", "watch", "--from", "2013-01-02", "--to", &to]);
    let folder = watch.site.path().join("data/mail");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| text_part(&std::fs::read_to_string(path).unwrap().replace('\r', ""))).collect()
}

/// Subject and plain text.
fn text_part(source: &str) -> String {
    let subject = source.replace("\n ", " ").lines().find(|line| line.starts_with("Subject:")).unwrap().to_owned();
    let plain = source.split("Content-Type: text/plain").nth(1).unwrap();
    let body = plain.split_once("\n\n").unwrap().1.split("\n--").next().unwrap();
    format!("{subject}\n\n{}", body.replace("=\n", "").trim_end())
}

fn assert_reads(name: &str, mail: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?\b", "<id>");
    settings.add_filter(r"/tmp/[^ \n]*?/in/", "<folder>/");
    settings.bind(|| insta::assert_snapshot!(name, mail));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_about_quality() {
    let tables = format!(
        "notify = [\"ml-oncall\"]\n{DAILY}reference = \"{{data}}/reference.csv\"\n[drift]\ntarget = \"data\"\n\
         [drift.quality]\nkey = [\"id\"]\nmax_new_share = 0.1\n[drift.columns]\nid = {{ max = 1000 }}\nvalue = {{ min = 0, max = 100 }}\n"
    );
    let watch = Watch::new(&tables).await;
    let rows = |city: &str, value: i32| {
        (0..200).map(|row| format!("{row},{value},{}\n", if row % 4 == 0 { city } else { "oslo" })).collect::<String>()
    };
    watch.file("reference.csv", &format!("id,value,city\n{}", rows("rome", 50)));
    watch.day(1, &format!("id,value,city\n{}{}", rows("kiev", 50), "7,950,oslo\n8,960,oslo\n"));
    let mails = mails(&watch, 3);
    assert_eq!(mails.len(), 1);
    assert_reads("quality", &mails[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_about_a_segment() {
    let tables = format!(
        "notify = [\"ml-oncall\"]\n{DAILY}reference = \"{{data}}/reference.csv\"\n[drift]\ntarget = \"data\"\ngroup_by = \"city\"\n"
    );
    let watch = Watch::new(&tables).await;
    let rows = |oslo: i32| {
        let of = |row: i32| if row % 10 == 0 { ("oslo", oslo) } else { ("rome", 20) };
        (0..4_000).map(|row| format!("{},{}\n", of(row).0, of(row).1 + row * 37 % 101)).collect::<String>()
    };
    watch.file("reference.csv", &format!("city,value\n{}", rows(20)));
    watch.day(1, &format!("city,value\n{}", rows(70)));
    let mails = mails(&watch, 3);
    assert_eq!(mails.len(), 1);
    assert_reads("segment", &mails[0]);
}
