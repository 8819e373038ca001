//! What the conditions of manifests are held against.

use crate::model::condition::{Account, Fact, SessionDisplay, Surroundings};
use crate::model::facts::HostFacts;
use crate::model::path::AbsPath;
use crate::model::permission::Word;

use super::fs::HostFs;

/// Larger than any os-release; what is larger is none.
const LIMIT: usize = 64 * 1024;

/// The host and the session that a run happens in.
pub struct Here<'a> {
    /// The files.
    pub fs: &'a HostFs,
    /// The facts.
    pub facts: &'a HostFacts,
}

impl Surroundings for Here<'_> {
    fn words(&self, fact: Fact) -> Vec<String> {
        match fact {
            Fact::Display => {
                let display = match (&self.facts.wayland, &self.facts.x11) {
                    (Some(_), _) => SessionDisplay::Wayland,
                    (None, Some(_)) => SessionDisplay::X11,
                    (None, None) => SessionDisplay::None,
                };
                vec![display.word().to_owned()]
            }
            Fact::Desktop => {
                let stated = self.facts.environment.get("XDG_CURRENT_DESKTOP");
                let names = stated.map_or("", String::as_str).split(':');
                let names: Vec<String> = names
                    .filter(|name| !name.is_empty())
                    .map(|name| name.to_ascii_lowercase())
                    .collect();
                if names.is_empty() { vec!["none".to_owned()] } else { names }
            }
            // Few manifests ask, so that the file is read when one does.
            Fact::Host => distribution(self.fs),
            Fact::User => {
                let account = if self.facts.uid == 0 { Account::Root } else { Account::Ordinary };
                vec![account.word().to_owned()]
            }
        }
    }
}

/// `ID` and `ID_LIKE` of os-release(5): what the distribution is, and what it
/// derives from.
fn distribution(fs: &HostFs) -> Vec<String> {
    let etc = AbsPath::root().child("etc").child("os-release");
    let usr = AbsPath::root().child("usr").child("lib").child("os-release");
    let text = [etc, usr].iter().find_map(|path| fs.read_text_following(path, LIMIT).ok());
    let text = text.unwrap_or_default();
    let field = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']))
    };
    let words = [field("ID"), field("ID_LIKE")].into_iter().flatten();
    words.flat_map(str::split_whitespace).map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(files: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        distribution(&HostFs::at(dir.path()).unwrap())
    }

    #[test]
    fn distributions_and_what_they_are_like() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(ids(&[("etc/os-release", debian)]), ["debian"]);
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(ids(&[("usr/lib/os-release", mint)]), ["linuxmint", "ubuntu", "debian"]);
        assert_eq!(ids(&[("etc/os-release", "ID='Odd'\n")]), ["odd"]);
        assert_eq!(ids(&[("etc/os-release", "VARIANT_ID=x\n")]), [""; 0]);
        assert_eq!(ids(&[]), [""; 0]);
    }
}
