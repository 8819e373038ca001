//! Exit codes. The application's own code passes through; these are ours.

/// Why Pinfold itself ends with a code other than the application's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCode {
    /// All went well.
    Success,
    /// `pinfold lint` found what should not stay.
    Findings,
    /// A wrong flag or argument.
    Usage,
    /// A manifest that cannot be read, or that asks for what cannot be.
    Manifest,
    /// The host does not let a sandbox be built.
    Host,
    /// A bug of Pinfold's.
    Bug,
    /// A step of building the sandbox failed; the application did not run.
    SetUp,
    /// The program was found but cannot be executed.
    NotExecutable,
    /// The program was not found.
    NotFound,
}

impl ExitCode {
    /// Every code, for documentation.
    pub const ALL: [ExitCode; 9] = [
        ExitCode::Success,
        ExitCode::Findings,
        ExitCode::Usage,
        ExitCode::Manifest,
        ExitCode::Host,
        ExitCode::Bug,
        ExitCode::SetUp,
        ExitCode::NotExecutable,
        ExitCode::NotFound,
    ];

    /// The number that the shell sees.
    pub fn number(self) -> u8 {
        match self {
            ExitCode::Success => 0,
            ExitCode::Findings => 1,
            ExitCode::Usage => 2,
            ExitCode::Manifest => 65,
            ExitCode::Host => 69,
            ExitCode::Bug => 70,
            ExitCode::SetUp => 125,
            ExitCode::NotExecutable => 126,
            ExitCode::NotFound => 127,
        }
    }

    /// One line for manual pages.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Success => "all went well",
            ExitCode::Findings => "`pinfold lint` found what should not stay",
            ExitCode::Usage => "a wrong flag or argument",
            ExitCode::Manifest => "a manifest cannot be read, or asks for what cannot be",
            ExitCode::Host => "this host does not let a sandbox be built",
            ExitCode::Bug => "a bug in pinfold",
            ExitCode::SetUp => "a step of building the sandbox failed; the application did not run",
            ExitCode::NotExecutable => "the program was found but cannot be executed",
            ExitCode::NotFound => "the program was not found, or no sandbox of that name runs",
        }
    }
}
