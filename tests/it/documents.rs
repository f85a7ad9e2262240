//! Documents that are made from the program stay equal to it. `UPDATE_DOCS=1` writes them.

fn same(path: &str, made: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "{} differs from what the program says; run `make docs`", path.display());
}

#[test]
fn the_command_line_reference_is_current() {
    same("docs/cli.md", &steward::cli::reference::markdown());
}
