//! From answers to a classic BPF program.
//!
//! Jumps of classic BPF are relative and lead forwards only. A conditional one
//! reaches 255 instructions; where the block to be skipped is longer, an
//! unconditional one, which has 32 bits, is put in between. Everything is built
//! from one shape, [`unless`]: a comparison in front of a block that it skips.
//!
//! Words are loaded as little-endian halves; the three architectures are.

use seccompiler::sock_filter;

use crate::model::plan::SyscallPlan;

use super::answer::{Answer, Clause, Half, Test};
use super::table::{HIGHEST_REVIEWED, TABLE, reviewed};
use super::{Arch, accepted};

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const MASK: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const SKIP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Where `struct seccomp_data` has the number, the architecture and the
/// arguments.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

type Code = Vec<sock_filter>;

/// The whole program: by architecture, then by number, then by arguments.
pub fn program(policy: &SyscallPlan, native: Arch) -> Code {
    let mut code = vec![statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS)];
    for arch in accepted(policy, native).rev() {
        code = unless(IF_EQUAL, arch.audit(), code);
        code.push(statement(LOAD, NUMBER));
        code.extend(tree(&segments(policy, arch)));
    }
    code.insert(0, statement(LOAD, ARCH));
    code
}

/// A run of numbers that have the same answer, up to the next segment.
struct Segment {
    first: u32,
    answer: Answer,
}

/// All numbers, in order, cut where the answer changes.
fn segments(policy: &SyscallPlan, arch: Arch) -> Vec<Segment> {
    let mut rules = [None; HIGHEST_REVIEWED as usize + 1];
    for row in TABLE {
        if let Some(number) = row.numbers.on(arch) {
            rules[number as usize] = Some(row.rule);
        }
    }
    let mut segments: Vec<Segment> = Vec::new();
    let mut push = |first: u32, answer: Answer| {
        if segments.last().is_none_or(|last| last.answer != answer) {
            segments.push(Segment { first, answer });
        }
    };
    let mut next = 0;
    for &(first, last) in reviewed(arch) {
        if next < first {
            push(next, Answer::Errno(libc::ENOSYS));
        }
        for number in first..=last {
            let answer = rules[number as usize].map_or(Answer::Allow, |rule| rule.answer(policy));
            push(number, answer);
        }
        next = last + 1;
    }
    push(next, Answer::Errno(libc::ENOSYS));
    segments
}

/// A balanced tree of comparisons over the number in the accumulator. Its
/// depth is the logarithm of the count of segments, and it loads nothing: the
/// kernel caches a number as always allowed only when the path to the answer
/// depends on nothing but number and architecture.
fn tree(segments: &[Segment]) -> Code {
    match segments {
        [] => Code::new(),
        [only] => leaf(&only.answer),
        several => {
            let (below, above) = several.split_at(several.len() / 2);
            let mut code = unless(IF_AT_LEAST, above[0].first, tree(below));
            code.extend(tree(above));
            code
        }
    }
}

/// The end of a path: ends in returns, whatever the arguments.
fn leaf(answer: &Answer) -> Code {
    match answer {
        Answer::Allow => vec![statement(RETURN, libc::SECCOMP_RET_ALLOW)],
        Answer::Errno(errno) => vec![refuse(*errno)],
        Answer::Clauses(clauses) => {
            let mut code: Code = clauses.iter().flat_map(refuse_if).collect();
            code.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
            code
        }
    }
}

/// Returns the clause's error where it holds, falls through where not.
fn refuse_if(clause: &Clause) -> Code {
    let half = match clause.half {
        Half::Low => 0,
        Half::High => 4,
    };
    let mut code = vec![statement(LOAD, ARGUMENTS + 8 * u32::from(clause.argument) + half)];
    if clause.mask != u32::MAX {
        code.push(statement(MASK, clause.mask));
    }
    // What runs where the word is none of the values. A value that is met
    // leads behind it.
    let (values, unmet, met) = match &clause.test {
        Test::NoneOf(values) => (values, refuse(clause.errno), None),
        Test::OneOf(values) => (values, statement(SKIP, 1), Some(refuse(clause.errno))),
    };
    code.extend(
        values.iter().rev().fold(vec![unmet], |rest, value| unless(IF_EQUAL, *value, rest)),
    );
    code.extend(met);
    code
}

/// Runs the block unless the accumulator compares as asked; goes on behind it
/// then.
fn unless(comparison: u16, value: u32, block: Code) -> Code {
    let mut code = match u8::try_from(block.len()) {
        Ok(length) => vec![sock_filter { code: comparison, jt: length, jf: 0, k: value }],
        Err(_) => vec![
            sock_filter { code: comparison, jt: 0, jf: 1, k: value },
            statement(SKIP, block.len() as u32),
        ],
    };
    code.extend(block);
    code
}

fn refuse(errno: i32) -> sock_filter {
    statement(RETURN, libc::SECCOMP_RET_ERRNO | errno as u32 & libc::SECCOMP_RET_DATA)
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}
