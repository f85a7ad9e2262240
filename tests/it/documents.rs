//! Documents that are made from the program stay equal to it. `UPDATE_DOCS=1` writes them.

pub(crate) fn same(path: &str, made: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "{} differs from what the program says; run `make doc`", path.display());
}

#[test]
fn the_command_line_reference_is_current() {
    same("docs/cli.md", &steward::cli::reference::markdown());
}

#[test]
fn the_pages_of_the_methods_are_current() {
    let pages = steward::jobs::catalogue::pages();
    for (name, made) in &pages {
        same(&format!("docs/methods/{name}"), made);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/methods");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(pages.iter().any(|(known, _)| *known == name), "docs/methods/{name}: there is no such method");
    }
}

/// The part of the README between `<!-- NAME -->` and `<!-- end -->`.
fn readme_part(name: &str, made: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {name} -->\n"), "<!-- end -->");
    let start = readme.find(&open).unwrap_or_else(|| panic!("README has no {open}")) + open.len();
    let end = start + readme[start..].find(close).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{made}{}", &readme[..start], &readme[end..])).unwrap();
        return;
    }
    assert!(&readme[start..end] == made, "the part `{name}` of README.md is not what the program says; run `make doc`");
}

#[test]
fn the_methods_in_the_readme_are_those_of_the_program() {
    let mut text = String::from("| drift method | for columns that are | what the score is |\n| --- | --- | --- |\n");
    for method in steward::drift::ALL {
        text += &format!(
            "| [`{0}`](docs/methods/{0}.md) | {1} | {2} |\n",
            method.name(),
            method.applies_to().as_str(),
            method.summary(),
        );
    }
    text += "\n| concept drift | of | what it judges |\n| --- | --- | --- |\n";
    for method in steward::drift::concept::ALL {
        let task = method.task().map_or("any task", steward::drift::concept::Task::as_str);
        text += &format!("| [`{0}`](docs/methods/{0}.md) | {task} | {1} |\n", method.name(), method.summary());
    }
    let names = |task: steward::metrics::Task| {
        let of_task = steward::metrics::ALL.iter().filter(|m| m.task() == task);
        of_task.map(|m| format!("`{}`", m.name())).collect::<Vec<_>>().join(", ")
    };
    text += &format!("\nMetrics of classification: {}.\n", names(steward::metrics::Task::Classification));
    text += &format!("Metrics of regression: {}.\n", names(steward::metrics::Task::Regression));
    let tests: Vec<_> = steward::ab::ALL.iter().map(|test| format!("`{}`", test.name())).collect();
    text += &format!("Tests of A/B tests: {}.\n", tests.join(", "));
    text += "\nFormula, limits and source of each: [docs/methods](docs/methods/README.md), `steward methods NAME`, `GET /governance/methods`.\n";
    readme_part("methods", &text);
}

#[test]
fn the_job_file_in_the_readme_is_a_shipped_one() {
    let job = include_str!("../../jobs/flights-feature-drift.toml");
    readme_part("job", &format!("```toml\n{}\n```\n", job.trim_end()));
}

#[test]
fn the_commands_in_the_readme_answer_as_it_says() {
    let readme = include_str!("../../README.md");
    let mut quoted = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("\n```").next().unwrap();
        let (command, answer) = block.split_once('\n').unwrap();
        let command = command.strip_prefix("$ steward ").unwrap();
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("exec {} {command}", env!("CARGO_BIN_EXE_steward")))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), answer, "{command}");
        quoted += 1;
    }
    assert!(quoted > 0);
}
