//! The assembled filter beside the policy: for any policy, architecture,
//! number and arguments, an interpreter of the program says what `judge` says.

use pinfold::freeze::seccomp::{
    Answer, Arch, HIGHEST_REVIEWED, TABLE, Verdict, judge, program, reviewed,
};
use pinfold::model::permission::{Nested, SyscallFeature, Word};
use pinfold::model::plan::{SyscallPlan, Unseparated};

use super::draw::Draw;
use interpreter::{Call, admissible, run};

/// Written from the instruction set, and not a part of the program.
#[path = "../../src/freeze/seccomp/interpreter.rs"]
mod interpreter;

const ARCHES: [Arch; 3] = [Arch::X86_64, Arch::I386, Arch::Aarch64];

/// Words that some rule looks for, or that lie beside one.
const WORDS: [u64; 24] = [
    0,
    1,
    2,
    3,
    8,
    10,
    16,
    29,
    31,
    38,
    40,
    256,
    262,
    0x5411,
    0x5412,
    0x541c,
    0x5423,
    0x7e02_0000,
    0x1000_0000,
    0x2000_0000,
    0o6755,
    0xffff_ffff,
    0xdead_beef_0000_5412,
    u64::MAX,
];

pub fn holds(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let policy = policy(&mut draw);
    let native = draw.pick(&ARCHES);
    let filter = program(&policy, native);
    assert!(admissible(&filter), "the kernel would not load the filter of {policy:?}");
    while !draw.is_over() {
        let call = call(&mut draw);
        let ran = run(&filter, &call);
        let said = judge(&policy, native, call.arch, call.number, &call.arguments);
        assert_eq!(ran.verdict, said, "{policy:?} on {native:?}: {call:x?}");
        let answer = answer(&policy, native, &call);
        let told = match &answer {
            Some(answer) => answer.verdict(&call.arguments),
            None => Verdict::KillProcess,
        };
        assert_eq!(said, told, "the table on {policy:?} on {native:?}: {call:x?}");
        // The kernel does not run the filter again for what it allows without
        // a look at arguments.
        let asks = matches!(answer, Some(Answer::Clauses(_)));
        assert_eq!(ran.read_arguments, asks, "{policy:?} on {native:?}: {call:x?}");
    }
}

fn policy(draw: &mut Draw<'_>) -> SyscallPlan {
    let (_, nested) = draw.pick(Nested::WORDS);
    let [features, rest] = draw.bytes();
    SyscallPlan {
        nested,
        features: SyscallFeature::WORDS
            .iter()
            .enumerate()
            .filter(|(bit, _)| features >> bit & 1 == 1)
            .map(|(_, (_, feature))| *feature)
            .collect(),
        tcp_limited: rest & 1 == 1,
        signals_scoped: rest & 2 == 2,
        makes_set_id: rest & 4 == 4,
        unseparated: (rest & 8 == 8)
            .then_some(Unseparated { network: rest & 16 == 16, unix_sockets: rest & 32 == 32 }),
    }
}

fn call(draw: &mut Draw<'_>) -> Call {
    let form = draw.byte();
    let arch = match form & 7 {
        0 => u32::from_le_bytes(draw.bytes()),
        other => ARCHES[usize::from(other) % 3].audit(),
    };
    let number = match form >> 3 & 3 {
        0 => u32::from_le_bytes(draw.bytes()),
        1 => TABLE[draw.below(TABLE.len())].numbers.x86_64.unwrap_or_default(),
        _ => u32::from(u16::from_le_bytes(draw.bytes())) % (HIGHEST_REVIEWED + 8),
    };
    let arguments = if form & 0x20 == 0 {
        [(); 6].map(|()| draw.pick(&WORDS))
    } else {
        [(); 6].map(|()| u64::from_le_bytes(draw.bytes()))
    };
    Call { arch, number, arguments }
}

/// The row for a call, looked up in the open table.
fn answer(policy: &SyscallPlan, native: Arch, call: &Call) -> Option<Answer> {
    let second = native == Arch::X86_64 && policy.features.contains(&SyscallFeature::Multiarch);
    let arch = ARCHES.into_iter().find(|arch| {
        arch.audit() == call.arch && (*arch == native || (second && *arch == Arch::I386))
    })?;
    if !reviewed(arch).iter().any(|(first, last)| (first..=last).contains(&&call.number)) {
        return Some(Answer::Errno(libc::ENOSYS));
    }
    let row = TABLE.iter().find(|row| row.numbers.on(arch) == Some(call.number));
    Some(row.map_or(Answer::Allow, |row| row.rule.answer(policy)))
}
