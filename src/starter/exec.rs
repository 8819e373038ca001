//! The key `Exec` of a desktop entry as a command: words by the quoting rules
//! of the specification, without field codes. Nothing that needs a shell.

/// A command, and what was left out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Arguments that cannot be kept since a field code stood inside them.
    pub dropped: Vec<String>,
}

/// Why no command can be made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// A character that has a meaning in a shell.
    #[error("{0:?} stands outside of quotes, which only a shell would understand")]
    Reserved(char),
    /// A quote that opens and does not close, or in the middle of a word.
    #[error("its quotes do not match")]
    Quotes,
    /// A percent sign with nothing that the specification knows.
    #[error("%{0} is no field code")]
    Code(String),
    /// A character that no command can have.
    #[error("it has a control character")]
    Control,
    /// Nothing is left.
    #[error("it names no program")]
    Empty,
    /// `env NAME=value program`, or the same without `env`.
    #[error("it sets variables by {0:?}")]
    Variables(String),
    /// `sh -c '...'`
    #[error("it is a script for {0}")]
    Shell(String),
    /// `sudo program` and the like.
    #[error("{0} is to give the program more rights, which no sandbox can")]
    Rights(String),
    /// `flatpak run ...` and the like.
    #[error("{0} starts it in a sandbox of its own")]
    Sandboxed(String),
}

impl ExecError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ExecError::Variables(_) => {
                "write the manifest by hand: command = [\"the program\"], and the variables into \
                 [environment], set = { NAME = \"value\" }"
            }
            ExecError::Shell(_) | ExecError::Reserved(_) => {
                "write the manifest by hand, with the program that the script starts in the end: \
                 command = [\"the program\"]"
            }
            ExecError::Rights(_) | ExecError::Sandboxed(_) => {
                "there is nothing for a manifest to do"
            }
            ExecError::Quotes | ExecError::Code(_) | ExecError::Control | ExecError::Empty => {
                "write the manifest by hand, or have the desktop entry mended"
            }
        }
    }
}

/// What may not stand outside of quotes, but for the space.
const RESERVED: &str = "'\\><~|&;$*?#()`\n\t";

/// Shells. What one is told by `-c` is a script.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "csh", "tcsh", "fish"];

/// One word, and whether it was quoted.
struct Word {
    text: String,
    quoted: bool,
}

/// Reads the value of `Exec`.
///
/// # Errors
/// Why no command can be made of it.
pub fn read(text: &str) -> Result<Command, ExecError> {
    let mut command = Command { words: Vec::new(), dropped: Vec::new() };
    for word in words(text)? {
        let written = word.text.clone();
        match without_codes(&word)? {
            Some(text) => command.words.push(text),
            None if is_code(&written) => {}
            None => command.dropped.push(written),
        }
    }
    refuse_wrappers(&command.words)?;
    Ok(command)
}

fn words(text: &str) -> Result<Vec<Word>, ExecError> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == ' ' {
            continue;
        }
        let mut word = Word { text: String::new(), quoted: letter == '"' };
        if word.quoted {
            loop {
                match letters.next() {
                    Some('"') => break,
                    Some('\\') => match letters.next() {
                        Some(escaped @ ('"' | '`' | '$' | '\\')) => word.text.push(escaped),
                        Some(other) => word.text.extend(['\\', other]),
                        None => return Err(ExecError::Quotes),
                    },
                    Some(other) => word.text.push(other),
                    None => return Err(ExecError::Quotes),
                }
            }
            if letters.peek().is_some_and(|next| *next != ' ') {
                return Err(ExecError::Quotes);
            }
        } else {
            let mut next = Some(letter);
            while let Some(letter) = next {
                match letter {
                    '"' => return Err(ExecError::Quotes),
                    reserved if RESERVED.contains(reserved) => {
                        return Err(ExecError::Reserved(reserved));
                    }
                    plain => word.text.push(plain),
                }
                next = letters.next_if(|next| *next != ' ');
            }
        }
        if word.text.chars().any(char::is_control) {
            return Err(ExecError::Control);
        }
        words.push(word);
    }
    Ok(words)
}

/// Whether a word is a field code and nothing else.
fn is_code(word: &str) -> bool {
    word.len() == 2 && word.starts_with('%')
}

/// A word with `%%` as `%`; none where it holds a field code. What a code
/// stands for comes from the desktop: files, which `pinfold run` appends, an
/// icon, a translated name.
fn without_codes(word: &Word) -> Result<Option<String>, ExecError> {
    let mut out = String::new();
    let mut has_code = false;
    let mut letters = word.text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => out.push('%'),
            Some('f' | 'F' | 'u' | 'U' | 'i' | 'c' | 'k') => has_code = true,
            // Of earlier versions of the specification.
            Some('d' | 'D' | 'n' | 'N' | 'v' | 'm') => has_code = true,
            // In quotes a percent sign of its own is common and harmless.
            Some(other) if word.quoted => out.extend(['%', other]),
            other => return Err(ExecError::Code(other.map(String::from).unwrap_or_default())),
        }
    }
    Ok((!has_code).then_some(out))
}

