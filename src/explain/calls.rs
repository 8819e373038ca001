//! May it make this system call?

use crate::freeze::seccomp::{Answer as Told, Arch, Rule, TABLE};
use crate::model::origin::Origin;
use crate::model::permission::{Nested, SyscallFeature, Word};
use crate::model::plan::SyscallPlan;

use super::{Answer, May, Question, Subject};

/// Answers.
pub fn answer(subject: &Subject<'_>, question: &Question, name: &str) -> Answer {
    let plan = &subject.plan.syscalls;
    let settings = &subject.policy.settings;
    let core = Origin::builtin("the core of the system call filter");
    let here = |row: &&crate::freeze::seccomp::Row| {
        row.name == name && Arch::native().is_some_and(|arch| row.numbers.on(arch).is_some())
    };
    let Some(row) = TABLE.iter().find(here) else {
        let text = "the filter has nothing against it";
        return Answer::new(question, May::Yes, text)
            .limit("what it reaches is still for the other layers to say")
            .decided_by(&core);
    };
    let opened = match row.rule {
        Rule::UnlessFeature(feature, _) => settings
            .syscalls
            .items
            .iter()
            .find(|stated| stated.value == feature)
            .map(|stated| &stated.origin),
        Rule::UnlessNested(..) => settings.nested.as_ref().map(|stated| &stated.origin),
        Rule::Arguments(_) if plan.nested != Nested::None => {
            settings.nested.as_ref().map(|stated| &stated.origin)
        }
        _ => None,
    };
    let told = row.rule.answer(plan);
    let (may, text) = match &told {
        Told::Allow => (May::Yes, "the filter lets it pass".to_owned()),
        Told::Errno(errno) => (May::No, format!("it fails with {}", errno_name(*errno))),
        Told::Clauses(clauses) => {
            let mut errnos: Vec<&str> = clauses.iter().map(|one| errno_name(one.errno)).collect();
            errnos.dedup();
            let text = format!("with some arguments it fails with {}", errnos.join(" or "));
            (May::Partly, text)
        }
    };
    let answer = Answer::new(question, may, text)
        .limit(format!("why it is looked at: {}", row.reason))
        .decided_by(opened.unwrap_or(&core))
        .lock("seccomp", "the filter answers before the kernel looks at the call");
    let changes = variants(plan).into_iter().filter(|(_, _, other)| row.rule.answer(other) != told);
    changes.fold(answer, |answer, (key, line, _)| {
        subject.offer(answer, "with another answer", key, None, &line)
    })
}

/// Policies that differ from one by a line, and the line.
fn variants(plan: &SyscallPlan) -> Vec<(&'static str, String, SyscallPlan)> {
    let (nest, allow) = ("syscalls.nested", "syscalls.allow");
    let nested = Nested::WORDS.iter().filter(|(_, nested)| *nested != plan.nested);
    let nested = nested.map(|(word, nested)| {
        (nest, format!("nested = \"{word}\""), SyscallPlan { nested: *nested, ..plan.clone() })
    });
    let features = SyscallFeature::WORDS.iter().filter(|(_, one)| !plan.features.contains(one));
    let features = features.map(|(word, feature)| {
        let mut more = plan.clone();
        more.features.push(*feature);
        (allow, format!("allow = [\"{word}\"]"), more)
    });
    let fewer = (!plan.features.is_empty()).then(|| {
        (allow, "allow = []".to_owned(), SyscallPlan { features: Vec::new(), ..plan.clone() })
    });
    nested.chain(features).chain(fewer).collect()
}

fn errno_name(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::ENOSYS => "ENOSYS",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EACCES => "EACCES",
        libc::EINVAL => "EINVAL",
        _ => "an error",
    }
}
