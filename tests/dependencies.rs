//! What the lock file may hold: nothing that `.deny.toml` bans, nothing from a git repository, nothing older than the
//! release that mended a known hole.
//!
//! cargo-deny checks more (advisories, licences), but needs a database from the network; this much holds on every run.
//! Both files are read line by line: their layout is cargo's own, and a TOML parser would be one more dependency.

use std::{collections::BTreeMap, fs, path::Path};

/// The first good releases; a crate that is not in the lock file has nothing to fulfil.
const FLOORS: [(&str, &str); 7] = [
    ("h2", "0.4.16"),
    ("pyo3", "0.29.0"),
    ("quick-xml", "0.41.0"),
    ("rustls", "0.23.18"),
    ("rustls-webpki", "0.103.13"),
    ("time", "0.3.47"),
    ("tokio-postgres", "0.7.18"),
];

/// A package of a lock file.
#[derive(Debug, Default)]
struct Package {
    name: String,
    version: String,
    source: String,
}

/// The `[bans]` of a `.deny.toml`.
#[derive(Debug, Default)]
struct Bans {
    crates: Vec<String>,
    second_versions: Vec<String>,
}

#[test]
fn the_lock_file_holds_nothing_that_is_banned_foreign_or_too_old() {
    let bans = bans(&read(".deny.toml"));
    let packages = packages(&read("Cargo.lock"));
    assert!(packages.len() > 100, "{} packages: the lock file was not understood", packages.len());
    for name in ["openssl-sys", "native-tls", "aws-lc-sys", "aws-lc-rs", "rsa"] {
        assert!(bans.crates.iter().any(|banned| banned == name), ".deny.toml no longer bans {name}");
    }
    for name in ["reqwest", "rustls", "chrono"] {
        assert!(bans.second_versions.iter().any(|once| once == name), ".deny.toml allows a second {name}");
    }
    assert_eq!(problems(&packages, &bans), Vec::<String>::new());
}

#[test]
fn a_planted_package_of_each_forbidden_kind_is_found() {
    let bans = bans(
        r#"
        deny = [
            { crate = "openssl-sys" },
            { crate = "chrono", deny-multiple-versions = true },
        ]"#,
    );
    let lock = r#"
version = 4

[[package]]
name = "chrono"
version = "0.4.45"
source = "registry+https://index"

[[package]]
name = "chrono"
version = "0.5.0"
source = "registry+https://index"
dependencies = [
 "openssl-sys",
]

[[package]]
name = "forked"
version = "1.0.0"
source = "git+https://example.com/forked#0123456"

[[package]]
name = "h2"
version = "0.4.9"
source = "registry+https://index"

[[package]]
name = "openssl-sys"
version = "0.9.1"
source = "registry+https://index"

[[package]]
name = "time"
version = "0.3.47"
"#;
    assert_eq!(
        problems(&packages(lock), &bans),
        [
            "forked 1.0.0 comes from git+https://example.com/forked#0123456",
            "h2 0.4.9 is older than 0.4.16",
            "openssl-sys 0.9.1 is banned",
            "chrono is there more than once: 0.4.45, 0.5.0",
        ]
    );
}

#[track_caller]
fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn problems(packages: &[Package], bans: &Bans) -> Vec<String> {
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Package { name, version, source } in packages {
        versions.entry(name).or_default().push(version);
        if source.starts_with("git+") {
            problems.push(format!("{name} {version} comes from {source}"));
        }
        if bans.crates.contains(name) {
            problems.push(format!("{name} {version} is banned"));
        }
        let floor = FLOORS.iter().find(|(floored, _)| floored == name);
        if let Some((_, floor)) = floor.filter(|(_, floor)| numbers(version) < numbers(floor)) {
            problems.push(format!("{name} {version} is older than {floor}"));
        }
    }
    for name in &bans.second_versions {
        if let Some(several) = versions.get(name.as_str()).filter(|versions| versions.len() > 1) {
            problems.push(format!("{name} is there more than once: {}", several.join(", ")));
        }
    }
    problems
}

fn packages(lock: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = Vec::new();
    for line in lock.lines() {
        if line == "[[package]]" {
            packages.push(Package::default());
        } else if let (Some(package), Some((key, value))) = (packages.last_mut(), line.split_once(" = ")) {
            let value = value.trim_matches('"').to_owned();
            match key {
                "name" => package.name = value,
                "version" => package.version = value,
                "source" => package.source = value,
                _ => {}
            }
        }
    }
    packages
}

fn bans(deny: &str) -> Bans {
    let mut bans = Bans::default();
    for line in deny.lines() {
        let Some(rest) = line.trim().strip_prefix("{ crate = \"") else { continue };
        let Some((name, rest)) = rest.split_once('"') else { continue };
        let list = if rest.contains("deny-multiple-versions") {
            &mut bans.second_versions
        } else {
            &mut bans.crates
        };
        list.push(name.to_owned());
    }
    bans
}

/// The numbers of a version; a pre-release counts as its release.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split(['-', '+'])
        .next()
        .unwrap_or(version)
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}
