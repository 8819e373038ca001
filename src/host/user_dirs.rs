//! The places of Documents, Music and their like, from `user-dirs.dirs`.

use std::collections::BTreeMap;

use crate::model::path::{AbsPath, UserDir};

use super::fs::HostFs;

const LIMIT: usize = 64 << 10;

/// The well-known folders of a home. Without a word about one in the file it
/// has its English name; one that the file puts at the home itself is
/// switched off, as `xdg-user-dirs` has it.
pub(super) fn user_dirs(
    fs: &HostFs,
    config_home: &AbsPath,
    home: &AbsPath,
) -> BTreeMap<UserDir, AbsPath> {
    // Links are followed, since people keep this file with their dot files.
    let text =
        fs.read_text_following(&config_home.child("user-dirs.dirs"), LIMIT).unwrap_or_default();
    parse(&text, home)
}

fn parse(text: &str, home: &AbsPath) -> BTreeMap<UserDir, AbsPath> {
    let mut dirs: BTreeMap<UserDir, AbsPath> =
        UserDir::ALL.iter().map(|(dir, _, _, english)| (*dir, home.child(english))).collect();
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once('=') else {
            continue;
        };
        let Some((dir, ..)) = UserDir::ALL.iter().find(|(_, _, name, _)| *name == key) else {
            continue;
        };
        // A statement that cannot be read still says that the folder is not
        // where it would be by default. A folder around the home is as good
        // as the home.
        match place(value, home).filter(|place| !home.is_within(place)) {
            Some(place) => dirs.insert(*dir, place),
            None => dirs.remove(dir),
        };
    }
    dirs
}

/// Reads `"$HOME/folder"` or `"/folder"`.
fn place(value: &str, home: &AbsPath) -> Option<AbsPath> {
    let quoted = value.strip_prefix('"')?;
    let mut bare = String::with_capacity(value.len());
    let (below_home, quoted) = match quoted.strip_prefix("$HOME") {
        Some(rest) if rest.starts_with(['/', '"']) => (true, rest),
        Some(_) => return None,
        None => (false, quoted),
    };
    let mut letters = quoted.chars();
    loop {
        match letters.next()? {
            '"' => break,
            '\\' => bare.push(letters.next()?),
            // What a shell would put in their place is not for us to run.
            '$' | '`' => return None,
            letter => bare.push(letter),
        }
    }
    if !letters.as_str().is_empty() {
        return None;
    }
    match below_home {
        true => AbsPath::new(&format!("{home}{bare}")).ok(),
        false => AbsPath::new(&bare).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> AbsPath {
        AbsPath::new("/home/ada").unwrap()
    }

    fn music(line: &str) -> Option<String> {
        parse(line, &home()).remove(&UserDir::Music).map(String::from)
    }

    #[test]
    fn without_a_word_the_english_names_stand() {
        let dirs = parse("# nothing here\n\nXDG_NOTHING_DIR=\"$HOME/x\"\n", &home());
        assert_eq!(dirs.len(), 8);
        assert_eq!(dirs[&UserDir::Download].as_str(), "/home/ada/Downloads");
        assert_eq!(dirs[&UserDir::PublicShare].as_str(), "/home/ada/Public");
    }

    #[test]
    fn the_forms_of_a_line() {
        for (value, want) in [
            (r#""$HOME/Musik""#, "/home/ada/Musik"),
            (r#""$HOME/Musik/""#, "/home/ada/Musik"),
            (r#""/srv/music""#, "/srv/music"),
            (r#""$HOME/a \"b\" \$c\\d""#, r#"/home/ada/a "b" $c\d"#),
            (r#""$HOME/Musik"   "#, "/home/ada/Musik"),
        ] {
            assert_eq!(
                music(&format!("XDG_MUSIC_DIR={value}\n")).as_deref(),
                Some(want),
                "{value}"
            );
        }
        assert_eq!(music("XDG_MUSIC_DIR=\"/a\"\nXDG_MUSIC_DIR=\"/b\"").as_deref(), Some("/b"));
    }

    #[test]
    fn hostile_and_disabled_places_are_none() {
        for value in [
            r#""$HOME""#,
            r#""$HOME/""#,
            r#""/home/ada""#,
            r#""/home""#,
            r#""/""#,
            r#""""#,
            r#""$HOMEX/a""#,
            r#""Music""#,
            r#""$HOME/../bob""#,
            r#""$HOME/./a""#,
            r#""$HOME//a""#,
            r#""$HOME/a"; rm -rf x"#,
            r#""$HOME/a"#,
            r#""$HOME/a\"#,
            r#"$HOME/a"#,
            r#""$HOME/$(id)""#,
            r#""$HOME/`id`""#,
            "\"$HOME/a\u{1b}b\"",
        ] {
            assert_eq!(music(&format!("XDG_MUSIC_DIR={value}\n")), None, "{value}");
        }
    }

    #[test]
    fn a_file_over_the_limit_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let fs = HostFs::at(dir.path()).unwrap();
        let line = "XDG_MUSIC_DIR=\"/srv/music\"\n";
        std::fs::write(dir.path().join("user-dirs.dirs"), line).unwrap();
        assert_eq!(
            user_dirs(&fs, &AbsPath::root(), &home())[&UserDir::Music].as_str(),
            "/srv/music"
        );
        std::fs::write(dir.path().join("user-dirs.dirs"), line.repeat(10_000)).unwrap();
        assert_eq!(
            user_dirs(&fs, &AbsPath::root(), &home())[&UserDir::Music].as_str(),
            "/home/ada/Music"
        );
    }
}
