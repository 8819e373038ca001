//! Profiles line by line: conditions, includes, and what `ignore` takes out.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::report::{Code, Diagnostic};
use crate::sys;

use super::super::report::{Finding, Place, Report};
use super::super::text::{Line, Text, unreadable};

/// How deep profiles may include each other, as in firejail itself.
const DEEPEST: usize = 16;

/// The most lines of a profile with all that it includes.
const MOST_LINES: usize = 100_000;

/// The longest line.
const LONGEST: usize = 4096;

/// Folders that firejail itself looks in: a file in one of them is meant by
/// its name.
const FOLDERS: [&str; 4] =
    ["${CFG}/", "/etc/firejail/", "${HOME}/.config/firejail/", "~/.config/firejail/"];

/// A directive that counts.
#[derive(Debug, Clone)]
pub struct Directive {
    /// Its first word.
    pub word: String,
    /// The rest of the line.
    pub argument: String,
    /// The condition in front of it.
    pub condition: Option<String>,
    /// Where it stands.
    pub place: Place,
    /// The line, for the report.
    pub text: String,
}

/// A folder in which included files may lie.
struct Folder {
    path: PathBuf,
    fd: File,
}

/// What an `ignore` takes out.
struct Ignored {
    /// How the lines start.
    start: String,
    /// The condition in front of it.
    condition: Option<String>,
}

/// A profile with its includes in their places.
struct Expansion<'r> {
    folders: Vec<Folder>,
    ignored: Vec<Ignored>,
    directives: Vec<Directive>,
    lines: usize,
    report: &'r mut Report,
}

/// Every directive that counts, in order. Includes and what is ignored are
/// filed in the report.
///
/// # Errors
/// A line that is none of a profile; an include that cannot be found.
pub fn expand(
    text: &Text,
    file: &Path,
    include: &[PathBuf],
    report: &mut Report,
) -> Result<Vec<Directive>, Diagnostic> {
    let beside = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut folders = Vec::new();
    for path in std::iter::once(beside).chain(include.iter().map(PathBuf::as_path)) {
        let fd = File::open(path).map_err(|error| unreadable(&path.to_string_lossy(), error))?;
        folders.push(Folder { path: path.to_owned(), fd });
    }
    let mut expansion =
        Expansion { folders, ignored: Vec::new(), directives: Vec::new(), lines: 0, report };
    expansion.file(text, 0)?;
    Ok(expansion.directives)
}

