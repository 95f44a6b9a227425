//! The rules of the layers, read off the sources: what a crate or a folder may not even mention.
//!
//! Comments are set aside before looking: documentation may name Google, and may say what a function does not do. Strings
//! are looked at, since a provider's name in a string is knowledge of the provider. Unit tests are set aside as well
//! (`#[cfg(test)]` closes a file, and files called `tests.rs` belong to it): a test of the core may well call its provider
//! "google". The one exception is the clock: a test that reads it is different on every run.

use std::{fs, path::Path};

/// The crates that embedders link.
const LIBRARIES: [&str; 3] = ["calsync-core", "calsync-google", "calsync-sqlite"];

/// One rule: these words do not stand in these files.
struct Rule {
    says: &'static str,
    words: &'static [&'static str],
    /// Whether the rule holds for this file, given as `crate/src/…`.
    holds_for: fn(&str) -> bool,
    /// Whether it holds for the file's unit tests too.
    in_tests: bool,
}

const RULES: [Rule; 5] = [
    Rule {
        says: "the core knows no provider",
        words: &["google", "salesforce"],
        holds_for: |file| file.starts_with("calsync-core/"),
        in_tests: false,
    },
    Rule {
        says: "plan/ is pure: no waiting, no files, no network",
        words: &["async", "await", "std::fs", "std::net", "std::time", "tokio", "reqwest"],
        holds_for: |file| file.starts_with("calsync-core/src/plan/"),
        in_tests: false,
    },
    Rule {
        says: "only clock.rs asks for the time",
        words: &["Utc::now", "Local::now", "Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now"],
        holds_for: |file| !file.ends_with("/clock.rs"),
        in_tests: true,
    },
    Rule {
        says: "only clock.rs sleeps",
        words: &["time::sleep", "thread::sleep"],
        holds_for: |file| !file.ends_with("/clock.rs"),
        in_tests: true,
    },
    Rule {
        says: "only zone.rs asks the time-zone library",
        words: &["jiff"],
        holds_for: |file| !file.ends_with("/zone.rs"),
        in_tests: false,
    },
];

#[test]
fn every_layer_keeps_to_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for library in LIBRARIES {
        sources(&root.join(library).join("src"), &format!("{library}/src"), &mut files);
    }
    assert!(files.len() >= LIBRARIES.len(), "the sources were not found");
    let broken: Vec<String> = files.iter().flat_map(|(name, text)| broken_rules(name, text)).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn a_planted_line_is_found_in_each_layer_that_forbids_it_and_in_no_other() {
    check(
        "calsync-core/src/host.rs",
        "let a = \"Google\";",
        "calsync-core/src/host.rs:1: the core knows no provider: google",
    );
    check(
        "calsync-core/src/host.rs",
        "mod a;\nuse salesforce_api;",
        "calsync-core/src/host.rs:2: the core knows no provider: salesforce",
    );
    check("calsync-google/src/lib.rs", "struct Google;", "");
    check("calsync-core/src/plan/mod.rs", "pub async fn plan() {}", "plan/ is pure");
    check("calsync-core/src/plan/deep/er.rs", "use std::fs;", "plan/ is pure");
    check("calsync-core/src/plan/mod.rs", "fn asynchronous() {}", "");
    check("calsync-core/src/engine/pull.rs", "pub async fn pull() {}", "");
    check("calsync-sqlite/src/lib.rs", "let now = Utc::now();", "only clock.rs asks for the time");
    check(
        "calsync-sqlite/src/lib.rs",
        "let now = std::time::Instant::now();",
        "only clock.rs asks for the time",
    );
    check("calsync-core/src/clock.rs", "let now = Utc::now();", "");
    check("calsync-google/src/lib.rs", "use jiff::tz;", "only zone.rs asks the time-zone library");
    check("calsync-core/src/zone.rs", "use jiff::tz;", "");
}

#[test]
fn comments_are_set_aside_and_strings_are_not() {
    let core = "calsync-core/src/lib.rs";
    check(core, "//! As Google does it.\n/// google\n// google\nfn a() {} // google", "");
    check(core, "/* google /* google */ google */ fn a() {}", "");
    check(core, "let a = \"https://google.com\";", "lib.rs:1");
    check(core, "let a = r#\"a \" // google\"#;", "lib.rs:1");
    check(core, "let a = br#\"a \" // google\"#;", "lib.rs:1");
    check(core, "let a = \"a \\\" // b\"; let google = 1;", "lib.rs:1");
    check(core, "let quote = '\"'; // google\nlet a = '\\''; // google", "");
    check(core, "fn a<'a>(a: &'a str) {} // google's", "");
    check(core, "let a = \"\n\n\"; let google = 1;", "lib.rs:3");
}

