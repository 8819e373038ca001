//! A small interpreter of the classic BPF that the kernel accepts as a seccomp
//! filter, written from the instruction set and not from the assembler.

use seccompiler::sock_filter;

use super::Verdict;

/// The fields of `struct seccomp_data` that a filter can tell calls apart by.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The architecture, as the kernel numbers it.
    pub arch: u32,
    /// The call's number.
    pub number: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        assert!(offset.is_multiple_of(4), "unaligned load");
        match offset {
            0 => self.number,
            4 => self.arch,
            16..=63 => {
                let whole = self.arguments[(offset as usize - 16) / 8];
                if offset.is_multiple_of(8) { whole as u32 } else { (whole >> 32) as u32 }
            }
            _ => panic!("load of {offset}"),
        }
    }
}

/// How a filter went over one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// What it returned.
    pub verdict: Verdict,
    /// How many instructions it took.
    pub steps: usize,
    /// Whether it looked at anything beyond number and architecture. The kernel
    /// caches an "allow" only where it did not.
    pub read_arguments: bool,
}

/// Runs a filter over one call.
pub fn run(program: &[sock_filter], call: &Call) -> Run {
    let mut accumulator = 0;
    let mut read_arguments = false;
    let mut at = 0;
    for steps in 1.. {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let mut branch = |taken: bool| at += usize::from(if taken { jt } else { jf });
        match code {
            0x20 => {
                accumulator = call.word(k);
                read_arguments |= k >= 16;
            }
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => branch(accumulator == k),
            0x35 => branch(accumulator >= k),
            0x06 => {
                let verdict = match (k & 0xffff_0000, k & 0xffff) {
                    (0x7fff_0000, 0) => Verdict::Allow,
                    (0x0005_0000, errno) => Verdict::Errno(errno as i32),
                    (0x8000_0000, 0) => Verdict::KillProcess,
                    _ => panic!("returns {k:#x}"),
                };
                return Run { verdict, steps, read_arguments };
            }
            _ => panic!("instruction {code:#x}"),
        }
    }
    unreachable!("a program without an end")
}

/// What the kernel asks of a filter before it loads it: a known size, known
/// instructions, jumps that stay inside, loads that stay in the data, and a
/// return at the end.
pub fn admissible(program: &[sock_filter]) -> bool {
    let inside = |at: usize, jump: u32| at + 1 + (jump as usize) < program.len();
    (1..=4096).contains(&program.len())
        && program.last().is_some_and(|last| last.code == 0x06)
        && program.iter().enumerate().all(|(at, instruction)| match instruction.code {
            0x20 => instruction.k.is_multiple_of(4) && instruction.k < 64,
            0x05 => inside(at, instruction.k),
            0x15 | 0x35 => inside(at, instruction.jt.into()) && inside(at, instruction.jf.into()),
            0x54 | 0x06 => true,
            _ => false,
        })
}