/// Refuses programs that only start others.
fn refuse_wrappers(words: &[String]) -> Result<(), ExecError> {
    let Some(program) = words.first().filter(|program| !program.is_empty()) else {
        return Err(ExecError::Empty);
    };
    let name = program.rsplit('/').next().unwrap_or(program).to_owned();
    let is_script = || {
        words[1..]
            .iter()
            .take_while(|word| word.starts_with('-'))
            .any(|w| !w.starts_with("--") && w.ends_with('c'))
    };
    match name.as_str() {
        "env" => Err(ExecError::Variables(words.join(" "))),
        _ if program.contains('=') => Err(ExecError::Variables(program.clone())),
        shell if SHELLS.contains(&shell) && is_script() => Err(ExecError::Shell(name)),
        "sudo" | "pkexec" | "doas" | "gksu" | "gksudo" | "kdesu" | "kdesudo" | "su" => {
            Err(ExecError::Rights(name))
        }
        "flatpak" | "snap" | "bwrap" | "firejail" | "bubblejail" | "pinfold" => {
            Err(ExecError::Sandboxed(name))
        }
        _ if program.starts_with("/snap/") => Err(ExecError::Sandboxed(program.clone())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        read(text).unwrap_or_else(|error| panic!("{text}: {error}")).words
    }

    #[test]
    fn quoting_and_field_codes() {
        assert_eq!(words("eog %U"), ["eog"]);
        assert_eq!(words("  evince   --fullscreen %f "), ["evince", "--fullscreen"]);
        assert_eq!(words(r#"app "a b" "c\"d\\e\$f\`g" """#), ["app", "a b", "c\"d\\e$f`g", ""]);
        assert_eq!(words("app 100%% %i -x %c %k %m"), ["app", "100%", "-x"]);
        assert_eq!(words(r#""/opt/My App/run" "50% off""#), ["/opt/My App/run", "50% off"]);
        assert_eq!(words(r#"app "%U""#), ["app"]);
        let command = read("app --file=%f --other").unwrap();
        assert_eq!(command.words, ["app", "--other"]);
        assert_eq!(command.dropped, ["--file=%f"]);
    }

    #[test]
    fn what_only_a_shell_understands() {
        for (text, want) in [
            ("app 'a b'", ExecError::Reserved('\'')),
            ("app a|b", ExecError::Reserved('|')),
            ("app ~/x", ExecError::Reserved('~')),
            ("app $HOME", ExecError::Reserved('$')),
            ("app a; b", ExecError::Reserved(';')),
            ("app > log", ExecError::Reserved('>')),
            ("app \"a", ExecError::Quotes),
            ("app a\"b\"", ExecError::Quotes),
            ("app \"a\"b", ExecError::Quotes),
            ("app \"a\\", ExecError::Quotes),
            ("app %z", ExecError::Code("z".to_owned())),
            ("app %", ExecError::Code(String::new())),
            ("app \"a\nb\"", ExecError::Control),
            ("", ExecError::Empty),
            ("%U", ExecError::Empty),
            ("\"\" x", ExecError::Empty),
            ("env A=b app", ExecError::Variables("env A=b app".to_owned())),
            ("/usr/bin/env app", ExecError::Variables("/usr/bin/env app".to_owned())),
            ("A=b app", ExecError::Variables("A=b".to_owned())),
            ("sh -c \"a b\"", ExecError::Shell("sh".to_owned())),
            ("/bin/bash -lc \"a b\"", ExecError::Shell("bash".to_owned())),
            ("bash --login -c x", ExecError::Shell("bash".to_owned())),
            ("pkexec synaptic", ExecError::Rights("pkexec".to_owned())),
            ("flatpak run org.a.B", ExecError::Sandboxed("flatpak".to_owned())),
            ("/snap/bin/x", ExecError::Sandboxed("/snap/bin/x".to_owned())),
        ] {
            assert_eq!(read(text), Err(want), "{text:?}");
        }
        // A shell by itself, or with a file, is a program like others.
        assert_eq!(words("bash"), ["bash"]);
        assert_eq!(words("sh /opt/app/run.sh"), ["sh", "/opt/app/run.sh"]);
    }

    proptest! {
        /// What is quoted by the rules is read back as it was.
        #[test]
        fn quoted_words_are_read_back(args in proptest::collection::vec("[ -~ä]{0,8}", 1..5)) {
            let mut text = "app".to_owned();
            for arg in &args {
                text.push_str(" \"");
                for letter in arg.chars() {
                    match letter {
                        '"' | '`' | '$' | '\\' => text.extend(['\\', letter]),
                        '%' => text.push_str("%%"),
                        other => text.push(other),
                    }
                }
                text.push('"');
            }
            let command = read(&text).unwrap();
            prop_assert_eq!(&command.words[1..], &args[..]);
        }

        #[test]
        fn nothing_panics_and_no_code_is_left(text in "\\PC{0,24}") {
            if let Ok(command) = read(&text) {
                prop_assert!(!command.words[0].is_empty());
            }
        }
    }
}
