//! What a policy makes of one call, in the small vocabulary that the reference
//! function judges by, the assembler compiles and people read.

use super::Verdict;

/// What a policy makes of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Allowed, whatever the arguments.
    Allow,
    /// Refused, whatever the arguments.
    Errno(i32),
    /// Refused by the first clause that holds, else allowed.
    Clauses(Vec<Clause>),
}

impl Answer {
    /// The verdict on a call with these arguments.
    pub fn verdict(&self, arguments: &[u64; 6]) -> Verdict {
        let errno = match self {
            Answer::Allow => None,
            Answer::Errno(errno) => Some(*errno),
            Answer::Clauses(clauses) => {
                clauses.iter().find(|clause| clause.refuses(arguments)).map(|clause| clause.errno)
            }
        };
        errno.map_or(Verdict::Allow, Verdict::Errno)
    }
}

/// Half of a 64-bit argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The lower 32 bits.
    Low,
    /// The upper 32 bits.
    High,
}

/// How a masked word is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Refuses these values.
    OneOf(Vec<u32>),
    /// Refuses all but these values.
    NoneOf(Vec<u32>),
}

/// One reason to refuse a call for what one of its arguments holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Which argument, from 0.
    pub argument: u8,
    /// Which half of it.
    pub half: Half,
    /// The bits that are looked at.
    pub mask: u32,
    /// What is refused.
    pub test: Test,
    /// What the caller is told.
    pub errno: i32,
}

impl Clause {
    /// A clause over the whole lower word of an argument.
    pub fn low(argument: u8, test: Test, errno: i32) -> Clause {
        Clause { argument, half: Half::Low, mask: u32::MAX, test, errno }
    }

    /// Whether a call with these arguments is refused.
    pub fn refuses(&self, arguments: &[u64; 6]) -> bool {
        let whole = arguments[usize::from(self.argument)];
        let word = match self.half {
            Half::Low => whole as u32,
            Half::High => (whole >> 32) as u32,
        } & self.mask;
        match &self.test {
            Test::OneOf(values) => values.contains(&word),
            Test::NoneOf(values) => !values.contains(&word),
        }
    }
}
