//! May it use this device?

use crate::model::origin::Origin;
use crate::model::permission::{Device, Word};
use crate::model::plan::Action;

use super::{Answer, May, Question, Subject};

/// Answers.
pub fn answer(subject: &Subject<'_>, question: &Question, device: Device) -> Answer {
    let word = device.word();
    let stated = subject.policy.settings.devices.items.iter().find(|stated| stated.value == device);
    let Some(stated) = stated else {
        let text = "no line grants it; /dev has the minimal devices only";
        let nothing = Origin::builtin("no device is shown that no line grants");
        let emptied = subject.policy.settings.devices.emptied.as_ref();
        let answer =
            Answer::new(question, May::No, text).decided_by(emptied.unwrap_or(&nothing)).lock(
                "mounts",
                "the device files are not there, and those of other mounts do not work",
            );
        return match device {
            Device::Gpu | Device::Kvm => {
                let flag = format!("--share {word}");
                subject.offer(answer, "to open it", "devices.allow", Some(&flag), "")
            }
            Device::Camera => answer.change(
                "this version opens no camera by its device; --portal camera asks the person",
            ),
            _ => answer.change("this version of pinfold does not open it"),
        };
    };
    let nodes: Vec<String> = subject
        .plan
        .tree
        .iter()
        .filter(|step| step.origin == stated.origin)
        .filter_map(|step| match &step.action {
            Action::Bind { dest, device: true, .. } => Some(dest.to_string()),
            _ => None,
        })
        .collect();
    let answer = match nodes.is_empty() {
        true => Answer::new(question, May::No, "it is granted, and this host has none"),
        false => Answer::new(question, May::Yes, format!("it may use {}", nodes.join(", "))),
    };
    let mut answer = answer
        .decided_by(&stated.origin)
        .lock("mounts", "these device files are shown, and no others");
    answer.shadowed = stated.shadowed.clone();
    let flag = format!("--unshare {word}");
    let answer = subject.offer(answer, "to shut it", "devices.allow", Some(&flag), "");
    match subject.is_landlocked() {
        true => answer.lock("landlock", "a rule lets them be used"),
        false => answer,
    }
}
