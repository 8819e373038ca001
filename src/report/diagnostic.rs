//! The one shape of everything that is reported.

use serde::{Deserialize, Serialize};

use crate::model::origin::Origin;

use super::exit_code::ExitCode;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Goes on, but something is less than it should be.
    Warning,
    /// Does not go on.
    Error,
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $text:literal => $exit:ident,)+) => {
        /// What is wrong, as a code that can be searched for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$meta])* #[serde(rename = $text)] $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The code as people see it.
            pub fn text(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// With what Pinfold ends when this is an error.
            pub fn exit(self) -> ExitCode {
                match self { $(Code::$name => ExitCode::$exit,)+ }
            }
        }
    };
}

codes! {
    /// The command line is wrong.
    Usage = "E0001" => Usage,
    /// A manifest file cannot be read.
    ManifestUnreadable = "E0101" => Manifest,
    /// The text is not TOML.
    ManifestSyntax = "E0102" => Manifest,
    /// A key that the grammar does not have.
    UnknownKey = "E0103" => Manifest,
    /// A value of the wrong type.
    WrongType = "E0104" => Manifest,
    /// A value of the right type that means nothing.
    BadValue = "E0105" => Manifest,
    /// A key that must be there is not.
    MissingKey = "E0106" => Manifest,
    /// The manifest is too large.
    ManifestTooLarge = "E0107" => Manifest,
    /// The id in the file is not the id that was looked for.
    WrongId = "E0108" => Manifest,
    /// No manifest for this application.
    NoManifest = "E0109" => Manifest,
    /// A preset that does not exist or that leads back to itself.
    BadPreset = "E0110" => Manifest,
    /// A manifest in a place where others can write.
    ManifestUntrusted = "E0111" => Manifest,
    /// A key that a lower layer has locked.
    Locked = "E0112" => Manifest,
    /// A key of one application in a file for all of them.
    OneApplication = "E0113" => Manifest,
    /// A desktop entry of which no manifest can be made.
    DesktopEntry = "E0114" => Manifest,
    /// A file that is to be imported cannot be read.
    ImportUnreadable = "E0115" => Manifest,
    /// The text that is to be imported is not of the format.
    ImportSyntax = "E0116" => Manifest,
    /// A profile that is included cannot be found or read.
    ImportInclude = "E0117" => Manifest,
    /// What would come of an import is no manifest.
    ImportResult = "E0118" => Manifest,
    /// A key that is understood but has no effect in this version.
    NotSupported = "E0201" => Manifest,
    /// A path that cannot be granted at all.
    PathRefused = "E0301" => Manifest,
    /// A required path is missing.
    PathMissing = "E0302" => Manifest,
    /// A link where an application could have planted it.
    PathLink = "E0303" => Manifest,
    /// A protected path that this layer may not open.
    PathProtected = "E0304" => Manifest,
    /// No sandbox of that name runs.
    NotRunning = "E0202" => NotFound,
    /// A rule for a bus that the filter does not take.
    BusRule = "E0305" => Manifest,
    /// The program is not there.
    ProgramMissing = "E0401" => NotFound,
    /// The program cannot be executed.
    ProgramNotExecutable = "E0402" => NotExecutable,
    /// The display that is granted cannot be reached.
    DisplayUnreachable = "E0403" => Host,
    /// The host refuses namespaces.
    HostNamespaces = "E0501" => Host,
    /// The host's /proc is masked or is none.
    HostProc = "E0502" => Host,
    /// The kernel lacks what the policy requires.
    HostKernel = "E0503" => Host,
    /// The environment that Pinfold was started in is not usable.
    HostEnvironment = "E0504" => Host,
    /// What is asked for needs namespaces, and the run is to go without.
    NotInTier = "E0505" => Host,
    /// A step of building the sandbox failed.
    StepFailed = "E0601" => SetUp,
    /// A file of the person's own cannot be written.
    NotWritten = "E0603" => SetUp,
    /// The instance's record cannot be kept.
    Record = "E0602" => SetUp,
    /// Something that cannot happen did.
    Bug = "E0901" => Bug,
}

/// A place in a text that a diagnostic points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub origin: Origin,
    /// The byte range in the file's text, where the text is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<(usize, usize)>,
    /// What is to be said about that place; may be empty.
    pub text: String,
}

/// One thing to say, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What it is; notes may have none.
    pub code: Option<Code>,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// The places it is about, the decisive one first.
    pub labels: Vec<Label>,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// The text of the file that the first label with a span points into.
    #[serde(skip)]
    pub source: Option<std::sync::Arc<str>>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: Some(code),
            message: message.into(),
            labels: Vec::new(),
            causes: Vec::new(),
            hints: Vec::new(),
            source: None,
        }
    }

    /// A warning.
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            code: None,
            ..Diagnostic::error(Code::Bug, message)
        }
    }

    /// A note.
    pub fn note(message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Note, code: None, ..Diagnostic::error(Code::Bug, message) }
    }

    /// Points at a statement.
    pub fn at(mut self, origin: &Origin) -> Diagnostic {
        self.labels.push(Label { origin: origin.clone(), span: None, text: String::new() });
        self
    }

    /// Points into a text.
    pub fn within(
        mut self,
        origin: &Origin,
        source: &std::sync::Arc<str>,
        span: std::ops::Range<usize>,
        text: impl Into<String>,
    ) -> Diagnostic {
        self.labels.push(Label {
            origin: origin.clone(),
            span: Some((span.start, span.end)),
            text: text.into(),
        });
        self.source.get_or_insert_with(|| source.clone());
        self
    }

    /// Adds a cause.
    pub fn because(mut self, cause: impl std::fmt::Display) -> Diagnostic {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hints.push(hint.into());
        self
    }

    /// The exit code that this error leads to.
    pub fn exit(&self) -> ExitCode {
        self.code.map_or(ExitCode::Bug, Code::exit)
    }
}