#[test]
fn unit_tests_may_name_a_provider_but_not_read_the_clock() {
    let core = "calsync-core/src/lib.rs";
    let closing = "#[cfg(test)]\nmod tests {\n    const NAME: &str = \"google\";\n}";
    check(core, closing, "");
    check(
        core,
        "#[cfg(all(test, feature = \"system\"))]\n#[allow(dead_code)]\nmod google {}\nmod tests {\n}",
        "lib.rs:3",
    );
    check(
        core,
        "#[cfg(all(test, feature = \"system\"))]\n#[allow(dead_code)]\nmod tests {\nlet google = 1;\n}",
        "",
    );
    check("calsync-core/src/plan/tests.rs", "const NAME: &str = \"google\";", "");
    check(core, "#[cfg(test)]\nmod tests {\n    fn now() { Utc::now(); }\n}", "lib.rs:3: only clock.rs");
    // A test module in a file of its own does not hide what follows its declaration.
    check(core, "#[cfg(test)]\nmod tests;\nlet google = 1;", "lib.rs:3");
}

/// Checks that this file breaks one rule, the report of which contains `expected`, or none if that is empty.
#[track_caller]
fn check(file: &str, text: &str, expected: &str) {
    let broken = broken_rules(file, text);
    match expected {
        "" => assert_eq!(broken, Vec::<String>::new()),
        _ => assert!(
            broken.len() == 1 && broken[0].contains(expected),
            "expected `{expected}`, found {broken:?}"
        ),
    }
}

fn broken_rules(file: &str, text: &str) -> Vec<String> {
    let code = without_comments(text);
    let tests_from =
        if file.ends_with("/tests.rs") || file.contains("/tests/") { 0 } else { first_test_line(&code) };
    let mut broken = Vec::new();
    for rule in RULES.iter().filter(|rule| (rule.holds_for)(file)) {
        for (index, line) in code.lines().enumerate() {
            if index >= tests_from && !rule.in_tests {
                break;
            }
            for word in rule.words.iter().filter(|word| mentions(line, word)) {
                broken.push(format!("{file}:{}: {}: {word}", index + 1, rule.says));
            }
        }
    }
    broken
}

/// Where the unit tests begin that close the file: a module for tests only that is written out here.
fn first_test_line(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let opens_tests = |index: usize| {
        lines[index].starts_with("#[cfg(")
            && mentions(lines[index], "test")
            && lines[index..]
                .iter()
                .find(|line| !line.starts_with("#["))
                .is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    (0..lines.len()).find(|&index| opens_tests(index)).unwrap_or(lines.len())
}

/// Whether the line has the word. A name of a provider counts inside a longer word as well; a keyword or a path does not.
fn mentions(line: &str, word: &str) -> bool {
    if matches!(word, "google" | "salesforce") {
        return line.to_ascii_lowercase().contains(word);
    }
    let part_of_a_name =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    line.match_indices(word).any(|(start, _)| {
        let bytes = line.as_bytes();
        !part_of_a_name(start.checked_sub(1).and_then(|before| bytes.get(before)))
            && !part_of_a_name(bytes.get(start + word.len()))
    })
}

/// The code with its comments gone and its line breaks kept.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        // `br"…"` is a raw string, `for"` is not.
        let before = code.strip_suffix('b').unwrap_or(&code);
        let after_a_name = before.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let length = if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        } else if rest.starts_with("/*") {
            let length = block_comment(rest);
            code.extend(rest[..length].chars().filter(|&char| char == '\n'));
            rest = &rest[length..];
            continue;
        } else if next == '"' {
            quoted(rest, '"')
        } else if next == '\'' {
            // `'a'` and `'\n'` are characters, `'a` is a lifetime.
            let a_char = rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'');
            if a_char { quoted(rest, '\'') } else { 1 }
        } else if next == 'r' && !after_a_name {
            raw_string(rest).unwrap_or(1)
        } else {
            next.len_utf8()
        };
        code.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    code
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a literal, its quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"…"` or `r#"…"#`, if that is what begins here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|&char| char == '#').count();
    let opening = 1 + hashes + 1;
    if !text[1 + hashes..].starts_with('"') {
        return None;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    Some(text[opening..].find(&closing).map_or(text.len(), |at| opening + at + closing.len()))
}

/// All `.rs` files below a folder, each with its name from the workspace's root.
fn sources(folder: &Path, name: &str, files: &mut Vec<(String, String)>) {
    let mut paths: Vec<_> =
        readable(folder, fs::read_dir(folder)).flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = format!("{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            sources(&path, &name, files);
        } else if name.ends_with(".rs") {
            files.push((name, readable(&path, fs::read_to_string(&path))));
        }
    }
}

fn readable<T>(path: &Path, read: std::io::Result<T>) -> T {
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
