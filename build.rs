//! Rebuilds when a migration is added: `sqlx::migrate!` only notices changes to files it already knows.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