impl Expansion<'_> {
    fn file(&mut self, text: &Text, depth: usize) -> Result<(), Diagnostic> {
        for line in text.lines() {
            self.line(text, &line, depth)?;
        }
        Ok(())
    }

    fn line(&mut self, text: &Text, line: &Line, depth: usize) -> Result<(), Diagnostic> {
        let stripped = without_remark(&line.text).trim();
        if stripped.is_empty() || stripped.starts_with('#') {
            return Ok(());
        }
        self.lines += 1;
        if self.lines > MOST_LINES {
            return Err(text.error(line.span(), "the profile and its includes are too long", ""));
        }
        if stripped.len() > LONGEST {
            return Err(text.error(line.span(), "the line is too long", ""));
        }
        let (condition, rest) = match stripped.strip_prefix('?') {
            Some(rest) => match rest.split_once(':') {
                Some((condition, rest)) => (Some(condition.trim().to_owned()), rest.trim()),
                None => {
                    return Err(text
                        .error(line.span(), "a condition has no directive", "")
                        .hint("write it as in ?HAS_NOSOUND: directive"));
                }
            },
            None => (None, stripped),
        };
        let mut condition = condition;
        let matching = self.ignored.iter().filter(|ignored| rest.starts_with(&ignored.start));
        // One without a condition counts before those with one.
        if let Some(ignored) = matching.min_by_key(|ignored| ignored.condition.is_some()) {
            if ignored.condition.is_none() {
                let moot = Finding::moot("an ignore further up takes it out");
                self.report.add(&line.place, stripped, moot);
                return Ok(());
            }
            // A grant that counts or does not, as if it had the condition.
            condition.clone_from(&ignored.condition);
        }
        let (word, argument) = match rest.split_once([' ', '\t']) {
            Some((word, argument)) => (word, argument.trim()),
            None => (rest, ""),
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || ".-_6".contains(c);
        if word.is_empty() || !word.chars().all(is_word) {
            return Err(text.error(line.span(), "the line has no directive", ""));
        }
        if path_goes_up(argument) {
            return Err(text.error(line.span(), "a path goes up (..)", ""));
        }
        match word {
            "include" => return self.include(text, line, argument, depth),
            "ignore" => {
                let finding = self.ignore(condition, argument);
                self.report.add(&line.place, stripped, finding);
            }
            _ => self.directives.push(Directive {
                word: word.to_owned(),
                argument: argument.to_owned(),
                condition,
                place: line.place.clone(),
                text: stripped.to_owned(),
            }),
        }
        Ok(())
    }

    /// Under a condition, which may hold or not, nothing that limits is
    /// ignored, and a grant becomes one under this condition.
    fn ignore(&mut self, condition: Option<String>, argument: &str) -> Finding {
        if argument.is_empty() {
            return Finding::exact("it takes nothing out");
        }
        let word = argument.split([' ', '\t']).next().unwrap_or_default();
        if condition.is_some() && !super::grants_something(word) {
            return Finding::less("read as if the condition did not hold: the limit stays");
        }
        let finding = match condition {
            Some(_) => Finding::less("read as if the condition held: the grant is left out"),
            None => Finding::exact("lines that start so are left out"),
        };
        self.ignored.push(Ignored { start: argument.to_owned(), condition });
        finding
    }

    fn include(
        &mut self,
        text: &Text,
        line: &Line,
        argument: &str,
        depth: usize,
    ) -> Result<(), Diagnostic> {
        let statement = without_remark(&line.text).trim();
        let error = |message: String| {
            let mut error = text.error(line.span(), message, "");
            error.code = Some(Code::ImportInclude);
            error
        };
        let name = FOLDERS.iter().find_map(|folder| argument.strip_prefix(folder));
        let name = name.unwrap_or(argument);
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(error(format!("`{argument}` cannot be included")).because(
                "only files beside the profile are included, and those of --include-dir",
            ));
        }
        if depth >= DEEPEST {
            return Err(error(format!("more than {DEEPEST} profiles include each other")));
        }
        let Some(included) = self.find(name)? else {
            if name.ends_with(".local") {
                let exact = Finding::exact("there is none, as on most systems");
                self.report.add(&line.place, statement, exact);
                return Ok(());
            }
            return Err(error(format!("the included `{name}` is not there"))
                .because("what it limits is not known, and nothing can be granted in its place")
                .hint("name the folder that has it with --include-dir"));
        };
        let exact = Finding::exact("its lines are read in this place");
        self.report.add(&line.place, statement, exact);
        self.file(&included, depth + 1)
    }

    /// Opens an included file; a link may not lead out of its folder.
    fn find(&self, name: &str) -> Result<Option<Text>, Diagnostic> {
        let Ok(path) = CString::new(name) else { return Ok(None) };
        for folder in &self.folders {
            let shown = folder.path.join(name);
            let shown = shown.strip_prefix("./").unwrap_or(&shown).to_string_lossy().into_owned();
            match sys::path::open_file_inside(folder.fd.as_fd(), &path) {
                Ok(fd) => return Text::of(fd, &shown).map(Some),
                Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(unreadable(&shown, errno)),
            }
        }
        Ok(None)
    }
}

/// The line without a remark behind its directive.
fn without_remark(line: &str) -> &str {
    let at = line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t']));
    at.map_or(line, |(at, _)| &line[..at])
}

fn path_goes_up(argument: &str) -> bool {
    argument.split('/').any(|element| element.trim() == "..")
}
