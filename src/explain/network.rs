//! May it connect to this host?

use super::{Answer, May, Question, Subject};

/// The least version of landlock that knows TCP ports (landlock(7)).
const KNOWS_PORTS: u32 = 4;

/// Answers.
pub fn answer(subject: &Subject<'_>, question: &Question, name: &str, port: Option<u16>) -> Answer {
    let plan = subject.plan;
    let origin = &plan.namespaces.network_origin;
    let local = name == "localhost" || name.starts_with("127.") || name == "::1";
    if plan.is_without_network() {
        let text = match (local, subject.is_namespaced()) {
            (true, true) => "it has a loopback interface of its own, on which only it listens",
            _ => "it has no network",
        };
        let answer = Answer::new(question, May::No, text).decided_by(origin);
        let answer = match subject.is_namespaced() {
            true => answer.lock("network namespace", "a network of its own, with a loopback alone"),
            false => answer.lock("seccomp", "sockets of the network cannot be made"),
        };
        return subject.offer(answer, "to open it", "network.mode", Some("--share network"), "");
    }
    let shut = |answer: Answer| {
        subject.offer(answer, "to shut it", "network.mode", Some("--unshare network"), "")
    };
    let by_name = "no host is told from another: only ports can be limited";
    let stated = &subject.policy.settings.network.connect;
    let Some(ports) = &plan.landlock.connect else {
        let answer = Answer::new(question, May::Yes, "it is in the host's network");
        return shut(answer.decided_by(origin).limit(by_name));
    };
    let limits = stated.items.last().map(|item| &item.origin).or(stated.emptied.as_ref());
    let listed: Vec<String> = ports.iter().map(u16::to_string).collect();
    let listed = if listed.is_empty() { "no port".to_owned() } else { listed.join(", ") };
    if subject.facts.kernel.landlock_abi < KNOWS_PORTS {
        let text =
            "it is in the host's network; ports are stated, and this kernel cannot limit them";
        let answer = Answer::new(question, May::Yes, text).decided_by(origin);
        return shut(answer.change("use Linux 6.7 or later, or --require-landlock"));
    }
    let answer = match port {
        Some(port) if ports.contains(&port) => {
            Answer::new(question, May::Yes, format!("it may connect by TCP to port {port}"))
        }
        Some(port) => {
            let line = format!("connect = [{port}]");
            let text = format!("by TCP it may connect to {listed} only");
            let answer = Answer::new(question, May::No, text);
            subject.offer(answer, "to open it", "network.connect", None, &line)
        }
        None => {
            Answer::new(question, May::Partly, format!("by TCP it may connect to {listed} only"))
        }
    };
    let answer = match limits {
        Some(limits) => answer.decided_by(limits),
        None => answer,
    };
    let answer = answer
        .decided_by(origin)
        .limit(by_name)
        .limit("other protocols, UDP among them, are not limited")
        .lock("landlock", "TCP connections to other ports are refused")
        .lock("seccomp", "the ways past that check are shut");
    if answer.may == May::No { answer } else { shut(answer) }
}
